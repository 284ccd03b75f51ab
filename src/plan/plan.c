/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan.h"

#include <stdlib.h>

#include "meaning.h"
#include "ownership.h"
#include "util.h"

static void push_step(struct plan *plan, struct step step)
{
	struct step *place = array_push(&plan->steps, &plan->n, sizeof(*place));

	*place = step;
}

/* What counts as an install: all but what is shared. */
static bool table_has_install(const struct ruleset *rs, enum table_id table, unsigned mask)
{
	for (unsigned c = 0; c < rs->tables[table].n_chains; c++) {
		const struct chain *chain = &rs->tables[table].chains[c];

		if (!(chain->families & mask))
			continue;
		if (chain_is_ours(rs, chain))
			return true;
		for (unsigned i = 0; i < chain->n_rules; i++)
			if (chain->rules[i].owner == RULE_OURS && chain->rules[i].families & mask)
				return true;
	}
	return false;
}

static unsigned count_ours(const struct ruleset *rs, enum table_id table, enum family family)
{
	unsigned n = 0;

	for (unsigned c = 0; rs && c < rs->tables[table].n_chains; c++)
		n += chain_count_rules(&rs->tables[table].chains[c], family);
	return n;
}

/* A family that has come since: what is live is what was asked for without it. */
static bool completes(const struct plan *plan, enum backend_index backend, const struct ruleset *live, enum table_id table)
{
	return backend == NFTABLES && plan->want.fewer &&
	       plan_table_is(backend, live, plan->want.fewer, table, FAMILIES, 0);
}

struct unit {
	enum table_id table;
	enum family family;
};

/*
 * The tables of a backend, those first in which our rules become more: where each is written by itself, and what
 * captures moves from one to another, nothing slips through between two commits.
 */
static unsigned list_units(struct unit units[FAMILIES * TABLES], const struct ruleset *live, const struct ruleset *want)
{
	enum family first = live->layout == LAYOUT_NATIVE ? FAMILIES : IPV4,
		    end = live->layout == LAYOUT_NATIVE ? FAMILIES + 1 : FAMILIES;
	unsigned n = 0;

	for (int growing = 1; growing >= 0; growing--)
		for (enum family f = first; f < end; f++)
			for (enum table_id t = 0; t < TABLES; t++)
				if ((count_ours(want, t, f) >= count_ours(live, t, f)) == growing)
					units[n++] = (struct unit){ t, f };
	return n;
}

static void add_backend(struct plan *plan, enum backend_index backend, const struct ruleset *want)
{
	const struct ruleset *live = plan->live->rules[backend];
	struct unit units[FAMILIES * TABLES];
	unsigned n = list_units(units, live, want);

	for (unsigned i = 0; i < n; i++) {
		unsigned from = plan->n, mask = family_mask(units[i].family);

		plan_add_table(plan, backend, live, want, units[i].table, units[i].family, 0);
		if (want && (plan->n > from || (plan->blocked && plan->blocked->table == units[i].table)) &&
		    plan->refusal == PLAN_FREE && !ownership_is_ambient(live) &&
		    table_has_install(live, units[i].table, mask) && !completes(plan, backend, live, units[i].table))
			plan->refusal = PLAN_DIFFERENT;
		if (want && plan->n == from && plan->want.force)
			plan_add_table(plan, backend, live, want, units[i].table, units[i].family, PLAN_ANEW);
	}
}

static void add_route(const struct route_object *object, void *data)
{
	struct plan *plan = data;
	struct route_object *copy = arena_alloc(plan->arena, sizeof(*copy));

	*copy = *object;
	push_step(plan, (struct step){ .action = STEP_ADD,
				       .kind = STEP_ROUTE,
				       .backend = BACKENDS,
				       .family = object->family,
				       .route = copy });
}

static void remove_route(const struct route_object *object, void *data)
{
	struct plan *plan = data;

	add_route(object, data);
	plan->steps[plan->n - 1].action = STEP_DELETE;
	if (plan->refusal == PLAN_FREE && !object->ambient)
		plan->refusal = PLAN_STALE;
}

static void leave_route(const struct route_object *object, void *data)
{
	(void)object;
	(void)data;
}

static void add_guard(struct plan *plan, enum step_action action)
{
	push_step(plan, (struct step){ .action = (uint8_t)action, .kind = STEP_GUARD, .backend = NFTABLES });
}

/* Whether what is live in a backend, and not wanted there, goes. */
static bool goes(const struct plan *plan, enum backend_index b)
{
	const struct ruleset *live = plan->live->rules[b];

	return b != plan->want.backend && live && ownership_has_ours(live) &&
	       (plan->ambient_goes || !ownership_is_ambient(live));
}

/* Whether rules live in two backends for a while. */
static bool moves(const struct plan *plan)
{
	for (enum backend_index b = 0; b < BACKENDS; b++)
		if (plan->want.backend != BACKENDS && goes(plan, b))
			return true;
	return false;
}

/* Ambient mode's chains have names of ours: where our rules are wanted both cannot be. */
static void judge_ambient(struct plan *plan)
{
	bool any = false, in_the_way = false;

	for (enum backend_index b = 0; b < BACKENDS; b++) {
		const struct ruleset *live = plan->live->rules[b];
		bool ambient = live && ownership_has_ours(live) && ownership_is_ambient(live);

		any |= ambient;
		in_the_way |= ambient && b == plan->want.backend;
	}
	plan->want.routes.ambient = plan->want.ambient || in_the_way;
	plan->ambient_goes = any && plan->want.routes.ambient;
	plan->ambient_stays = any && !plan->want.routes.ambient;
}

