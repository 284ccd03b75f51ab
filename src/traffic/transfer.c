/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transfer.h"

#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "explain_match.h"
#include "sets.h"
#include "util.h"

enum { OP_ENTER = OP_USER + 16, OP_BASE };

/*
 * What a packet that comes to a chain finds there, by its end.  If one rule alone leads there, only the packets that it
 * sends count: of a tree of chains each holds but its own part of what all go on with.
 */
struct way {
	uint32_t node, reach;
	unsigned callers;
	bool known, open; /* @open: being read */
	bool changes;     /* an end goes on with a changed packet */
	bool lets_go;     /* an end returns with a reason */
};

struct transfer {
	struct effects *e;
	const struct ruleset *rs;
	enum family family;
	enum hook hook;
	enum table_id table;
	bool captured;
	bool loop;
	struct way *ways; /* of the table's chains */
	struct guesses *guesses;
	bool *asleep;
};

/* Why a packet ends here: an option, or a rule of somebody else's. */
static void set_reason(const struct transfer *t, struct effect *effect, const struct chain *chain, const struct rule *rule)
{
	const char *origin = rule->origin ? rule->origin : rule_guess_origin(rule, chain->name, t->hook);

	effect->origin = effect_origin(t->e, origin);
	if (origin || rule->owner != RULE_FOREIGN)
		return;
	effect->rule = rule;
	effect->chain = chain;
	effect->table = t->table;
}

static void set_fate(const struct transfer *t, struct effect *effect, enum fate fate, const struct chain *chain,
		     const struct rule *rule)
{
	effect->kind = EFFECT_DECIDED;
	effect->fate = (uint8_t)fate;
	effect->port = rule->target.port;
	effect->foreign = rule->owner == RULE_FOREIGN;
	effect->fresh = true;
	set_reason(t, effect, chain, rule);
}

static void translate(const struct transfer *t, struct effect *effect, enum fate fate, const struct chain *chain,
		      const struct rule *rule)
{
	const struct target *target = &rule->target;

	set_fate(t, effect, fate, chain, rule);
	effect->translates = true;
	if (target->port) {
		effect->known |= KNOWN_DPORT;
		effect->dport = target->port;
	}
	if (!target->addr)
		return;
	effect->known |= KNOWN_DST;
	memcpy(effect->dst, target->addr, family_addr_len(t->family));
	effect->has_addr = true;
	memcpy(effect->addr, effect->dst, sizeof(effect->addr));
}

static void set_mark(struct effect *effect, const struct mark *mark)
{
	effect->mark = (struct effect_mark){ ~mark->mask, mark->value };
}

/* What a target does that leads into no chain. */
static uint32_t target_end(const struct transfer *t, const struct chain *chain, const struct rule *rule)
{
	const struct target *target = &rule->target;
	struct effect effect = effect_none;

	switch ((enum target_kind)target->kind) {
	case TARGET_RETURN:
	case TARGET_ACCEPT:
		effect.kind = target->kind == TARGET_RETURN ? EFFECT_RETURNS : EFFECT_DECIDED;
		if (walk_captures(t->table, t->hook))
			set_reason(t, &effect, chain, rule);
		break;
	case TARGET_DROP:
		set_fate(t, &effect, FATE_DROPPED, chain, rule);
		break;
	case TARGET_REDIRECT:
		translate(t, &effect, FATE_REDIRECTED, chain, rule);
		break;
	case TARGET_DNAT:
		translate(t, &effect, FATE_TRANSLATED, chain, rule);
		break;
	case TARGET_TPROXY:
		set_mark(&effect, &target->mark);
		set_fate(t, &effect, FATE_TPROXIED, chain, rule);
		break;
	case TARGET_MARK:
		set_mark(&effect, &target->mark);
		break;
	case TARGET_CONNMARK_SAVE:
		effect.connmark_of = true;
		break;
	case TARGET_CONNMARK_RESTORE:
		effect.mark_of = true;
		break;
	case TARGET_CT_ZONE:
		effect.zone = ZONE_SET | target->zone;
		break;
	case TARGET_SNAT:
	case TARGET_NONE:
	case TARGET_UNKNOWN:
	case TARGET_JUMP:
	case TARGET_GOTO:
		break;
	}
	return effect_terminal(t->e, &effect);
}

