/*
 * The simulator's clock, for the program that is tested: loaded before libc
 * where VC_CLOCK names the file that clock.py has made. Who sleeps there does
 * not wait: the clock is put forward instead. So hours of waiting take
 * milliseconds, and a slow machine has all the time that it needs: while
 * somebody works, the clock goes SLOWER times more slowly than the real one.
 *
 * A poll that watches a connection waits as it always does: an answer comes
 * when it comes, and what never comes, or comes late, the simulator puts the
 * clock forward for.
 *
 * No dlsym: sanitizers' libraries come after this one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SLOWER 20	/* clock.py has the same */
#define SECOND INT64_C(1000000000)

static struct clock {
	int64_t began;			/* CLOCK_MONOTONIC, nanoseconds */
	int64_t date;			/* CLOCK_REALTIME, then */
	_Atomic int64_t slept;		/* put forward here */
	_Atomic int64_t passed;		/* put forward by the simulator */
} *shared;

int __poll_chk(struct pollfd *v, nfds_t n, int ms, size_t size);

__attribute__((constructor)) static void
find_clock(void)
{
	const char *name = getenv("VC_CLOCK");
	void *p = MAP_FAILED;
	int fd;

	if (name == NULL)
		return;
	fd = open(name, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		p = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		abort();
	shared = p;
	close(fd);
}

static int64_t
raw(clockid_t id)
{
	struct timespec t;

	syscall(SYS_clock_gettime, id, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* Nanoseconds since the clock began. */
static int64_t
elapsed(void)
{
	return (raw(CLOCK_MONOTONIC) - shared->began) / SLOWER +
	    atomic_load(&shared->slept) + atomic_load(&shared->passed);
}

/* Until then it sleeps; two that sleep at one time do not sleep twice. */
static void
sleep_until(int64_t end)
{
	int64_t slept, left;

	do {
		slept = atomic_load(&shared->slept);
		left = end - elapsed();
	} while (left > 0 && !atomic_compare_exchange_weak(&shared->slept,
	    &slept, slept + left));
	sched_yield();
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int64_t now;

	if (shared == NULL || id == CLOCK_PROCESS_CPUTIME_ID ||
	    id == CLOCK_THREAD_CPUTIME_ID)
		return (int)syscall(SYS_clock_gettime, id, t);
	now = elapsed() + (id == CLOCK_REALTIME ||
	    id == CLOCK_REALTIME_COARSE ? shared->date : shared->began);
	*t = (struct timespec){now / SECOND, now % SECOND};
	return 0;
}

time_t
time(time_t *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (t != NULL)
		*t = now.tv_sec;
	return now.tv_sec;
}

int
gettimeofday(struct timeval *t, void *zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	*t = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
	return 0;
}

int
nanosleep(const struct timespec *t, struct timespec *left)
{
	if (shared == NULL)
		return (int)syscall(SYS_nanosleep, t, left);
	sleep_until(elapsed() + t->tv_sec * SECOND + t->tv_nsec);
	return 0;
}

int
clock_nanosleep(clockid_t id, int flags, const struct timespec *t,
    struct timespec *left)
{
	int64_t end;

	if (shared == NULL)
		return (int)syscall(SYS_clock_nanosleep, id, flags, t, left);
	end = t->tv_sec * SECOND + t->tv_nsec;
	if (flags != TIMER_ABSTIME)
		end += elapsed();
	else
		end -= id == CLOCK_REALTIME ? shared->date : shared->began;
	sleep_until(end);
	return 0;
}

static int
poll_now(struct pollfd *v, nfds_t n, int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	return (int)syscall(SYS_ppoll, v, n, ms < 0 ? NULL : &t, NULL, 0);
}

/* A socket that leads out; not a pair with which threads wake each other. */
static int
is_watching(const struct pollfd *v, nfds_t n)
{
	struct sockaddr_storage a;
	socklen_t size;
	nfds_t i;

	for (i = 0; i < n; i++) {
		size = sizeof(a);
		if (getpeername(v[i].fd, (struct sockaddr *)&a, &size) < 0) {
			if (errno == ENOTCONN)
				return 1;
		} else if (a.ss_family != AF_UNIX ||
		    size > sizeof(a.ss_family))
			return 1;
	}
	return 0;
}

int
poll(struct pollfd *v, nfds_t n, int ms)
{
	int saved = errno, is_sleep, got;

	is_sleep = shared != NULL && ms > 0 && !is_watching(v, n);
	errno = saved;
	if (!is_sleep)
		return poll_now(v, n, ms);
	got = poll_now(v, n, 1);
	if (got == 0)
		sleep_until(elapsed() + ms * (SECOND / 1000));
	return got;
}

int
__poll_chk(struct pollfd *v, nfds_t n, int ms, size_t size)
{
	if (size / sizeof(*v) < n)
		abort();
	return poll(v, n, ms);
}
