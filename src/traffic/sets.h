/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_SETS_H
#define ISTIO_INIT_SETS_H

#include "diagram.h"
#include "ruleset.h"

/* The set of packets of the family that have what the match tests: explain_match.c's answers, all at once. */
uint32_t match_set(struct diagram *d, const struct match *m, enum family family, enum layout layout);

/* The set of packets that come in, or go out, by lo: FIELD_IIF, FIELD_OIF. */
uint32_t lo_set(struct diagram *d, enum field field);

#endif
