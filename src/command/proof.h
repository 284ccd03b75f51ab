/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What --run-validation will try, judged before anything is written. */
#ifndef ISTIO_INIT_PROOF_H
#define ISTIO_INIT_PROOF_H

#include "context.h"
#include "ruleset.h"
#include "validation.h"

/* The part that the options alone tell, and whether this user may do it: 0, or -errno with @err (STATUS_NOPERM). */
int proof_init(struct validation *v, const struct context *ctx, struct err *err);

/*
 * Fills in the rest: walks the probes through the rules that will be live.  Returns 0, or -errno with @err
 * (STATUS_USAGE) that names the option which keeps one from capture, so that nothing could be proved.
 */
int proof_plan(struct validation *v, const struct context *ctx, const struct ruleset *rules, struct err *err);

#endif
