/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What releases of Istio write, or once wrote, straight into built-in chains. */
#ifndef ISTIO_INIT_SHAPES_H
#define ISTIO_INIT_SHAPES_H

#include "ruleset.h"

/* What of a netns, and of a run's options, tells which rules are an install's. */
struct evidence {
	const struct ruleset *live, *want; /* @want: NULL where nobody asks for anything */
	uint32_t *marks;                   /* of TPROXY installs, @n_marks of them */
	unsigned n_marks;
	bool dns;   /* DNS goes to the agent straight from nat OUTPUT */
	bool zones; /* and this install has conntrack zones, which tell its owners */
};

/* Looks at both rulesets; free with evidence_free. */
void evidence_find(struct evidence *evidence, const struct ruleset *live, const struct ruleset *want);
void evidence_free(struct evidence *evidence);

/* Whether a rule of the live @chain is one of those, and what has to stand beside it does. */
bool shapes_have(const struct evidence *evidence, enum table_id table, const struct chain *chain, const struct rule *rule);

#endif
