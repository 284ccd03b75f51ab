/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_MEANING_H
#define ISTIO_INIT_MEANING_H

#include "plan.h"

/*
 * Whether no packet of any connection, in any state, would be treated differently once the plan has been carried out: by
 * each table in each hook, foreign rules included, the verdict, the marks and the zone; and whether the ip rules, routes and
 * addresses that would go are each there once more.  Also false where that cannot be told: beside rules that cannot be
 * read, or of rules so many and so different that it would take too much memory.
 */
bool plan_means_the_same(const struct plan *plan);

#endif
