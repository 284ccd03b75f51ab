/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "traffic_list.h"
#include "transfer.h"

enum { OP_FINISH = OP_USER + 32, OP_CAPTURED };

/* Which field a key is of. */
static const enum field key_fields[TRAFFIC_KEYS] = {
	[TRAFFIC_PROTO] = FIELD_PROTO, [TRAFFIC_SRC] = FIELD_SRC,     [TRAFFIC_SPORT] = FIELD_SPORT,
	[TRAFFIC_DST] = FIELD_DST,     [TRAFFIC_DPORT] = FIELD_DPORT, [TRAFFIC_UID] = FIELD_UID,
	[TRAFFIC_GID] = FIELD_GID,     [TRAFFIC_IIF] = FIELD_IIF,     [TRAFFIC_OIF] = FIELD_OIF,
	[TRAFFIC_MARK] = FIELD_MARK,
};

struct build {
	struct effects e;
	struct guesses guesses;
	unsigned n_listed; /* items of lists */
	bool loop, asleep;
};

/* What does not tell one fate from another is taken away; of what passes the reason too, unless it would be captured. */
static uint32_t finish(struct effects *e, uint32_t terminal, uint32_t captured)
{
	const struct effect *all = effect_at(e, terminal);
	struct effect effect = effect_none;

	effect.kind = EFFECT_OVER;
	effect.fate = all->fate;
	effect.port = all->port;
	effect.has_addr = all->has_addr;
	memcpy(effect.addr, all->addr, sizeof(effect.addr));
	effect.foreign = all->foreign;
	effect.retargeted = all->retargeted;
	effect.anything = all->anything;
	if (all->fate == FATE_TPROXIED)
		effect.mark = all->mark;
	if (all->fate != FATE_PASSES || captured) {
		effect.origin = all->origin;
		effect.rule = all->rule;
		effect.chain = all->chain;
		effect.table = all->table;
	}
	if (captured && all->fate == FATE_PASSES && !effect.origin && !effect.rule)
		effect.origin = effect_origin(e, "ISTIO_OUTBOUND_OWNER_GROUPS");
	return effect_terminal(e, &effect);
}

static uint32_t is_captured(struct effects *e, uint32_t terminal, uint32_t unused)
{
	(void)unused;
	return effect_at(e, terminal)->fate != FATE_PASSES ? EVERYTHING : NOTHING;
}

static uint32_t build_fates(struct build *b, const struct ruleset *rs, enum hook hook, enum family family)
{
	struct diagram *d = &b->e.d;
	uint32_t all = transfer_build(&b->e, rs, hook, family, false, &b->guesses, &b->loop, &b->asleep);
	uint32_t as_if = transfer_build(&b->e, rs, hook, family, true, &b->guesses, &b->loop, &b->asleep);
	uint32_t captured = effect_map_ends(&b->e, as_if, OP_CAPTURED, 0, is_captured);
	uint32_t with = effect_map_ends(&b->e, all, OP_FINISH, true, finish);
	uint32_t without = effect_map_ends(&b->e, all, OP_FINISH, false, finish);

	with = diagram_and(d, captured, with);
	return diagram_or(d, with, diagram_and(d, diagram_not(d, captured), without));
}

/* The end where no rule holds that cannot be read. */
static const struct effect *end_of(const struct build *b, uint32_t end)
{
	while (!is_terminal(end))
		end = diagram_half(&b->e.d, end, diagram_top(&b->e.d, end), false);
	return effect_at(&b->e, end);
}

static void find_doubts(struct build *b, uint32_t node, uint8_t *seen)
{
	uint32_t variable = diagram_top(&b->e.d, node);

	if (is_terminal(node))
		return;
	seen[variable - field_variables[FIELD_GUESS].first] = true;
	find_doubts(b, diagram_half(&b->e.d, node, variable, false), seen);
	find_doubts(b, diagram_half(&b->e.d, node, variable, true), seen);
}

static void add_doubts(struct traffic *traffic, struct build *b, struct traffic_fate *fate, uint32_t end)
{
	uint8_t seen[GUESS_BITS] = { 0 };

	if (is_terminal(end))
		return;
	traffic->exact = false;
	find_doubts(b, end, seen);
	fate->doubts = arena_take(traffic->arena, b->guesses.n * sizeof(struct decision));
	for (unsigned i = 0; i < b->guesses.n; i++)
		if (seen[i])
			fate->doubts[fate->n_doubts++] = b->guesses.items[i];
}

