/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "beside.h"

#include <stdio.h>
#include <string.h>

#include "backends.h"
#include "foreign.h"
#include "log.h"
#include "text.h"
#include "util.h"

/* Of nat's OUTPUT on every backend, which none can change (NF_IP_PRI_NAT_DST). */
#define NAT_PRIORITY (-100)

static bool is_jump(const struct rule *rule, enum family family)
{
	return rule->families & FAMILY_BIT(family) && rule->target.kind == TARGET_JUMP &&
	       chain_is_istio(rule->target.chain);
}

static const struct rule *find_jump(const struct chain *chain, enum family family)
{
	for (unsigned i = 0; chain && i < chain->n_rules; i++)
		if (is_jump(&chain->rules[i], family) && !chain->rules[i].n_matches)
			return &chain->rules[i];
	for (unsigned i = 0; chain && i < chain->n_rules; i++)
		if (is_jump(&chain->rules[i], family))
			return &chain->rules[i];
	return NULL;
}

/* How many live rules stand in front of where the chain's jump is to stand. */
static unsigned rules_in_front(const struct chain *live, const struct rule *jump, enum family family)
{
	for (unsigned i = 0; i < live->n_rules; i++)
		if (live->rules[i].owner == RULE_OURS && live->rules[i].families & FAMILY_BIT(family) &&
		    rule_equal(&live->rules[i], jump))
			return i;
	return live->n_rules;
}

static void warn_of_chain(const struct chain *live, const struct chain *want, enum table_id table, enum family family)
{
	const struct rule *jump = find_jump(want, family), *first;
	auto_free char *text = NULL;
	size_t len = 0;
	unsigned n;
	FILE *out;

	if (!jump || jump->front)
		return;
	first = foreign_first_end(live, family, rules_in_front(live, jump, family), &n);
	if (!first)
		return;
	out = xchecked(open_memstream(&text, &len));
	text_print_iptables_rule(out, live->name, first, family);
	if (n > 1)
		fprintf(out, " (and %u more)", n - 1);
	fclose(out);
	log_warn("a rule that is not Istio's stands in front of the jump to %s in %s %s, and what it takes passes by the "
		 "proxy: %s; --jump=insert puts the jump in front",
		 jump->target.chain, family_nft(family), table_name(table), text);
}

void warn_of_front(const struct plan *plan)
{
	enum backend_index backend = plan->want.backend;
	const struct ruleset *live = backend == BACKENDS ? NULL : plan->live->rules[backend], *want = plan->want.rules;

	if (!live || live->layout == LAYOUT_NATIVE)
		return;
	for (enum family f = 0; f < FAMILIES; f++)
		for (enum hook h = 0; h < HOOK_NONE; h++) {
			const struct chain *chain = ruleset_find(live, TABLE_NAT, hook_name(h));

			if (chain && chain->families & FAMILY_BIT(f))
				warn_of_chain(chain, ruleset_find(want, TABLE_NAT, hook_name(h)), TABLE_NAT, f);
		}
}

void warn_of_translated_dns(const struct context *ctx)
{
	auto_free char *text = NULL;
	struct translator by;
	size_t len = 0;
	FILE *out;

	if (ctx->cfg->dns_zones != AUTO || !context_translated_dns(ctx, ctx->families, &by))
		return;
	out = xchecked(open_memstream(&text, &len));
	if (by.backend == BACKENDS) {
		fprintf(out, "table %s %s translates it here: chain %s: ", by.other->family, by.other->table,
			by.other->chain);
		text_print_nft_rule(out, by.rule, false);
	} else {
		fprintf(out, "%s translates it here: ", backend_name(by.backend));
		text_print_iptables_rule(out, hook_name(HOOK_OUTPUT), by.rule,
					 by.rule->families & FAMILY_BIT(IPV4) ? IPV4 : IPV6);
	}
	fclose(out);
	log_warn("DNS is captured without conntrack zones, since %s", text);
}

void warn_of_dns_in_front(const struct context *ctx)
{
	for (unsigned i = 0; i < ctx->live.n_others; i++) {
		const struct other_chain *other = &ctx->live.others[i];
		const struct rule *rule = foreign_dns_rule(other->rules, ctx->cfg, ctx->families, false);
		auto_free char *text = NULL;
		size_t len = 0;
		FILE *out;

		if (!rule || other->priority >= NAT_PRIORITY)
			continue;
		out = xchecked(open_memstream(&text, &len));
		text_print_nft_rule(out, rule, false);
		fclose(out);
		log_warn("chain %s of table %s %s, at priority %d, comes before Istio's at %d, and may take DNS that is to be "
			 "captured: %s",
			 other->chain, other->family, other->table, other->priority, NAT_PRIORITY, text);
	}
}

static void print_line(FILE *out, char sign, const char *chain, const struct rule *rule, enum family family, bool color)
{
	const char *on = !color || sign == ' ' ? "" : sign == '-' ? "\033[31m" : "\033[32m";

	fprintf(out, "%s%c", on, sign);
	text_print_iptables_rule(out, chain, rule, family);
	fprintf(out, "%s\n", *on ? "\033[m" : "");
}

/* Whether the plan adds the live rule once more, further to the front. */
static bool is_moved(const struct plan *plan, const struct chain *live, const struct rule *rule, enum table_id table,
		     enum family family)
{
	for (unsigned i = 0; i < plan->n; i++) {
		const struct step *step = &plan->steps[i];
		const struct rule *added;
		struct chain_iter it;

		if (step->action != STEP_ADD || step->kind != STEP_RULES || step->table != table ||
		    step->family != family || strcmp(step->chain->name, live->name))
			continue;
		step_iter_init(&it, step);
		for (unsigned k = 0; k < step->n && (added = step_iter_next(&it, step)); k++)
			if (added->front && rule_equal(added, rule))
				return true;
	}
	return false;
}

static void print_moves_of(FILE *out, const struct plan *plan, const struct chain *live, enum table_id table,
			   enum family family, bool color)
{
	const struct rule *first = NULL;

	for (unsigned i = 0; i < live->n_rules; i++) {
		const struct rule *rule = &live->rules[i];

		if (!(rule->families & FAMILY_BIT(family)))
			continue;
		first = first || !rule->ends ? first : rule;
		if (rule->owner == RULE_FOREIGN || !first || !is_moved(plan, live, rule, table, family))
			continue;
		fprintf(out, "@@ %s %s @@\n", family_nft(family), table_name(table));
		print_line(out, '+', live->name, rule, family, color);
		print_line(out, ' ', live->name, first, family, color);
		print_line(out, '-', live->name, rule, family, color);
	}
}

void print_moves(FILE *out, const struct plan *plan, bool color)
{
	const struct ruleset *live = plan->want.backend == BACKENDS ? NULL : plan->live->rules[plan->want.backend];

	if (!live || live->layout == LAYOUT_NATIVE || plan->want.force)
		return;
	for (enum family f = 0; f < FAMILIES; f++)
		for (enum table_id t = 0; t < TABLES; t++)
			for (enum hook h = 0; h < HOOK_NONE; h++) {
				const struct chain *chain = ruleset_find(live, t, hook_name(h));

				if (chain)
					print_moves_of(out, plan, chain, t, f, color);
			}
}
