#include "build-machine-ctl/user_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-machine-ctl/enrol.h"
#include "build-machine-ctl/machine.h"
#include "lib/http/json.h"
#include "lib/sys/fs.h"

static int
try_enrol(const struct conf *conf, const char *build, bool has_gitlab,
    struct err *e)
{
	struct buf trial = BUF_INIT;
	char *name;
	int status;

	if (machine_setting(conf, build, "runner-tags") == NULL)
		return err_set(e, ERR_CONFIG, "set runner-tags in [machine "
		    "%s]: without them its runner gets no jobs", build);
	if (!has_gitlab)
		return err_set(e, ERR_CONFIG, "user-data = enrol in [machine "
		    "%s] needs [gitlab] project and a token", build);
	name = machine_name(conf, build, e);
	if (name == NULL)
		return -1;
	status = enrol_write(conf, build, name, "glrt-trial", &trial, e);
	buf_clear(&trial);
	free(name);
	return status;
}

int
user_data_read(const struct conf *conf, const char *build, bool has_gitlab,
    struct buf *text, bool *enrols, struct err *e)
{
	const char *value = machine_setting(conf, build, "user-data");
	char section[16 + BUILD_SIZE], *path;
	int status;

	*enrols = value != NULL && strcmp(value, "enrol") == 0;
	if (value == NULL)
		return 0;
	if (*enrols)
		return try_enrol(conf, build, has_gitlab, e);
	snprintf(section, sizeof(section), "machine %s", build);
	path = conf_path(conf, section, "user-data");
	status = fs_read_path(path, ENROL_LIMIT, text, e);
	if (status == 0 && !json_can_hold(text->p, text->n))
		status = err_set(e, ERR_CONFIG, "'%s' is not text in UTF-8, as "
		    "DigitalOcean takes it: encode it, or unpack it", path);
	free(path);
	return status < 0 ? err_wrap(e, "[%s] user-data", section) : 0;
}