static struct way *read_chain(struct transfer *t, const struct chain *chain, uint32_t reach);

/* Behind the jump of a rule: the caller's next rule, or (@go) the caller's end; the rule decides what its chain does. */
static uint32_t enter(struct effects *e, uint32_t terminal, uint32_t parameter)
{
	struct effect effect = *effect_at(e, terminal);
	bool go = parameter & 1;
	const char *origin = parameter >> 1 ? e->origins[(parameter >> 1) - 1] : NULL;

	if (effect.fresh && origin) {
		effect.origin = origin;
		effect.rule = NULL;
		effect.chain = NULL;
		effect.table = 0;
	}
	effect.fresh = false;
	if (effect.kind <= EFFECT_RETURNS)
		effect.kind = go ? EFFECT_RETURNS : EFFECT_GOES_ON;
	return effect_terminal(e, &effect);
}

static uint32_t follow(struct transfer *t, const struct rule *rule, struct way *into, uint32_t reach)
{
	const struct chain *chain = ruleset_find(t->rs, t->table, rule->target.chain);
	const char *origin = effect_origin(t->e, rule->origin);
	uint32_t parameter = 0;
	bool go = rule->target.kind == TARGET_GOTO;
	struct way *way = chain ? read_chain(t, chain, reach) : NULL;

	for (unsigned i = 0; origin && !parameter; i++)
		if (t->e->origins[i] == origin)
			parameter = i + 1;
	if (way) {
		into->changes |= way->changes || (!go && way->lets_go);
		into->lets_go |= go && way->lets_go;
	}
	return effect_map_ends(t->e, way ? way->node : NOTHING, OP_ENTER, parameter << 1 | go, enter);
}

static uint32_t guess(struct transfer *t, const struct chain *chain, const struct rule *rule)
{
	struct guesses *g = t->guesses;
	const struct rule *known = rule->was ? rule->was : rule;
	unsigned i = 0, variable = field_variables[FIELD_GUESS].first;

	while (i < g->n && g->items[i].rule != known)
		i++;
	if (i == g->n && i == GUESS_BITS)
		t->e->d.full = true;
	else if (i == g->n)
		*(struct decision *)array_push(&g->items, &g->n, sizeof(*g->items)) =
			(struct decision){ t->table, t->hook, chain, known };
	return diagram_bit(&t->e->d, variable + i % GUESS_BITS, NOTHING, EVERYTHING);
}

static uint32_t rule_set(struct transfer *t, const struct chain *chain, const struct rule *rule)
{
	uint32_t set = rule->families & FAMILY_BIT(t->family) ? EVERYTHING : NOTHING;

	if (rule->unknown)
		set = diagram_and(&t->e->d, set, guess(t, chain, rule));
	/* What is tested last comes first: no set is built up to be cut down again. */
	for (unsigned i = rule->n_matches; i-- > 0 && set != NOTHING;)
		if (!t->captured || !match_is_owner_group(rule, &rule->matches[i]))
			set = diagram_and(&t->e->d, match_set(&t->e->d, &rule->matches[i], t->family, t->rs->layout), set);
	return set;
}

