/*
 * How verify.c and signer.c talk to gpg, by gpgme. Each operation is begun by
 * gpgme_op_X_start and waited for here, so that a gpg that hangs (an agent, a
 * lock, a card) holds nobody:
 *
 *	struct gpg_wait w;
 *	gpg_wait_begin(&w, ctx);
 *	code = gpg_wait_end(&w, gpgme_op_import_start(ctx, data));
 *
 * gpgme_op_X without _start would wait for ever.
 */
#ifndef LIB_PGP_GPG_PRIVATE_H
#define LIB_PGP_GPG_PRIVATE_H

#include <gpgme.h>
#include <pthread.h>
#include <stdbool.h>

#include "lib/base/err.h"

/*
 * Contexts on one gpg home: making one starts gpg just to ask its version, so
 * they are used again. Threads take one each.
 */
struct gpg_pool {
	const char *home;	/* borrowed; NULL: the caller's own */
	pthread_mutex_t lock;
	gpgme_ctx_t idle[8];
	size_t n;
};
#define GPG_POOL_INIT {.home = NULL, .lock = PTHREAD_MUTEX_INITIALIZER}

int gpg_take(struct gpg_pool *pool, gpgme_ctx_t *ctx, struct err *e);
void gpg_give(struct gpg_pool *pool, gpgme_ctx_t ctx);
void gpg_pool_clear(struct gpg_pool *pool);

/* A running operation: what gpgme wants to read and write for it. */
#define GPG_MOST_FDS 16
struct gpg_wait {
	gpgme_ctx_t ctx;
	struct gpg_io {
		int fd;
		short events;
		gpgme_io_cb_t call;	/* NULL: a free place */
		void *arg;
	} io[GPG_MOST_FDS];
	bool is_done;
	gpgme_error_t code;
	gpgme_key_t keys[2];	/* the first ones of a listing; to unref */
	size_t n_keys;		/* how many it had */
};

void gpg_wait_begin(struct gpg_wait *w, gpgme_ctx_t ctx);
/*
 * Waits until what was started, with this code, has ended; its code. After a
 * signal GPG_ERR_FULLY_CANCELED, and GPG_ERR_TIMEOUT after GPG_SECONDS: gpg
 * then has lost its pipes. What lingers on a key ring of ours is killed with
 * that; on the caller's own it is left alone.
 */
#define GPG_SECONDS 120
gpgme_error_t gpg_wait_end(struct gpg_wait *w, gpgme_error_t started);

/* Data that gpg reads; the memory is borrowed. NULL is no data. */
gpgme_error_t gpg_lend(gpgme_data_t *data, const void *p, size_t n);

/* err_set with gpgme's reason; the kind fits the cause. */
int gpg_failed(struct err *e, gpgme_error_t code, const char *doing);

/* Imports keys from memory; how many were taken in, or -1. */
int gpg_import(gpgme_ctx_t ctx, const void *keys, size_t n, const char *what,
    struct err *e);

#endif
