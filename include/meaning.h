/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_MEANING_H
#define ISTIO_INIT_MEANING_H

#include "steps.h"

/*
 * Whether no packet of any connection, in any state, would be treated differently once the steps have been carried out: by
 * each table in each hook, foreign rules included, the verdict, the marks and the zone.  @live: what the backend's tables
 * hold, or NULL.  Also false where that cannot be told: of steps about routes or another backend, beside rules that cannot
 * be read, or of rules so many and so different that it would take too much memory.
 */
bool steps_mean_the_same(const struct step *steps, unsigned n, enum backend_index backend, const struct ruleset *live);

#endif
