/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps for one table of one family: what of ours goes, what is added, and where it stands. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "ownership.h"
#include "util.h"

struct steps {
	struct step *items;
	unsigned n;
};

static struct step *push(struct steps *steps, struct step step)
{
	struct step *place = array_push(&steps->items, &steps->n, sizeof(*place));

	*place = step;
	return place;
}

/* What is done to one table, by kind, since deletions come first, and chains before what jumps to them. */
struct table_edit {
	struct plan *plan;
	enum backend_index backend;
	enum table_id id;
	enum family family;
	unsigned mask, flags; /* @mask: of families */
	const struct ruleset *live_rules, *want_rules;
	const struct table *live, *want; /* @want: NULL for nothing */
	struct steps rules_gone, chains_gone, chains, rules;
};

static struct step step_of(const struct table_edit *e, enum step_action action, enum step_kind kind)
{
	return (struct step){
		.action = (uint8_t)action,
		.kind = (uint8_t)kind,
		.backend = (uint8_t)e->backend,
		.table = (uint8_t)e->id,
		.family = (uint8_t)e->family,
	};
}

static void push_chain(struct table_edit *e, struct steps *steps, enum step_action action, const struct chain *chain,
		       enum step_with with)
{
	struct step step = step_of(e, action, STEP_CHAIN);

	step.chain = chain;
	step.with = (uint8_t)with;
	push(steps, step);
}

static void push_rules(struct steps *steps, struct step step, const struct chain *chain)
{
	step.chain = chain;
	if (step.n)
		push(steps, step);
}

/* All live rules of a chain that goes with them. */
static void push_rules_with(struct table_edit *e, const struct chain *chain, enum step_with with)
{
	struct step step = step_of(e, STEP_DELETE, STEP_RULES);

	step.with = (uint8_t)with;
	for (unsigned i = 0; i < chain->n_rules; i++)
		step.n += (chain->rules[i].families & e->mask) != 0;
	push_rules(&e->rules_gone, step, chain);
}

/* Chains of which we may have something: ours, and those that lead to ours. */
static bool chain_has_ours(const struct ruleset *rs, const struct chain *chain, unsigned mask)
{
	if (!(chain->families & mask))
		return false;
	for (unsigned i = 0; i < chain->n_rules; i++)
		if (chain->rules[i].owner != RULE_FOREIGN && chain->rules[i].families & mask)
			return true;
	return chain_is_ours(rs, chain);
}

static const struct chain *find_chain(const struct ruleset *rs, enum table_id table, const char *name, unsigned mask)
{
	const struct chain *chain = rs ? ruleset_find(rs, table, name) : NULL;

	return chain && chain->families & mask ? chain : NULL;
}

/* The rules of a chain in an array: as the layer holds them, the foreign left out. */
static struct rule *list_rules(struct arena *arena, const struct chain *chain, enum family family, unsigned *n,
			       unsigned **places)
{
	unsigned room = chain ? chain_count_rules(chain, family) : 0, foreign = 0;
	struct chain_iter it;
	const struct rule *rule;
	struct rule *list;

	*n = 0;
	list = arena_alloc(arena, (room + 1) * sizeof(*list));
	*places = arena_alloc(arena, (room + 1) * sizeof(**places));
	chain_iter_init(&it, chain, family);
	while ((rule = chain_iter_next(&it))) {
		if (rule->owner == RULE_FOREIGN) {
			foreign++;
			continue;
		}
		list[*n] = *rule;
		list[*n].matches = arena_alloc(arena, rule->n_matches * sizeof(*rule->matches));
		memcpy(list[*n].matches, rule->matches, rule->n_matches * sizeof(*rule->matches));
		(*places)[(*n)++] = foreign;
	}
	(*places)[*n] = foreign;
	return list;
}

/* The deletions of an edit, in runs. */
static void push_deletions(struct table_edit *e, const struct chain *chain, const struct chain_edit *edit)
{
	for (unsigned i = 0, n; i < edit->n_live; i += n ? n : 1) {
		struct step step = step_of(e, STEP_DELETE, STEP_RULES);

		for (n = 0; i + n < edit->n_live && edit->goes[i + n]; n++)
			;
		step.first = step.at = i;
		step.n = n;
		push_rules(&e->rules_gone, step, chain);
	}
}

