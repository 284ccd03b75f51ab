/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telling Istio's rules from a user's own in the built-in chains. */
#include <netinet/in.h>
#include <string.h>

#include "capture.h"

#define DEFAULT_MARK 1337

/* Whether the rule has exactly the kinds of @kinds (a mask of 1 << kind). */
static bool has_kinds(const struct rule *rule, unsigned kinds)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < rule->n_matches; i++)
		seen |= 1u << rule->matches[i].kind;
	return seen == kinds;
}

static bool is_plain_mark(const struct match *m, uint32_t value)
{
	return m && !m->invert && m->mark.value == value && m->mark.mask == UINT32_MAX;
}

uint32_t capture_live_mark(const struct ruleset *live)
{
	bool native = live->layout == LAYOUT_NATIVE;
	const struct chain *chain = ruleset_find(live, TABLE_MANGLE, native ? "istio-inbound" : "ISTIO_INBOUND");
	const struct match *mark;

	for (unsigned i = 0; chain && i < chain->n_rules; i++) {
		mark = rule_match(&chain->rules[i], MATCH_MARK);
		if (mark && !mark->invert && chain->rules[i].target.kind == TARGET_RETURN)
			return mark->mark.value;
	}
	chain = ruleset_find(live, TABLE_MANGLE, native ? "istio-divert" : "ISTIO_DIVERT");
	for (unsigned i = 0; chain && i < chain->n_rules; i++)
		if (chain->rules[i].target.kind == TARGET_MARK)
			return chain->rules[i].target.mark.value;
	return DEFAULT_MARK;
}

static bool is_tproxy_rule(const struct rule *rule, enum hook hook, uint32_t mark)
{
	const struct match *proto = rule_match(rule, MATCH_PROTO), *oif = rule_match(rule, MATCH_OIF);
	bool over_lo = oif && oif->n == 1 && !oif->invert && !strcmp(oif->ifaces->name, "lo");
	unsigned marked = 1u << MATCH_DST | 1u << MATCH_OIF | 1u << MATCH_PROTO;

	if (!proto || proto->invert || proto->proto != IPPROTO_TCP || rule->unknown)
		return false;
	switch (rule->target.kind) {
	case TARGET_CONNMARK_SAVE:
		return hook == HOOK_PREROUTING && has_kinds(rule, 1u << MATCH_PROTO | 1u << MATCH_MARK) &&
		       is_plain_mark(rule_match(rule, MATCH_MARK), mark);
	case TARGET_CONNMARK_RESTORE:
		return hook == HOOK_OUTPUT && has_kinds(rule, 1u << MATCH_PROTO | 1u << MATCH_CONNMARK) &&
		       is_plain_mark(rule_match(rule, MATCH_CONNMARK), mark);
	case TARGET_RETURN:
		return hook == HOOK_OUTPUT && over_lo &&
		       has_kinds(rule, 1u << MATCH_OIF | 1u << MATCH_PROTO | 1u << MATCH_MARK) &&
		       is_plain_mark(rule_match(rule, MATCH_MARK), mark);
	case TARGET_MARK:
		return hook == HOOK_OUTPUT && over_lo && rule->target.mark.value == OUTBOUND_MARK &&
		       (has_kinds(rule, marked | 1u << MATCH_UID) || has_kinds(rule, marked | 1u << MATCH_GID)) &&
		       rule_match(rule, MATCH_DST)->invert;
	default:
		return false;
	}
}

/* What can be told by nothing but the options of the install: a RETURN; with a mark of its own, any. */
static bool is_wanted(const struct rule *rule, enum table_id table, enum hook hook, enum family family,
			     const struct ruleset *want)
{
	const struct rule *wanted;
	struct chain_iter it;

	if (!want)
		return false;
	chain_iter_init(&it, ruleset_find(want, table, hook_name(hook)), family);
	while ((wanted = chain_iter_next(&it)))
		if (rule_equal(rule, wanted))
			return true;
	return false;
}

bool capture_owns(const struct rule *rule, enum table_id table, enum hook hook, enum family family,
		  uint32_t tproxy_mark, const struct ruleset *want)
{
	if (rule->target.kind == TARGET_JUMP || rule->target.kind == TARGET_GOTO)
		return chain_is_istio(rule->target.chain);
	if (table == TABLE_MANGLE && is_tproxy_rule(rule, hook, tproxy_mark))
		return true;
	return (want && want->with_foreign) || is_wanted(rule, table, hook, family, want);
}
