/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "steps.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void step_iter_init(struct chain_iter *it, const struct step *step)
{
	chain_iter_init(it, step->chain, step->family);
	for (unsigned i = 0; i < step->first; i++)
		step_iter_next(it, step);
}

const struct rule *step_iter_next(struct chain_iter *it, const struct step *step)
{
	const struct rule *rule;

	do
		rule = chain_iter_next(it);
	while (rule && step->action == STEP_ADD && rule->owner == RULE_FOREIGN);
	return rule;
}

/* The rules of one chain of one family, in the making. */
struct editing {
	const struct step *steps;
	unsigned n_steps;
	struct ruleset *rs;
	enum backend_index backend;
	enum table_id table;
	enum family family; /* natively FAMILIES */
	struct rule *rules;
	unsigned n;
};

static void insert(struct editing *e, const struct rule *rule, const struct rule *was, unsigned at)
{
	struct match *matches = ruleset_alloc(e->rs, rule->n_matches * sizeof(*matches));

	if (rule->n_matches)
		memcpy(matches, rule->matches, rule->n_matches * sizeof(*matches));
	array_push(&e->rules, &e->n, sizeof(*rule));
	memmove(&e->rules[at + 1], &e->rules[at], (e->n - 1 - at) * sizeof(*rule));
	e->rules[at] = *rule;
	e->rules[at].matches = matches;
	e->rules[at].was = was;
	if (e->family != FAMILIES)
		e->rules[at].families = FAMILY_BIT(e->family);
}

static bool is_about(const struct editing *e, const struct step *step, const char *chain, enum step_action action)
{
	return step->kind == STEP_RULES && step->action == action && step->backend == e->backend &&
	       step->table == e->table && step->family == e->family && !strcmp(step->chain->name, chain);
}

/* Whether live rule number @i goes. */
static bool goes(const struct editing *e, const char *chain, unsigned i)
{
	for (unsigned s = 0; s < e->n_steps; s++) {
		const struct step *step = &e->steps[s];

		if (is_about(e, step, chain, STEP_DELETE) && i >= step->first && i < step->first + step->n)
			return true;
	}
	return false;
}

static void edit_chain(struct editing *e, const struct chain *live, const char *name)
{
	const struct rule *rule;
	struct chain_iter it;

	e->n = 0;
	chain_iter_init(&it, live, e->family);
	for (unsigned i = 0; live && (rule = chain_iter_next(&it)); i++)
		if (!goes(e, name, i))
			insert(e, rule, &live->rules[it.next - 1], e->n);
	for (unsigned s = 0; s < e->n_steps; s++) {
		const struct step *step = &e->steps[s];

		if (!is_about(e, step, name, STEP_ADD))
			continue;
		step_iter_init(&it, step);
		for (unsigned i = 0; i < step->n && (rule = step_iter_next(&it, step)); i++)
			insert(e, rule, NULL, step->at + i < e->n ? step->at + i : e->n);
	}
	for (unsigned i = 0; i < e->n; i++)
		ruleset_append(e->rs, e->table, name, &e->rules[i]);
}

static void edit_families(struct editing *e, const struct chain *live, const char *name)
{
	if (e->rs->layout == LAYOUT_NATIVE) {
		e->family = FAMILIES;
		edit_chain(e, live, name);
		return;
	}
	for (e->family = IPV4; e->family < FAMILIES; e->family++)
		edit_chain(e, live, name);
}

static void edit_table(struct editing *e, const struct table *live)
{
	for (unsigned c = 0; c < live->n_chains; c++) {
		struct chain *chain = ruleset_chain(e->rs, e->table, live->chains[c].name);

		chain->misplaced = live->chains[c].misplaced;
		chain->drops = live->chains[c].drops;
		edit_families(e, &live->chains[c], live->chains[c].name);
	}
	for (unsigned s = 0; s < e->n_steps; s++) {
		const struct step *step = &e->steps[s];

		if (step->kind == STEP_RULES && step->action == STEP_ADD && step->backend == e->backend &&
		    step->table == e->table && !ruleset_find(e->rs, e->table, step->chain->name))
			edit_families(e, NULL, step->chain->name);
	}
	e->rs->tables[e->table].strange = live->strange;
}

struct ruleset *steps_result(const struct step *steps, unsigned n, enum backend_index backend, const struct ruleset *live)
{
	struct editing e = { .steps = steps, .n_steps = n, .backend = backend };

	if (!live)
		return NULL;
	e.rs = ruleset_new(live->layout, live->families);
	e.rs->stem = live->stem;
	for (e.table = 0; e.table < TABLES; e.table++)
		edit_table(&e, &live->tables[e.table]);
	free(e.rules);
	return e.rs;
}
