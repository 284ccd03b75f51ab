/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spelling and order are those of iptables-save (iptables 1.8). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "proto.h"
#include "text.h"
#include "util.h"

static void print_range(FILE *out, const struct range *range, char sep)
{
	fprintf(out, "%u", range->lo);
	if (range->hi != range->lo)
		fprintf(out, "%c%u", sep, range->hi);
}

static void print_mark(FILE *out, const struct mark *mark)
{
	fprintf(out, " 0x%x", mark->value);
	if (mark->mask != UINT32_MAX)
		fprintf(out, "/0x%x", mark->mask);
}

static void print_ctstates(FILE *out, uint32_t states)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = { { CTSTATE_INVALID, "INVALID" },
		      { CTSTATE_NEW, "NEW" },
		      { CTSTATE_RELATED, "RELATED" },
		      { CTSTATE_ESTABLISHED, "ESTABLISHED" } };
	const char *sep = " ";

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (states & names[i].bit) {
			fprintf(out, "%s%s", sep, names[i].name);
			sep = ",";
		}
}

/* One -m owner a number: a list is inverted, all of it in one rule. */
static void print_owners(FILE *out, const struct match *m, bool first)
{
	for (uint32_t i = 0; i < m->n; i++) {
		if (first || i)
			fprintf(out, " -m owner");
		fprintf(out, "%s --%cid-owner ", m->invert ? " !" : "", m->kind == MATCH_UID ? 'u' : 'g');
		print_range(out, &m->ranges[i], '-');
	}
}

static void print_ports(FILE *out, const struct match *m, const char *proto, bool *implicit)
{
	char side = m->kind == MATCH_SPORT ? 's' : 'd';

	if (m->n > 1) {
		fprintf(out, " -m multiport%s --%cports ", m->invert ? " !" : "", side);
		for (uint32_t i = 0; i < m->n; i++) {
			if (i)
				fputc(',', out);
			print_range(out, &m->ranges[i], ':');
		}
		return;
	}
	if (!*implicit)
		fprintf(out, " -m %s", proto);
	*implicit = true;
	fprintf(out, "%s --%cport ", m->invert ? " !" : "", side);
	print_range(out, m->ranges, ':');
}

static void print_tcp_flag_names(FILE *out, uint32_t flags)
{
	const char *sep = " ";

	for (unsigned i = 0; i < TCP_FLAG_NAMES; i++)
		if (flags & 1u << i) {
			fputs(sep, out);
			for (const char *c = tcp_flag_names[i]; *c; c++)
				fputc(toupper((unsigned char)*c), out);
			sep = ",";
		}
	if (!flags)
		fputs(" NONE", out);
}

static void print_tcp_flags(FILE *out, const struct match *m, bool *implicit)
{
	if (!*implicit)
		fputs(" -m tcp", out);
	*implicit = true;
	fprintf(out, "%s --tcp-flags", m->invert ? " !" : "");
	print_tcp_flag_names(out, m->mark.mask);
	print_tcp_flag_names(out, m->mark.value);
}

