#include "lib/pgp/gpg_private.h"

#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/pgp/keyring.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"

#define SLICE_MS 100	/* a signal may be another thread's to handle */

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
start_gpgme(void)
{
	/* gpgconf would be asked where gpg is, which PATH knows, too */
	gpgme_set_global_flag("disable-gpgconf", "1");
	/* gpgme.h: needed before any other call, also for threads */
	gpgme_check_version(NULL);
}

int
gpg_failed(struct err *e, gpgme_error_t code, const char *doing)
{
	enum err_kind kind = ERR_REFUSED;
	const char *full = keyring_full_place();

	if (full != NULL)
		return err_set(e, ERR_IO, "%s: '%s' is full", doing, full);
	switch (gpgme_err_code(code)) {
	case GPG_ERR_NO_DATA:
	case GPG_ERR_BAD_DATA:
		kind = ERR_DATA;
		break;
	case GPG_ERR_INV_ENGINE:
		return err_set(e, ERR_UNAVAILABLE,
		    "%s: gpg is missing: install gnupg", doing);
	case GPG_ERR_ENOSPC:
	case GPG_ERR_EIO:
		kind = ERR_IO;
		break;
	case GPG_ERR_EMFILE:
	case GPG_ERR_ENFILE:
	case GPG_ERR_ENOMEM:
		kind = ERR_RESOURCE;
		break;
	case GPG_ERR_EAGAIN:
		kind = ERR_AGAIN;
		break;
	case GPG_ERR_FULLY_CANCELED:
		return cleanup_check(e) < 0 ? err_wrap(e, "%s", doing) :
		    err_set(e, ERR_SIGNAL, "%s: interrupted", doing);
	case GPG_ERR_TIMEOUT:
		return err_set(e, ERR_AGAIN, "%s: gpg has not answered for %d "
		    "seconds", doing, GPG_SECONDS);
	case GPG_ERR_NO_PASSPHRASE:
	case GPG_ERR_NO_PIN_ENTRY:
	case GPG_ERR_CANCELED:
		return err_set(e, ERR_REFUSED, "%s: the key has a passphrase: "
		    "set [signing] passphrase-file", doing);
	case GPG_ERR_BAD_PASSPHRASE:
		return err_set(e, ERR_REFUSED, "%s: wrong passphrase in "
		    "[signing] passphrase-file", doing);
	default:
		break;
	}
	return err_set(e, kind, "%s: %s", doing, gpgme_strerror(code));
}

/*
 * gpgme starts gpg to ask its version whenever a context is given a home, but
 * not for a new context that begins with the default one. So the home is made
 * the default, by one thread at a time, and stays it until another is wanted.
 */
static int
set_home(const char *home, struct err *e)
{
	static char *present;
	gpgme_error_t code;

	if (present == home || (present && home && !strcmp(present, home)))
		return 0;
	code = gpgme_set_engine_info(GPGME_PROTOCOL_OpenPGP, NULL, home);
	if (code != 0)
		return gpg_failed(e, code, "start gpg");
	free(present);
	present = home ? mem_dup(home) : NULL;
	return 0;
}

static int
new_context(gpgme_ctx_t *ctx, struct err *e)
{
	gpgme_error_t code = gpgme_new(ctx);

	if (code != 0)
		return gpg_failed(e, code, "start gpgme");
	gpgme_set_armor(*ctx, 1);
	gpgme_set_offline(*ctx, 1);
	return 0;
}

/* As many contexts as there will be threads, while the home is the default. */
static int
fill(struct gpg_pool *pool, struct err *e)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int status;

	pthread_once(&once, start_gpgme);
	pthread_mutex_lock(&lock);
	status = set_home(pool->home, e);
	while (status == 0 && pool->n < COUNT(pool->idle)) {
		status = new_context(&pool->idle[pool->n], e);
		if (status == 0)
			pool->n++;
	}
	pthread_mutex_unlock(&lock);
	return status;
}

int
gpg_take(struct gpg_pool *pool, gpgme_ctx_t *ctx, struct err *e)
{
	int status = 0;

	pthread_mutex_lock(&pool->lock);
	if (pool->n == 0)
		status = fill(pool, e);
	if (status == 0)
		*ctx = pool->idle[--pool->n];
	pthread_mutex_unlock(&pool->lock);
	return status;
}

void
gpg_give(struct gpg_pool *pool, gpgme_ctx_t ctx)
{
	gpgme_signers_clear(ctx);
	pthread_mutex_lock(&pool->lock);
	if (pool->n < COUNT(pool->idle)) {
		pool->idle[pool->n++] = ctx;
		ctx = NULL;
	}
	pthread_mutex_unlock(&pool->lock);
	if (ctx != NULL)
		gpgme_release(ctx);
}

