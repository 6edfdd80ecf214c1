#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "lib/sys/cleanup.h"
#include "lib/sys/fs.h"
#include "lib/sys/log.h"

#define TRIES_A_SECOND 20

/* The process id in the lock file, for the message; "another" else. */
static void
read_holder(int fd, char *holder, size_t size)
{
	ssize_t n = pread(fd, holder, size - 1, 0);

	if (n < 0)
		n = 0;
	holder[n] = '\0';
	holder[strspn(holder, "0123456789")] = '\0';
	if (holder[0] == '\0')
		snprintf(holder, size, "another");
}

int
fs_lock(int dir, const char *name, struct err *e)
{
	static const struct timespec pause = {
		.tv_nsec = 1000000000L / TRIES_A_SECOND};
	char holder[24];
	int fd, tries;

	fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_sys(e, "open lock '%s'", name);
	for (tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			err_sys(e, "lock '%s'", name);
			goto fail;
		}
		read_holder(fd, holder, sizeof(holder));
		if (tries == 0)
			log_notice("waiting for process %s, which holds the "
			    "lock", holder);
		if (tries >= FS_LOCK_SECONDS * TRIES_A_SECOND) {
			err_set(e, ERR_AGAIN, "process %s holds the lock '%s': "
			    "try again when it is done", holder, name);
			goto fail;
		}
		if (cleanup_check(e) < 0)
			goto fail;
		nanosleep(&pause, NULL);
	}
	snprintf(holder, sizeof(holder), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, holder, strlen(holder), 0);
	return fd;
fail:
	close(fd);
	return -1;
}
