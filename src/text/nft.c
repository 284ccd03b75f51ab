/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spelling and order are those of nft -s list table (nftables 1.0.6; 1.1 differs in names of priorities). */
#include <string.h>

#include "escape.h"
#include "merge.h"
#include "proto.h"
#include "text.h"
#include "util.h"

/* What nft calls the place of a base chain. */
static const struct {
	const char *type, *priority;
} places[TABLES][HOOK_NONE] = {
	[TABLE_MANGLE] = { [HOOK_PREROUTING] = { "filter", "mangle" }, [HOOK_OUTPUT] = { "route", "mangle" } },
	[TABLE_NAT] = { [HOOK_PREROUTING] = { "nat", "dstnat" }, [HOOK_OUTPUT] = { "nat", "-100" } },
	[TABLE_RAW] = { [HOOK_PREROUTING] = { "filter", "raw" }, [HOOK_OUTPUT] = { "filter", "raw" } },
};

static const char *const hooks[HOOK_NONE] = { [HOOK_PREROUTING] = "prerouting", [HOOK_OUTPUT] = "output" };

static void print_prefix(FILE *out, const struct prefix *prefix)
{
	char text[PREFIX_TEXT_MAX];

	if (prefix->len == 8 * family_addr_len(prefix->family))
		fputs(addr_text(prefix->family, prefix->addr, text), out);
	else
		fputs(prefix_text(prefix, text), out);
}

static void print_span(FILE *out, const struct span *span, enum family family)
{
	char text[ADDR_TEXT_MAX];
	struct prefix prefix;

	if (span_prefix(span, family, &prefix)) {
		print_prefix(out, &prefix);
		return;
	}
	fprintf(out, "%s-", addr_text(family, span->first, text));
	fputs(addr_text(family, span->last, text), out);
}

static void print_prefixes(FILE *out, const struct match *m)
{
	enum family family = m->prefixes->family;
	struct span span;
	uint32_t at = 0;

	if (match_is_single(m)) {
		for (uint32_t i = 0; i < m->n; i++) {
			fputs(i ? ", " : m->n > 1 ? "{ " : "", out);
			print_prefix(out, &m->prefixes[i]);
		}
		fputs(m->n > 1 ? " }" : "", out);
		return;
	}
	prefixes_next_span(m->prefixes, m->n, &at, &span);
	if (at == m->n) {
		print_span(out, &span, family);
		return;
	}
	fputs("{ ", out);
	print_span(out, &span, family);
	while (prefixes_next_span(m->prefixes, m->n, &at, &span)) {
		fputs(", ", out);
		print_span(out, &span, family);
	}
	fputs(" }", out);
}

static void print_ranges(FILE *out, const struct match *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		fputs(i ? ", " : m->n > 1 ? "{ " : "", out);
		fprintf(out, "%u", m->ranges[i].lo);
		if (m->ranges[i].hi != m->ranges[i].lo)
			fprintf(out, "-%u", m->ranges[i].hi);
	}
	fputs(m->n > 1 ? " }" : "", out);
}

static void print_ifaces(FILE *out, const struct match *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		const char *name = m->ifaces[i].name;
		bool wildcard = iface_is_wildcard(&m->ifaces[i]);
		size_t stem = strlen(name) - wildcard;
		char text[sizeof(m->ifaces[i].name)];
		/* A star at the end that is only a star. */
		const char *end = wildcard ? "*" : stem && name[stem - 1] == '*' ? "\\*" : "";

		fputs(i ? ", " : m->n > 1 ? "{ " : "", out);
		memcpy(text, name, stem);
		text[*end == '\\' ? stem - 1 : stem] = '\0';
		fputc('"', out);
		escape_print(out, text, "\"\\");
		fprintf(out, "%s\"", end);
	}
	fputs(m->n > 1 ? " }" : "", out);
}

static void print_ctstates(FILE *out, uint32_t states)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = { { CTSTATE_INVALID, "invalid" },
		      { CTSTATE_ESTABLISHED, "established" },
		      { CTSTATE_RELATED, "related" },
		      { CTSTATE_NEW, "new" } };
	const char *sep = "";

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (states & names[i].bit) {
			fprintf(out, "%s%s", sep, names[i].name);
			sep = ",";
		}
}

