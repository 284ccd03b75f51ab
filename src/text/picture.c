/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of a packet as a flowchart, in the language of Mermaid or of Graphviz: hooks and chains are nodes, rules are
 * edges that carry what they test.  Drawn for one family; the other one is alike.
 */
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "util.h"

/* Rules of one edge that are spelt out; the rest are counted. */
#define LABELS_MAX 3

/* What a rule leads to: a chain, an end, or what it does to the packet. */
enum shape { SHAPE_CHAIN, SHAPE_END, SHAPE_EFFECT };

struct node {
	enum shape shape;
	char id[64], text[48]; /* of a chain the id alone */
};

struct edge {
	struct node to;
	char *label; /* tests, one a line */
	unsigned rules;
};

/* What the rule tests, without chain and target. */
static char *rule_tests(const struct rule *rule, enum family family)
{
	static const char prefix[] = "-A x ";
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
	text_print_iptables_rule(out, "x", &plain, family);
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

static struct node target_node(enum table_id table, const struct target *t)
{
	struct node node = { .shape = SHAPE_END };

	switch ((enum target_kind)t->kind) {
	case TARGET_JUMP:
	case TARGET_GOTO:
		node.shape = SHAPE_CHAIN;
		snprintf(node.id, sizeof(node.id), "%s_%s", table_name(table), t->chain);
		break;
	case TARGET_REDIRECT:
	case TARGET_TPROXY:
		snprintf(node.id, sizeof(node.id), "port_%u", t->port);
		snprintf(node.text, sizeof(node.text), "%s to :%u", t->kind == TARGET_TPROXY ? "TPROXY" : "REDIRECT",
			 t->port);
		break;
	case TARGET_RETURN:
		snprintf(node.id, sizeof(node.id), "%s_return", table_name(table));
		strcpy(node.text, "RETURN: not captured");
		break;
	case TARGET_DROP:
		strcpy(node.id, "drop");
		strcpy(node.text, "DROP");
		break;
	case TARGET_ACCEPT:
		strcpy(node.id, "accept");
		strcpy(node.text, "ACCEPT");
		break;
	case TARGET_CT_ZONE:
		node.shape = SHAPE_EFFECT;
		snprintf(node.id, sizeof(node.id), "zone_%u", t->zone);
		snprintf(node.text, sizeof(node.text), "conntrack zone %u", t->zone);
		break;
	case TARGET_MARK:
		node.shape = SHAPE_EFFECT;
		snprintf(node.id, sizeof(node.id), "mark_%u", t->mark.value);
		snprintf(node.text, sizeof(node.text), "mark 0x%x", t->mark.value);
		break;
	default:
		node.shape = SHAPE_EFFECT;
		strcpy(node.id, t->kind == TARGET_CONNMARK_SAVE ? "save" : "restore");
		strcpy(node.text,
		       t->kind == TARGET_CONNMARK_SAVE ? "mark kept with the connection" : "mark of the connection");
		break;
	}
	return node;
}

/* Rules of a chain that lead to one place become one edge. */
static void add_rule(struct edge **edges, unsigned *n, const struct rule *rule, enum table_id table, enum family family,
		     const char *newline)
{
	struct node to = target_node(table, &rule->target);
	char *tests = rule_tests(rule, family), *joined;
	struct edge *edge = NULL;

	for (unsigned i = 0; i < *n && !edge; i++)
		if (!strcmp((*edges)[i].to.id, to.id) && !strcmp((*edges)[i].to.text, to.text))
			edge = &(*edges)[i];
	if (!edge) {
		edge = array_push(edges, n, sizeof(*edge));
		*edge = (struct edge){ .to = to, .label = tests, .rules = 1 };
		return;
	}
	if (edge->rules++ < LABELS_MAX) {
		joined = xcalloc(strlen(edge->label) + strlen(tests) + strlen(newline) + 1, 1);
		sprintf(joined, "%s%s%s", edge->label, newline, tests);
		free(edge->label);
		edge->label = joined;
	}
	free(tests);
}

static void print_mermaid_edge(FILE *out, const struct edge *edge, const char *table, const char *chain)
{
	static const char *const nodes[][2] = { [SHAPE_END] = { "([\"", "\"])" }, [SHAPE_EFFECT] = { "[/\"", "\"/]" } };
	const struct node *to = &edge->to;

	fprintf(out, "  %s_%s[\"%s<br>%s\"] -->", table, chain, table, chain);
	if (*edge->label)
		fprintf(out, "|\"%s\"|", edge->label);
	fprintf(out, " %s", to->id);
	if (to->shape != SHAPE_CHAIN)
		fprintf(out, "%s%s%s", nodes[to->shape][0], to->text, nodes[to->shape][1]);
	fputc('\n', out);
	if (edge->rules > LABELS_MAX)
		fprintf(out, "  %%%% and %u rules more\n", edge->rules - LABELS_MAX);
}

static void print_dot_edge(FILE *out, const struct edge *edge, const char *table, const char *chain)
{
	const struct node *to = &edge->to;

	fprintf(out, "  \"%s_%s\" [label=\"%s\\n%s\"]\n", table, chain, table, chain);
	if (to->shape != SHAPE_CHAIN)
		fprintf(out, "  \"%s\" [label=\"%s\" shape=%s]\n", to->id, to->text,
			to->shape == SHAPE_END ? "oval" : "parallelogram");
	fprintf(out, "  \"%s_%s\" -> \"%s\" [label=\"%s", table, chain, to->id, edge->label);
	if (edge->rules > LABELS_MAX)
		fprintf(out, "\\nand %u rules more", edge->rules - LABELS_MAX);
	fputs("\"]\n", out);
}

static void print_chain(FILE *out, const struct chain *chain, enum table_id table, enum family family, bool dot)
{
	struct edge *edges = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < chain->n_rules; i++)
		if (chain->rules[i].families & FAMILY_BIT(family))
			add_rule(&edges, &n, &chain->rules[i], table, family, dot ? "\\n" : "<br>");
	for (unsigned i = 0; i < n; i++) {
		(dot ? print_dot_edge : print_mermaid_edge)(out, &edges[i], table_name(table), chain->name);
		free(edges[i].label);
	}
	free(edges);
}

