/*
 * A generation from a drop: veilid-cicd-drop(5).
 */
#ifndef INTAKE_DROP_H
#define INTAKE_DROP_H

#include "deploy-repo/intake.h"

/*
 * The drop is only read: its sender can still write to it, so what is checked
 * are the copies. Errors as those of intake_begin.
 */
int intake_drop(struct intake *in, const char *name, struct err *e);

#endif
