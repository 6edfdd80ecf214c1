/*
 * Of the keys that an ssh-agent says it holds, those that libssh is to know of.
 */
#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/ssh/remote_parts.h"
#include "lib/sys/log.h"

#define KEYS_LIMIT 1024
#define AGENT_IDENTITIES_ANSWER 12

size_t
remote_agent_length(const uint8_t *p)
{
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 |
	    p[3];
}

static void
put_length(uint8_t *p, size_t n)
{
	p[0] = (uint8_t)(n >> 24);
	p[1] = (uint8_t)(n >> 16);
	p[2] = (uint8_t)(n >> 8);
	p[3] = (uint8_t)n;
}

struct key {
	const uint8_t *blob;
	size_t n;
	bool is_wanted;
};

static bool
next_string(const uint8_t **p, const uint8_t *end, struct key *k)
{
	size_t n;

	if (end - *p < 4)
		return false;
	n = remote_agent_length(*p);
	*p += 4;
	if (n > (size_t)(end - *p))
		return false;
	k->blob = *p;
	k->n = n;
	*p += n;
	return true;
}

static bool
is_wanted(const struct key *k, const struct strv *wanted)
{
	struct buf text = BUF_INIT;
	bool has;

	base64_add(&text, k->blob, k->n);
	has = strv_has(wanted, buf_cstr(&text));
	buf_clear(&text);
	return has;
}

static void
add_key(struct remote_keys *chosen, const struct key *k)
{
	uint8_t head[4];

	put_length(head, k->n);
	buf_add(&chosen->message, head, sizeof(head));
	buf_add(&chosen->message, k->blob, k->n);
	buf_add(&chosen->message, "\0\0\0", 4);	/* no comment */
	chosen->count++;
}

/* What the agent has said it holds, but only what libssh is to know of. */
static void
choose_from(const struct remote_choice *c, const struct key *keys, size_t n,
    struct remote_keys *chosen)
{
	size_t i;

	buf_add(&chosen->message, "\0\0\0\0\014\0\0\0", 9);
	for (i = 0; i < n && chosen->count < c->max; i++)
		if (keys[i].is_wanted)
			add_key(chosen, &keys[i]);
	for (i = 0; i < n && chosen->count < c->max && !c->only_wanted; i++)
		if (!keys[i].is_wanted)
			add_key(chosen, &keys[i]);
	put_length((uint8_t *)chosen->message.p, chosen->message.n - 4);
	put_length((uint8_t *)chosen->message.p + 5, chosen->count);
}

bool
remote_agent_choose(const struct buf *message, const struct remote_choice *c,
    struct remote_keys *chosen)
{
	const uint8_t *p = (const uint8_t *)message->p + 4;
	const uint8_t *end = (const uint8_t *)message->p + message->n;
	struct key *keys, comment;
	size_t i, n;
	bool good = true;

	if (end - p < 5 || *p++ != AGENT_IDENTITIES_ANSWER)
		return false;
	n = remote_agent_length(p);
	p += 4;
	if (n > KEYS_LIMIT)
		return false;
	keys = mem_zero(n + 1, sizeof(*keys));
	for (i = 0; i < n && good; i++) {
		good = next_string(&p, end, &keys[i]) &&
		    next_string(&p, end, &comment);
		keys[i].is_wanted = good && is_wanted(&keys[i], c->wanted);
	}
	if (good)
		choose_from(c, keys, n, chosen);
	free(keys);
	if (good && n > chosen->count)
		log_detail("of the %zu keys of the ssh-agent, %zu are tried",
		    n, chosen->count);
	return good;
}
