/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rule_words.h"

#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static bool is_between(char c, char lo, char hi)
{
	return c >= lo && c <= hi;
}

static struct rule jump_rule(struct ruleset *rs, char letter)
{
	char name[] = "ISTIO_a";
	bool unknown = is_between(letter, '0', '9');

	name[6] = unknown ? 'a' : letter;
	return (struct rule){
		.unknown = unknown,
		.id = unknown ? (uint64_t)letter : 0,
		.target = { .kind = TARGET_JUMP, .chain = ruleset_strdup(rs, name) },
	};
}

static struct rule return_rule(struct ruleset *rs, const char *letters, uint32_t n)
{
	struct iface *ifaces = ruleset_alloc(rs, n * sizeof(*ifaces));
	struct match *match = ruleset_alloc(rs, sizeof(*match));

	for (uint32_t i = 0; i < n; i++)
		snprintf(ifaces[i].name, sizeof(ifaces->name), "eth%c", letters[i]);
	*match = (struct match){ .kind = MATCH_OIF, .n = n, .ifaces = ifaces };
	return (struct rule){ .owner = RULE_SHARED, .n_matches = 1, .matches = match, .target = { .kind = TARGET_RETURN } };
}

static struct rule foreign_rule(struct ruleset *rs, char letter)
{
	struct range *port = ruleset_alloc(rs, sizeof(*port));
	struct match *match = ruleset_alloc(rs, sizeof(*match));

	*port = (struct range){ (uint32_t)letter, (uint32_t)letter };
	*match = (struct match){ .kind = MATCH_DPORT, .n = 1, .ranges = port };
	return (struct rule){ .owner = RULE_FOREIGN, .n_matches = 1, .matches = match, .target = { .kind = TARGET_ACCEPT } };
}

void word_append(struct ruleset *rs, enum table_id table, const char *name, unsigned families, const char *word)
{
	struct chain *chain = ruleset_chain(rs, table, name);
	bool own = chain_is_ours(rs, chain);

	chain->families |= (uint8_t)families;
	for (const char *p = word; *p; p++) {
		bool top = *p == '^';
		unsigned only = p[top] == '.' ? FAMILY_BIT(IPV4) : p[top] == ':' ? FAMILY_BIT(IPV6) : families;
		struct rule rule;

		p += top + (p[top] == '.' || p[top] == ':');
		if (*p == '[') {
			rule = return_rule(rs, p + 1, (uint32_t)strcspn(p, "]") - 1);
			p = strchr(p, ']');
		} else if (is_between(*p, 'A', 'Z')) {
			rule = foreign_rule(rs, *p);
		} else {
			rule = is_between(*p, 'n', 'z') ? return_rule(rs, p, 1) : jump_rule(rs, *p);
		}
		rule.top = top;
		rule.families = (uint8_t)only;
		rule.owner = own ? RULE_OURS : rule.owner;
		ruleset_append(rs, table, name, &rule);
	}
}

void word_print(FILE *out, const struct rule *rule, unsigned families)
{
	const struct match *match = rule->n_matches ? rule->matches : NULL;

	if (families == FAMILY_BOTH && rule->families != FAMILY_BOTH)
		fputc(rule->families & FAMILY_BIT(IPV4) ? '.' : ':', out);
	if (rule->target.kind == TARGET_JUMP)
		fputc(rule->unknown ? (char)rule->id : rule->target.chain[6], out);
	else if (rule->target.kind == TARGET_ACCEPT)
		fputc((char)match->ranges->lo, out);
	else if (match->n == 1)
		fputc(match->ifaces->name[3], out);
	else
		for (uint32_t i = 0; i < match->n; i++)
			fprintf(out, "%s%c%s", i ? "" : "[", match->ifaces[i].name[3], i + 1 < match->n ? "" : "]");
}

static void read_item(struct ruleset *rs, enum backend_index backend, bool live, const char *where, const char *name,
		      const char *word, unsigned age)
{
	enum table_id id = 0;
	unsigned families = 0;
	char flag = name[strcspn(name, "?%")], *plain = ruleset_strdup(rs, name);
	struct table *table;
	struct chain *chain;

	while (strncmp(where, table_name(id), strlen(table_name(id))))
		ck_assert_int_lt(++id, TABLES);
	table = &rs->tables[id];
	for (enum family f = 0; f < FAMILIES; f++)
		if (strchr(where, f == IPV4 ? '4' : '6')) {
			families |= FAMILY_BIT(f);
			table->age[f] = table->present & FAMILY_BIT(f) ? table->age[f] : (uint8_t)age;
			table->others[f] += strchr(where, '+') != NULL;
		}
	table->present |= live ? (uint8_t)families : 0;
	table->strange |= strchr(where, '!') ? (uint8_t)families : 0;
	if (!*name)
		return;
	plain[strcspn(plain, "?%")] = '\0';
	for (enum family f = 0; f < FAMILIES; f++)
		if (live && rs->layout == LAYOUT_IPTABLES && families & FAMILY_BIT(f))
			word_append(rs, id, plain, FAMILY_BIT(f), word);
	if (!live || rs->layout == LAYOUT_NATIVE)
		word_append(rs, id, plain, families, word);
	chain = ruleset_chain(rs, id, plain);
	chain->misplaced |= flag == '?' ? (uint8_t)families : 0;
	chain->stock |= live && backend == IPTABLES_NFT && !flag && chain->hook != HOOK_NONE ? (uint8_t)families : 0;
	for (enum family f = 0; f < FAMILIES; f++)
		if (live && families & FAMILY_BIT(f))
			chain->age[f] = age;
}

