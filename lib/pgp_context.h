/*
 * What pgp.c and signer.c share of gpgme.
 */
#ifndef LIB_PGP_CONTEXT_H
#define LIB_PGP_CONTEXT_H

#include <gpgme.h>

#include "lib/err.h"

/* A context on this gpg home (NULL: the caller's own); gpgme_release it. */
int pgp_context(gpgme_ctx_t *ctx, const char *home, struct err *e);

/* err_set with gpgme's reason; the kind fits the cause. */
int pgp_failed(struct err *e, gpgme_error_t code, const char *doing);

/* Imports keys from memory; how many were taken in, or -1. */
int pgp_import(gpgme_ctx_t ctx, const void *keys, size_t n, const char *what,
    struct err *e);

#endif