static struct traffic_fate make_fate(struct traffic *traffic, struct build *b, uint32_t end)
{
	const struct effect *effect = end_of(b, end);
	struct traffic_fate fate = {
		.fate = effect->fate,
		.port = effect->port,
		.has_addr = effect->has_addr,
		.foreign = effect->foreign,
		.retargeted = effect->retargeted,
		.mark = effect->mark.flip,
		.origin = effect->origin,
		.decision = { effect->table, HOOK_NONE, effect->chain, effect->rule },
	};

	memcpy(fate.addr, effect->addr, sizeof(fate.addr));
	add_doubts(traffic, b, &fate, end);
	return fate;
}

static void add_classes(struct traffic *traffic, struct build *b, const struct rows *rows, enum hook hook)
{
	for (unsigned i = 0; i < rows->n && !b->e.d.full; i++) {
		const struct row *row = &rows->items[i];
		struct traffic_class *class = array_push(&traffic->classes, &traffic->n, sizeof(*class));

		*class = (struct traffic_class){ .hook = hook, .families = row->families };
		for (enum traffic_key k = 0; k < TRAFFIC_KEYS; k++) {
			traffic_list_make(&class->keys[k], &b->e.d, row->sets[key_fields[k]], key_fields[k],
					  (row->families & FAMILY_BIT(IPV4)) ? IPV4 : IPV6, traffic->arena);
			b->n_listed += class->keys[k].n;
		}
		b->e.d.full |= b->n_listed > LISTED_MAX;
		class->fate = make_fate(traffic, b, row->end);
	}
}

static const char *text_of(const char *origin)
{
	return origin ? origin : "";
}

/* What is captured, what passes, what is dropped; each by the option that decides. */
static int compare_classes(const void *a, const void *b)
{
	const struct traffic_class *x = a, *y = b;
	static const uint8_t ranks[] = { [FATE_REDIRECTED] = 0, [FATE_TPROXIED] = 1, [FATE_TRANSLATED] = 2,
					 [FATE_LOST] = 3,       [FATE_PASSES] = 4,   [FATE_DROPPED] = 5 };

	if (x->hook != y->hook)
		return x->hook < y->hook ? -1 : 1;
	if (ranks[x->fate.fate] != ranks[y->fate.fate])
		return ranks[x->fate.fate] < ranks[y->fate.fate] ? -1 : 1;
	if (x->fate.port != y->fate.port)
		return x->fate.port < y->fate.port ? -1 : 1;
	if (x->fate.origin != y->fate.origin && strcmp(text_of(x->fate.origin), text_of(y->fate.origin)) != 0)
		return strcmp(text_of(x->fate.origin), text_of(y->fate.origin));
	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

static int check(const struct build *b, struct err *err)
{
	if (b->loop)
		return err_set(err, STATUS_FAILED, ELOOP, "explain: the live chains jump in a circle");
	if (b->e.d.full)
		return err_set(err, STATUS_FAILED, ENOMEM,
			       "explain traffic: so many different classes of packets take more than 1 GiB of memory");
	return 0;
}

int traffic_explain(struct traffic *traffic, const struct ruleset *rs, struct err *err)
{
	struct build b = { .loop = false };
	int rc = 0;

	*traffic = (struct traffic){ .exact = true, .arena = arena_new() };
	effects_init(&b.e);
	for (enum hook hook = HOOK_PREROUTING; hook <= HOOK_OUTPUT && !rc; hook++) {
		struct rows rows = { NULL, 0 };

		for (enum family f = 0; f < FAMILIES && !rc; f++) {
			uint32_t fates = build_fates(&b, rs, hook, f);

			rows_add(&rows, &b.e.d, fates, f);
			rc = check(&b, err);
		}
		rows_merge(&rows, &b.e.d);
		add_classes(traffic, &b, &rows, hook);
		rc = rc ? rc : check(&b, err);
		free(rows.items);
	}
	for (unsigned i = 0; i < traffic->n; i++)
		traffic->classes[i].serial = i;
	qsort(traffic->classes, traffic->n, sizeof(*traffic->classes), compare_classes);
	effects_free(&b.e);
	free(b.guesses.items);
	return rc;
}

void traffic_free(struct traffic *traffic)
{
	free(traffic->classes);
	if (traffic->arena)
		arena_free(traffic->arena);
}