struct ruleset *words_read(enum backend_index backend, bool live, const char *text)
{
	bool native = backend == NFTABLES || backend == AMBIENT;
	struct ruleset *rs = ruleset_new(native ? LAYOUT_NATIVE : LAYOUT_IPTABLES, FAMILY_BOTH);
	char *copy = xstrdup(text), *rest = copy, *item;

	rs->stem = backend == AMBIENT ? AMBIENT_STEM : PROXY_STEM;
	for (unsigned age = 0; (item = strsep(&rest, ";")); age++) {
		char where[16] = "", name[32] = "", word[64] = "";

		if (sscanf(item, " %15s %31s %63s", where, name, word) >= 1)
			read_item(rs, backend, live, where, name, word, age);
	}
	free(copy);
	return rs;
}

struct printer {
	FILE *out;
	enum backend_index backend;
	const struct ruleset *rs;
	enum family family;
	const char *separator;
};

static void print_item(struct printer *p, enum table_id id, const char *name)
{
	const struct table *table = &p->rs->tables[id];
	unsigned mask = family_mask(p->family);

	fprintf(p->out, "%s%s%s%s%s%s%s", p->separator, table_name(id), mask & FAMILY_BIT(IPV4) ? "4" : "",
		mask & FAMILY_BIT(IPV6) ? "6" : "", table->strange & mask ? "!" : "",
		table->others[p->family == IPV6 ? IPV6 : IPV4] ? "+" : "", *name ? " " : "");
	fputs(name, p->out);
	p->separator = "; ";
}

static void print_chain(struct printer *p, enum table_id id, const struct chain *chain)
{
	unsigned mask = family_mask(p->family);
	bool spaced = false;

	print_item(p, id, chain->name);
	if (chain->misplaced & mask)
		fputc('?', p->out);
	else if (p->backend == IPTABLES_NFT && chain->hook != HOOK_NONE && !(chain->stock & mask))
		fputc('%', p->out);
	for (unsigned i = 0; i < chain->n_rules; i++) {
		const struct rule *rule = &chain->rules[i];

		if (!(rule->families & mask))
			continue;
		fputs(spaced ? "" : " ", p->out);
		spaced = true;
		word_print(p->out, rule, mask);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct chain *const *)a)->name, (*(const struct chain *const *)b)->name);
}

static void print_table(struct printer *p, enum table_id id)
{
	const struct table *table = &p->rs->tables[id];
	const struct chain *chains[32];
	unsigned n = 0;

	for (unsigned c = 0; c < table->n_chains; c++) {
		const struct chain *chain = &table->chains[c];
		bool is_free = p->backend == IPTABLES_LEGACY && chain->hook != HOOK_NONE;

		/* x_tables' built-in chains come with the table, which stays. */
		if (chain->families & family_mask(p->family) &&
		    !(is_free && !chain_count_rules(chain, p->family) && !chain_count_foreign(chain, p->family)))
			chains[n++] = chain;
	}
	if (p->rs->layout == LAYOUT_IPTABLES)
		qsort(chains, n, sizeof(*chains), compare_names);
	for (unsigned c = 0; c < n; c++)
		print_chain(p, id, chains[c]);
	if (!n && p->backend != IPTABLES_LEGACY)
		print_item(p, id, "");
}

char *words_print(enum backend_index backend, const struct ruleset *rs)
{
	struct printer p = { .backend = backend, .rs = rs, .separator = "" };
	char *text = NULL;
	size_t len;

	p.out = open_memstream(&text, &len);
	for (unsigned age = 0; age <= UINT8_MAX; age++)
		for (enum table_id t = 0; t < TABLES; t++)
			for (enum family f = 0; f < FAMILIES; f++) {
				p.family = rs->layout == LAYOUT_NATIVE ? FAMILIES : f;
				if (rs->tables[t].present & FAMILY_BIT(f) &&
				    (rs->layout == LAYOUT_NATIVE ? rs->tables[t].age[f] : 0) == age)
					print_table(&p, t);
				if (rs->layout == LAYOUT_NATIVE)
					break;
			}
	fclose(p.out);
	return text;
}
