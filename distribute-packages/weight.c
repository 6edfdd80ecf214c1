#include "distribute-packages/weight.h"

int
weight_check_deb(const struct deb *d, struct err *e)
{
	if (d->control.n <= WEIGHT_STANZA)
		return 0;
	return err_set(e, ERR_DATA, "%s %s: its control file has %zu bytes, "
	    "which every user of the suite would download: at most %zu are "
	    "accepted; shorten the description or the relations", d->package,
	    d->version, d->control.n, WEIGHT_STANZA);
}

int
weight_check_rpm(const struct signed_rpm *r, struct err *e)
{
	static const struct {
		const char *name, *remedy;
		size_t most;
	} lists[RPM_LISTS] = {
		[RPM_PRIMARY] = {"primary",
		    "the description or the dependencies", WEIGHT_ELEMENT},
		[RPM_FILELISTS] = {"filelists", "the list of files",
		    WEIGHT_FILES},
		[RPM_OTHER] = {"other", "the changelog", WEIGHT_ELEMENT},
	};
	int i;

	for (i = 0; i < RPM_LISTS; i++)
		if (r->entries[i].n > lists[i].most)
			return err_set(e, ERR_DATA, "%s %s: what %s.xml would "
			    "say of it has %zu bytes, which users of the suite "
			    "would download: at most %zu are accepted; shorten "
			    "%s", r->name, r->evr, lists[i].name,
			    r->entries[i].n, lists[i].most, lists[i].remedy);
	return 0;
}
