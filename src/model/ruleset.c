/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ruleset.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto.h"
#include "util.h"

const char *table_name(enum table_id table)
{
	static const char *const names[] = { [TABLE_MANGLE] = "mangle", [TABLE_NAT] = "nat", [TABLE_RAW] = "raw" };

	return names[table];
}

const char *hook_name(enum hook hook)
{
	static const char *const names[] = { [HOOK_PREROUTING] = "PREROUTING", [HOOK_OUTPUT] = "OUTPUT" };

	return names[hook];
}

struct ruleset *ruleset_new(enum layout layout, unsigned families)
{
	struct ruleset *rs = xcalloc(1, sizeof(*rs));

	rs->layout = layout;
	rs->stem = PROXY_STEM;
	rs->families = (uint8_t)families;
	rs->arena = arena_new();
	return rs;
}

void ruleset_free(struct ruleset *rs)
{
	if (!rs)
		return;
	for (int t = 0; t < TABLES; t++) {
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++)
			free(rs->tables[t].chains[c].rules);
		free(rs->tables[t].chains);
		free(rs->tables[t].index);
	}
	arena_free(rs->arena);
	free(rs);
}

void *ruleset_alloc(struct ruleset *rs, size_t size)
{
	return arena_alloc(rs->arena, size);
}

char *ruleset_strdup(struct ruleset *rs, const char *s)
{
	return memcpy(ruleset_alloc(rs, strlen(s) + 1), s, strlen(s) + 1);
}