/* What is written differently is no refusal if it means the same. */
static void judge_meaning(struct plan *plan)
{
	const struct plan_want *want = &plan->want;
	const struct ruleset *live = plan->live->rules[want->backend];
	uint64_t memory = want->memory ? want->memory() : 0;

	plan->respells = want->backend == NFTABLES &&
			 steps_respell_istios(plan->steps, plan->n, live, want->rules->families, memory);
	plan->same = !plan->respells && steps_mean_the_same(plan->steps, plan->n, want->backend, live, memory);
	if (plan->respells || plan->same)
		plan->refusal = PLAN_FREE;
}

void plan_init(struct plan *plan, const struct live *live, const struct plan_want *want)
{
	*plan = (struct plan){ .live = live, .want = *want, .elsewhere = BACKENDS, .arena = arena_new() };
}

void plan_make(struct plan *plan, const struct live *live, const struct plan_want *want)
{
	const struct routes_want *routes = &plan->want.routes;
	bool guard;

	plan_init(plan, live, want);
	judge_ambient(plan);
	guard = routes->tproxy && moves(plan);
	if (live->routes)
		routes_compare(live->routes, routes, add_route, leave_route, plan);
	if (guard)
		add_guard(plan, STEP_ADD);
	if (want->backend != BACKENDS)
		add_backend(plan, want->backend, want->rules);
	for (enum backend_index b = 0; b < BACKENDS; b++) {
		if (!goes(plan, b))
			continue;
		if (!ownership_is_ambient(live->rules[b]))
			plan->elsewhere = b;
		add_backend(plan, b, NULL);
	}
	if (plan->elsewhere != BACKENDS && want->backend != BACKENDS)
		plan->refusal = PLAN_ELSEWHERE;
	if (guard || live->guard)
		add_guard(plan, STEP_DELETE);
	if (live->routes)
		routes_compare(live->routes, routes, leave_route, remove_route, plan);
	if (plan->refusal == PLAN_DIFFERENT && !want->spelling && !plan->blocked)
		judge_meaning(plan);
}

void plan_free(struct plan *plan)
{
	free(plan->steps);
	free(plan->left);
	arena_free(plan->arena);
}

bool plan_touches(const struct plan *plan, enum backend_index backend)
{
	for (unsigned i = 0; i < plan->n; i++)
		if (plan->steps[i].backend == backend)
			return true;
	return false;
}

static bool was_written(const struct plan *done, enum backend_index backend, struct unit unit)
{
	for (unsigned i = 0; i < done->n; i++) {
		const struct step *step = &done->steps[i];

		if (step->backend == backend && step->table == unit.table && step->family == unit.family)
			return true;
	}
	return false;
}

/* The oldest table first. */
static void sort_by_age(struct unit *units, unsigned n, const struct ruleset *before)
{
	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k > 0; k--) {
			struct unit *a = &units[k - 1], *b = &units[k], swap = *a;
			unsigned fa = a->family == FAMILIES ? 0 : a->family, fb = b->family == FAMILIES ? 0 : b->family;

			if (before->tables[a->table].age[fa] <= before->tables[b->table].age[fb])
				break;
			*a = *b;
			*b = swap;
		}
}

void plan_undo(struct plan *undo, const struct plan *done, enum backend_index backend, const struct ruleset *now,
	       unsigned tables, enum family family,
	       void (*stranger)(enum backend_index backend, enum table_id table, enum family family))
{
	const struct ruleset *before = done->live->rules[backend];
	const struct ruleset *made = backend == done->want.backend ? done->want.rules : NULL;
	struct unit units[FAMILIES * TABLES];
	unsigned n = list_units(units, before, NULL),
		 flags = PLAN_SHARED_GO | (before->layout == LAYOUT_NATIVE ? PLAN_ANEW_ALL : 0);
	unsigned youngest = 0;
	bool anew = false;

	plan_init(undo, done->live, &done->want);
	sort_by_age(units, n, before);
	for (unsigned i = 0; i < n; i++) {
		const struct table *is = &now->tables[units[i].table];
		unsigned mask = family_mask(units[i].family);
		bool written = was_written(done, backend, units[i]);
		bool was = before->tables[units[i].table].present & mask;
		const struct ruleset *back = was || backend == IPTABLES_LEGACY ? before : NULL;

		if (!(tables & 1u << units[i].table) || (family != FAMILIES && family != units[i].family))
			continue;
		/* Not written yet, or taken back already. */
		if (written && plan_table_is(backend, now, back, units[i].table, units[i].family, PLAN_SHARED_GO))
			written = false;
		if (written && !plan_table_is(backend, now, made, units[i].table, units[i].family, 0)) {
			stranger(backend, units[i].table, units[i].family);
			continue;
		}
		/* The kernel lists tables by age: behind one that has to be made again the others are made again, too. */
		anew |= backend != IPTABLES_LEGACY && was &&
			(!(is->present & mask) || (before->layout == LAYOUT_NATIVE && is->age[IPV4] < youngest));
		youngest = is->age[IPV4];
		if (written || (anew && was))
			plan_add_table(undo, backend, now, back, units[i].table, units[i].family,
				       flags | (anew ? PLAN_TABLE_ANEW : 0));
	}
}
