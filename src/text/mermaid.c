/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of a packet as a Mermaid flowchart: hooks and chains are nodes, rules are
 * edges that carry what they test.  Drawn for one family; the other one is alike.
 */
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "util.h"

/* Rules of one edge that are spelt out; the rest are counted. */
#define LABELS_MAX 3

struct edge {
	char *to;    /* node that the rule leads to */
	char *label; /* tests, one a line */
	unsigned rules;
};

/* What the rule tests, without chain and target. */
static char *rule_tests(const struct rule *rule, enum family family)
{
	static const char prefix[] = "-A  "; /* of an empty chain name */
	char *text = NULL;
	struct rule_iter it;
	struct rule plain;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	rule_iter_init(&it, rule);
	if (!out || !rule_iter_next(&it))
		return xstrdup("");
	plain = it.flat;
	plain.comment = NULL;
	plain.target.kind = TARGET_NONE;
	text_print_iptables_rule(out, "", &plain, family);
	for (unsigned i = 0; i < rule->n_matches; i++)
		if (rule->matches[i].n > 1 && !rule->matches[i].invert)
			fprintf(out, " (and %u more)", rule->matches[i].n - 1);
	fclose(out);
	if (len < strlen(prefix))
		*text = '\0';
	else
		memmove(text, text + strlen(prefix), len - strlen(prefix) + 1);
	return text;
}

static char *target_node(enum table_id table, const struct target *t)
{
	char name[64];

	switch ((enum target_kind)t->kind) {
	case TARGET_JUMP:
	case TARGET_GOTO:
		snprintf(name, sizeof(name), "%s_%s", table_name(table), t->chain);
		break;
	case TARGET_REDIRECT:
		snprintf(name, sizeof(name), "port_%u([\"REDIRECT to :%u\"])", t->port, t->port);
		break;
	case TARGET_TPROXY:
		snprintf(name, sizeof(name), "port_%u([\"TPROXY to :%u\"])", t->port, t->port);
		break;
	case TARGET_RETURN:
		snprintf(name, sizeof(name), "%s_return([\"RETURN: not captured\"])", table_name(table));
		break;
	case TARGET_DROP:
		snprintf(name, sizeof(name), "drop([\"DROP\"])");
		break;
	case TARGET_ACCEPT:
		snprintf(name, sizeof(name), "accept([\"ACCEPT\"])");
		break;
	case TARGET_CT_ZONE:
		snprintf(name, sizeof(name), "zone_%u[/\"conntrack zone %u\"/]", t->zone, t->zone);
		break;
	case TARGET_MARK:
		snprintf(name, sizeof(name), "mark_%u[/\"mark 0x%x\"/]", t->mark.value, t->mark.value);
		break;
	case TARGET_CONNMARK_SAVE:
		snprintf(name, sizeof(name), "save[/\"mark kept with the connection\"/]");
		break;
	default:
		snprintf(name, sizeof(name), "restore[/\"mark of the connection\"/]");
		break;
	}
	return xstrdup(name);
}

/* Rules of a chain that lead to one place become one edge. */
static void add_rule(struct edge **edges, unsigned *n, const struct rule *rule, enum table_id table, enum family family)
{
	char *to = target_node(table, &rule->target), *tests = rule_tests(rule, family), *joined;
	struct edge *edge = NULL;

	for (unsigned i = 0; i < *n && !edge; i++)
		if (!strcmp((*edges)[i].to, to))
			edge = &(*edges)[i];
	if (!edge) {
		edge = array_push(edges, n, sizeof(*edge));
		*edge = (struct edge){ .to = to, .label = tests, .rules = 1 };
		return;
	}
	free(to);
	if (edge->rules++ < LABELS_MAX) {
		joined = xcalloc(strlen(edge->label) + strlen(tests) + 6, 1);
		sprintf(joined, "%s<br>%s", edge->label, tests);
		free(edge->label);
		edge->label = joined;
	}
	free(tests);
}

static void print_chain(FILE *out, const struct chain *chain, enum table_id table, enum family family)
{
	struct edge *edges = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < chain->n_rules; i++)
		if (chain->rules[i].families & FAMILY_BIT(family))
			add_rule(&edges, &n, &chain->rules[i], table, family);
	for (unsigned i = 0; i < n; i++) {
		fprintf(out, "  %s_%s[\"%s<br>%s\"] -->", table_name(table), chain->name, table_name(table), chain->name);
		if (*edges[i].label)
			fprintf(out, "|\"%s\"|", edges[i].label);
		fprintf(out, " %s\n", edges[i].to);
		if (edges[i].rules > LABELS_MAX)
			fprintf(out, "  %%%% and %u rules more\n", edges[i].rules - LABELS_MAX);
		free(edges[i].to);
		free(edges[i].label);
	}
	free(edges);
}

/* The kernel's order at each hook is raw, mangle, nat. */
static void print_hook(FILE *out, const struct ruleset *rs, enum hook hook, enum family family)
{
	static const enum table_id order[] = { TABLE_RAW, TABLE_MANGLE, TABLE_NAT };
	const char *from = hook == HOOK_PREROUTING ? "inbound((\"in\"))" : "outbound((\"out\"))";
	char node[64];

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		const struct chain *chain = ruleset_find(rs, order[i], hook_name(hook));

		if (!chain || !chain_has_family(chain, family))
			continue;
		fprintf(out, "  %s ==> %s_%s\n", from, table_name(order[i]), chain->name);
		snprintf(node, sizeof(node), "%s_%s", table_name(order[i]), chain->name);
		from = node;
	}
}

void text_print_mermaid(FILE *out, const struct ruleset *rs, enum family family)
{
	fputs("flowchart LR\n", out);
	for (enum hook h = 0; h < HOOK_NONE; h++)
		print_hook(out, rs, h, family);
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++)
			print_chain(out, &rs->tables[t].chains[c], t, family);
}
