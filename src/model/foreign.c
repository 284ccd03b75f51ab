/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "foreign.h"

#include <netinet/in.h>

#include "util.h"

#define DNS_PORT 53
/* Deeper the kernel does not follow jumps of nf_tables; chains of xtables that go in a circle end here, too. */
#define DEPTH_MAX 16

/* The packets that are asked about: what is not said may be anything. */
struct query {
	enum family family;
	uint8_t proto;            /* IPPROTO_TCP or UDP */
	uint16_t dport;           /* 0: any */
	const struct prefix *dst; /* NULL: any */
	bool not_loopback;        /* what goes to a loopback address is left alone anyway */
	bool translated;          /* only translation counts as an end */
};

static bool port_may_fit(const struct match *m, uint16_t port)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (m->ranges[i].lo <= port && port <= m->ranges[i].hi)
			return !m->invert;
	return m->invert;
}

static bool all_loopback(const struct match *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (!prefix_is_loopback(&m->prefixes[i]))
			return false;
	return !m->invert;
}

static bool address_may_fit(const struct match *m, const struct query *q)
{
	if (q->not_loopback && all_loopback(m))
		return false;
	for (uint32_t i = 0; i < m->n && q->dst; i++)
		if (prefix_contains(&m->prefixes[i], q->dst))
			return !m->invert;
	return !q->dst || m->invert;
}

static bool match_may_hold(const struct match *m, const struct query *q)
{
	switch ((enum match_kind)m->kind) {
	case MATCH_NFPROTO:
		return (m->proto == (uint32_t)q->family) != m->invert;
	case MATCH_PROTO:
		return (m->proto == q->proto) != m->invert;
	case MATCH_DPORT:
		return !q->dport || port_may_fit(m, q->dport);
	case MATCH_DST:
		return address_may_fit(m, q);
	default:
		return true;
	}
}

static bool rule_may_end(const struct ruleset *rs, enum table_id table, const struct rule *rule, const struct query *q,
			 unsigned depth);

static bool chain_may_end(const struct ruleset *rs, enum table_id table, const char *name, const struct query *q,
			  unsigned depth)
{
	const struct chain *chain = ruleset_find(rs, table, name);

	for (unsigned i = 0; chain && i < chain->n_rules && depth < DEPTH_MAX; i++)
		if (rule_may_end(rs, table, &chain->rules[i], q, depth + 1))
			return true;
	return false;
}

/* A rule not all of whose tests can be read may hold. */
static bool rule_may_end(const struct ruleset *rs, enum table_id table, const struct rule *rule, const struct query *q,
			 unsigned depth)
{
	if (!(rule->families & FAMILY_BIT(q->family)))
		return false;
	for (unsigned i = 0; i < rule->n_matches; i++)
		if (!match_may_hold(&rule->matches[i], q))
			return false;
	switch ((enum target_kind)rule->target.kind) {
	case TARGET_JUMP:
	case TARGET_GOTO:
		return chain_may_end(rs, table, rule->target.chain, q, depth);
	case TARGET_REDIRECT:
	case TARGET_DNAT:
	case TARGET_UNKNOWN:
		return true;
	case TARGET_ACCEPT:
	case TARGET_DROP:
	case TARGET_TPROXY:
		return !q->translated;
	case TARGET_NONE:
		return rule->unknown & UNKNOWN_ACTION;
	default:
		return false;
	}
}

static bool captures_dns(const struct config *cfg, enum family family)
{
	return cfg->redirect_dns && (cfg->capture_all_dns || cfg->dns_servers.of[family].n);
}

static bool takes_dns(const struct ruleset *rs, const struct rule *rule, const struct config *cfg, enum family family,
		      bool translated)
{
	static const uint8_t protos[] = { IPPROTO_UDP, IPPROTO_TCP };
	const struct prefix_list *servers = &cfg->dns_servers.of[family];

	if (!captures_dns(cfg, family))
		return false;
	/* Zones are for UDP alone. */
	for (unsigned p = 0; p < (translated ? 1 : ARRAY_SIZE(protos)); p++) {
		struct query q = { .family = family, .proto = protos[p], .dport = DNS_PORT, .translated = translated };

		if (cfg->capture_all_dns && rule_may_end(rs, TABLE_NAT, rule, &q, 0))
			return true;
		for (uint32_t i = 0; i < servers->n && !cfg->capture_all_dns; i++) {
			q.dst = &servers->items[i];
			if (rule_may_end(rs, TABLE_NAT, rule, &q, 0))
				return true;
		}
	}
	return false;
}

const struct rule *foreign_dns_rule(const struct ruleset *live, const struct config *cfg, unsigned families, bool translated)
{
	const struct chain *chain = live ? ruleset_find(live, TABLE_NAT, hook_name(HOOK_OUTPUT)) : NULL;

	for (unsigned i = 0; chain && i < chain->n_rules; i++)
		for (enum family f = 0; f < FAMILIES; f++)
			if (chain->rules[i].owner == RULE_FOREIGN && families & FAMILY_BIT(f) &&
			    !(chain->misplaced & FAMILY_BIT(f)) && takes_dns(live, &chain->rules[i], cfg, f, translated))
				return &chain->rules[i];
	return NULL;
}

static bool ends(const struct ruleset *live, enum table_id table, const struct chain *chain, const struct rule *rule,
		 const struct config *cfg)
{
	for (enum family f = 0; f < FAMILIES; f++) {
		struct query tcp = { .family = f, .proto = IPPROTO_TCP, .not_loopback = chain->hook == HOOK_OUTPUT };

		if (rule_may_end(live, table, rule, &tcp, 0))
			return true;
		if (table == TABLE_NAT && chain->hook == HOOK_OUTPUT && takes_dns(live, rule, cfg, f, false))
			return true;
	}
	return false;
}

void foreign_note_ends(struct ruleset *live, const struct config *cfg)
{
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < live->tables[t].n_chains; c++) {
			struct chain *chain = &live->tables[t].chains[c];

			for (unsigned i = 0; i < chain->n_rules && chain->hook != HOOK_NONE; i++)
				chain->rules[i].ends = chain->rules[i].owner == RULE_FOREIGN &&
						       ends(live, t, chain, &chain->rules[i], cfg);
		}
}

const struct rule *foreign_first_end(const struct chain *chain, enum family family, unsigned until, unsigned *n)
{
	const struct rule *first = NULL;

	*n = 0;
	for (unsigned i = 0; i < chain->n_rules && i < until; i++) {
		if (!chain->rules[i].ends || !(chain->rules[i].families & FAMILY_BIT(family)))
			continue;
		first = first ? first : &chain->rules[i];
		(*n)++;
	}
	return first;
}

unsigned foreign_count(const struct ruleset *rs)
{
	bool native = rs->layout == LAYOUT_NATIVE;
	unsigned n = 0;

	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++)
			for (enum family f = native ? FAMILIES : IPV4; f < (native ? FAMILIES + 1 : FAMILIES); f++)
				n += chain_count_foreign(&rs->tables[t].chains[c], f);
	return n;
}
