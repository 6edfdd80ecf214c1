#include "deploy-repo/inbox.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sys/fs.h"

#define LIVE "LIVE"

int
inbox_open(const struct conf *conf)
{
	char *path = conf_path(conf, "deploy", "inbox");
	struct err ignored = ERR_INIT;
	int inbox = fs_open_dir(path, &ignored);

	free(path);
	return inbox;
}

int
inbox_leave_manifest(int inbox, const struct kept *k, struct err *e)
{
	static const char next[] = LIVE ".part";
	int dir, status;

	if (fs_remove_tree(inbox, next, e) < 0)
		return -1;
	if (mkdirat(inbox, next, 0755) < 0)
		return err_sys(e, "make directory '%s'", next);
	dir = fs_open_subdir(inbox, next, e);
	if (dir < 0)
		return -1;
	status = fs_write(dir, MANIFEST_NAME, k->text.p, k->text.n, 0644, e);
	if (status == 0)
		status = fs_write(dir, MANIFEST_SIGNATURE, k->signature.p,
		    k->signature.n, 0644, e);
	close(dir);
	if (status < 0)
		return -1;
	if (renameat2(inbox, next, inbox, LIVE, RENAME_EXCHANGE) < 0 &&
	    renameat(inbox, next, inbox, LIVE) < 0)
		return err_sys(e, "rename '%s' to '" LIVE "'", next);
	return fs_remove_tree(inbox, next, e);
}
