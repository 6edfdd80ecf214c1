/*
 * Does an SSH server answer? Connects to port 22 of many addresses at once and
 * reads until "SSH-" has come, which a listening socket alone does not send.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>

#define PROBE_PORT 22
#define PROBE_MS 1500	/* how long a look takes at most */

struct probe {
	const char *address;	/* IPv4 */
	bool answers;
	/* of the probe itself */
	int fd;
	bool is_connected;
	char got[4];
	size_t n_got;
};

/* Looks at all of them for at most ms milliseconds, or until a signal. */
void probe_run(struct probe *v, size_t n, int ms);

#endif