/* The kernel's order at each hook is raw, mangle, nat. */
static void print_hook(FILE *out, const struct ruleset *rs, enum hook hook, enum family family, bool dot)
{
	static const enum table_id order[] = { TABLE_RAW, TABLE_MANGLE, TABLE_NAT };
	const char *name = hook == HOOK_PREROUTING ? "in" : "out", *table = NULL;

	if (dot)
		fprintf(out, "  \"%sbound\" [label=\"%s\" shape=circle]\n", name, name);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		const struct chain *chain = ruleset_find(rs, order[i], hook_name(hook));
		const char *before = table;

		if (!chain || !chain_has_family(chain, family))
			continue;
		table = table_name(order[i]);
		if (dot && before)
			fprintf(out, "  \"%s_%s\" -> \"%s_%s\" [style=bold]\n", before, chain->name, table, chain->name);
		else if (dot)
			fprintf(out, "  \"%sbound\" -> \"%s_%s\" [style=bold]\n", name, table, chain->name);
		else if (before)
			fprintf(out, "  %s_%s ==> %s_%s\n", before, chain->name, table, chain->name);
		else
			fprintf(out, "  %sbound((\"%s\")) ==> %s_%s\n", name, name, table, chain->name);
	}
}

void text_print_picture(FILE *out, const struct ruleset *rs, enum family family, bool dot)
{
	fputs(dot ? "digraph istio {\n  rankdir=LR\n  node [shape=box]\n" : "flowchart LR\n", out);
	for (enum hook h = 0; h < HOOK_NONE; h++)
		print_hook(out, rs, h, family, dot);
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++)
			print_chain(out, &rs->tables[t].chains[c], t, family, dot);
	fputs(dot ? "}\n" : "", out);
}
