/*
 * The data member of a .deb, of which ar gives the bytes.
 */
#ifndef LIB_DEB_DEB_DATA_H
#define LIB_DEB_DEB_DATA_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/data/archive.h"

/*
 * ERR_DATA where m, the member that ar is at, has no name that dpkg knows;
 * with is_whole also for what lib/data/contents.h finds when it opens it.
 */
int deb_data_read(struct unpack *ar, const struct member *m, bool is_whole,
    struct err *e);

#endif
