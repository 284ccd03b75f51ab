/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several commands print. */
#ifndef ISTIO_INIT_PRINT_H
#define ISTIO_INIT_PRINT_H

#include <stdio.h>

#include "context.h"

/* A unified diff from the live Istio rules to the wanted, of the plan's backend and of those that it would leave. */
void print_rules_diff(FILE *out, const struct context *ctx, const struct plan *plan, bool color);

/*
 * One warning that names rules which may be of an install but cannot be told from a user's own, as interface RETURNs
 * of -c and -k, and stay though nobody asks for them, as the last reading found them.  Not while a lock is held.
 */
void warn_of_left_rules(const struct context *ctx);

/* The families that --family leaves. */
unsigned print_families(const struct config *cfg);

/* Prints the dry run; always STATUS_DONE. */
int print_dry_run(const struct config *cfg);

/* Says what becomes of live rules of ambient mode, if there are any. */
void tell_of_ambient(const struct context *ctx, const struct plan *plan);

#endif
