/*
 * The packets of SFTP version 3: a length, a type, and fields, big-endian.
 *
 *	size_t begin = packet_begin(&b, PACKET_LSTAT);
 *	be32_add(&b, id);
 *	packet_string(&b, path);
 *	packet_end(&b, begin, 0);
 *
 * Reading is bounded: beyond the end all is 0, and packet_check says so.
 */
#ifndef LIB_SSH_PACKET_H
#define LIB_SSH_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/text.h"

#pragma GCC visibility push(hidden)

/* OpenSSH's longest is 256 KiB; what a DATA has around its data, besides. */
#define PACKET_LIMIT ((size_t)257 << 10)
#define PACKET_HANDLE_LIMIT 256

enum packet_type {
	PACKET_INIT = 1,
	PACKET_VERSION = 2,
	PACKET_OPEN = 3,
	PACKET_CLOSE = 4,
	PACKET_READ = 5,
	PACKET_WRITE = 6,
	PACKET_LSTAT = 7,
	PACKET_FSTAT = 8,
	PACKET_SETSTAT = 9,
	PACKET_FSETSTAT = 10,
	PACKET_OPENDIR = 11,
	PACKET_READDIR = 12,
	PACKET_REMOVE = 13,
	PACKET_MKDIR = 14,
	PACKET_RMDIR = 15,
	PACKET_STAT = 17,
	PACKET_RENAME = 18,
	PACKET_STATUS = 101,
	PACKET_HANDLE = 102,
	PACKET_DATA = 103,
	PACKET_NAME = 104,
	PACKET_ATTRS = 105,
	PACKET_EXTENDED = 200,
	PACKET_EXTENDED_REPLY = 201
};

enum {	/* what an OPEN is for */
	PACKET_FOR_READING = 1,
	PACKET_FOR_WRITING = 2,
	PACKET_CREATING = 8
};

enum {	/* which attributes there are */
	PACKET_HAS_SIZE = 1,
	PACKET_HAS_OWNER = 2,
	PACKET_HAS_MODE = 4,
	PACKET_HAS_TIMES = 8
};
#define PACKET_HAS_MORE 0x80000000u

enum packet_status_code {
	STATUS_OK = 0,
	STATUS_EOF = 1,
	STATUS_MISSING = 2,
	STATUS_REFUSED = 3,
	STATUS_FAILURE = 4,
	STATUS_NONSENSE = 5,
	STATUS_GONE = 6,
	STATUS_LOST = 7,
	STATUS_UNSUPPORTED = 8,
	STATUS_EXISTS = 11	/* not of version 3; but see sftp_make_dirs */
};

/* -------------------------------------------------------------- writing */

/* Returns what packet_end wants. Numbers are added by be32_add and be64_add. */
size_t packet_begin(struct buf *b, enum packet_type type);
void packet_bytes(struct buf *b, const void *p, size_t n);
void packet_string(struct buf *b, const char *text);
/* The packet goes on with that many bytes, which are not in b. */
void packet_end(struct buf *b, size_t begin, size_t more);

/* -------------------------------------------------------------- reading */

struct packet {
	uint8_t type;
	const unsigned char *p;	/* what has not been read */
	size_t n;
	bool is_short;
};

/*
 * Looks for a packet at the begin of n bytes: how many it takes, 0 if it is
 * not all there yet, -1 if that is not the length of a packet.
 */
ssize_t packet_frame(struct packet *out, const unsigned char *p, size_t n,
    struct err *e);

/* What a file is. */
struct sftp_attributes {
	bool is_directory;
	bool is_file;
	uint64_t size;
	int64_t modified;	/* seconds since the epoch; 0: not told */
};

uint32_t packet_get_u32(struct packet *a);
uint64_t packet_get_u64(struct packet *a);
/* Points into the packet; NULL where it is too short. */
const unsigned char *packet_get_bytes(struct packet *a, size_t *n);
/* Returns which there were (PACKET_HAS_*). */
uint32_t packet_get_attributes(struct packet *a, struct sftp_attributes *out);

/* ERR_PROTOCOL where it was too short for what was read. */
int packet_check(const struct packet *a, struct err *e);
/* ERR_PROTOCOL: another type was due. */
int packet_unexpected(const struct packet *a, struct err *e);
int packet_expect(const struct packet *a, enum packet_type type,
    struct err *e);

/* What the server answers to a request. */
struct packet_status {
	uint32_t code;
	char text[128];		/* its words, printable */
};

int packet_get_status(struct packet *a, struct packet_status *out,
    struct err *e);
/* The same, where something else was asked for: OK would be nonsense. */
int packet_get_refusal(struct packet *a, struct packet_status *out,
    struct err *e);
/* 1: attributes with a size; 0: a status instead; -1: nonsense. */
int packet_judge_attributes(struct packet *a, struct sftp_attributes *out,
    struct packet_status *status, struct err *e);
/* Sets the error that a status is, with ": reason" added; returns -1. */
int packet_status_err(const struct packet_status *status, struct err *e,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#pragma GCC visibility pop

#endif
