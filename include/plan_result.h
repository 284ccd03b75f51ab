/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_PLAN_RESULT_H
#define ISTIO_INIT_PLAN_RESULT_H

#include "plan.h"

/*
 * What the backend's tables hold once the plan has been carried out, foreign rules included; NULL if it is not there.  Rules
 * that stay know which they were (rule->was).  Points into the live rules and the wanted ones; free with ruleset_free.
 */
struct ruleset *plan_result(const struct plan *plan, enum backend_index backend);

#endif
