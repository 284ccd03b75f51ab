/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a live ruleset stands to a wanted one of the same layout. */
#ifndef ISTIO_INIT_DIFF_H
#define ISTIO_INIT_DIFF_H

#include "ruleset.h"

enum drift {
	DRIFT_NONE,       /* equal */
	DRIFT_ABSENT,     /* nothing of Istio's is live */
	DRIFT_INCOMPLETE, /* what is live is equal; whole tables or families are missing */
	DRIFT_DIFFERENT,
};

/*
 * Compares chain by chain, rule by rule as each layer holds them, table by table
 * and family by family.  A table of one family that is wholly absent from @live
 * makes it incomplete; anything else that differs, different.
 */
enum drift ruleset_drift(const struct ruleset *live, const struct ruleset *want);

/* Whether one table of one family holds the same in both. */
bool table_equal(const struct ruleset *live, const struct ruleset *want, enum table_id table, enum family family);

#endif