static uint32_t read_rule(struct transfer *t, const struct chain *chain, const struct rule *rule, struct way *way)
{
	struct effect anything = effect_none;
	bool leaves = rule->target.kind == TARGET_RETURN || rule->target.kind == TARGET_ACCEPT;
	uint32_t end, set;

	if ((rule->unknown && rule->target.kind == TARGET_NONE) || !(rule->families & FAMILY_BIT(t->family)) ||
	    (leaves && t->captured && walk_captures(t->table, t->hook)))
		return NOTHING;
	set = rule_set(t, chain, rule);
	/* A packet that has been changed on the way is none of those that came. */
	if (!way->changes)
		set = diagram_and(&t->e->d, way->reach, set);
	if (rule->unknown & UNKNOWN_ACTION) {
		anything.kind = EFFECT_OVER;
		anything.anything = true;
		end = effect_terminal(t->e, &anything);
	} else if (rule->target.kind == TARGET_JUMP || rule->target.kind == TARGET_GOTO) {
		end = follow(t, rule, way, set);
	} else {
		end = target_end(t, chain, rule);
		if (effect_at(t->e, end)->kind == EFFECT_GOES_ON && end != NOTHING)
			way->changes = true;
		if (rule->target.kind == TARGET_RETURN)
			way->lets_go = true;
	}
	/* A goto that ends where nothing is decided still leaves the chain: its ends are none of NOTHING. */
	return diagram_and(&t->e->d, set, end);
}

/* In halves, as list_set. */
static uint32_t read_rules(struct transfer *t, const struct chain *chain, unsigned from, unsigned to, struct way *way)
{
	unsigned middle = from + (to - from) / 2;
	uint32_t first, then;

	if (from == to)
		return NOTHING;
	if (to - from == 1)
		return read_rule(t, chain, &chain->rules[from], way);
	first = read_rules(t, chain, from, middle, way);
	then = read_rules(t, chain, middle, to, way);
	return effect_sequence(t->e, first, then, way->changes);
}

static struct way *find_way(struct transfer *t, const struct chain *chain)
{
	return &t->ways[chain - t->rs->tables[t->table].chains];
}

static struct way *read_chain(struct transfer *t, const struct chain *chain, uint32_t reach)
{
	struct way *way = find_way(t, chain);

	if (way->open)
		t->loop = true;
	if (way->open || way->known)
		return way;
	way->open = true;
	way->node = NOTHING;
	way->reach = way->callers == 1 ? reach : EVERYTHING;
	way->node = read_rules(t, chain, 0, chain->n_rules, way);
	way->open = false;
	way->known = true;
	return way;
}

static void count_callers(struct transfer *t, const struct table *table)
{
	for (unsigned i = 0; i < table->n_chains; i++)
		for (unsigned k = 0; k < table->chains[i].n_rules; k++) {
			const struct rule *rule = &table->chains[i].rules[k];
			bool leads = rule->target.kind == TARGET_JUMP || rule->target.kind == TARGET_GOTO;
			const struct chain *into = leads ? ruleset_find(t->rs, t->table, rule->target.chain) : NULL;

			if (into && rule->families & FAMILY_BIT(t->family))
				find_way(t, into)->callers++;
		}
}

/* What nobody has decided falls under the policy of the chain: @drops. */
static uint32_t end_base(struct effects *e, uint32_t terminal, uint32_t drops)
{
	struct effect effect = *effect_at(e, terminal);

	if (effect.kind <= EFFECT_RETURNS && drops) {
		effect.fate = FATE_DROPPED;
		effect.foreign = true;
		effect.origin = NULL;
		effect.rule = NULL;
	}
	effect.fresh = false;
	effect.kind = effect.fate == FATE_DROPPED || effect.anything ? EFFECT_OVER : EFFECT_GOES_ON;
	return effect_terminal(e, &effect);
}

static uint32_t read_table(struct transfer *t, enum table_id table)
{
	const struct chain *base = walk_base_chain(t->rs, table, t->hook, t->family, t->asleep);
	bool drops = base && base->drops & FAMILY_BIT(t->family);
	uint32_t node;

	if (!base)
		return NOTHING;
	t->table = table;
	t->ways = xcalloc(t->rs->tables[table].n_chains, sizeof(*t->ways));
	count_callers(t, &t->rs->tables[table]);
	node = read_chain(t, base, EVERYTHING)->node;
	free(t->ways);
	return effect_map_ends(t->e, node, OP_BASE, drops, end_base);
}

