#include "lib/sys/cleanup.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static atomic_int caught;
static atomic_bool is_tidying;

static void
die(int signal_number)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigaction(signal_number, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), signal_number);
}

static void
on_signal(int signal_number)
{
	if (atomic_exchange(&caught, signal_number) != 0)
		die(signal_number);
}

/* A handler, which exec(3) resets: children must not inherit SIG_IGN. */
static void
pass_over(int signal_number)
{
	(void)signal_number;
}

void
cleanup_start(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};
	struct sigaction pipe = {.sa_handler = pass_over,
	    .sa_flags = SA_RESTART};
	struct sigaction child = {.sa_handler = SIG_DFL}, before;
	sigset_t none;
	size_t i;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		/* nohup and background jobs keep what they ignore */
		if (sigaction(signals[i], NULL, &before) == 0 &&
		    before.sa_handler == SIG_IGN)
			continue;
		sigaction(signals[i], &action, NULL);
	}
	sigaction(SIGPIPE, &pipe, NULL);
	sigaction(SIGCHLD, &child, NULL);
}

int
cleanup_check(struct err *e)
{
	int signal_number = atomic_load(&caught);

	if (signal_number == 0 || atomic_load(&is_tidying))
		return 0;
	return err_set(e, ERR_SIGNAL, "interrupted (%s)",
	    strsignal(signal_number));
}

void
cleanup_tidy(void)
{
	atomic_store(&is_tidying, true);
}

void
cleanup_die_by_signal(void)
{
	int signal_number = atomic_load(&caught);

	if (signal_number != 0)
		die(signal_number);
}