/* The additions: runs of rules that go to one place. */
static void push_additions(struct table_edit *e, const struct chain *chain, const struct chain_edit *edit)
{
	unsigned staying = 0, at = 0, added = 0;

	for (unsigned j = 0, n; j < edit->n_want; j += n ? n : 1) {
		struct step step = step_of(e, STEP_ADD, STEP_RULES);

		for (n = 0; j + n < edit->n_want && !edit->stays[j + n] && edit->before[j + n] == edit->before[j]; n++)
			;
		if (!n)
			continue;
		for (; at < edit->before[j]; at++)
			staying += !edit->goes[at];
		step.first = j;
		step.n = n;
		step.at = staying + added;
		for (unsigned i = at; i < edit->n_live && !step.before; i++)
			step.before = edit->goes[i] ? NULL : edit->live[i];
		added += n;
		push_rules(&e->rules, step, chain);
	}
}

/* @live: NULL for none; else it stays, and its rules become those of @want. */
static void edit_chain(struct table_edit *e, const struct chain *live, const struct chain *want)
{
	unsigned n_live = 0, n_want = 0, *places = NULL;
	auto_free const struct rule **rules = xcalloc((live ? live->n_rules : 0) + 1, sizeof(*rules));
	/* Of long lists there are thousands of chains: what one of them took the next one takes again. */
	struct arena *arena = arena_new();
	struct rule *wanted = list_rules(arena, want, e->family, &n_want, &places);

	for (unsigned i = 0; live && i < live->n_rules; i++)
		if (live->rules[i].families & e->mask)
			rules[n_live++] = &live->rules[i];
	struct chain_edit edit = {
		.live = rules,
		.n_live = n_live,
		.want = wanted,
		.n_want = n_want,
		.places = e->flags & PLAN_SHARED_GO && want ? places : NULL,
		.own = live && chain_is_ours(e->live_rules, live),
		.same_families = e->family == FAMILIES,
		.anew = e->flags & PLAN_ANEW,
		.shared_go = !e->want || e->flags & PLAN_SHARED_GO,
		.goes = arena_alloc(arena, n_live * sizeof(*edit.goes)),
		.left = arena_alloc(arena, n_live * sizeof(*edit.left)),
		.before = arena_alloc(arena, n_want * sizeof(*edit.before)),
		.stays = arena_alloc(arena, n_want * sizeof(*edit.stays)),
	};

	ownership_edit(&edit);
	push_deletions(e, live, &edit);
	push_additions(e, want, &edit);
	for (unsigned i = 0; i < n_live; i++)
		if (edit.left[i])
			*(const struct rule **)array_push(&e->plan->left, &e->plan->n_left, sizeof(*e->plan->left)) =
				rules[i];
	arena_free(arena);
}

/* Rule by rule the same: what most second runs find. */
static bool chain_is_right(const struct table_edit *e, const struct chain *live, const struct chain *want)
{
	struct chain_iter it;
	const struct rule *rule;
	unsigned i = 0;
	bool ended = false;

	chain_iter_init(&it, want, e->family);
	while ((rule = chain_iter_next(&it))) {
		for (; i < live->n_rules; i++) {
			if (live->rules[i].families & e->mask && live->rules[i].owner != RULE_FOREIGN)
				break;
			ended |= live->rules[i].families & e->mask && live->rules[i].ends;
		}
		if (i == live->n_rules || (ended && rule->front) ||
		    (e->family == FAMILIES && live->rules[i].families != rule->families) ||
		    !rule_equal(&live->rules[i], rule))
			return false;
		i++;
	}
	for (; i < live->n_rules; i++)
		if (live->rules[i].families & e->mask && live->rules[i].owner != RULE_FOREIGN)
			return false;
	return true;
}

static void add_whole_chain(struct table_edit *e, const struct chain *want)
{
	struct step step = step_of(e, STEP_ADD, STEP_RULES);

	push_chain(e, &e->chains, STEP_ADD, want, STEP_BY_ITSELF);
	step.n = chain_count_rules(want, e->family);
	push_rules(&e->rules, step, want);
}

/* A built-in chain that would be made anew at any time goes with our last rule in it, or if our write made it. */
static bool builtin_goes(const struct table_edit *e, const struct chain *live)
{
	if (e->backend != IPTABLES_NFT || !(live->stock & e->mask))
		return false;
	for (unsigned i = 0; i < live->n_rules; i++)
		if (live->rules[i].families & e->mask && live->rules[i].owner == RULE_FOREIGN)
			return false;
	return true;
}

