/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meaning.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "sets.h"
#include "transfer.h"
#include "util.h"

enum { OP_BARE = OP_USER + 48, OP_FORGET };

struct sides {
	const struct ruleset *before, *after;
	bool istios; /* @before: Istio's own native tables */
	struct effects e;
	struct guesses guesses;
	bool loop, asleep;
};

static uint32_t forget_connmark(struct effects *e, uint32_t terminal, uint32_t unused)
{
	struct effect effect = *effect_at(e, terminal);

	(void)unused;
	effect.connmark = effect_none.connmark;
	effect.connmark_of = false;
	return effect_terminal(e, &effect);
}

/* Packets that our rules of mangle PREROUTING drop as INVALID, and those of which they save the mark, were they all of lo. */
static void find_ours(struct sides *s, enum family family, uint32_t *invalid, uint32_t *saved)
{
	const struct chain *chain = ruleset_find(s->after, TABLE_MANGLE, hook_name(HOOK_PREROUTING));
	struct diagram *d = &s->e.d;

	*invalid = *saved = NOTHING;
	for (unsigned i = 0; chain && i < chain->n_rules; i++) {
		const struct rule *rule = &chain->rules[i];
		uint32_t set = EVERYTHING;
		bool drops = false;

		for (unsigned k = 0; k < rule->n_matches; k++) {
			const struct match *m = &rule->matches[k];

			drops |= m->kind == MATCH_CTSTATE && m->ctstates == CTSTATE_INVALID;
			if (m->kind != MATCH_IIF)
				set = diagram_and(d, set, match_set(d, m, family, s->after->layout));
		}
		if (drops)
			*invalid = diagram_or(d, *invalid, set);
		else if (rule->target.kind == TARGET_CONNMARK_SAVE)
			*saved = diagram_or(d, *saved, set);
	}
}

/* What is left to compare where our native layout differs from Istio's on purpose. */
static uint32_t leave_out(struct sides *s, uint32_t node, enum table_id table, enum hook hook, enum family family)
{
	struct effects *e = &s->e;
	struct diagram *d = &e->d;
	uint32_t out = NOTHING, saved;

	if (table == TABLE_NAT && hook == HOOK_OUTPUT) { /* no socket */
		out = diagram_or(d, diagram_range(d, FIELD_UID, NO_SOCKET, NO_SOCKET),
				 diagram_range(d, FIELD_GID, NO_SOCKET, NO_SOCKET));
	} else if (table == TABLE_RAW && hook == HOOK_OUTPUT) { /* the answer of a DNS agent that is down */
		out = diagram_or(d, diagram_range(d, FIELD_PROTO, IPPROTO_ICMP, IPPROTO_ICMP),
				 diagram_range(d, FIELD_PROTO, IPPROTO_ICMPV6, IPPROTO_ICMPV6));
		out = diagram_and(d, lo_set(d, FIELD_OIF), out);
	} else if (table == TABLE_MANGLE && hook == HOOK_PREROUTING) { /* INVALID; whose mark is saved */
		find_ours(s, family, &out, &saved);
		out = diagram_and(d, diagram_not(d, diagram_range(d, FIELD_PROTO, IPPROTO_TCP, IPPROTO_TCP)), out);
		saved = diagram_and(d, saved, diagram_not(d, lo_set(d, FIELD_IIF)));
		node = diagram_or(d, diagram_and(d, diagram_not(d, saved), node),
				  diagram_and(d, saved, effect_map_ends(e, node, OP_FORGET, 0, forget_connmark)));
	}
	return diagram_and(d, diagram_not(d, out), node);
}

static uint32_t side(struct sides *s, const struct ruleset *rs, enum table_id table, enum hook hook, enum family family)
{
	uint32_t node = transfer_table(&s->e, rs, table, hook, family, &s->guesses, &s->loop, &s->asleep);

	node = effect_map_ends(&s->e, node, OP_BARE, 0, effect_without_reason);
	return s->istios ? leave_out(s, node, table, hook, family) : node;
}

static bool tables_are_the_same(struct sides *s, unsigned families)
{
	for (enum table_id t = 0; t < TABLES; t++)
		for (enum hook hook = HOOK_PREROUTING; hook <= HOOK_OUTPUT; hook++)
			for (enum family f = 0; f < FAMILIES; f++) {
				uint32_t before, after;

				if (!(families & FAMILY_BIT(f)))
					continue;
				before = side(s, s->before, t, hook, f);
				after = side(s, s->after, t, hook, f);
				if (before != after || s->e.d.full || s->loop || s->asleep || s->guesses.n)
					return false;
			}
	return true;
}

