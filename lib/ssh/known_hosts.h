/*
 * known_hosts, read by ourselves: libssh takes a key that is revoked, and one
 * that is wrong in the user's file where the system's file has it right. What
 * libssh accepts must be accepted here as well. The format is that of sshd(8),
 * SSH_KNOWN_HOSTS FILE FORMAT.
 */
#ifndef LIB_SSH_KNOWN_HOSTS_H
#define LIB_SSH_KNOWN_HOSTS_H

#include <stddef.h>

#include "lib/base/err.h"

struct host_key {
	const char *host;	/* as it is connected to */
	unsigned port;
	const void *blob;	/* the key as it travels */
	size_t n;
	const char *files[2];	/* known_hosts, in this order; NULL: none */
	const char *fingerprint;	/* for messages */
};

/*
 * Judges the key by all that the files say: 0 where it is known, nothing
 * speaks against it, and it was not revoked; else ERR_REFUSED, with the file
 * and the remedy.
 */
int known_hosts_judge(const struct host_key *key, struct err *e);

#endif