static uint32_t read_hook(struct transfer *t, enum hook hook)
{
	struct diagram *d = &t->e->d;
	uint32_t all = NOTHING, node;

	t->hook = hook;
	for (unsigned i = 0; i < TABLES; i++) {
		node = read_table(t, walk_order[i]);
		/* What comes over lo saw nat when it was sent; only first packets do. */
		if (walk_order[i] == TABLE_NAT && hook == HOOK_PREROUTING)
			node = diagram_and(d, diagram_not(d, lo_set(d, FIELD_IIF)), node);
		all = effect_sequence(t->e, all, node, true);
	}
	return all;
}

/* What is sent and stays in the pod comes in by lo: walker.c's goes_over_lo and come_in_by_lo. */
struct entrance {
	enum family family;
	uint32_t lo; /* what coming in by lo alone does */
	uint32_t in;
};

static uint32_t come_in(struct effects *e, uint32_t terminal, void *data)
{
	const struct entrance *entrance = data;
	struct effect effect = *effect_at(e, terminal);
	enum family family = entrance->family;
	struct prefix addr = { .family = (uint8_t)family, .len = (uint8_t)(family_addr_len(family) * 8) };
	bool translated = effect.fate == FATE_TRANSLATED && effect.has_addr, over_lo = effect.fate == FATE_REDIRECTED;
	uint32_t lo = lo_set(&e->d, FIELD_OIF), in;

	if (effect.kind == EFFECT_OVER || entrance->in == entrance->lo)
		return terminal;
	memcpy(addr.addr, effect.addr, sizeof(addr.addr));
	over_lo |= translated && prefix_is_loopback(&addr);
	effect.known |= KNOWN_LO | KNOWN_OWNER;
	effect.zone |= ZONE_SET; /* the connection is there already */
	if (effect.fate == FATE_REDIRECTED) {
		effect.known |= KNOWN_DST;
		memset(effect.dst, 0, sizeof(effect.dst));
		effect.dst[0] = family == IPV4 ? 127 : 0;
		effect.dst[family_addr_len(family) - 1] = 1;
	}
	in = effect_then(e, effect_terminal(e, &effect), entrance->in);
	if (over_lo)
		return in;
	if (translated)
		return terminal;
	in = diagram_and(&e->d, lo, in);
	return diagram_or(&e->d, in, diagram_and(&e->d, diagram_not(&e->d, lo), terminal));
}

uint32_t transfer_build(struct effects *e, const struct ruleset *rs, enum hook hook, enum family family, bool captured,
			struct guesses *guesses, bool *loop, bool *asleep)
{
	struct transfer t = { .e = e, .rs = rs, .family = family, .captured = captured, .guesses = guesses, .asleep = asleep };
	struct effect begin = effect_none, lo = effect_none;
	uint32_t in = read_hook(&t, HOOK_PREROUTING), out, all = NOTHING;
	struct entrance entrance = { .family = family };

	lo.known = KNOWN_LO | KNOWN_OWNER;
	entrance.lo = effect_terminal(e, &lo);
	begin.known = KNOWN_NEW | (hook == HOOK_OUTPUT ? KNOWN_IIF : KNOWN_OIF | KNOWN_OWNER);
	begin.connmark.keep = 0;
	if (hook == HOOK_OUTPUT) {
		out = read_hook(&t, HOOK_OUTPUT);
		entrance.in = effect_then(e, entrance.lo, in);
		all = effect_replace(e, out, come_in, &entrance);
	}
	*loop |= t.loop;
	return effect_then(e, effect_terminal(e, &begin), hook == HOOK_OUTPUT ? all : in);
}

uint32_t transfer_table(struct effects *e, const struct ruleset *rs, enum table_id table, enum hook hook,
			enum family family, struct guesses *guesses, bool *loop, bool *asleep)
{
	struct transfer t = { .e = e, .rs = rs, .family = family, .hook = hook, .guesses = guesses, .asleep = asleep };
	uint32_t node = read_table(&t, table);

	*loop |= t.loop;
	return node;
}
