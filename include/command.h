/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that look at or change a netns.  Each returns the exit status (enum
 * status), or -errno with @err.
 */
#ifndef ISTIO_INIT_APPLY_H
#define ISTIO_INIT_APPLY_H

#include <stdio.h>

#include "config.h"
#include "err.h"

int command_apply(const struct config *cfg, struct err *err);
int command_clean(const struct config *cfg, struct err *err);
int command_diff(const struct config *cfg, struct err *err);
/* The same, printed to @out. */
int diff_print(const struct config *cfg, FILE *out, struct err *err);
int command_show(const struct config *cfg, struct err *err);
int command_explain(const struct config *cfg, struct err *err);

#endif