void
gpg_pool_clear(struct gpg_pool *pool)
{
	while (pool->n > 0)
		gpgme_release(pool->idle[--pool->n]);
}

/* ---------------------------------------------------------------- waiting */

static gpgme_error_t
add_io(void *data, int fd, int is_input, gpgme_io_cb_t call, void *arg,
    void **tag)
{
	struct gpg_wait *w = data;
	struct gpg_io *io;

	for (io = w->io; io < w->io + GPG_MOST_FDS; io++) {
		if (io->call != NULL)
			continue;
		*io = (struct gpg_io){fd, is_input ? POLLIN : POLLOUT, call,
		    arg};
		*tag = io;
		return 0;
	}
	return gpgme_error(GPG_ERR_TOO_MANY);
}

static void
remove_io(void *tag)
{
	((struct gpg_io *)tag)->call = NULL;
}

static void
on_event(void *data, gpgme_event_io_t type, void *what)
{
	struct gpg_wait *w = data;
	gpgme_io_event_done_data_t done = what;

	if (type == GPGME_EVENT_DONE) {
		w->is_done = true;
		w->code = done->err ? done->err : done->op_err;
	} else if (type == GPGME_EVENT_NEXT_KEY) {
		if (w->n_keys < COUNT(w->keys))
			w->keys[w->n_keys] = what;
		else
			gpgme_key_unref(what);
		w->n_keys++;
	}
}

void
gpg_wait_begin(struct gpg_wait *w, gpgme_ctx_t ctx)
{
	struct gpgme_io_cbs calls = {.add = add_io, .add_priv = w,
	    .remove = remove_io, .event = on_event, .event_priv = w};

	*w = (struct gpg_wait){.ctx = ctx};
	gpgme_set_io_cbs(ctx, &calls);
}

/* Waits for a moment, and lets gpgme read and write what it can. */
static void
turn(struct gpg_wait *w)
{
	struct pollfd p[GPG_MOST_FDS];
	struct gpg_io *io;
	size_t i;

	for (i = 0; i < GPG_MOST_FDS; i++) {
		io = &w->io[i];
		p[i] = (struct pollfd){.fd = io->call ? io->fd : -1,
		    .events = io->events};
	}
	if (poll(p, GPG_MOST_FDS, SLICE_MS) <= 0)
		return;
	for (i = 0; i < GPG_MOST_FDS && !w->is_done; i++) {
		io = &w->io[i];
		/* the one before may have ended this one */
		if (p[i].revents != 0 && io->call != NULL &&
		    io->fd == p[i].fd)
			(void)io->call(io->arg, io->fd);
	}
}

gpgme_error_t
gpg_wait_end(struct gpg_wait *w, gpgme_error_t started)
{
	int64_t deadline = clock_ms() + GPG_SECONDS * 1000;
	struct gpgme_io_cbs none = {.add = NULL};
	struct err interrupted = ERR_INIT;
	gpgme_error_t code = started;

	while (code == 0 && !w->is_done) {
		turn(w);
		if (cleanup_check(&interrupted) < 0)
			code = gpgme_error(GPG_ERR_FULLY_CANCELED);
		else if (clock_ms() >= deadline)
			code = gpgme_error(GPG_ERR_TIMEOUT);
	}
	if (code != 0 && !w->is_done)
		(void)gpgme_cancel(w->ctx);
	gpgme_set_io_cbs(w->ctx, &none);
	return code != 0 ? code : w->code;
}

/* ------------------------------------------------------------- keys in */

gpgme_error_t
gpg_lend(gpgme_data_t *data, const void *p, size_t n)
{
	gpgme_error_t code = gpgme_data_new_from_mem(data, p ? p : "", n, 0);

	/* 512 bytes at a time unless asked otherwise; an old one ignores it */
	if (code == 0)
		(void)gpgme_data_set_flag(*data, "io-buffer-size", "65536");
	return code;
}

int
gpg_import(gpgme_ctx_t ctx, const void *keys, size_t n, const char *what,
    struct err *e)
{
	gpgme_import_result_t result;
	gpgme_error_t code;
	gpgme_data_t data;
	struct gpg_wait w;
	char *doing;

	gpg_wait_begin(&w, ctx);
	code = gpg_lend(&data, keys, n);
	if (code == 0) {
		code = gpg_wait_end(&w, gpgme_op_import_start(ctx, data));
		gpgme_data_release(data);
	}
	result = gpgme_op_import_result(ctx);
	if (code != 0 || result == NULL || result->considered == 0) {
		doing = mem_format("read the key in '%s'", what);
		if (code == 0)
			code = gpgme_error(GPG_ERR_NO_DATA);
		gpg_failed(e, code, doing);
		free(doing);
		return -1;
	}
	return result->considered;
}
