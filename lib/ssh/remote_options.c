#include <libssh/libssh.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/ssh/remote_parts.h"

/* The cheapest with the processor's AES first; the rest is the server's. */
#define CIPHERS "aes128-gcm@openssh.com,aes256-gcm@openssh.com," \
    "chacha20-poly1305@openssh.com,aes256-ctr"

/* ------------------------------------------------------------------ options */

static int
set_option(struct remote *r, enum ssh_options_e option, const void *value,
    struct err *e)
{
	if (ssh_options_set(r->session, option, value) == SSH_OK)
		return 0;
	return err_set(e, ERR_CONFIG, "%s", ssh_get_error(r->session));
}

/*
 * What ~/.ssh/config may not change: it says how to get there, not whom to
 * trust. Known hosts that are named are all there are.
 */
static int
set_fixed(struct remote *r, const struct remote_target *t, struct err *e)
{
	long seconds = t->connect_ms / 1000 + 1;
	bool no = false;
	int on = 1, quiet = SSH_LOG_NOLOG;

	if (set_option(r, SSH_OPTIONS_PROCESS_CONFIG, &no, e) < 0 ||
	    set_option(r, SSH_OPTIONS_LOG_VERBOSITY, &quiet, e) < 0 ||
	    set_option(r, SSH_OPTIONS_STRICTHOSTKEYCHECK, &on, e) < 0 ||
	    set_option(r, SSH_OPTIONS_NODELAY, &on, e) < 0 ||
	    set_option(r, SSH_OPTIONS_TIMEOUT, &seconds, e) < 0 ||
	    set_option(r, SSH_OPTIONS_CIPHERS_C_S, CIPHERS, e) < 0 ||
	    set_option(r, SSH_OPTIONS_CIPHERS_S_C, CIPHERS, e) < 0)
		return -1;
	if (t->known_hosts == NULL)
		return 0;
	return set_option(r, SSH_OPTIONS_KNOWNHOSTS, t->known_hosts, e) < 0 ||
	    set_option(r, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, t->known_hosts,
	    e) < 0 ? -1 : 0;
}

/*
 * First the files, then what is set: of an option that is set before, 0.10
 * and 0.11 do not agree whether it stays.
 */
int
remote_options(struct remote *r, const struct remote_target *t, struct err *e)
{
	ssh_set_blocking(r->session, 0);
	if (set_option(r, SSH_OPTIONS_HOST, t->host, e) < 0)
		return -1;
	if (ssh_options_parse_config(r->session, NULL) != SSH_OK)
		return err_set(e, ERR_CONFIG, "~/.ssh/config: %s",
		    ssh_get_error(r->session));
	if (t->user != NULL &&
	    set_option(r, SSH_OPTIONS_USER, t->user, e) < 0)
		return -1;
	if (t->port != 0 && set_option(r, SSH_OPTIONS_PORT, &t->port, e) < 0)
		return -1;
	return set_fixed(r, t, e);
}

char *
remote_get_option(struct remote *r, int option)
{
	char *value = NULL, *copy;

	if (ssh_options_get(r->session, (enum ssh_options_e)option,
	    &value) != SSH_OK)
		return NULL;
	copy = value != NULL ? mem_dup(value) : NULL;
	ssh_string_free_char(value);
	return copy;
}

/* ------------------------------------------------------------- the host key */

static void
set_name(struct remote *r, const char *host, unsigned port)
{
	char *user = remote_get_option(r, SSH_OPTIONS_USER);

	free(r->name);
	r->name = mem_format(strchr(host, ':') != NULL ? "%s%s[%s]:%u" :
	    "%s%s%s:%u", user != NULL ? user : "", user != NULL ? "@" : "",
	    host, port);
	free(user);
}

char *
remote_fingerprint(struct ssh_key_struct *key)
{
	unsigned char *hash = NULL;
	char *text = NULL, *whole;
	const char *type = ssh_key_type_to_char(ssh_key_type(key));
	size_t n = 0;

	if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash,
	    &n) == SSH_OK)
		text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256,
		    hash, n);
	ssh_clean_pubkey_hash(&hash);
	whole = mem_format("%s %s", type != NULL ? type : "a key",
	    text != NULL ? text : "without a fingerprint");
	ssh_string_free_char(text);
	return whole;
}

/* The key as it travels. */
static bool
blob_of(const ssh_key key, struct buf *blob)
{
	char *text = NULL;
	bool good = ssh_pki_export_pubkey_base64(key, &text) == SSH_OK &&
	    base64_read(text, strlen(text), blob);

	ssh_string_free_char(text);
	return good;
}

/*
 * Both must accept: libssh, which takes nothing but a known key for good, and
 * our own reading, which knows what libssh passes over.
 */
static int
judge_key(struct remote *r, const struct remote_host_key *key, struct err *e)
{
	enum ssh_known_hosts_e known;

	if (remote_hosts_judge(key, e) < 0)
		return -1;
	known = ssh_session_is_known_server(r->session);
	if (known == SSH_KNOWN_HOSTS_OK)
		return 0;
	return err_set(e, ERR_REFUSED, "the host key of '%s', %s, is in '%s', "
	    "but libssh cannot read that: it wants one blank between words, "
	    "no carriage return, and no other line for this host that is "
	    "broken", key->host, key->fingerprint,
	    key->files[0] != NULL ? key->files[0] : key->files[1]);
}

static int
check_key(struct remote *r, const struct remote_target *t,
    struct remote_host_key *key, struct err *e)
{
	char *user, *global;
	int status;

	set_name(r, key->host, key->port);
	if (t->known_hosts != NULL) {
		key->files[0] = t->known_hosts;
		return judge_key(r, key, e);
	}
	user = remote_get_option(r, SSH_OPTIONS_KNOWNHOSTS);
	global = remote_get_option(r, SSH_OPTIONS_GLOBAL_KNOWNHOSTS);
	key->files[0] = user;
	key->files[1] = global;
	status = judge_key(r, key, e);
	free(user);
	free(global);
	return status;
}

int
remote_check_host(struct remote *r, const struct remote_target *t,
    struct err *e)
{
	struct remote_host_key key = {.port = 22};
	char *host = remote_get_option(r, SSH_OPTIONS_HOST);
	char *fingerprint = NULL;
	struct buf blob = BUF_INIT;
	ssh_key public = NULL;
	int status = -1;

	ssh_options_get_port(r->session, &key.port);
	if (host == NULL || ssh_get_server_publickey(r->session,
	    &public) != SSH_OK || !blob_of(public, &blob)) {
		err_set(e, ERR_PROTOCOL, "no host key");
	} else {
		fingerprint = remote_fingerprint(public);
		key.host = host;
		key.blob = blob.p;
		key.n = blob.n;
		key.fingerprint = fingerprint;
		status = check_key(r, t, &key, e);
	}
	ssh_key_free(public);
	buf_clear(&blob);
	free(fingerprint);
	free(host);
	return status;
}