/*
 * What a diagram does not tell: of a native tproxy, which lets a packet go on where no proxy listens, and of chains that we
 * do not follow packets to, as those of an old release's SNAT.
 */
static bool is_beyond(const struct step *step, enum layout layout)
{
	static const char *const names[] = { "INPUT", "FORWARD", "POSTROUTING", "postrouting" };

	if (layout == LAYOUT_NATIVE && step->table == TABLE_MANGLE)
		return true;
	for (unsigned i = 0; i < ARRAY_SIZE(names) && step->kind == STEP_RULES; i++)
		if (!strcmp(step->chain->name, names[i]))
			return true;
	return false;
}

/* Native tables are Istio's whole: a chain of somebody's in them goes, whatever it is hooked in to. */
static bool has_chains_elsewhere(const struct ruleset *live)
{
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < live->tables[t].n_chains; c++)
			if (live->tables[t].chains[c].misplaced)
				return true;
	return false;
}

static bool mean_the_same(const struct step *steps, unsigned n, enum backend_index backend, const struct ruleset *live,
			  unsigned families, bool istios, uint64_t memory)
{
	struct sides s = { .before = live, .istios = istios };
	struct ruleset *after;
	bool same;

	if (live->layout == LAYOUT_NATIVE && has_chains_elsewhere(live))
		return false;
	s.after = after = steps_result(steps, n, backend, live);
	effects_init(&s.e);
	s.e.d.memory = memory;
	same = tables_are_the_same(&s, families);
	effects_free(&s.e);
	free(s.guesses.items);
	ruleset_free(after);
	return same;
}

bool steps_mean_the_same(const struct step *steps, unsigned n, enum backend_index backend, const struct ruleset *live,
			 uint64_t memory)
{
	if (!live)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (steps[i].backend != backend || steps[i].kind == STEP_ROUTE || is_beyond(&steps[i], live->layout))
			return false;
	return mean_the_same(steps, n, backend, live, FAMILY_BOTH, false, memory);
}

/* What tells native tables of Istio's own program from ours. */
struct signs {
	bool ipv6;        /* a rule about IPv6 alone: ours have one, be it on or off */
	bool foreign;     /* what no rule of ours has */
	bool zones, icmp; /* a rule that sets a zone; one about ICMP, as ours have where zones are set */
};

static void look_for_signs(struct signs *signs, const struct rule *rule)
{
	bool any_if = true, tcp = false, invalid = false;

	for (unsigned i = 0; i < rule->n_matches; i++) {
		const struct match *m = &rule->matches[i];

		any_if &= m->kind != MATCH_IIF;
		tcp |= m->kind == MATCH_PROTO && m->proto == IPPROTO_TCP;
		invalid |= m->kind == MATCH_CTSTATE && m->ctstates == CTSTATE_INVALID;
		signs->ipv6 |= m->kind == MATCH_NFPROTO;
		signs->icmp |= m->kind == MATCH_PROTO && m->proto == IPPROTO_ICMP;
		signs->foreign |= m->invert && (m->kind == MATCH_UID || m->kind == MATCH_GID);
	}
	signs->ipv6 |= rule->families == FAMILY_BIT(IPV6);
	signs->zones |= rule->target.kind == TARGET_CT_ZONE;
	signs->foreign |= (invalid && tcp) || (any_if && rule->target.kind == TARGET_CONNMARK_SAVE);
}

static bool tables_are_istios(const struct ruleset *live, bool *ipv6)
{
	struct signs signs = { .ipv6 = false };

	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < live->tables[t].n_chains; c++)
			for (unsigned i = 0; i < live->tables[t].chains[c].n_rules; i++)
				if (live->tables[t].chains[c].rules[i].owner == RULE_OURS)
					look_for_signs(&signs, &live->tables[t].chains[c].rules[i]);
	*ipv6 = signs.ipv6;
	return signs.foreign || !signs.ipv6 || (signs.zones && !signs.icmp);
}

bool steps_respell_istios(const struct step *steps, unsigned n, const struct ruleset *live, unsigned families,
			  uint64_t memory)
{
	bool ipv6;

	if (!live || !tables_are_istios(live, &ipv6) || (ipv6 && !(families & FAMILY_BIT(IPV6))))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (steps[i].kind == STEP_ROUTE ? steps[i].action == STEP_DELETE : steps[i].backend != NFTABLES)
			return false;
	return mean_the_same(steps, n, NFTABLES, live, families, true, memory);
}
