#include "lib/ssh/session.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/text.h"
#include "lib/ssh/connect.h"
#include "lib/ssh/known_hosts.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define CONNECT_MS 30000	/* where a target does not say */
#define GREETING_MS 300		/* most servers greet sooner */
/* The cheapest with the processor's AES first; the rest is the server's. */
#define CIPHERS "aes128-gcm@openssh.com,aes256-gcm@openssh.com," \
    "chacha20-poly1305@openssh.com,aes256-ctr"

struct session {
	ssh_session libssh;
	int fd;			/* given to libssh, with its inode; */
	ino_t inode;		/* 0: libssh has one of its own */
	char *name;
	int64_t deadline;	/* by clock_ms */
	struct buf greeting;	/* what came that is no SSH */
};

/* ----------------------------------------------------- waiting, and failing */

/*
 * Before libssh takes it: something that is no SSH says so in its first line,
 * which libssh passes over while it waits for a better one.
 */
static void
peek(struct session *s, int fd)
{
	char data[128];
	ssize_t n = recv(fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);

	if (n < 4 || memcmp(data, "SSH-", 4) == 0 || s->greeting.n > 0)
		return;
	buf_add(&s->greeting, data, (size_t)n);
}

int
session_wait(struct session *s, struct err *e)
{
	struct pollfd p = {.fd = ssh_get_fd(s->libssh), .events = POLLIN};
	int ms = slice_until(s->deadline, e);

	if (ms < 0)
		return -1;
	if (p.fd < 0)
		return err_set(e, ERR_AGAIN, "the connection was cut");
	if (ssh_get_poll_flags(s->libssh) & SSH_WRITE_PENDING)
		p.events |= POLLOUT;
	if (poll(&p, 1, ms) > 0 && (p.revents & POLLIN) &&
	    ssh_get_serverbanner(s->libssh) == NULL)
		peek(s, p.fd);
	return 0;
}

int
session_cut(struct session *s, const char *doing, struct err *e)
{
	const char *why = ssh_get_error(s->libssh);

	return err_set(e, ERR_AGAIN, "%s: %s", doing, why != NULL &&
	    *why != '\0' ? why : "the connection was cut");
}

/* ------------------------------------------------------------------ options */

static int
set_option(struct session *s, enum ssh_options_e option, const void *value,
    struct err *e)
{
	if (ssh_options_set(s->libssh, option, value) == SSH_OK)
		return 0;
	return err_set(e, ERR_CONFIG, "%s", ssh_get_error(s->libssh));
}

/*
 * What ~/.ssh/config may not change: it says how to get there, not whom to
 * trust. Known hosts that are named are all there are.
 */
static int
set_fixed(struct session *s, const struct remote_target *t, struct err *e)
{
	long seconds = t->connect_ms / 1000 + 1;
	bool no = false;
	int on = 1, quiet = SSH_LOG_NOLOG;

	if (set_option(s, SSH_OPTIONS_PROCESS_CONFIG, &no, e) < 0 ||
	    set_option(s, SSH_OPTIONS_LOG_VERBOSITY, &quiet, e) < 0 ||
	    set_option(s, SSH_OPTIONS_STRICTHOSTKEYCHECK, &on, e) < 0 ||
	    set_option(s, SSH_OPTIONS_NODELAY, &on, e) < 0 ||
	    set_option(s, SSH_OPTIONS_TIMEOUT, &seconds, e) < 0 ||
	    set_option(s, SSH_OPTIONS_CIPHERS_C_S, CIPHERS, e) < 0 ||
	    set_option(s, SSH_OPTIONS_CIPHERS_S_C, CIPHERS, e) < 0)
		return -1;
	if (t->known_hosts == NULL)
		return 0;
	return set_option(s, SSH_OPTIONS_KNOWNHOSTS, t->known_hosts, e) < 0 ||
	    set_option(s, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, t->known_hosts,
	    e) < 0 ? -1 : 0;
}

/*
 * First the files, then what is set: of an option that is set before, 0.10
 * and 0.11 do not agree whether it stays.
 */
static int
set_options(struct session *s, const struct remote_target *t, struct err *e)
{
	ssh_set_blocking(s->libssh, 0);
	if (set_option(s, SSH_OPTIONS_HOST, t->host, e) < 0)
		return -1;
	if (ssh_options_parse_config(s->libssh, NULL) != SSH_OK)
		return err_set(e, ERR_CONFIG, "~/.ssh/config: %s",
		    ssh_get_error(s->libssh));
	if (t->user != NULL &&
	    set_option(s, SSH_OPTIONS_USER, t->user, e) < 0)
		return -1;
	if (t->port != 0 && set_option(s, SSH_OPTIONS_PORT, &t->port, e) < 0)
		return -1;
	return set_fixed(s, t, e);
}