static void block(struct table_edit *e, enum step_kind kind, const struct chain *chain)
{
	struct step *blocked;

	if (e->plan->blocked)
		return;
	blocked = arena_alloc(e->plan->arena, sizeof(*blocked));
	*blocked = step_of(e, STEP_ADD, kind);
	blocked->chain = chain;
	e->plan->blocked = blocked;
}

/* A chain of ours that goes, and comes back.  Only an undo wants one that is not hooked in: if it was not. */
static bool is_made_anew(const struct table_edit *e, const struct chain *live, const struct chain *want)
{
	return chain_is_ours(e->live_rules, live) &&
	       (e->flags & PLAN_ANEW_ALL || (live->misplaced ^ want->misplaced) & e->mask);
}

static void edit_live_chain(struct table_edit *e, const struct chain *live)
{
	const struct chain *want = e->want ? find_chain(e->want_rules, e->id, live->name, e->mask) : NULL;
	bool own = chain_is_ours(e->live_rules, live), ours = chain_has_ours(e->live_rules, live, e->mask);

	if (!want && !ours)
		return;
	if (want ? is_made_anew(e, live, want) : own || builtin_goes(e, live)) {
		push_rules_with(e, live, STEP_WITH_CHAIN);
		push_chain(e, &e->chains_gone, STEP_DELETE, live, STEP_BY_ITSELF);
	} else if (e->flags & PLAN_ANEW || !want || !chain_is_right(e, live, want)) {
		edit_chain(e, live, want);
	}
	/* A rule of ours in it decides nothing. */
	if (want && !own && live->misplaced & e->mask)
		block(e, STEP_CHAIN, live);
}

/* Chains that are wanted, the oldest first: of somebody else's (what an undo wants back) only if it is there. */
static void add_missing_chains(struct table_edit *e, bool empty)
{
	auto_free const struct chain **chains = xcalloc(e->want->n_chains + 1, sizeof(*chains));
	enum family f = e->family == FAMILIES ? IPV4 : e->family;
	unsigned n = 0;

	for (unsigned c = 0; c < e->want->n_chains; c++) {
		const struct chain *want = &e->want->chains[c];
		const struct chain *live = empty ? NULL : find_chain(e->live_rules, e->id, want->name, e->mask);
		unsigned at = n;

		if (!(want->families & e->mask) || (live && !is_made_anew(e, live, want)) ||
		    (!chain_is_ours(e->want_rules, want) && want->hook == HOOK_NONE && !(want->stock & e->mask)))
			continue;
		for (; at && chains[at - 1]->age[f] > want->age[f]; at--)
			chains[at] = chains[at - 1];
		chains[at] = want;
		n++;
	}
	for (unsigned i = 0; i < n; i++)
		add_whole_chain(e, chains[i]);
}

static void append(struct plan *plan, struct steps *steps)
{
	struct steps all = { plan->steps, plan->n };

	for (unsigned i = 0; i < steps->n; i++)
		push(&all, steps->items[i]);
	plan->steps = all.items;
	plan->n = all.n;
	free(steps->items);
}

/* Whether nobody else would miss the table. */
static bool table_is_void(const struct table_edit *e)
{
	if (e->live_rules->layout == LAYOUT_NATIVE)
		return true;
	if (e->backend != IPTABLES_NFT || e->live->others[e->family])
		return false;
	for (unsigned c = 0; c < e->live->n_chains; c++) {
		const struct chain *chain = &e->live->chains[c];

		if (chain->families & e->mask && !chain_is_ours(e->live_rules, chain) &&
		    (!(chain->stock & e->mask) || chain_count_foreign(chain, e->family)))
			return false;
	}
	return true;
}

static void delete_table(struct table_edit *e)
{
	struct steps table = { 0 };

	for (unsigned c = 0; c < e->live->n_chains; c++)
		if (e->live->chains[c].families & e->mask) {
			push_rules_with(e, &e->live->chains[c], STEP_WITH_TABLE);
			push_chain(e, &e->chains_gone, STEP_DELETE, &e->live->chains[c], STEP_WITH_TABLE);
		}
	append(e->plan, &e->rules_gone);
	append(e->plan, &e->chains_gone);
	push(&table, step_of(e, STEP_DELETE, STEP_TABLE));
	append(e->plan, &table);
	e->rules_gone = e->chains_gone = (struct steps){ 0 };
}

