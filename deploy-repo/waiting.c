#include "deploy-repo/waiting.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/drop/drop.h"
#include "lib/sys/fs.h"

static int
read_serial(const struct site *s, struct pgp *trusted, const char *name,
    uint64_t *serial, struct err *e)
{
	struct kept k = KEPT_INIT;
	int dir = fs_open_subdir(s->inbox, name, e), status = -1;

	if (dir < 0)
		return -1;
	if (kept_read(dir, &k, e) == 0 &&
	    pgp_verify(trusted, buf_cstr(&k.text), k.text.n,
	    buf_cstr(&k.signature), k.signature.n, MANIFEST_SIGNATURE,
	    e) == 0)
		status = manifest_parse(&k.manifest, buf_cstr(&k.text),
		    k.text.n, true, MANIFEST_NAME, e);
	close(dir);
	*serial = k.manifest.serial;
	kept_clear(&k);
	return status;
}

/* What is wrong with one drop is no reason to leave the others. */
static int
look_at(const struct site *s, struct pgp *trusted, struct waiting *w,
    const struct drop *d, struct err *e)
{
	struct err one = ERR_INIT;
	uint64_t serial = 0;
	int status = read_serial(s, trusted, d->name, &serial, &one);

	if (status < 0 && site_pass_over(&one, e) < 0)
		return -1;
	if (status == 0 && serial != d->serial)
		status = err_set(&one, ERR_DATA, "its manifest is that of "
		    "generation %" PRIu64, serial);
	if (status < 0) {
		err_wrap(&one, "drop '%s' is passed over: remove it", d->name);
		tally_add(&w->bad, &one);
		return 0;
	}
	w->v[w->n++] = (struct waiting_drop){mem_dup(d->name), serial};
	return 0;
}

int
waiting_find(const struct site *s, struct waiting *w, struct err *e)
{
	struct pgp *trusted = NULL;
	struct drop *drops;
	int status;
	size_t n, i;

	status = drop_list_generations(s->inbox, &drops, &n, e);
	if (status == 0 && n > 0 &&
	    (trusted = site_trusted(s->conf, e)) == NULL)
		status = -1;
	w->v = mem_zero(n, sizeof(*w->v));
	for (i = 0; i < n && status == 0; i++)
		status = look_at(s, trusted, w, &drops[i], e);
	pgp_close(trusted);
	drop_list_free(drops, n);
	return status;
}

void
waiting_clear(struct waiting *w)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		free(w->v[i].name);
	free(w->v);
	*w = (struct waiting)WAITING_INIT;
}
