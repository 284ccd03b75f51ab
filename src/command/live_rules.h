/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What explanations and comparisons share, of one packet and of all traffic. */
#ifndef ISTIO_INIT_LIVE_RULES_H
#define ISTIO_INIT_LIVE_RULES_H

#include <stdio.h>

#include "context.h"

/* The options' rules, without a look at the machine. */
struct ruleset *explain_wanted_rules(const struct config *cfg);

/* Whose rules are explained: of who @holds Istio's; if nobody does, of who holds any. */
int explain_choose_backend(enum backend_index *index, bool *holds, struct context *ctx, struct err *err);

/* Says that there are tables that nobody has read, and that may decide. */
void explain_print_unread(FILE *out, const struct context *ctx);

/*
 * The plan that an apply would make of what was read, and the rules that it wants.  Free with plan_free, then the rules
 * with ruleset_free; 0, or -errno with @err if no backend works, and then nothing is to be freed.
 */
int diff_plan(struct plan *plan, struct ruleset **rules, struct context *ctx, bool spelling, struct err *err);

#endif
