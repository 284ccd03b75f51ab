/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rulesets, routes and plans as parts of JSON documents: each text as the stock tools have it. */
#include <string.h>

#include "ownership.h"
#include "text.h"
#include "util.h"

/* As iptables-save and nft name what holds rules of the family. */
static const char *layer_name(enum family family)
{
	return family == FAMILIES ? "inet" : family_name(family);
}

static const char *chain_name(const struct chain *chain, enum family family)
{
	return family == FAMILIES ? text_nft_chain_name(chain) : chain->name;
}

void text_json_origin(struct emit *e, const char *origin)
{
	bool option = origin && (*origin == '-' || !strncmp(origin, "ISTIO_", 6));

	emit_string(e, option ? "option" : "reason", origin);
}

static void put_rule_text(struct emit *e, const char *chain, const struct rule *rule, enum family family)
{
	FILE *out = emit_print(e);

	if (family == FAMILIES)
		text_print_nft_rule(out, rule, false);
	else
		text_print_iptables_rule(out, chain, rule, family);
	emit_printed(e, "text");
}

/* Own chains are reached from one hook alone, but for what both lead to, which lets nothing go. */
static enum hook reached_from(const struct chain *chain)
{
	if (chain->hook != HOOK_NONE)
		return chain->hook;
	return strcasestr(chain->name, "inbound") ? HOOK_PREROUTING : HOOK_OUTPUT;
}

static void put_rule(struct emit *e, const struct chain *chain, const struct rule *rule, enum family family, bool live)
{
	const char *origin = rule->origin;

	if (!origin && rule->owner != RULE_FOREIGN)
		origin = rule_guess_origin(rule, chain->name, reached_from(chain));
	emit_row(e, NULL);
	put_rule_text(e, chain->name, rule, family);
	emit_bool(e, "ours", rule->owner != RULE_FOREIGN);
	text_json_origin(e, origin);
	if (live) {
		emit_number(e, "packets", rule->packets);
		emit_number(e, "bytes", rule->bytes);
	}
	emit_end(e);
}

static bool chain_is_shown(const struct ruleset *rs, const struct chain *chain, enum family family)
{
	return family == FAMILIES ||
	       (chain_has_family(chain, family) && (chain_is_ours(rs, chain) || chain_count_rules(chain, family)));
}

/* What of the chain the options leave, foreign rules between ours included. */
static void put_chain(struct emit *e, const struct chain *chain, enum family family, const struct text_options *options)
{
	const struct rule *rule;
	struct chain_iter it;

	emit_object(e, NULL);
	emit_string(e, "chain", chain_name(chain, family));
	emit_array(e, "rules");
	chain_iter_init(&it, chain, family);
	while ((rule = chain_iter_next(&it)))
		if (rule->families & options->families)
			put_rule(e, chain, rule, family, options->counters);
	emit_end(e);
	emit_end(e);
}

static void put_table(struct emit *e, const struct ruleset *rs, enum table_id id, enum family family,
		      const struct text_options *options)
{
	const struct table *table = &rs->tables[id];
	auto_free const struct chain **chains = text_sort_chains(rs, table);
	bool any = family == FAMILIES && (table->n_chains || table->present);

	for (unsigned c = 0; c < table->n_chains; c++)
		any |= chain_is_shown(rs, chains[c], family);
	if (!any)
		return;
	emit_object(e, NULL);
	emit_string(e, "family", layer_name(family));
	text_print_table_name(emit_print(e), rs, id);
	emit_printed(e, "table");
	emit_array(e, "chains");
	for (unsigned c = 0; c < table->n_chains; c++)
		if (chain_is_shown(rs, chains[c], family))
			put_chain(e, chains[c], family, options);
	emit_end(e);
	emit_end(e);
}

/* Families of which something is there. */
static unsigned families_shown(const struct ruleset *rs)
{
	unsigned families = 0;

	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++)
			for (unsigned i = 0; i < rs->tables[t].chains[c].n_rules; i++)
				if (rs->tables[t].chains[c].rules[i].owner != RULE_FOREIGN)
					families |= rs->tables[t].chains[c].rules[i].families;
	return families;
}

static void put_families(struct emit *e, unsigned families)
{
	emit_list(e, "families");
	for (enum family f = 0; f < FAMILIES; f++)
		if (families & FAMILY_BIT(f))
			emit_string(e, NULL, family_name(f));
	emit_end(e);
}