static void print_mark(FILE *out, const char *key, const struct match *m)
{
	if (m->mark.mask == UINT32_MAX)
		fprintf(out, "%s %s0x%08x", key, m->invert ? "!= " : "", m->mark.value);
	else
		fprintf(out, "%s & 0x%08x %s 0x%08x", key, m->mark.mask, m->invert ? "!=" : "==", m->mark.value);
}

static void print_tcp_flag_names(FILE *out, uint32_t flags)
{
	const char *sep = "";

	for (unsigned i = 0; i < TCP_FLAG_NAMES; i++)
		if (flags & 1u << i) {
			fprintf(out, "%s%s", sep, tcp_flag_names[i]);
			sep = ",";
		}
}

/* Of those that are looked at, none is set ("! syn,ack"), or some (inverted); or these, and no other. */
static void print_tcp_flags(FILE *out, const struct match *m)
{
	fputs("tcp flags ", out);
	if (m->mark.value) {
		fputs(m->invert ? "!= " : "", out);
		print_tcp_flag_names(out, m->mark.value);
		fputs(" / ", out);
	} else {
		fputs(m->invert ? "" : "! ", out);
	}
	print_tcp_flag_names(out, m->mark.mask);
}

/* Whether a match of the rule names the protocol anyway ("tcp dport"). */
static bool has_transport(const struct rule *rule)
{
	return rule_match(rule, MATCH_SPORT) || rule_match(rule, MATCH_DPORT) || rule_match(rule, MATCH_TCP_FLAGS);
}

static void print_match(FILE *out, const struct match *m, const char *proto)
{
	const char *not = m->invert ? "!= " : "";

	switch ((enum match_kind)m->kind) {
	case MATCH_NFPROTO:
		fprintf(out, "meta nfproto %s%s", not, family_name(m->proto));
		break;
	case MATCH_SRC:
	case MATCH_DST:
		fprintf(out, "%s %caddr %s", family_nft(m->prefixes->family), m->kind == MATCH_SRC ? 's' : 'd', not );
		print_prefixes(out, m);
		break;
	case MATCH_IIF:
	case MATCH_OIF:
		fprintf(out, "%cifname %s", m->kind == MATCH_IIF ? 'i' : 'o', not );
		print_ifaces(out, m);
		break;
	case MATCH_PROTO:
		fprintf(out, "meta l4proto %s%s", not, proto);
		break;
	case MATCH_SPORT:
	case MATCH_DPORT:
		fprintf(out, "%s %cport %s", proto, m->kind == MATCH_SPORT ? 's' : 'd', not );
		print_ranges(out, m);
		break;
	case MATCH_TCP_FLAGS:
		print_tcp_flags(out, m);
		break;
	case MATCH_UID:
	case MATCH_GID:
		fprintf(out, "meta sk%cid %s", m->kind == MATCH_UID ? 'u' : 'g', not );
		print_ranges(out, m);
		break;
	case MATCH_CTSTATE:
		fprintf(out, "ct state %s", m->invert ? "! " : "");
		print_ctstates(out, m->ctstates);
		break;
	case MATCH_MARK:
		print_mark(out, "meta mark", m);
		break;
	case MATCH_CONNMARK:
		print_mark(out, "ct mark", m);
		break;
	}
}

/* An address says which family is meant, and so does a test of the family. */
static bool names_family(const struct rule *rule)
{
	for (unsigned i = 0; i < rule->n_matches; i++)
		if (rule->matches[i].kind <= MATCH_DST)
			return true;
	return rule->families == FAMILY_BOTH;
}

static enum family rule_family(const struct rule *rule)
{
	return rule->families & FAMILY_BIT(IPV4) ? IPV4 : IPV6;
}

static void print_matches(FILE *out, const struct rule *rule)
{
	bool named = has_transport(rule);
	const char *proto = "tcp", *sep = "";
	char number[PROTO_TEXT_MAX];

	if (!names_family(rule)) {
		fprintf(out, "meta nfproto %s", family_name(rule_family(rule)));
		sep = " ";
	}
	for (unsigned i = 0; i < rule->n_matches; i++) {
		if (rule->matches[i].kind == MATCH_PROTO) {
			proto = proto_name(rule->matches[i].proto, number);
			if (named)
				continue;
		}
		fputs(sep, out);
		print_match(out, &rule->matches[i], proto);
		sep = " ";
	}
	fputs(sep, out);
}

