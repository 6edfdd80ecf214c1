/*
 * A generation from a tar archive, as distribute-packages export writes it:
 * SHA256SUMS and SHA256SUMS.asc come first.
 */
#ifndef INTAKE_TAR_H
#define INTAKE_TAR_H

#include "deploy-repo/intake.h"

/* Reads fd to its end. Errors as those of intake_begin. */
int intake_tar(struct intake *in, int fd, struct err *e);

#endif
