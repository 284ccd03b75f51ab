/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diff.h"


/* Chains of one family, rule by rule as the kernel's xtables layout holds them. */
static bool chain_equal_unrolled(const struct chain *a, const struct chain *b, enum family family)
{
	struct chain_iter ia, ib;
	const struct rule *ra, *rb;

	chain_iter_init(&ia, a, family);
	chain_iter_init(&ib, b, family);
	do {
		ra = chain_iter_next(&ia);
		rb = chain_iter_next(&ib);
		if (!ra != !rb || (ra && !rule_equal(ra, rb)))
			return false;
	} while (ra);
	return true;
}

/* Native chains hold both families in one order. */
static bool chain_equal_native(const struct chain *a, const struct chain *b)
{
	if (a->n_rules != b->n_rules)
		return false;
	for (unsigned i = 0; i < a->n_rules; i++)
		if (a->rules[i].families != b->rules[i].families || !rule_equal(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

/* Whether every chain of @a that exists for the family is the same in @b. */
static bool chains_within(const struct ruleset *a, const struct ruleset *b, enum table_id table, enum family family)
{
	for (unsigned i = 0; i < a->tables[table].n_chains; i++) {
		const struct chain *chain = &a->tables[table].chains[i], *other;

		if (!chain_has_family(chain, family))
			continue;
		other = ruleset_find(b, table, chain->name);
		if (!other || !chain_has_family(other, family))
			return false;
		if (a->layout == LAYOUT_NATIVE ? !chain_equal_native(chain, other) :
						 !chain_equal_unrolled(chain, other, family))
			return false;
	}
	return true;
}

bool table_equal(const struct ruleset *live, const struct ruleset *want, enum table_id table, enum family family)
{
	return chains_within(want, live, table, family) && chains_within(live, want, table, family);
}

enum drift ruleset_drift(const struct ruleset *live, const struct ruleset *want)
{
	unsigned missing = 0, present = 0;

	for (enum table_id t = 0; t < TABLES; t++)
		for (enum family f = 0; f < FAMILIES; f++) {
			bool wanted = table_has_family(&want->tables[t], f);

			if (!table_has_family(&live->tables[t], f)) {
				missing += wanted;
				continue;
			}
			present++;
			if (!table_equal(live, want, t, f))
				return DRIFT_DIFFERENT;
		}
	if (!missing)
		return DRIFT_NONE;
	return present ? DRIFT_INCOMPLETE : DRIFT_ABSENT;
}
