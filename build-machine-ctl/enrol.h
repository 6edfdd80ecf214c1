/*
 * What a machine is given at its first boot, [machine BUILD] user-data: a file
 * or, for "enrol", the cloud-init that makes a runner out of a stock Debian
 * image, or of a snapshot that has some of it already: two files and the
 * command that runs the one with the other.
 *
 *	struct buf text = BUF_INIT;
 *	if (enrol_write(conf, "amd64-deb", name, token, &text, e) < 0) ...
 *	buf_wipe(&text);
 *
 * Everything that is configured stands in variables at the top of the script,
 * in single quotes; the rest of the script is always the same. The token is
 * in a file of its own. That keeps it out of logs, not from the machine's
 * jobs: any process there can ask the metadata service for the user-data. So
 * each machine has a runner of its own, which is deleted with it.
 */
#ifndef ENROL_H
#define ENROL_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/frame/conf.h"

#define ENROL_LIMIT ((size_t)64 << 10)	/* what the API accepts, bytes */

/*
 * Appends the text. ERR_CONFIG where a key is missing or has a value that
 * cannot be written: a control character, a URL to download from that is not
 * https; and for a text of more than ENROL_LIMIT.
 */
int enrol_write(const struct conf *conf, const char *build,
    const char *machine_name, const char *runner_token, struct buf *out,
    struct err *e);

/*
 * Appends the file that is configured, if one is. *enrols: it is "enrol"; then
 * the text is only tried, since it needs the token of a runner, and so GitLab
 * and runner-tags. What is wrong is an error before money is spent: ERR_CONFIG,
 * or why the file cannot be read.
 */
int enrol_read_user_data(const struct conf *conf, const char *build,
    bool has_gitlab, struct buf *text, bool *enrols, struct err *e);

#endif