char *
session_option(struct session *s, int option)
{
	char *value = NULL, *copy;

	if (ssh_options_get(s->libssh, (enum ssh_options_e)option,
	    &value) != SSH_OK)
		return NULL;
	copy = value != NULL ? mem_dup(value) : NULL;
	ssh_string_free_char(value);
	return copy;
}

/* --------------------------------------------------------------- connecting */

/* The first line of what came, or what there is of it. */
static const char *
first_line(struct session *s)
{
	s->greeting.p[strcspn(s->greeting.p, "\r\n")] = '\0';
	return s->greeting.p;
}

/* Why no SSH session came about. */
static int
say_no_ssh(struct session *s, struct err *e)
{
	const char *why = ssh_get_error(s->libssh);
	bool is_ssh = ssh_get_serverbanner(s->libssh) != NULL;

	if (!is_ssh && s->greeting.n > 0) {
		/* sshd says the first two of these when it has enough */
		if (path_starts_with(s->greeting.p, "Exceeded MaxStartups") ||
		    path_starts_with(s->greeting.p, "Not allowed at this time"))
			return err_set(e, ERR_AGAIN, "sshd says '%s'",
			    first_line(s));
		return err_set(e, ERR_PROTOCOL, "this is not an SSH server: "
		    "it sent '%s'",
		    first_line(s));
	}
	if (strstr(why, "no match for method") != NULL)
		return err_set(e, ERR_PROTOCOL, "cannot agree on SSH 2 "
		    "algorithms: %s", why);
	if (strstr(why, "version of SSH protocol") != NULL ||
	    strstr(why, "banner") != NULL)
		return err_set(e, ERR_PROTOCOL, "it does not speak SSH 2: %s",
		    why);
	return session_cut(s, is_ssh ? "exchange keys" :
	    "wait for the SSH greeting", e);
}

static ino_t
inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/*
 * Whether libssh closes a socket that it was given depends on how far it got.
 * While it is open, no other one has its inode.
 */
static void
close_socket(struct session *s)
{
	if (s->inode != 0 && inode_of(s->fd) == s->inode)
		close(s->fd);
}

/*
 * A server speaks first; what is no greeting is seen here, before libssh reads
 * it, and perhaps the end that follows it, in one go.
 */
static void
await_greeting(struct session *s, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (poll(&p, 1, GREETING_MS) > 0)
		peek(s, fd);
}

/*
 * The connection is ours, for libssh tries one address only and cannot be
 * interrupted; a ProxyCommand, which a ProxyJump becomes, is libssh's.
 */
static int
begin(struct session *s, int *status, struct err *e)
{
	char *command = NULL, *host = NULL;
	unsigned port = 22;
	int fd = -1;

	if (ssh_options_get(s->libssh, SSH_OPTIONS_PROXYCOMMAND,
	    &command) == SSH_OK && command != NULL) {
		log_detail("connecting by '%s'", command);
		ssh_string_free_char(command);
		*status = ssh_connect(s->libssh);
		return 0;
	}
	if (ssh_options_get(s->libssh, SSH_OPTIONS_HOST, &host) != SSH_OK)
		return err_set(e, ERR_CONFIG, "the host has no name");
	ssh_options_get_port(s->libssh, &port);
	fd = connect_tcp(host, port, s->deadline, e);
	ssh_string_free_char(host);
	if (fd < 0)
		return -1;
	s->fd = fd;
	s->inode = inode_of(fd);
	await_greeting(s, fd);
	ssh_options_set(s->libssh, SSH_OPTIONS_FD, &fd);
	*status = ssh_connect(s->libssh);
	return 0;
}

static int
connect_ssh(struct session *s, struct err *e)
{
	int status = SSH_ERROR;

	if (begin(s, &status, e) < 0)
		return -1;
	while (status == SSH_AGAIN) {
		if (session_wait(s, e) < 0)
			return err_wrap(e, "%s", s->greeting.n > 0 ?
			    "wait for SSH after another greeting" :
			    "wait for SSH");
		status = ssh_connect(s->libssh);
	}
	if (status != SSH_OK)
		return say_no_ssh(s, e);
	buf_clear(&s->greeting);
	log_trace("'%s' is %s, cipher %s", s->name,
	    ssh_get_serverbanner(s->libssh), ssh_get_cipher_out(s->libssh));
	return 0;
}

/* ------------------------------------------------------------- the host key */

static void
set_name(struct session *s, const char *host, unsigned port)
{
	char *user = session_option(s, SSH_OPTIONS_USER);

	free(s->name);
	s->name = mem_format(strchr(host, ':') != NULL ? "%s%s[%s]:%u" :
	    "%s%s%s:%u", user != NULL ? user : "", user != NULL ? "@" : "",
	    host, port);
	free(user);
}