/* The index's place for the name: where it is, or the free place where it belongs (FNV-1a, linear probing). */
static uint32_t *find_place(const struct table *t, const char *name)
{
	uint32_t hash = 2166136261u, at;

	for (const char *p = name; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	for (at = hash & (t->index_size - 1); t->index[at]; at = (at + 1) & (t->index_size - 1))
		if (!strcmp(t->chains[t->index[at] - 1].name, name))
			break;
	return &t->index[at];
}

const struct chain *ruleset_find(const struct ruleset *rs, enum table_id table, const char *name)
{
	const struct table *t = &rs->tables[table];
	uint32_t at = t->n_chains ? *find_place(t, name) : 0;

	return at ? &t->chains[at - 1] : NULL;
}

void table_index_chains(struct table *t)
{
	free(t->index);
	t->index_size = 32;
	while (t->index_size < (t->n_chains + 1) * 2)
		t->index_size *= 2;
	t->index = xcalloc(t->index_size, sizeof(*t->index));
	for (uint32_t i = 0; i < t->n_chains; i++)
		*find_place(t, t->chains[i].name) = i + 1;
}

struct chain *ruleset_chain(struct ruleset *rs, enum table_id table, const char *name)
{
	struct chain *chain = (struct chain *)ruleset_find(rs, table, name);

	struct table *t = &rs->tables[table];

	if (chain)
		return chain;
	if ((t->n_chains + 1) * 2 > t->index_size)
		table_index_chains(t);
	chain = array_push(&t->chains, &t->n_chains, sizeof(*chain));
	memset(chain, 0, sizeof(*chain));
	chain->name = ruleset_strdup(rs, name);
	chain->hook = HOOK_NONE;
	for (enum hook h = 0; h < HOOK_NONE; h++)
		if (!strcmp(name, hook_name(h)))
			chain->hook = h;
	*find_place(t, chain->name) = t->n_chains;
	return chain;
}

static int compare_kinds(const void *a, const void *b)
{
	return ((const struct match *)a)->kind - ((const struct match *)b)->kind;
}

/* Stable, unlike qsort: an inverted and a plain match of one kind keep their order. */
static void sort_matches(struct match *matches, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		for (unsigned j = i; j && compare_kinds(&matches[j - 1], &matches[j]) > 0; j--) {
			struct match swap = matches[j];

			matches[j] = matches[j - 1];
			matches[j - 1] = swap;
		}
}

static void take_rule(struct ruleset *rs, struct chain *chain, struct rule *place, const struct rule *rule)
{
	chain->families |= rule->families;
	*place = *rule;
	place->matches = ruleset_alloc(rs, rule->n_matches * sizeof(*rule->matches));
	if (rule->n_matches)
		memcpy(place->matches, rule->matches, rule->n_matches * sizeof(*rule->matches));
	sort_matches(place->matches, place->n_matches);
}

struct rule *ruleset_append(struct ruleset *rs, enum table_id table, const char *name, const struct rule *rule)
{
	struct chain *chain = ruleset_chain(rs, table, name);
	struct rule *place = array_push(&chain->rules, &chain->n_rules, sizeof(*place));

	take_rule(rs, chain, place, rule);
	return place;
}

struct rule *ruleset_prepend(struct ruleset *rs, enum table_id table, const char *name, const struct rule *rule)
{
	struct chain *chain = ruleset_chain(rs, table, name);

	array_push(&chain->rules, &chain->n_rules, sizeof(*rule));
	memmove(chain->rules + 1, chain->rules, (chain->n_rules - 1) * sizeof(*rule));
	take_rule(rs, chain, chain->rules, rule);
	return chain->rules;
}

bool chain_has_family(const struct chain *chain, enum family family)
{
	return chain->families & FAMILY_BIT(family);
}

bool table_has_family(const struct table *table, enum family family)
{
	for (unsigned i = 0; i < table->n_chains; i++)
		if (chain_has_family(&table->chains[i], family))
			return true;
	return false;
}

bool ruleset_is_empty(const struct ruleset *rs)
{
	for (enum table_id t = 0; t < TABLES; t++)
		if (rs->tables[t].n_chains)
			return false;
	return true;
}

/* Which item list a match holds; scalars count as lists of one.  A live rule is one rule, whatever its lists. */
static bool match_unrolls(const struct rule *rule, const struct match *m)
{
	return m->n > 1 && !m->invert && !rule->raw;
}

static void match_pick(struct match *flat, const struct match *from, uint32_t at, bool unrolls)
{
	*flat = *from;
	if (!unrolls)
		return;
	flat->n = 1;
	switch (from->kind) {
	case MATCH_SRC:
	case MATCH_DST:
		flat->prefixes = from->prefixes + at;
		break;
	case MATCH_IIF:
	case MATCH_OIF:
		flat->ifaces = from->ifaces + at;
		break;
	default:
		flat->ranges = from->ranges + at;
		break;
	}
}

bool match_is_vacuous(const struct match *m)
{
	if (m->invert)
		return false;
	if (m->kind == MATCH_SRC || m->kind == MATCH_DST)
		return m->prefixes->len == 0;
	if (m->kind == MATCH_TCP_FLAGS)
		return m->mark.mask == 0;
	return (m->kind == MATCH_IIF || m->kind == MATCH_OIF) && !strcmp(m->ifaces->name, "+");
}

void rule_iter_init(struct rule_iter *it, const struct rule *rule)
{
	it->rule = rule;
	memset(it->at, 0, rule->n_matches * sizeof(*it->at));
	it->started = it->has_lists = false;
}

/*
 * Steps the innermost list that is not at its end.  Interfaces (IIF, OIF) run
 * fastest, then ports and owners from the last, prefixes slowest.
 */
static bool rule_iter_step(struct rule_iter *it)
{
	static const uint8_t order[] = { MATCH_OIF,   MATCH_IIF,   MATCH_GID, MATCH_UID,
					 MATCH_DPORT, MATCH_SPORT, MATCH_DST, MATCH_SRC };

	for (unsigned o = 0; o < ARRAY_SIZE(order); o++)
		for (unsigned i = 0; i < it->rule->n_matches; i++) {
			const struct match *m = &it->rule->matches[i];

			if (m->kind != order[o] || !match_unrolls(it->rule, m))
				continue;
			if (++it->at[i] < m->n)
				return true;
			it->at[i] = 0;
		}
	return false;
}

bool rule_iter_next(struct rule_iter *it)
{
	if (it->started && !(it->has_lists && rule_iter_step(it)))
		return false;
	it->started = true;
	it->flat = *it->rule;
	it->flat.matches = it->matches;
	it->flat.n_matches = 0;
	for (unsigned i = 0; i < it->rule->n_matches; i++) {
		struct match *flat = &it->matches[it->flat.n_matches];
		bool unrolls = match_unrolls(it->rule, &it->rule->matches[i]);

		it->has_lists |= unrolls;
		match_pick(flat, &it->rule->matches[i], it->at[i], unrolls);
		if (!match_is_vacuous(flat))
			it->flat.n_matches++;
	}
	return true;
}

void chain_iter_init(struct chain_iter *it, const struct chain *chain, enum family family)
{
	it->chain = chain;
	it->family = family;
	it->next = 0;
	it->inside = false;
}

const struct rule *chain_iter_next(struct chain_iter *it)
{
	for (;;) {
		if (it->inside && rule_iter_next(&it->it))
			return &it->it.flat;
		it->inside = false;
		if (!it->chain || it->next >= it->chain->n_rules)
			return NULL;
		if (it->family == FAMILIES)
			return &it->chain->rules[it->next++];
		if (it->chain->rules[it->next].families & FAMILY_BIT(it->family)) {
			rule_iter_init(&it->it, &it->chain->rules[it->next]);
			it->inside = true;
		}
		it->next++;
	}
}

unsigned chain_count_rules(const struct chain *chain, enum family family)
{
	unsigned n = 0;

	for (unsigned r = 0; r < chain->n_rules; r++) {
		const struct rule *rule = &chain->rules[r];
		unsigned product = rule->families & family_mask(family) && rule->owner != RULE_FOREIGN;

		for (unsigned i = 0; family != FAMILIES && i < rule->n_matches; i++)
			if (match_unrolls(rule, &rule->matches[i]))
				product *= rule->matches[i].n;
		n += product;
	}
	return n;
}

unsigned chain_count_foreign(const struct chain *chain, enum family family)
{
	unsigned n = 0;

	for (unsigned r = 0; r < chain->n_rules; r++)
		n += chain->rules[r].owner == RULE_FOREIGN && chain->rules[r].families & family_mask(family);
	return n;
}

unsigned ruleset_count_rules(const struct ruleset *rs)
{
	unsigned n = 0;

	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++) {
			if (rs->layout == LAYOUT_NATIVE)
				n += chain_count_rules(&rs->tables[t].chains[c], FAMILIES);
			for (enum family f = 0; f < FAMILIES && rs->layout != LAYOUT_NATIVE; f++)
				n += chain_count_rules(&rs->tables[t].chains[c], f);
		}
	return n;
}

