/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several commands print. */
#ifndef ISTIO_INIT_PRINT_H
#define ISTIO_INIT_PRINT_H

#include "context.h"

/* A unified diff from the live Istio rules to the wanted, of the plan's backend and of those that it would leave. */
void print_rules_diff(const struct context *ctx, const struct plan *plan, bool color);

/* Prints the dry run; always STATUS_DONE. */
int print_dry_run(const struct config *cfg);

#endif