static bool has_ours(const struct ruleset *rs, const struct table *table, unsigned mask)
{
	if (rs->layout == LAYOUT_NATIVE && table->present)
		return true;
	for (unsigned c = 0; c < table->n_chains; c++)
		if (chain_has_ours(rs, &table->chains[c], mask))
			return true;
	return false;
}

static bool is_wanted(const struct ruleset *want, enum table_id id, unsigned mask)
{
	const struct table *table = want ? &want->tables[id] : NULL;
	bool any = table && table->present & mask;

	for (unsigned c = 0; table && c < table->n_chains; c++)
		any |= (table->chains[c].families & mask) != 0;
	return any;
}

static void edit_table(struct plan *plan, enum backend_index backend, const struct ruleset *live,
		       const struct ruleset *want, enum table_id table, enum family family, unsigned flags)
{
	struct table_edit e = {
		.plan = plan,
		.backend = backend,
		.id = table,
		.family = family,
		.mask = family_mask(family),
		.flags = flags,
		.live_rules = live,
		.want_rules = want,
		.live = &live->tables[table],
		.want = is_wanted(want, table, family_mask(family)) ? &want->tables[table] : NULL,
	};
	bool present = e.live->present & e.mask, ours = has_ours(live, e.live, e.mask);
	/* Only an undo wants a table that sleeps: if it did. */
	bool strange = (e.live->strange ^ (e.want ? e.want->strange : 0)) & e.mask, empty = !present;
	struct steps added = { 0 };

	if (present && ((!e.want && ours) || (live->layout == LAYOUT_NATIVE && strange) || flags & PLAN_TABLE_ANEW) &&
	    table_is_void(&e)) {
		delete_table(&e);
		empty = true;
	} else {
		for (unsigned c = 0; c < e.live->n_chains; c++)
			if (e.live->chains[c].families & e.mask)
				edit_live_chain(&e, &e.live->chains[c]);
	}
	if (e.want) {
		if (empty)
			push(&added, step_of(&e, STEP_ADD, STEP_TABLE));
		add_missing_chains(&e, empty);
		if (strange && !empty)
			block(&e, STEP_TABLE, NULL);
	}
	append(plan, &e.rules_gone);
	append(plan, &e.chains_gone);
	append(plan, &added);
	append(plan, &e.chains);
	append(plan, &e.rules);
}

/*
 * The kernel lists chains in the order in which they were made.  Whether those that stay, and the new ones behind
 * them, stand as in a new install.
 */
static bool chains_are_in_order(const struct ruleset *live, const struct ruleset *want, enum table_id table)
{
	const struct table *wanted = &want->tables[table];
	const struct chain *last = NULL;

	for (unsigned c = 0; c < live->tables[table].n_chains; c++) {
		const struct chain *chain = ruleset_find(want, table, live->tables[table].chains[c].name);

		if (chain && last && chain < last)
			return false;
		last = chain ? chain : last;
	}
	for (unsigned c = 0; last && &wanted->chains[c] < last; c++)
		if (!ruleset_find(live, table, wanted->chains[c].name))
			return false;
	return true;
}

void plan_add_table(struct plan *plan, enum backend_index backend, const struct ruleset *live,
		    const struct ruleset *want, enum table_id table, enum family family, unsigned flags)
{
	unsigned from = plan->n, anew = 0;

	edit_table(plan, backend, live, want, table, family, flags);
	if (backend != NFTABLES || plan->n == from || !want || flags)
		return;
	/* Whole tables are ours: with the sets that somebody has put there, and in the order of a new install. */
	if (live->tables[table].others[IPV4])
		anew = PLAN_TABLE_ANEW;
	else if (!chains_are_in_order(live, want, table))
		anew = PLAN_ANEW_ALL;
	if (!anew)
		return;
	plan->n = from;
	edit_table(plan, backend, live, want, table, family, anew);
}

bool plan_table_is(enum backend_index backend, const struct ruleset *live, const struct ruleset *want,
		   enum table_id table, enum family family, unsigned flags)
{
	struct plan check = { .arena = arena_new() };

	plan_add_table(&check, backend, live, want, table, family, flags);
	plan_free(&check);
	return !check.n;
}