void text_json_backend(struct emit *e, const char *backend, const struct ruleset *rs, const struct text_options *options)
{
	emit_object(e, NULL);
	emit_string(e, "backend", backend);
	put_families(e, families_shown(rs) & options->families);
	emit_array(e, "tables");
	for (enum family f = 0; f < FAMILIES && rs->layout != LAYOUT_NATIVE; f++)
		for (enum table_id t = 0; t < TABLES && options->families & FAMILY_BIT(f); t++)
			put_table(e, rs, t, f, options);
	for (enum table_id t = 0; t < TABLES && rs->layout == LAYOUT_NATIVE; t++)
		put_table(e, rs, t, FAMILIES, options);
	emit_end(e);
	emit_end(e);
}

static const char *route_kind(const struct route_object *object, bool step)
{
	switch ((enum route_kind)object->kind) {
	case ROUTE_LO_UP:
		return "link";
	case ROUTE_ADDRESS:
		return "address";
	case ROUTE_RULE:
		return step ? "iprule" : "rule";
	default:
		return "route";
	}
}

static void put_route(const struct route_object *object, void *data)
{
	char text[ROUTE_TEXT_MAX];
	struct emit *e = data;

	emit_row(e, NULL);
	emit_string(e, "kind", route_kind(object, false));
	emit_string(e, "family", family_name(object->family));
	emit_string(e, "text", route_text(object, " add", text));
	emit_end(e);
}

void text_json_routes(struct emit *e, const struct routes *live, const struct routes_want *want, unsigned families)
{
	emit_array(e, "routes");
	routes_list(live, want, families, put_route, e);
	emit_end(e);
}

static void begin_action(struct emit *e, const struct step *step, const char *kind, const char *backend)
{
	emit_row(e, NULL);
	emit_string(e, "action", step->action == STEP_ADD ? "add" : "delete");
	emit_string(e, "kind", kind);
	emit_string(e, "backend", backend);
}

static void put_place(struct emit *e, const struct step *step, const struct ruleset *rs)
{
	emit_string(e, "family", layer_name(step->family));
	text_print_table_name(emit_print(e), rs, step->table);
	emit_printed(e, "table");
	if (step->chain)
		emit_string(e, "chain", chain_name(step->chain, step->family));
}

static void put_rule_actions(struct emit *e, const struct step *step, const struct ruleset *rs, const char *backend)
{
	struct chain_iter it;

	step_iter_init(&it, step);
	for (unsigned i = 0; i < step->n; i++) {
		const struct rule *rule = step_iter_next(&it, step);

		begin_action(e, step, "rule", backend);
		put_place(e, step, rs);
		put_rule_text(e, step->chain->name, rule, step->family);
		emit_end(e);
	}
}

static void put_route_action(struct emit *e, const struct step *step)
{
	char text[ROUTE_TEXT_MAX];

	begin_action(e, step, route_kind(step->route, true), NULL);
	if (step->route->kind != ROUTE_LO_UP)
		emit_string(e, "family", family_name(step->family));
	emit_string(e, "text", route_text(step->route, step->action == STEP_ADD ? " add" : " del", text));
	emit_end(e);
}

static void put_holder_action(struct emit *e, const struct step *step, const struct ruleset *rs, const char *backend)
{
	bool native = step->family == FAMILIES, chain = step->kind == STEP_CHAIN;
	FILE *out;

	begin_action(e, step, chain ? "chain" : "table", backend);
	put_place(e, step, rs);
	out = emit_print(e);
	if (chain)
		fprintf(out,
			native                         ? "chain %s" :
			step->chain->hook == HOOK_NONE ? ":%s - [0:0]" :
							 ":%s ACCEPT [0:0]",
			chain_name(step->chain, step->family));
	else
		fputs(native ? "table inet " : "*", out);
	if (!chain)
		text_print_table_name(out, rs, step->table);
	emit_printed(e, "text");
	emit_end(e);
}

void text_json_step(struct emit *e, const struct plan *plan, const struct step *step, const char *backend)
{
	const struct ruleset *rs = step->backend == BACKENDS ? NULL :
				   step->action == STEP_ADD && step->backend == plan->want.backend ?
							       plan->want.rules :
							       plan->live->rules[step->backend];

	switch ((enum step_kind)step->kind) {
	case STEP_TABLE:
	case STEP_CHAIN:
		put_holder_action(e, step, rs, backend);
		break;
	case STEP_RULES:
		put_rule_actions(e, step, rs, backend);
		break;
	case STEP_ROUTE:
		put_route_action(e, step);
		break;
	case STEP_GUARD:
		begin_action(e, step, "table", backend);
		emit_string(e, "family", "inet");
		emit_string(e, "table", GUARD_TABLE);
		emit_string(e, "text", "table inet " GUARD_TABLE);
		emit_end(e);
		break;
	}
}
