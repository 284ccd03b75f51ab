/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several commands print. */
#ifndef ISTIO_INIT_PRINT_H
#define ISTIO_INIT_PRINT_H

#include <stdio.h>

#include "context.h"
#include "emit.h"

/* A unified diff from the live Istio rules to the wanted, of the plan's backend and of those that it would leave. */
void print_rules_diff(FILE *out, const struct context *ctx, const struct plan *plan, bool color);

/*
 * One warning that names rules which may be of an install but cannot be told from a user's own, as interface RETURNs
 * of -c and -k, and stay though nobody asks for them, as the last reading found them.  Not while a lock is held.
 */
void warn_of_left_rules(const struct context *ctx);

/* The families that --family leaves. */
unsigned print_families(const struct config *cfg);

/* The array "routes": of @live those that are Istio's (to be removed, if @want is nothing), or are missing. */
void print_json_routes(struct emit *e, const struct config *cfg, const struct routes *live, const struct routes_want *want);

/* Prints the dry run; always STATUS_DONE. */
int print_dry_run(const struct config *cfg);

/* Says what becomes of live rules of ambient mode, if there are any. */
void tell_of_ambient(const struct context *ctx, const struct plan *plan);

#endif
