/*
 * From a drop or a tar to a whole generation in its directory: nothing in it
 * but what the signed manifest lists, every file with the hash listed.
 */
#ifndef INTAKE_H
#define INTAKE_H

#include "deploy-repo/site.h"
#include "lib/data/out.h"

struct intake {
	struct site *site;
	struct pgp *trusted;
	struct kept in;		/* the new generation's manifest */
	struct kept live;	/* and the live one's, if there is one */
	int dir;		/* .releases/next.PID; -1 until needed */
	char name[64];
	bool *placed;		/* one for each file of the manifest */
	bool *reused;		/* it is in the directory from before */
	bool is_known;		/* it is live or kept already */
	bool allow_older;
};
#define INTAKE_INIT {.in = KEPT_INIT, .live = KEPT_INIT, .dir = -1}

/*
 * Reads the manifest, trusts it or not, and judges the serial, then takes the
 * files. When is_known is set nothing was taken: it is all there already.
 * ERR_REFUSED: signature, older serial. ERR_DATA: anything else wrong.
 */
int intake_drop(struct intake *in, int inbox, const char *name,
    struct err *e);
int intake_tar(struct intake *in, int fd, struct err *e);

/* Gives the directory its name; the generation is then kept, not live. */
int intake_commit(struct intake *in, struct err *e);
/* Removes what was not committed. Accepts what was never used. */
void intake_clear(struct intake *in);

/* ------------------------------------------------- shared by its files */

int intake_judge(struct intake *in, struct err *e);
int intake_complete(struct intake *in, struct err *e);
/* What was not sent is linked from the generations that are here. */
int intake_link_rest(struct intake *in, struct err *e);
/* True if the live generation has it at this path with this hash. */
bool intake_is_live(const struct intake *in, const struct manifest_entry *f);
/* All that fd has yet; ends early when a signal has come. */
int intake_copy(int fd, const char *path, struct out *o, struct err *e);
/*
 * Opens the file that the listed path is to become; *at is its directory. A
 * file that the live generation has is only hashed: it will be linked.
 */
struct out *intake_file(struct intake *in, size_t index, int *at,
    struct digest *d, struct err *e);
/* Commits it if its hash is the listed one, and closes at. */
int intake_file_done(struct intake *in, size_t index, struct out *o, int at,
    const struct digest *d, struct err *e);

#endif
