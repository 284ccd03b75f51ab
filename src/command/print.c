/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "print.h"

#include <stdio.h>
#include <stdlib.h>

#include "beside.h"
#include "log.h"
#include "ownership.h"
#include "text.h"
#include "util.h"

/* Of rules that are left alone, so many are shown. */
#define LEFT_SHOWN 4

static bool is_left(const struct plan *plan, const struct rule *rule)
{
	for (unsigned i = 0; i < plan->n_left; i++)
		if (plan->left[i] == rule)
			return true;
	return false;
}

/* What is shared, and the plan leaves alone, is printed no more than what is foreign. */
static void disown_left(struct ruleset *live, const struct plan *plan)
{
	for (enum table_id t = 0; t < TABLES && plan->n_left; t++)
		for (unsigned c = 0; c < live->tables[t].n_chains; c++)
			for (unsigned i = 0; i < live->tables[t].chains[c].n_rules; i++) {
				struct rule *rule = &live->tables[t].chains[c].rules[i];

				if (is_left(plan, rule))
					rule->owner = RULE_FOREIGN;
			}
}

void print_rules_diff(FILE *out, const struct context *ctx, const struct plan *plan, bool color)
{
	for (enum backend_index b = 0; b < BACKENDS; b++) {
		struct ruleset *live = ctx->live.rules[b];
		bool wanted = b == plan->want.backend;
		struct ruleset *nothing;

		if (!live || !(wanted || plan_touches(plan, b)))
			continue;
		disown_left(live, plan);
		nothing = ruleset_new(live->layout, 0);
		text_print_diff(out, live, wanted ? plan->want.rules : nothing, color);
		ruleset_free(nothing);
	}
	print_moves(out, plan, color);
}

/* Rules of the two families often have one text. */
static bool is_listed(const struct chain *chain, unsigned n, const struct rule *rule)
{
	for (unsigned i = 0; i < n; i++)
		if (chain->rules[i].owner == RULE_FOREIGN && rule_equal(&chain->rules[i], rule))
			return true;
	return false;
}

/* Adds the rules of one chain that may be of an older install, but cannot be told from a user's own. */
static void list_left(FILE *out, const struct chain *chain, enum table_id table, unsigned *n)
{
	for (unsigned i = 0; i < chain->n_rules; i++) {
		const struct rule *rule = &chain->rules[i];

		if (rule->owner != RULE_FOREIGN || !ownership_is_shareable(rule, table, chain->hook) ||
		    is_listed(chain, i, rule))
			continue;
		if ((*n)++ >= LEFT_SHOWN)
			continue;
		fprintf(out, "%s-t %s ", *n > 1 ? ", " : "", table_name(table));
		text_print_iptables_rule(out, chain->name, rule, rule->families & FAMILY_BIT(IPV4) ? IPV4 : IPV6);
	}
}

void warn_of_left_rules(const struct context *ctx)
{
	auto_free char *text = NULL;
	size_t len = 0;
	unsigned n = 0;
	FILE *out = xchecked(open_memstream(&text, &len));

	for (enum backend_index b = 0; b < BACKENDS; b++) {
		const struct ruleset *live = ctx->live.rules[b];

		if (!live || live->layout == LAYOUT_NATIVE || !ownership_has_ours(live))
			continue;
		for (enum table_id t = 0; t < TABLES; t++)
			for (unsigned c = 0; c < live->tables[t].n_chains; c++)
				list_left(out, &live->tables[t].chains[c], t, &n);
	}
	fclose(out);
	if (n > LEFT_SHOWN)
		log_warn("left alone, since they cannot be told from a user's own: %s, and %u more", text, n - LEFT_SHOWN);
	else if (n)
		log_warn("left alone, since %s cannot be told from a user's own: %s", n > 1 ? "they" : "it", text);
}

unsigned print_families(const struct config *cfg)
{
	if (cfg->family == FAMILY_CHOICE_BOTH)
		return FAMILY_BOTH;
	return FAMILY_BIT(cfg->family == FAMILY_CHOICE_IPV4 ? IPV4 : IPV6);
}

void tell_of_ambient(const struct context *ctx, const struct plan *plan)
{
	if (plan->ambient_stays)
		log_warn("rules of Istio's ambient mode are live in this network namespace, too, and stay: they take "
			 "traffic as well; --reconcile removes them");
	else if (plan->ambient_goes && ctx->cfg->reconcile)
		log_info("the rules of Istio's ambient mode go");
	else if (plan->ambient_goes)
		log_warn("the rules of Istio's ambient mode that are live in this network namespace go: their chains have "
			 "the names of those that are asked for");
}
