/*
 * [rpm] builder = container: rpms are signed by rpmsign and described by
 * createrepo_c of another distribution, in a container. What comes out of it
 * is copied into the store and checked like everything else.
 *
 *	c = rpm_container_open(conf, state, e);		one thread, no sandbox
 *	... copies of packages into rpm_container_packages(c) ...
 *	rpm_container_run(c, date, key_file, fingerprint, e);
 *	rpm_container_store(c, store, &r, e);	each of them
 *	rpm_container_close(c);
 */
#ifndef RPM_CONTAINER_H
#define RPM_CONTAINER_H

#include <stdint.h>

#include "distribute-packages/rpm/rpm_build.h"
#include "lib/frame/conf.h"

/*
 * Looks for the image, makes <state>/container, and starts a process that
 * waits outside the sandbox that we are about to enter: container engines
 * write all over the system. ERR_MISSING: no such image, and how to make it.
 */
struct rpm_container *rpm_container_open(const struct conf *conf,
    const char *state, struct err *e);
void rpm_container_close(struct rpm_container *c);	/* accepts NULL */

/* The directory that the container signs: a borrowed descriptor. */
int rpm_container_packages(const struct rpm_container *c);

/*
 * Runs the container, in the foreground, without a network, once. The key and
 * its passphrase go through a pipe into memory that ends with it.
 */
int rpm_container_run(struct rpm_container *c, int64_t date,
    const char *key_file, const char *fingerprint, struct err *e);

/*
 * Copies the signed file s->file into the store and fills in the rest of s,
 * from createrepo_c's lists. It must be the package that went in: ERR_DATA.
 * Threads may call this at once.
 */
int rpm_container_store(const struct rpm_container *c,
    const struct store *store, struct signed_rpm *s, struct err *e);

#endif
