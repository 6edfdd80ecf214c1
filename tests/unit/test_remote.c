/*
 * lib/ssh/remote.h, against sshd. Every test has its own server on a free port,
 * with keys made here. libssh takes the home directory from the passwd file:
 * where this process may have a mount namespace of its own, another directory
 * lies over it, and ~/.ssh is what a test writes there; elsewhere those tests
 * that need it are skipped.
 */
#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "lib/base/mem.h"
#include "lib/frame/conf.h"
#include "lib/ssh/put.h"
#include "lib/ssh/remote.h"
#include "lib/ssh/sftp.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define SSHD "/usr/sbin/sshd"
#define LONG_MS 300000	/* for what must come: nobody waits so long */
#define TRIES 30000	/* of a hundredth of a second, for the same */

static const char *home;	/* NULL: it is the real one */
static bool made_run_sshd;

/* -------------------------------------------------------------- the servers */

static pid_t started[100];
static size_t n_started;

struct server {
	pid_t pid;
	int port;
};

static int
free_port(int *listener)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	if (listener != NULL) {
		assert_int_equal(listen(fd, 5), 0);
		*listener = fd;
	} else
		close(fd);
	return ntohs(a.sin_port);
}

static bool
answers(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good;

	a.sin_port = htons((uint16_t)port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	good = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
	close(fd);
	return good;
}

static void
nap(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static pid_t
spawn(const char *const argv[], const char *log)
{
	pid_t pid = fork();
	int fd;

	assert_true(pid >= 0);
	if (pid > 0) {
		assert_true(n_started < COUNT(started));
		started[n_started++] = pid;
		return pid;
	}
	default_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

/* With the sessions that sshd has begun: each has a process group. */
static void
kill_tree(pid_t pid)
{
	char path[64], text[1024];
	char *p = text, *end;
	ssize_t n;
	long child;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
	    (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	kill(pid, SIGKILL);
	while ((child = strtol(p, &end, 10)) > 0 && end > p) {
		kill_tree((pid_t)child);
		p = end;
	}
}

static void
reap(pid_t *pid)
{
	size_t i;

	if (*pid <= 0)
		return;
	kill_tree(*pid);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	for (i = 0; i < n_started; i++)
		if (started[i] == *pid)
			started[i] = 0;
	*pid = 0;
}

/* What this sshd knows of, and older ones do not. */
static const char *
no_penalties(void)
{
	static int known = -1;

	if (known < 0)
		known = run_succeeds(SSHD " -t -h $PWD/host_ed25519 -f "
		    "/dev/null -o 'PerSourcePenalties no' 2>/dev/null");
	return known ? "PerSourcePenalties no\n" : "";
}

/* more: lines of its configuration that come before ours. */
static struct server
start_sshd(const char *host_keys, const char *more)
{
	const char *argv[] = {SSHD, "-D", "-e", "-f", "sshd.conf", NULL};
	struct server s = {.port = free_port(NULL)};
	struct strv types = STRV_INIT;
	struct buf b = BUF_INIT;
	char path[256];
	size_t i;

	buf_addf(&b, "%sPort %d\nListenAddress 127.0.0.1\nPidFile none\n"
	    "AuthorizedKeysFile %s/authorized_keys\nStrictModes no\n"
	    "UsePAM no\nPermitRootLogin yes\nLogLevel VERBOSE\n%s"
	    "PasswordAuthentication no\nKbdInteractiveAuthentication no\n",
	    more, s.port, scratch_path, no_penalties());
	if (strstr(more, "Subsystem") == NULL)
		buf_str(&b, "Subsystem sftp internal-sftp\n"
		    "ForceCommand internal-sftp\n");
	strv_split(&types, host_keys);
	for (i = 0; i < types.n; i++)
		buf_addf(&b, "HostKey %s/host_%s\n", scratch_path, types.v[i]);
	put_str("sshd.conf", b.p);
	snprintf(path, sizeof(path), "%s/sshd.conf", scratch_path);
	argv[4] = path;
	s.pid = spawn(argv, "sshd.log");
	for (i = 0; i < TRIES && !answers(s.port); i++)
		nap(10);
	assert_true(i < TRIES);
	buf_clear(&b);
	strv_clear(&types);
	return s;
}

static struct server
start_usual(void)
{
	return start_sshd("ed25519 ecdsa rsa", "");
}

/* ------------------------------------------------------- what tests look at */

/* The second and third word of a public key. */
static char *
key_of(const char *name)
{
	struct strv words = STRV_INIT;
	struct buf b = BUF_INIT;
	char *text;

	get(name, &b);
	strv_split(&words, b.p);
	text = mem_format("%s %s", words.v[0], words.v[1]);
	strv_clear(&words);
	buf_clear(&b);
	return text;
}

/* known_hosts becomes lines; in them %H is the host and %ed25519 its key. */
static void
know_in(const char *file, const struct server *s, const char *lines)
{
	static const char *const names[] = {
		"ed25519", "ecdsa", "rsa", "other_ed25519", "other_rsa",
	};
	struct buf b = BUF_INIT;
	const char *p = lines;
	char *key, name[64];
	size_t i;

	for (; *p != '\0'; p++) {
		if (*p != '%') {
			buf_add(&b, p, 1);
			continue;
		}
		if (p[1] == 'H' || p[1] == 'P') {
			buf_addf(&b, p[1] == 'H' ? "[127.0.0.1]:%d" : "%d",
			    s->port);
			p++;
			continue;
		}
		for (i = 0; i < COUNT(names) - 1; i++)
			if (strncmp(p + 1, names[i], strlen(names[i])) == 0)
				break;
		snprintf(name, sizeof(name), "host_%s.pub", names[i]);
		key = key_of(name);
		buf_str(&b, key);
		free(key);
		p += strlen(names[i]);
	}
	put(file, b.n > 0 ? b.p : "", b.n);
	buf_clear(&b);
}

static void
know(const struct server *s, const char *lines)
{
	know_in("known_hosts", s, lines);
}

static struct remote_target
target_of(const struct server *s, const char *identity)
{
	static char hosts[128], key[128];
	struct remote_target t = REMOTE_TARGET_INIT;

	snprintf(hosts, sizeof(hosts), "%s/known_hosts", scratch_path);
	t.section = "orchestrator";
	t.host = (char *)"127.0.0.1";
	t.port = (unsigned)s->port;
	t.known_hosts = hosts;
	t.connect_ms = LONG_MS;
	if (identity != NULL) {
		snprintf(key, sizeof(key), "%s/%s", scratch_path, identity);
		t.identity_file = key;
	}
	return t;
}

static void
hello(struct remote *r)
{
	static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
	const struct sftp_stream *s = remote_stream(r);
	struct err e = ERR_INIT;
	uint8_t answer[4096];
	ssize_t n;

	assert_ok(s->write(s->arg, init, sizeof(init), &e), e);
	n = s->read(s->arg, answer, sizeof(answer), LONG_MS, &e);
	if (n <= 5)
		fail_msg("read %zd: %s", n, e.text);
	assert_int_equal(answer[0], 0);
	assert_int_equal(answer[4], 2);		/* SSH_FXP_VERSION */
}

static void
gets_in(const struct remote_target *t)
{
	struct err e = ERR_INIT;
	struct remote *r = remote_open(t, &e);

	if (r == NULL)
		fail_msg("%d: %s", (int)e.kind, e.text);
	hello(r);
	remote_close(r);
}

static void
is_refused(const struct remote_target *t, int kind, const char *part)
{
	struct err e = ERR_INIT;
	struct remote *r = remote_open(t, &e);

	if (r != NULL)
		fail_msg("it was let in, wanted '%s'", part);
	check_err(&e, kind, part, __FILE__, __LINE__);
}

/* -------------------------------------------------------------------- tests */

static void
test_logs_in_with_each_kind_of_key(void **state)
{
	static const char *const keys[] = {"id_ed25519", "id_ecdsa", "id_rsa",
	    "id_pem"};
	struct server s = start_usual();
	struct remote_target t;
	struct err e = ERR_INIT;
	struct remote *r;
	size_t i;

	(void)state;
	know(&s, "%H %ed25519\n");
	for (i = 0; i < COUNT(keys); i++) {
		t = target_of(&s, keys[i]);
		gets_in(&t);
	}
	/* nothing was written beside the key that had no public half */
	assert_false(there_is("id_pem.pub"));
	r = remote_open(&t, &e);
	assert_non_null(r);
	assert_non_null(strstr(remote_name(r), "@127.0.0.1:"));
	assert_true(remote_round_trip(r) > 0);
	remote_close(r);
	remote_close(NULL);
	reap(&s.pid);
}

static void
test_host_keys_that_are_known(void **state)
{
	static const char *const good[] = {
		"%H %ed25519\n",
		"%H %ecdsa\n",
		"%H %rsa\n",
		"# a comment\n\nsomebody %other_ed25519\n%H %ed25519 a note\n",
		"[127.0.0.*]:%P %ed25519",
		"*,!example.org %ed25519\n",
		"example.org,%H %ed25519\n",
		"%H %other_ed25519\n%H %ed25519\n",	/* several */
		"%H %other_rsa\n%H %ed25519\n",
		"@revoked %H %other_ed25519\n%H %ed25519\n",
		"@revoked other.example %ed25519\n%H %ed25519\n",
		"@cert-authority * %other_ed25519\n%H %ed25519\n",
		"x not a key\nx\n@revoked\nx y\n%H %ed25519\n",
	};
	struct server s = start_usual();
	struct remote_target t = target_of(&s, "id_ed25519");
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		know(&s, good[i]);
		gets_in(&t);
	}
	know(&s, "%H %ed25519\nexample.org %other_rsa\n");
	run("ssh-keygen -q -H -f known_hosts 2>/dev/null >&2");
	gets_in(&t);
	reap(&s.pid);
}

static void
test_host_keys_that_are_not(void **state)
{
	static const struct {
		const char *lines, *says;
	} bad[] = {
		{"", "is not known: ssh-ed25519 SHA256:"},
		{"127.0.0.1 %ed25519\n", "is not known"},
		{"[127.0.0.2]:%P %ed25519\n", "is not known"},
		{"*,!%H %ed25519\n", "is not known"},
		{"!%H,* %ed25519\n", "is not known"},
		{"%H %other_ed25519\n", "line 1: it has changed to"},
		{"%H %other_rsa\n%H %other_ed25519\n", "has changed"},
		{"%H %ed25519\n@revoked * %ed25519\n", "is revoked"},
		{"@revoked %H %ed25519\n%H %ed25519\n", "is revoked"},
		{"@revoked 127.0.0.1 %ed25519\n%H %ed25519\n", "is revoked"},
		{"%H\t%ed25519\n", "one blank between"},
		{"%H %ed25519\r\n", "carriage return"},
		{"%H not a key\n%H %ed25519\n", "broken"},
		{"@cert-authority * %other_ed25519\n", "certificates"},
		{"@cert-authority %H %ed25519\n", "certificates"},
	};
	struct server s = start_sshd("ed25519", "");
	struct remote_target t = target_of(&s, "id_ed25519");
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		know(&s, bad[i].lines);
		is_refused(&t, ERR_REFUSED, bad[i].says);
	}
	know(&s, "");
	is_refused(&t, ERR_REFUSED, "/known_hosts'");
	is_refused(&t, ERR_REFUSED, "administrator");
	unlink("known_hosts");
	is_refused(&t, ERR_REFUSED, "is not known");
	/* revoked by a hashed name */
	know_in("hashed", &s, "%H %ed25519\n");
	run("ssh-keygen -q -H -f hashed 2>/dev/null >&2 && "
	    "{ sed 's/^/@revoked /' hashed; cat hashed; } >known_hosts");
	is_refused(&t, ERR_REFUSED, "is revoked");
	reap(&s.pid);
	s = start_sshd("rsa", "");
	t = target_of(&s, "id_ed25519");
	know(&s, "%H %ed25519\n");
	is_refused(&t, ERR_REFUSED, "other types");
	reap(&s.pid);
}

static void
test_keys_that_are_refused(void **state)
{
	struct server s = start_usual();
	struct remote_target t;

	(void)state;
	unsetenv("SSH_AUTH_SOCK");
	know(&s, "%H %ed25519\n");
	t = target_of(&s, "id_stranger");
	is_refused(&t, ERR_REFUSED, "the server refuses the login with");
	t = target_of(&s, "id_open");
	is_refused(&t, ERR_REFUSED, "chmod 600");
	t = target_of(&s, "id_locked");
	is_refused(&t, ERR_REFUSED, "passphrase");
	t = target_of(&s, "id_locked_pem");
	is_refused(&t, ERR_REFUSED, "passphrase");
	t = target_of(&s, "id_none");
	is_refused(&t, ERR_MISSING, "id_none");
	t = target_of(&s, "id_ed25519.pub.private");
	is_refused(&t, ERR_DATA, "not a private key");
	t = target_of(&s, "id_ed25519");
	t.user = (char *)"nobody-of-that-name";
	is_refused(&t, ERR_REFUSED, "the server refuses the login with");
	assert_false(there_is("id_locked.pub.new"));
	reap(&s.pid);
}

static void
test_sftp_that_is_not_there(void **state)
{
	struct server s = start_sshd("ed25519", "Subsystem sftx /bin/true\n");
	struct remote_target t = target_of(&s, "id_ed25519");
	struct err e = ERR_INIT;
	struct remote *r;
	char bytes[100];

	(void)state;
	know(&s, "%H %ed25519\n");
	is_refused(&t, ERR_PROTOCOL, "no sftp");
	reap(&s.pid);

	s = start_sshd("ed25519", "Subsystem sftp internal-sftp\n"
	    "ForceCommand echo 'Welcome to the machine'; cat\n");
	t = target_of(&s, "id_ed25519");
	know(&s, "%H %ed25519\n");
	r = remote_open(&t, &e);
	assert_non_null(r);
	assert_fails(remote_stream(r)->read(r ? remote_stream(r)->arg : NULL,
	    bytes, sizeof(bytes), LONG_MS, &e), e, ERR_PROTOCOL,
	    "'Welcome to the machine'");
	remote_close(r);
	reap(&s.pid);

	s = start_sshd("ed25519", "Subsystem sftp internal-sftp\n"
	    "ForceCommand echo 'no sftp here' >&2; exit 1\n");
	t = target_of(&s, "id_ed25519");
	know(&s, "%H %ed25519\n");
	e = (struct err)ERR_INIT;
	r = remote_open(&t, &e);
	assert_non_null(r);
	assert_fails(remote_stream(r)->read(remote_stream(r)->arg, bytes,
	    sizeof(bytes), LONG_MS, &e), e, ERR_PROTOCOL, "exited at once");
	remote_close(r);
	reap(&s.pid);
}

/* ---------------------------------------------------- machines that are not */

struct imposter {
	int listener;
	const char *says;	/* NULL: nothing, and keeps quiet */
	bool after_greeting;
	pthread_t thread;
};

static void *
impose(void *arg)
{
	struct imposter *i = arg;
	int fd = accept4(i->listener, NULL, NULL, SOCK_CLOEXEC);
	char bytes[1000];

	if (fd < 0)
		return NULL;
	if (i->says != NULL) {
		if (i->after_greeting)
			(void)!recv(fd, bytes, sizeof(bytes), 0);
		(void)!send(fd, i->says, strlen(i->says), MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
	}
	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		continue;
	close(fd);
	return NULL;
}

static void
meets(const char *says, bool after_greeting, int connect_ms, int kind,
    const char *part)
{
	struct imposter i = {.says = says, .after_greeting = after_greeting};
	struct server s = {.port = free_port(&i.listener)};
	struct remote_target t = target_of(&s, "id_ed25519");

	pthread_create(&i.thread, NULL, impose, &i);
	t.connect_ms = connect_ms;
	is_refused(&t, kind, part);
	pthread_join(i.thread, NULL);
	close(i.listener);
}

static void
test_others_than_sshd(void **state)
{
	struct server s = {.port = free_port(NULL)};
	struct remote_target t = target_of(&s, "id_ed25519");

	(void)state;
	know(&s, "%H %ed25519\n");
	is_refused(&t, ERR_AGAIN, "refused");		/* closed */
	t.host = (char *)"not..a..name";
	is_refused(&t, ERR_UNAVAILABLE, "not..a..name");
	meets(NULL, false, 700, ERR_AGAIN, "no answer in time");
	meets("HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", true, LONG_MS,
	    ERR_PROTOCOL, "'HTTP/1.1 400 Bad Request'");
	meets("220 mail.example ESMTP\r\n", false, LONG_MS, ERR_PROTOCOL,
	    "'220 mail.example ESMTP'");
	meets("Exceeded MaxStartups\r\n", false, LONG_MS, ERR_AGAIN,
	    "Exceeded MaxStartups");
	meets("", false, LONG_MS, ERR_AGAIN, "greeting");
	meets("SSH-1.5-old\r\n", false, LONG_MS, ERR_PROTOCOL, "SSH");
	meets("SSH-2.0-x\r\n", false, LONG_MS, ERR_AGAIN, "");
	meets("SSH-2.0-x\r\n\1\2\3\4\5\6\7\10garbagegarbagegarbage", false,
	    LONG_MS, ERR_AGAIN, "");
}

/* -------------------------------------------------- what happens on the way */

static void
test_a_line_that_is_cut(void **state)
{
	static char data[1 << 20];
	struct server s = start_usual();
	struct remote_target t = target_of(&s, "id_ed25519");
	const struct sftp_stream *stream;
	struct err e = ERR_INIT;
	struct remote *r;
	int i, status = 0;

	(void)state;
	know(&s, "%H %ed25519\n");
	r = remote_open(&t, &e);
	assert_non_null(r);
	hello(r);
	stream = remote_stream(r);
	/* nothing comes: that is not the end */
	assert_int_equal(stream->read(stream->arg, data, 100, 300, &e), 0);
	reap(&s.pid);
	assert_fails(stream->read(stream->arg, data, 100, LONG_MS, &e), e,
	    ERR_AGAIN, "cut");
	e = (struct err)ERR_INIT;
	for (i = 0; i < 100 && status == 0; i++)
		status = stream->write(stream->arg, data, sizeof(data), &e);
	assert_int_equal(status, -1);
	check_err(&e, ERR_AGAIN, "cut", __FILE__, __LINE__);
	remote_close(r);
}

/* What is written is more than the window, and nobody reads it. */
static void
test_a_write_that_is_cut(void **state)
{
	static char data[8 << 20];
	struct server s = start_sshd("ed25519", "Subsystem sftp internal-sftp\n"
	    "ForceCommand printf '\\000\\000\\000\\005\\002'; head -c 3000000 "
	    ">/dev/null; exec sleep 3\n");
	struct remote_target t = target_of(&s, "id_ed25519");
	struct err e = ERR_INIT;
	struct remote *r;
	char bytes[10];

	(void)state;
	know(&s, "%H %ed25519\n");
	r = remote_open(&t, &e);
	assert_non_null(r);
	assert_true(remote_stream(r)->read(remote_stream(r)->arg, bytes,
	    sizeof(bytes), LONG_MS, &e) > 0);
	assert_fails(remote_stream(r)->write(remote_stream(r)->arg, data,
	    sizeof(data), &e), e, ERR_AGAIN, "the sftp server has exited");
	remote_close(r);
	reap(&s.pid);
}

/* All that was written arrives, and what comes back meanwhile is kept. */
static void
test_both_ways_at_once(void **state)
{
	struct server s = start_sshd("ed25519",
	    "Subsystem sftp internal-sftp\n"
	    "ForceCommand printf '\\000'; exec cat\n");
	struct remote_target t = target_of(&s, "id_ed25519");
	size_t size = 1 << 20, got = 0, i;
	char *data = mem_alloc(size), *back = mem_alloc(size + 1);
	const struct sftp_stream *stream;
	struct err e = ERR_INIT;
	struct remote *r;
	ssize_t n;

	(void)state;
	for (i = 0; i < size; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	know(&s, "%H %ed25519\n");
	r = remote_open(&t, &e);
	assert_non_null(r);
	stream = remote_stream(r);
	assert_ok(stream->write(stream->arg, data, size, &e), e);
	while (got < size + 1) {
		n = stream->read(stream->arg, back + got, size + 1 - got,
		    LONG_MS, &e);
		if (n <= 0)
			fail_msg("%zd after %zu: %s", n, got, e.text);
		got += (size_t)n;
	}
	assert_memory_equal(back + 1, data, size);
	free(data);
	free(back);
	remote_close(r);
	reap(&s.pid);
}

static int
open_under_a_signal(void *arg)
{
	struct err e = ERR_INIT;

	cleanup_start();
	alarm(300);		/* a hang ends by a signal, not by a status */
	return remote_open(arg, &e) == NULL && e.kind == ERR_SIGNAL ? 0 : 1;
}

static void *
send_signal(void *arg)
{
	(void)arg;
	nap(300);
	kill(getpid(), SIGTERM);
	return NULL;
}

static int
signal_later_and_open(void *arg)
{
	pthread_t thread;
	int status;

	pthread_create(&thread, NULL, send_signal, NULL);
	status = open_under_a_signal(arg);
	pthread_join(thread, NULL);
	return status;
}

static int
signal_later_and_read(void *arg)
{
	struct err e = ERR_INIT;
	struct remote *r = remote_open(arg, &e);
	const struct sftp_stream *s = remote_stream(r);
	pthread_t thread;
	char byte;
	ssize_t n;

	cleanup_start();
	alarm(300);
	pthread_create(&thread, NULL, send_signal, NULL);
	n = s->read(s->arg, &byte, 1, LONG_MS, &e);
	pthread_join(thread, NULL);
	remote_close(r);
	return n == -1 && e.kind == ERR_SIGNAL ? 0 : 1;
}

static void
test_signals(void **state)
{
	struct server silent, s = start_usual();
	struct remote_target t;
	int listener;

	(void)state;
	silent.port = free_port(&listener);
	t = target_of(&silent, "id_ed25519");
	assert_int_equal(in_child(signal_later_and_open, &t), 0);
	close(listener);
	know(&s, "%H %ed25519\n");
	t = target_of(&s, "id_ed25519");
	assert_int_equal(in_child(signal_later_and_read, &t), 0);
	reap(&s.pid);
}

/* ---------------------------------------------------------------- the agent */

static pid_t
start_agent(const char *keys)
{
	const char *argv[] = {"/usr/bin/ssh-agent", "-D", "-a", NULL, NULL};
	struct strv words = STRV_INIT;
	static char path[128];
	char command[256];
	pid_t pid;
	size_t i;

	snprintf(path, sizeof(path), "%s/agent", scratch_path);
	unlink(path);
	argv[3] = path;
	pid = spawn(argv, "agent.log");
	setenv("SSH_AUTH_SOCK", path, 1);
	/* the socket is there a moment before anybody listens; 2: no agent */
	for (i = 0; i < TRIES && WEXITSTATUS(system(
	    "ssh-add -l >>agent.log 2>&1")) == 2; i++)
		nap(10);
	strv_split(&words, keys);
	for (i = 0; i < words.n; i++) {
		snprintf(command, sizeof(command), "SSH_ASKPASS=$PWD/askpass "
		    "SSH_ASKPASS_REQUIRE=force ssh-add -q %s 2>>agent.log",
		    words.v[i]);
		run(command);
	}
	strv_clear(&words);
	return pid;
}

/* A named key with a passphrase is the agent's, whatever else that holds. */
static void
test_the_agent(void **state)
{
	struct server s = start_usual();
	struct remote_target t = target_of(&s, NULL);
	pid_t agent = start_agent("id_ed25519");

	(void)state;
	know(&s, "%H %ed25519\n");
	gets_in(&t);
	t = target_of(&s, "id_locked");
	is_refused(&t, ERR_REFUSED, "passphrase");
	reap(&agent);

	agent = start_agent("x1 x2 x3 x4 x5 x6 id_locked id_rsa");
	gets_in(&t);
	/* MaxAuthTries is 6: after that sshd hangs up, and libssh waited on */
	t = target_of(&s, NULL);
	is_refused(&t, ERR_REFUSED, "of the ssh-agent's keys");
	reap(&agent);

	agent = start_agent("id_rsa x1");
	gets_in(&t);
	reap(&agent);
	is_refused(&t, ERR_REFUSED, "no key to log in with");
	unsetenv("SSH_AUTH_SOCK");
	is_refused(&t, ERR_REFUSED, "[orchestrator] identity-file");
	reap(&s.pid);
}

/* One that listens and says nothing must not keep us longer than agreed. */
static void
test_a_dead_agent(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct server s = start_usual();
	struct remote_target t = target_of(&s, NULL);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	know(&s, "%H %ed25519\n");
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/dead", scratch_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 5), 0);
	setenv("SSH_AUTH_SOCK", a.sun_path, 1);
	t.connect_ms = 5000;
	is_refused(&t, ERR_REFUSED, "no key to log in with");
	unsetenv("SSH_AUTH_SOCK");
	close(fd);
	reap(&s.pid);
}

/*
 * An agent may ask somebody whether it shall sign, who is not there, or says no
 * to one of the keys.
 */
static void
test_an_agent_that_does_not_sign(void **state)
{
	struct server s = start_usual();
	struct remote_target t = target_of(&s, NULL);
	char path[128];
	pid_t agent;

	(void)state;
	know(&s, "%H %ed25519\n");
	snprintf(path, sizeof(path), "%s/confirm", scratch_path);
	setenv("SSH_ASKPASS", path, 1);
	setenv("SSH_ASKPASS_REQUIRE", "force", 1);
	put_str("confirm", "#!/bin/sh\n"
	    "while kill -0 $PPID; do sleep 0.1; done\nexit 1\n");
	assert_int_equal(chmod("confirm", 0755), 0);
	agent = start_agent("");
	run("ssh-add -q -c id_ed25519 2>>agent.log");
	t.connect_ms = 3000;
	is_refused(&t, ERR_REFUSED, "does not sign: no answer in time");
	reap(&agent);

	t.connect_ms = LONG_MS;
	put_str("confirm", "#!/bin/sh\nexit 1\n");
	agent = start_agent("");
	run("ssh-add -q -c id_ed25519 2>>agent.log");
	is_refused(&t, ERR_REFUSED,
	    "the server refuses the login with 1 of the");
	run("ssh-add -q id_rsa 2>>agent.log");
	gets_in(&t);
	reap(&agent);
	unsetenv("SSH_ASKPASS");
	unsetenv("SSH_ASKPASS_REQUIRE");
	unsetenv("SSH_AUTH_SOCK");
	reap(&s.pid);
}

/* ------------------------------------------------------------ ~/.ssh/config */

#define NEEDS_HOME() do {						\
	if (home == NULL) {						\
		print_message("no mount namespace for a ~/.ssh\n");	\
		skip();							\
	}								\
} while (0)

static void
write_home(const char *name, const struct server *s, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/.ssh", home);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/.ssh/%s", home, name);
	know_in(path, s, text);
	assert_int_equal(chmod(path, 0600), 0);
}

static struct remote_target
alias_of(const struct server *s)
{
	struct remote_target t = target_of(s, NULL);

	t.host = (char *)"alias";
	t.port = 0;
	t.known_hosts = NULL;
	return t;
}

static void
test_ssh_config(void **state)
{
	struct server s;
	struct remote_target t;
	struct buf key = BUF_INIT, said = BUF_INIT;
	int before;

	(void)state;
	NEEDS_HOME();
	s = start_sshd("ed25519", "");
	t = alias_of(&s);
	get("id_ecdsa", &key);
	write_home("mine", &s, key.p);
	write_home("known_hosts", &s, "%H %ed25519\n");
	write_home("config", &s, "Host alias\n\tHostName 127.0.0.1\n"
	    "\tPort %P\n\tIdentityFile ~/.ssh/mine\n"
	    "\tStrictHostKeyChecking no\n\tLogLevel DEBUG3\n");
	before = mute_stderr("said");
	gets_in(&t);
	unmute_stderr(before);
	get("said", &said);
	assert_string_equal(buf_cstr(&said), "");
	/* it would be the wrong user, but for what is set */
	write_home("config", &s, "Host alias\n\tHostName 127.0.0.1\n"
	    "\tPort 9\n\tUser nobody-of-that-name\n"
	    "\tIdentityFile ~/.ssh/mine\n");
	t.port = (unsigned)s.port;
	t.user = getpwuid(getuid())->pw_name;
	gets_in(&t);
	t.user = NULL;
	is_refused(&t, ERR_REFUSED, "the server refuses the login with");
	/* and the files that ssh has without being told */
	write_home("config", &s, "Host alias\n\tHostName 127.0.0.1\n");
	write_home("id_rsa", &s, "no key");
	write_home("id_ecdsa", &s, key.p);
	gets_in(&t);
	assert_int_equal(unlink("home/.ssh/id_ecdsa"), 0);
	assert_int_equal(unlink("home/.ssh/id_rsa"), 0);
	assert_false(there_is("home/.ssh/id_ecdsa.pub"));
	assert_false(there_is("home/.ssh/mine.pub"));
	buf_clear(&key);
	buf_clear(&said);
	reap(&s.pid);
}

/*
 * With StrictHostKeyChecking no, libssh calls a changed key a known one. What
 * the user's file has wrong does not become right by the system's file.
 */
static void
test_ssh_config_and_host_keys(void **state)
{
	static const char config[] = "Host alias\n\tHostName 127.0.0.1\n"
	    "\tPort %P\n\tStrictHostKeyChecking no\n"
	    "\tGlobalKnownHostsFile ~/.ssh/global\n";
	struct server s;
	struct remote_target t;

	(void)state;
	NEEDS_HOME();
	s = start_sshd("ed25519", "");
	t = alias_of(&s);
	t.identity_file = target_of(&s, "id_ed25519").identity_file;
	write_home("config", &s, config);
	write_home("known_hosts", &s, "%H %other_ed25519\n");
	write_home("global", &s, "");
	is_refused(&t, ERR_REFUSED, "has changed");
	write_home("global", &s, "%H %ed25519\n");
	is_refused(&t, ERR_REFUSED, "has changed");
	write_home("known_hosts", &s, "%H %other_rsa\n");
	is_refused(&t, ERR_REFUSED, "other types");
	write_home("known_hosts", &s, "");
	gets_in(&t);
	write_home("known_hosts", &s, "@revoked * %ed25519\n");
	is_refused(&t, ERR_REFUSED, "is revoked");
	write_home("known_hosts", &s, "%H %ed25519\n");
	write_home("global", &s, "@revoked * %ed25519\n");
	is_refused(&t, ERR_REFUSED, "is revoked");
	write_home("known_hosts", &s, "");
	write_home("global", &s, "");
	is_refused(&t, ERR_REFUSED, "is not known");
	/* known-hosts of the configuration: no other file counts */
	write_home("known_hosts", &s, "%H %ed25519\n");
	know(&s, "");
	t.known_hosts = target_of(&s, NULL).known_hosts;
	is_refused(&t, ERR_REFUSED, "is not known");
	reap(&s.pid);
}

static void
test_proxies(void **state)
{
	struct server s, jump;
	struct remote_target t;
	struct buf key = BUF_INIT;
	char text[1000];

	(void)state;
	NEEDS_HOME();
	jump = start_sshd("rsa", "");
	s = start_sshd("ed25519", "");
	t = alias_of(&s);
	get("id_ed25519", &key);
	write_home("id_ed25519", &s, key.p);
	snprintf(text, sizeof(text), "%%H %%ed25519\n[127.0.0.1]:%d %%rsa\n",
	    jump.port);
	write_home("known_hosts", &s, text);
	snprintf(text, sizeof(text), "Host alias\n\tHostName 127.0.0.1\n"
	    "\tPort %d\n\tProxyCommand ssh -W %%h:%%p -p %d 127.0.0.1\n",
	    s.port, jump.port);
	put_str("home/.ssh/config", text);
	gets_in(&t);
	snprintf(text, sizeof(text), "Host alias\n\tHostName 127.0.0.1\n"
	    "\tPort %d\n\tProxyJump way\nHost way\n\tHostName 127.0.0.1\n"
	    "\tPort %d\n", s.port, jump.port);
	put_str("home/.ssh/config", text);
	gets_in(&t);
	put_str("home/.ssh/config", "Host alias\n\tProxyCommand exit 1\n");
	is_refused(&t, ERR_AGAIN, "");
	put_str("home/.ssh/config", "Host alias\n\tProxyCommand sleep 9\n");
	t.connect_ms = 500;
	is_refused(&t, ERR_AGAIN, "in time");
	buf_clear(&key);
	reap(&s.pid);
	reap(&jump.pid);
}

/* ------------------------------------------------------------- a whole file */

static struct sftp_job *
next_job(void *arg)
{
	struct sftp_job **job = arg, *this = *job;

	*job = NULL;
	return this;
}

static void
job_done(struct sftp_job *job, void *arg)
{
	(void)arg;
	if (job->error.kind != ERR_NONE)
		print_error("%s\n", job->error.text);
}

static void
test_sends_a_file(void **state)
{
	struct server s = start_usual();
	struct remote_target t = target_of(&s, "id_ed25519");
	size_t size = (5 << 20) + 1, i;
	char *data = mem_alloc(size), path[128];
	struct sftp_job job = {.data = data, .n = size, .size = size};
	struct sftp_job *queue = &job;
	struct buf there = BUF_INIT;
	struct err e = ERR_INIT;
	struct remote *r;
	struct sftp *f;

	(void)state;
	for (i = 0; i < size; i++)
		data[i] = (char)(i * 2654435761u >> 11);
	snprintf(path, sizeof(path), "%s/sent", scratch_path);
	job.path = path;
	know(&s, "%H %ed25519\n");
	r = remote_open(&t, &e);
	assert_non_null(r);
	f = sftp_open(remote_stream(r), &e);
	if (f == NULL)
		fail_msg("%s", e.text);
	assert_ok(sftp_put(f, next_job, job_done, &queue, &e), e);
	assert_int_equal(job.error.kind, ERR_NONE);
	sftp_close(f);
	remote_close(r);
	get("sent", &there);
	assert_int_equal(there.n, size);
	assert_memory_equal(there.p, data, size);
	buf_clear(&there);
	free(data);
	reap(&s.pid);
}

static void
test_reads_the_configuration(void **state)
{
	struct remote_target t = REMOTE_TARGET_INIT;
	struct strv set = STRV_INIT;
	struct err e = ERR_INIT;
	struct conf *c;

	(void)state;
	put_str("conf", "[orchestrator]\n");
	c = conf_load("conf", &set, &e);
	assert_non_null(c);
	assert_fails(remote_target_read(&t, c, "orchestrator", &e), e,
	    ERR_CONFIG, "host");
	conf_free(c);
	put_str("conf", "[orchestrator]\nhost = orchestrator.example\n"
	    "user = runner\nport = 2022\nidentity-file = /x/key\n"
	    "known-hosts = /x/hosts\nconnect-timeout = 2m\n");
	c = conf_load("conf", &set, &e);
	assert_non_null(c);
	assert_ok(remote_target_read(&t, c, "orchestrator", &e), e);
	assert_string_equal(t.host, "orchestrator.example");
	assert_string_equal(t.user, "runner");
	assert_string_equal(t.identity_file, "/x/key");
	assert_string_equal(t.known_hosts, "/x/hosts");
	assert_int_equal(t.port, 2022);
	assert_int_equal(t.connect_ms, 120000);
	remote_target_clear(&t);
	remote_target_clear(&t);
	conf_free(c);
	put_str("conf", "[orchestrator]\nhost = x\nport = 65536\n");
	c = conf_load("conf", &set, &e);
	assert_non_null(c);
	assert_fails(remote_target_read(&t, c, "orchestrator", &e), e,
	    ERR_CONFIG, "port");
	conf_free(c);
}

/* ---------------------------------------------------------------- the begin */

static bool
write_map(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n >= 0;
}

/* As ourselves, with mounts of our own. */
static bool
leave_mounts(void)
{
	char map[64];
	uid_t uid = getuid();
	gid_t gid = getgid();

	if (unshare(CLONE_NEWNS) == 0)
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (!write_map("/proc/self/setgroups", "deny") ||
	    !write_map("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	return write_map("/proc/self/gid_map", map);
}

/* sshd lets nobody in whose account is locked, which is no matter here. */
static void
unlock(const char *user)
{
	char path[128], line[256];

	snprintf(path, sizeof(path), "%s/shadow", scratch_path);
	snprintf(line, sizeof(line), "%s:*:19000:0:99999:7:::\n", user);
	put_str("shadow", line);
	(void)mount(path, "/etc/shadow", NULL, MS_BIND, NULL);
}

/*
 * An own home directory over the real one, and an own /run, where sshd as
 * root wants a directory.
 */
static void
move_in(void)
{
	static char path[128];
	struct passwd *user = getpwuid(getuid());

	snprintf(path, sizeof(path), "%s/home", scratch_path);
	assert_int_equal(mkdir(path, 0700), 0);
	if (user != NULL && leave_mounts() &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount(path, user->pw_dir, NULL, MS_BIND, NULL) == 0) {
		home = path;
		unlock(user->pw_name);
		(void)mount("run", "/run", "tmpfs", 0, "mode=755");
	}
	made_run_sshd = getuid() == 0 && mkdir("/run/sshd", 0755) == 0 &&
	    home == NULL;
}

/* All keys, once. x1 to x6 may log in nowhere. */
static int
enter(void **state)
{
	if (scratch_enter(state) < 0)
		return -1;
	/* as cleanup_start does: libssh writes to proxies that are gone */
	signal(SIGPIPE, SIG_IGN);
	unsetenv("SSH_AUTH_SOCK");
	setenv("SHELL", "/bin/sh", 1);
	move_in();
	run("k() { ssh-keygen -q -N '' -C '' -t \"$@\" </dev/null; }\n"
	    "k ed25519 -f host_ed25519 && k ecdsa -f host_ecdsa && "
	    "k rsa -b 2048 -f host_rsa && k ed25519 -f host_other_ed25519 && "
	    "k rsa -b 2048 -f host_other_rsa && k ed25519 -f id_ed25519 && "
	    "k ecdsa -b 384 -f id_ecdsa && k rsa -b 3072 -f id_rsa && "
	    "k rsa -b 2048 -m PEM -f id_pem && k ed25519 -f id_stranger && "
	    "for i in 1 2 3 4 5 6; do k ed25519 -f x$i || exit; done");
	run("ssh-keygen -q -t ed25519 -N 'pass phrase' -C '' -f id_locked && "
	    "ssh-keygen -q -t rsa -m PEM -N 'pass phrase' -f id_locked_pem && "
	    "printf '#!/bin/sh\\necho pass phrase\\n' >askpass && "
	    "chmod 700 askpass && cp id_ed25519 id_open && "
	    "chmod 644 id_open && cp id_ed25519.pub id_ed25519.pub.private "
	    "&& chmod 600 id_ed25519.pub.private && "
	    "cat id_ed25519.pub id_ecdsa.pub id_rsa.pub id_pem.pub "
	    "id_locked.pub >authorized_keys && rm id_pem.pub");
	return 0;
}

static int
leave(void **state)
{
	size_t i;

	for (i = 0; i < n_started; i++)
		reap(&started[i]);	/* of tests that failed */
	if (made_run_sshd)
		(void)rmdir("/run/sshd");
	return scratch_leave(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_the_configuration),
		cmocka_unit_test(test_logs_in_with_each_kind_of_key),
		cmocka_unit_test(test_host_keys_that_are_known),
		cmocka_unit_test(test_host_keys_that_are_not),
		cmocka_unit_test(test_keys_that_are_refused),
		cmocka_unit_test(test_sftp_that_is_not_there),
		cmocka_unit_test(test_others_than_sshd),
		cmocka_unit_test(test_a_line_that_is_cut),
		cmocka_unit_test(test_a_write_that_is_cut),
		cmocka_unit_test(test_both_ways_at_once),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_the_agent),
		cmocka_unit_test(test_a_dead_agent),
		cmocka_unit_test(test_an_agent_that_does_not_sign),
		cmocka_unit_test(test_ssh_config),
		cmocka_unit_test(test_ssh_config_and_host_keys),
		cmocka_unit_test(test_proxies),
		cmocka_unit_test(test_sends_a_file),
	};

	log_open("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, enter, leave);
}