static bool items_equal(const struct match *a, const struct match *b)
{
	for (uint32_t i = 0; i < a->n; i++)
		switch (a->kind) {
		case MATCH_SRC:
		case MATCH_DST:
			if (!prefix_equal(&a->prefixes[i], &b->prefixes[i]))
				return false;
			break;
		case MATCH_IIF:
		case MATCH_OIF:
			if (strcmp(a->ifaces[i].name, b->ifaces[i].name))
				return false;
			break;
		default:
			if (a->ranges[i].lo != b->ranges[i].lo || a->ranges[i].hi != b->ranges[i].hi)
				return false;
		}
	return true;
}

static bool match_equal(const struct match *a, const struct match *b)
{
	if (a->kind != b->kind || a->invert != b->invert)
		return false;
	switch (a->kind) {
	case MATCH_NFPROTO:
	case MATCH_PROTO:
		return a->proto == b->proto;
	case MATCH_CTSTATE:
		return a->ctstates == b->ctstates;
	case MATCH_TCP_FLAGS:
	case MATCH_MARK:
	case MATCH_CONNMARK:
		return a->mark.value == b->mark.value && a->mark.mask == b->mark.mask;
	default:
		return a->n == b->n && items_equal(a, b);
	}
}

static bool target_equal(const struct target *a, const struct target *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case TARGET_JUMP:
	case TARGET_GOTO:
		return !strcmp(a->chain, b->chain);
	case TARGET_REDIRECT:
		return a->port == b->port;
	case TARGET_TPROXY:
		return a->port == b->port && a->mark.value == b->mark.value && a->mark.mask == b->mark.mask;
	case TARGET_MARK:
		return a->mark.value == b->mark.value && a->mark.mask == b->mark.mask;
	case TARGET_CT_ZONE:
		return a->zone == b->zone;
	case TARGET_DNAT:
	case TARGET_SNAT:
		return false; /* never wanted */
	default:
		return true;
	}
}

const struct match *rule_match(const struct rule *rule, enum match_kind kind)
{
	for (unsigned i = 0; i < rule->n_matches; i++)
		if (rule->matches[i].kind == kind)
			return &rule->matches[i];
	return NULL;
}

bool rule_transport_is_known(const struct rule *rule)
{
	const struct match *proto = rule_match(rule, MATCH_PROTO);
	bool known = proto && !proto->invert;

	if (rule_match(rule, MATCH_TCP_FLAGS))
		return known && proto->proto == IPPROTO_TCP;
	if (rule_match(rule, MATCH_SPORT) || rule_match(rule, MATCH_DPORT))
		return known && proto_has_ports(proto->proto);
	return true;
}

bool rule_equal(const struct rule *a, const struct rule *b)
{
	if (a->unknown || b->unknown || a->n_matches != b->n_matches || !target_equal(&a->target, &b->target))
		return false;
	if (strcmp(a->comment ? a->comment : "", b->comment ? b->comment : ""))
		return false;
	for (unsigned i = 0; i < a->n_matches; i++)
		if (!match_equal(&a->matches[i], &b->matches[i]))
			return false;
	return true;
}

void rule_note_unread(struct ruleset *rs, struct rule *rule, const char *name)
{
	const char *before = rule->unread ? rule->unread : "", *sep = rule->unread ? ", " : "";
	size_t size = strlen(before) + strlen(sep) + strlen(name) + 1;
	char *text = ruleset_alloc(rs, size);

	snprintf(text, size, "%s%s%s", before, sep, name);
	rule->unread = text;
}

bool chain_is_istio(const char *name)
{
	return !strncmp(name, "ISTIO_", 6);
}
