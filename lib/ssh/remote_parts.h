/*
 * What the files of lib/remote share. libssh is known to remote.c and to
 * _options, _login, _stream and _run; the rest of it does without.
 */
#ifndef LIB_SSH_REMOTE_PARTS_H
#define LIB_SSH_REMOTE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/ssh/remote.h"

#define REMOTE_SLICE_MS 200	/* how long a signal may go unnoticed */

struct ssh_key_struct;

struct remote {
	struct ssh_session_struct *session;
	struct ssh_channel_struct *channel;
	int fd;				/* given to libssh, with its inode; */
	ino_t inode;			/* 0: libssh has one of its own */
	struct remote_agent *agent;	/* while logging in */
	char *name;
	int64_t deadline;		/* of remote_open, by clock_ms */
	unsigned round_trip;		/* microseconds; of a proxy's line */
	struct sftp_stream stream;
	struct buf text;		/* what came that was not asked for */
	bool has_read;
	struct buf taken;		/* came, and is not read yet: */
	size_t taken_from;		/* from here on */
	size_t since_window;		/* bytes that came since it was open */
};

/*
 * After a call of libssh that was not finished: waits until there is more to
 * do. -1 past the deadline, after a signal, and where the line was cut.
 */
int remote_wait(struct remote *r, struct err *e);
/* The error that libssh tells of, which is about the connection. */
int remote_cut(struct remote *r, const char *doing, struct err *e);

/* The first line of r->text. */
const char *remote_first_line(struct remote *r);
/*
 * What is written to stderr there is nobody's business, but as long as it is
 * not read, libssh tells of no end.
 */
void remote_drop_stderr(struct remote *r);
/* r->channel, which is nothing yet. */
int remote_channel_open(struct remote *r, struct err *e);

/* ------------------------------------------------------- remote_stream.c */

/* The channel with sftp, and r->stream. */
int remote_stream_open(struct remote *r, struct err *e);

/* ------------------------------------------------------ remote_connect.c */

/* A TCP connection that notices when the other side is gone. */
int remote_connect(const char *host, unsigned port, int64_t deadline,
    struct err *e);
/* How long until the deadline or the next slice; -1 past it, or a signal. */
int remote_slice(int64_t deadline, struct err *e);

/* -------------------------------------------------------- remote_hosts.c */

struct remote_host_key {
	const char *host;	/* as it is connected to */
	unsigned port;
	const void *blob;	/* the key as it travels */
	size_t n;
	const char *files[2];	/* known_hosts, in this order; NULL: none */
	const char *fingerprint;
};

/*
 * Judges the key by all that the files say: 0 where it is known, nothing
 * speaks against it, and it was not revoked; else ERR_REFUSED.
 */
int remote_hosts_judge(const struct remote_host_key *key, struct err *e);

/* ----------------------------------------------------- remote_patterns.c */

struct remote_word {
	const char *p;
	size_t n;
};

/* name, in lower case, is one of host: "a,b*,!bc", "|1|salt|hash". */
bool remote_host_matches(const char *name, struct remote_word host);

/* -------------------------------------------------------- remote_agent.c */

/*
 * The user's ssh-agent, through us: at most `max` keys of it, those in wanted
 * (base64, as in a .pub file) first, with only_wanted no other. What it does
 * not answer by the deadline, or after a signal, has failed. NULL without an
 * error where there is no agent or no such key.
 */
struct remote_agent *remote_agent_open(const struct strv *wanted,
    bool only_wanted, size_t max, int64_t deadline);
/* The end that libssh talks to; it becomes the caller's. */
int remote_agent_take_fd(struct remote_agent *a);
size_t remote_agent_count(const struct remote_agent *a);
void remote_agent_close(struct remote_agent *a);	/* accepts NULL */

/* --------------------------------------------------- remote_agent_keys.c */

struct remote_choice {
	const struct strv *wanted;
	bool only_wanted;
	size_t max;
};

struct remote_keys {
	struct buf message;	/* "these are my keys", after its length */
	size_t count;
};

/* From such an answer of the agent's; false where it is none. */
bool remote_agent_choose(const struct buf *message,
    const struct remote_choice *c, struct remote_keys *chosen);
/* The four bytes before each message and string. */
size_t remote_agent_length(const uint8_t *p);

/* ------------------------------------------------------ remote_options.c */

/* Options of ours, over those of ~/.ssh/config. */
int remote_options(struct remote *r, const struct remote_target *t,
    struct err *e);
/* What libssh holds of this ssh_options_e, yours; NULL where nothing. */
char *remote_get_option(struct remote *r, int option);
/* "ssh-ed25519 SHA256:...", yours. */
char *remote_fingerprint(struct ssh_key_struct *key);
/* The key that the host has shown must be known; ERR_REFUSED. */
int remote_check_host(struct remote *r, const struct remote_target *t,
    struct err *e);

/* -------------------------------------------------------- remote_login.c */

int remote_login(struct remote *r, const struct remote_target *t,
    struct err *e);

#endif
