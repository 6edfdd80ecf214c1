/*
 * What pgp.c and signer.c share of gpgme.
 */
#ifndef LIB_PGP_PGP_CONTEXT_H
#define LIB_PGP_PGP_CONTEXT_H

#include <gpgme.h>
#include <pthread.h>

#include "lib/base/err.h"

/*
 * Contexts on one gpg home: making one starts gpg just to ask its version, so
 * they are used again. Threads take one each.
 */
struct pgp_pool {
	const char *home;	/* borrowed; NULL: the caller's own */
	pthread_mutex_t lock;
	gpgme_ctx_t idle[8];
	size_t n;
};
#define PGP_POOL_INIT {.home = NULL, .lock = PTHREAD_MUTEX_INITIALIZER}

int pgp_take(struct pgp_pool *pool, gpgme_ctx_t *ctx, struct err *e);
void pgp_give(struct pgp_pool *pool, gpgme_ctx_t ctx);
void pgp_pool_clear(struct pgp_pool *pool);

/* Data that gpg reads; the memory is borrowed. NULL is no data. */
gpgme_error_t pgp_lend(gpgme_data_t *data, const void *p, size_t n);

/* err_set with gpgme's reason; the kind fits the cause. */
int pgp_failed(struct err *e, gpgme_error_t code, const char *doing);

/* Imports keys from memory; how many were taken in, or -1. */
int pgp_import(gpgme_ctx_t ctx, const void *keys, size_t n, const char *what,
    struct err *e);

#endif
