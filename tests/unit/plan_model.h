/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel made of arrays that plans are carried out in, for tests. */
#ifndef ISTIO_INIT_PLAN_MODEL_H
#define ISTIO_INIT_PLAN_MODEL_H

#include "plan.h"

/*
 * What a later read of @backend shows once the first @n steps of the plan are done to @live.  Fails the test where a
 * kernel would refuse a step, or where a step says of itself what is not so.  @back: NULL, or of an undo, what it brings
 * back: tables with all that was theirs.  The caller frees the answer, before @live and @back.
 */
struct ruleset *plan_carry_out(const struct plan *plan, unsigned n, enum backend_index backend,
			       const struct ruleset *live, const struct ruleset *back);

/* The steps in a line, as test_plan.c explains; caller frees. */
char *plan_print(const struct plan *plan);

#endif