/* As xtables_save_string of libxtables quotes. */
static void print_comment(FILE *out, const char *comment)
{
	size_t plain = strspn(comment, "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	fprintf(out, " -m comment --comment ");
	if (plain && !comment[plain]) {
		fputs(comment, out);
		return;
	}
	fputc('"', out);
	escape_print(out, comment, "\"\\'");
	fputc('"', out);
}

static void print_matches(FILE *out, const struct rule *rule)
{
	char text[PREFIX_TEXT_MAX], number[PROTO_TEXT_MAX];
	const char *proto = "tcp";
	bool implicit = false, owner = false;

	for (unsigned i = 0; i < rule->n_matches; i++) {
		const struct match *m = &rule->matches[i];
		const char *not = m->invert ? " !" : "";

		switch ((enum match_kind)m->kind) {
		case MATCH_NFPROTO:
			break;
		case MATCH_SRC:
		case MATCH_DST:
			fprintf(out, "%s -%c ", not, m->kind == MATCH_SRC ? 's' : 'd');
			for (uint32_t k = 0; k < m->n; k++)
				fprintf(out, "%s%s", k ? "," : "", prefix_text(&m->prefixes[k], text));
			break;
		case MATCH_IIF:
		case MATCH_OIF:
			fprintf(out, "%s -%c ", not, m->kind == MATCH_IIF ? 'i' : 'o');
			escape_name(out, m->ifaces->name, "");
			break;
		case MATCH_PROTO:
			proto = proto_name(m->proto, number);
			fprintf(out, "%s -p %s", not, proto);
			break;
		case MATCH_SPORT:
		case MATCH_DPORT:
			print_ports(out, m, proto, &implicit);
			break;
		case MATCH_TCP_FLAGS:
			print_tcp_flags(out, m, &implicit);
			break;
		case MATCH_UID:
		case MATCH_GID:
			print_owners(out, m, !owner);
			owner = true;
			break;
		case MATCH_CTSTATE:
			fprintf(out, " -m conntrack%s --ctstate", not );
			print_ctstates(out, m->ctstates);
			break;
		case MATCH_MARK:
		case MATCH_CONNMARK:
			fprintf(out, " -m %s%s --mark", m->kind == MATCH_MARK ? "mark" : "connmark", not );
			print_mark(out, &m->mark);
			break;
		}
	}
	if (rule->comment)
		print_comment(out, rule->comment);
}

/* An IPv6 address before a port stands in brackets. */
static void print_translation(FILE *out, const struct target *t, enum family family)
{
	bool brackets = t->addr && t->port && family == IPV6;
	char text[ADDR_TEXT_MAX];

	fputs(t->kind == TARGET_DNAT ? " -j DNAT --to-destination " : " -j SNAT --to-source ", out);
	if (t->addr)
		fprintf(out, "%s%s%s", brackets ? "[" : "", addr_text(family, t->addr, text), brackets ? "]" : "");
	if (t->port)
		fprintf(out, ":%u", t->port);
}

static void print_target(FILE *out, const struct target *t, enum family family)
{
	switch ((enum target_kind)t->kind) {
	case TARGET_RETURN:
		fputs(" -j RETURN", out);
		break;
	case TARGET_ACCEPT:
		fputs(" -j ACCEPT", out);
		break;
	case TARGET_DROP:
		fputs(" -j DROP", out);
		break;
	case TARGET_JUMP:
	case TARGET_GOTO:
		fprintf(out, " -%c ", t->kind == TARGET_JUMP ? 'j' : 'g');
		escape_name(out, t->chain, "");
		break;
	case TARGET_REDIRECT:
		fprintf(out, " -j REDIRECT --to-ports %u", t->port);
		break;
	case TARGET_TPROXY:
		fprintf(out, " -j TPROXY --on-port %u --on-ip %s --tproxy-mark 0x%x/0x%x", t->port,
			family == IPV4 ? "0.0.0.0" : "::", t->mark.value, t->mark.mask);
		break;
	case TARGET_MARK:
		fprintf(out, " -j MARK --set-xmark 0x%x/0x%x", t->mark.value, t->mark.mask);
		break;
	case TARGET_CONNMARK_SAVE:
	case TARGET_CONNMARK_RESTORE:
		fprintf(out, " -j CONNMARK --%s-mark --nfmask 0xffffffff --ctmask 0xffffffff",
			t->kind == TARGET_CONNMARK_SAVE ? "save" : "restore");
		break;
	case TARGET_CT_ZONE:
		fprintf(out, " -j CT --zone %u", t->zone);
		break;
	case TARGET_DNAT:
	case TARGET_SNAT:
		print_translation(out, t, family);
		break;
	case TARGET_NONE:
	case TARGET_UNKNOWN:
		break;
	}
}

void text_print_iptables_rule(FILE *out, const char *chain, const struct rule *rule, enum family family)
{
	fputs("-A ", out);
	escape_name(out, chain, "");
	print_matches(out, rule);
	print_target(out, &rule->target, family);
	/* Not a line for iptables-restore: nobody can mistake it for the whole rule. */
	if (rule->unknown)
		text_print_unread(out, rule->unread);
}

static int compare_chains(const void *a, const void *b)
{
	const struct chain *x = *(const struct chain *const *)a, *y = *(const struct chain *const *)b;

	if (x->hook != y->hook)
		return (int)x->hook - (int)y->hook;
	return strcmp(x->name, y->name);
}

const struct chain **text_sort_chains(const struct ruleset *rs, const struct table *table)
{
	const struct chain **chains = xcalloc(table->n_chains, sizeof(*chains));

	for (unsigned i = 0; i < table->n_chains; i++)
		chains[i] = &table->chains[i];
	if (rs->layout == LAYOUT_IPTABLES)
		qsort(chains, table->n_chains, sizeof(*chains), compare_chains);
	return chains;
}

static void print_table(FILE *out, const struct ruleset *rs, enum table_id id, enum family family, bool counters)
{
	const struct table *table = &rs->tables[id];
	auto_free const struct chain **chains = text_sort_chains(rs, table);
	const struct rule *rule;
	struct chain_iter it;

	fprintf(out, "*%s\n", table_name(id));
	if (table->strange & FAMILY_BIT(family))
		fputs("# the table is dormant, or owned by another program\n", out);
	for (unsigned i = 0; i < table->n_chains; i++)
		if (chain_is_ours(rs, chains[i]) && chain_has_family(chains[i], family)) {
			fputc(':', out);
			escape_name(out, chains[i]->name, "");
			fputs(" - [0:0]\n", out);
		}
	for (unsigned i = 0; i < table->n_chains; i++) {
		if (chains[i]->misplaced & FAMILY_BIT(family) && chain_count_rules(chains[i], family))
			fprintf(out, "# chain %s is not hooked in as its name says\n", chains[i]->name);
		chain_iter_init(&it, chains[i], family);
		while ((rule = chain_iter_next(&it))) {
			if (rule->owner == RULE_FOREIGN)
				continue;
			if (counters)
				fprintf(out, "[%llu:%llu] ", (unsigned long long)rule->packets,
					(unsigned long long)rule->bytes);
			text_print_iptables_rule(out, chains[i]->name, rule, family);
			fputc('\n', out);
		}
	}
	fputs("COMMIT\n", out);
}

/* Whether the table has something of ours for the family. */
static bool table_is_shown(const struct ruleset *rs, enum table_id id, enum family family)
{
	const struct table *table = &rs->tables[id];

	for (unsigned c = 0; c < table->n_chains; c++)
		if (chain_has_family(&table->chains[c], family) &&
		    (chain_is_ours(rs, &table->chains[c]) || chain_count_rules(&table->chains[c], family)))
			return true;
	return false;
}

void text_print_iptables(FILE *out, const struct ruleset *rs, const struct text_options *options)
{
	for (enum family f = 0; f < FAMILIES; f++) {
		if (!(options->families & (rs->families | options->empty) & FAMILY_BIT(f)))
			continue;
		fprintf(out, "# %s\n", family_name(f));
		for (enum table_id t = 0; t < TABLES; t++)
			if (table_is_shown(rs, t, f))
				print_table(out, rs, t, f, options->counters);
	}
}