static void print_target(FILE *out, const struct rule *rule)
{
	const struct target *t = &rule->target;

	switch ((enum target_kind)t->kind) {
	case TARGET_RETURN:
		fputs(" return", out);
		break;
	case TARGET_ACCEPT:
		fputs(" accept", out);
		break;
	case TARGET_DROP:
		fputs(" drop", out);
		break;
	case TARGET_JUMP:
	case TARGET_GOTO:
		fputs(t->kind == TARGET_JUMP ? " jump " : " goto ", out);
		escape_name(out, t->chain, TEXT_NFT_UNSAFE);
		break;
	case TARGET_REDIRECT:
		fprintf(out, " redirect to :%u", t->port);
		break;
	case TARGET_TPROXY:
		/* nft wants the family to be said where another match has said it. */
		fprintf(out, " tproxy %sto :%u meta mark set 0x%08x accept",
			rule->families == FAMILY_BOTH ? "" :
			rule_family(rule) == IPV4     ? "ip " :
							"ip6 ",
			t->port, t->mark.value);
		break;
	case TARGET_MARK:
		fprintf(out, " meta mark set 0x%08x", t->mark.value);
		break;
	case TARGET_CONNMARK_SAVE:
		fputs(" ct mark set meta mark", out);
		break;
	case TARGET_CONNMARK_RESTORE:
		fputs(" meta mark set ct mark", out);
		break;
	case TARGET_CT_ZONE:
		fprintf(out, " ct zone set %u", t->zone);
		break;
	case TARGET_DNAT: /* not read there */
	case TARGET_SNAT:
	case TARGET_NONE:
	case TARGET_UNKNOWN:
		break;
	}
}

void text_print_nft_rule(FILE *out, const struct rule *rule, bool counters)
{
	print_matches(out, rule);
	fputs("counter", out);
	if (counters)
		fprintf(out, " packets %llu bytes %llu", (unsigned long long)rule->packets,
			(unsigned long long)rule->bytes);
	print_target(out, rule);
	if (rule->comment) {
		fputs(" comment \"", out);
		escape_print(out, rule->comment, "\"\\");
		fputc('"', out);
	}
	/* Not a line for nft: nobody can mistake it for the whole rule. */
	if (rule->unknown)
		text_print_unread(out, rule->unread);
}

const char *text_nft_chain_name(const struct chain *chain)
{
	return chain->hook == HOOK_NONE ? chain->name : hooks[chain->hook];
}

void text_print_table_name(FILE *out, const struct ruleset *rs, enum table_id table)
{
	fprintf(out, "%s%s", rs->layout == LAYOUT_NATIVE ? rs->stem : "", table_name(table));
}

static void print_chain(FILE *out, const struct chain *chain, enum table_id table, const struct text_options *options)
{
	fputs("\tchain ", out);
	escape_name(out, text_nft_chain_name(chain), TEXT_NFT_UNSAFE);
	fputs(" {\n", out);
	if (chain->hook != HOOK_NONE)
		fprintf(out, "\t\ttype %s hook %s priority %s; policy accept;\n", places[table][chain->hook].type,
			hooks[chain->hook], places[table][chain->hook].priority);
	if (chain->misplaced)
		fputs("\t\t# not hooked in as its name says\n", out);
	for (unsigned i = 0; i < chain->n_rules; i++) {
		if (!(chain->rules[i].families & options->families))
			continue;
		fputs("\t\t", out);
		text_print_nft_rule(out, &chain->rules[i], options->counters);
		fputc('\n', out);
	}
	fputs("\t}\n", out);
}

void text_print_nft(FILE *out, const struct ruleset *rs, const struct text_options *options)
{
	for (enum table_id t = 0; t < TABLES; t++) {
		const struct table *table = &rs->tables[t];
		const char *sep = "";

		if (!table->n_chains && !table->present)
			continue;
		fputs("table inet ", out);
		text_print_table_name(out, rs, t);
		fputs(" {\n", out);
		if (table->strange)
			fputs("\t# dormant, or owned by another program\n", out);
		for (unsigned i = 0; i < table->n_chains; i++) {
			fputs(sep, out);
			print_chain(out, &table->chains[i], t, options);
			sep = "\n";
		}
		fputs("}\n", out);
	}
}