char *
session_fingerprint(ssh_key key)
{
	unsigned char *hash = NULL;
	char *text = NULL, *whole;
	const char *type = ssh_key_type_to_char(ssh_key_type(key));
	size_t n = 0;

	if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash,
	    &n) == SSH_OK)
		text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256,
		    hash, n);
	ssh_clean_pubkey_hash(&hash);
	whole = mem_format("%s %s", type != NULL ? type : "a key",
	    text != NULL ? text : "without a fingerprint");
	ssh_string_free_char(text);
	return whole;
}

/* The key as it travels. */
static bool
blob_of(const ssh_key key, struct buf *blob)
{
	char *text = NULL;
	bool good = ssh_pki_export_pubkey_base64(key, &text) == SSH_OK &&
	    base64_read(text, strlen(text), blob);

	ssh_string_free_char(text);
	return good;
}

/*
 * Both must accept: libssh, which takes nothing but a known key for good, and
 * our own reading, which knows what libssh passes over.
 */
static int
judge_key(struct session *s, const struct host_key *key, struct err *e)
{
	enum ssh_known_hosts_e known;

	if (known_hosts_judge(key, e) < 0)
		return -1;
	known = ssh_session_is_known_server(s->libssh);
	if (known == SSH_KNOWN_HOSTS_OK)
		return 0;
	return err_set(e, ERR_REFUSED, "the host key of '%s', %s, is in '%s', "
	    "but libssh cannot read that: write one blank between words, no "
	    "carriage return, and correct broken lines for this host",
	    key->host, key->fingerprint,
	    key->files[0] != NULL ? key->files[0] : key->files[1]);
}

static int
check_key(struct session *s, const struct remote_target *t,
    struct host_key *key, struct err *e)
{
	char *user, *global;
	int status;

	set_name(s, key->host, key->port);
	if (t->known_hosts != NULL) {
		key->files[0] = t->known_hosts;
		return judge_key(s, key, e);
	}
	user = session_option(s, SSH_OPTIONS_KNOWNHOSTS);
	global = session_option(s, SSH_OPTIONS_GLOBAL_KNOWNHOSTS);
	key->files[0] = user;
	key->files[1] = global;
	status = judge_key(s, key, e);
	free(user);
	free(global);
	return status;
}

static int
check_host(struct session *s, const struct remote_target *t,
    struct err *e)
{
	struct host_key key = {.port = 22};
	char *host = session_option(s, SSH_OPTIONS_HOST);
	char *fingerprint = NULL;
	struct buf blob = BUF_INIT;
	ssh_key public = NULL;
	int status = -1;

	ssh_options_get_port(s->libssh, &key.port);
	if (host == NULL || ssh_get_server_publickey(s->libssh,
	    &public) != SSH_OK || !blob_of(public, &blob)) {
		err_set(e, ERR_PROTOCOL, "the server has shown no host key");
	} else {
		fingerprint = session_fingerprint(public);
		key.host = host;
		key.blob = blob.p;
		key.n = blob.n;
		key.fingerprint = fingerprint;
		status = check_key(s, t, &key, e);
	}
	ssh_key_free(public);
	buf_clear(&blob);
	free(fingerprint);
	free(host);
	return status;
}

/* -------------------------------------------------------------- open, close */

/* ~/.ssh/config can turn libssh's own messages on. */
static void
ignore_log(int priority, const char *function, const char *text, void *arg)
{
	(void)priority;
	(void)function;
	(void)text;
	(void)arg;
}

static void
stop_libssh(void)
{
	(void)ssh_finalize();
}

/*
 * libssh 0.11 jumps from host to host by itself, in threads, with errors of
 * its own; told so, it leaves that to ssh(1), as 0.10 does.
 */
static void
start_libssh(void)
{
	setenv("OPENSSH_PROXYJUMP", "1", 1);
	if (ssh_init() != SSH_OK)
		abort();
	atexit(stop_libssh);
}

struct session *
session_open(const struct remote_target *t, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct session *s = mem_zero(1, sizeof(*s));

	pthread_once(&once, start_libssh);
	ssh_set_log_callback(ignore_log);	/* of this thread */
	s->deadline = clock_ms() +
	    (t->connect_ms > 0 ? t->connect_ms : CONNECT_MS);
	s->name = mem_dup(t->host);
	s->libssh = ssh_new();
	if (s->libssh == NULL)
		abort();
	if (set_options(s, t, e) == 0 && connect_ssh(s, e) == 0 &&
	    check_host(s, t, e) == 0)
		return s;
	err_wrap(e, "%s", s->name);
	session_close(s);
	return NULL;
}

void
session_close(struct session *s)
{
	if (s == NULL)
		return;
	ssh_disconnect(s->libssh);
	ssh_free(s->libssh);
	close_socket(s);
	buf_clear(&s->greeting);
	free(s->name);
	free(s);
}

ssh_session
session_libssh(struct session *s)
{
	return s->libssh;
}

const char *
session_name(const struct session *s)
{
	return s->name;
}

int64_t
session_deadline(const struct session *s)
{
	return s->deadline;
}
