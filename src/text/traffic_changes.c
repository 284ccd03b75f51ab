/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which packets are treated differently: for a person. */
#include <stdlib.h>

#include "explain_parts.h"
#include "traffic_parts.h"
#include "util.h"

/* Where what becomes of them begins, at most. */
#define CHANGE_COLUMN 110

static void print_words(FILE *out, const char *name, enum traffic_key key, const struct traffic_list *list)
{
	if (list->any)
		return;
	fprintf(out, ", %s%s", name, list->not ? "not " : "");
	traffic_print_items(out, key, list);
	if (list->n_except) {
		fputs(" but not ", out);
		traffic_print_items(out, key, &(struct traffic_list){ .n = list->n_except, .items = list->except });
	}
}

static bool is_one(const struct traffic_list *list)
{
	return !list->any && !list->not &&list->n == 1;
}

/* "10.0.0.0/8:443", where both are one. */
static void print_destination(FILE *out, const struct traffic_list *addrs, const struct traffic_list *ports)
{
	bool one = is_one(addrs) && is_one(ports), v6 = one && addrs->items[0].prefix.family == IPV6;

	if (!one) {
		print_words(out, "", TRAFFIC_DST, addrs);
		print_words(out, "port ", TRAFFIC_DPORT, ports);
		return;
	}
	fputs(v6 ? ", [" : ", ", out);
	traffic_print_items(out, TRAFFIC_DST, addrs);
	fputs(v6 ? "]:" : ":", out);
	traffic_print_items(out, TRAFFIC_DPORT, ports);
}

static void print_packets(FILE *out, const struct traffic_class *class)
{
	const struct traffic_list *keys = class->keys;

	if (!keys[TRAFFIC_PROTO].any) {
		fputs(keys[TRAFFIC_PROTO].not ? "not " : "", out);
		traffic_print_items(out, TRAFFIC_PROTO, &keys[TRAFFIC_PROTO]);
	} else {
		fputs("all", out);
	}
	fputs(class->hook == HOOK_OUTPUT ? " out" : " in", out);
	if (class->families != FAMILY_BOTH && keys[TRAFFIC_SRC].any && keys[TRAFFIC_DST].any)
		fprintf(out, " %s", family_name(traffic_family(class)));
	print_words(out, "uid ", TRAFFIC_UID, &keys[TRAFFIC_UID]);
	print_words(out, "gid ", TRAFFIC_GID, &keys[TRAFFIC_GID]);
	print_words(out, "from ", TRAFFIC_SRC, &keys[TRAFFIC_SRC]);
	print_words(out, "source port ", TRAFFIC_SPORT, &keys[TRAFFIC_SPORT]);
	print_destination(out, &keys[TRAFFIC_DST], &keys[TRAFFIC_DPORT]);
	print_words(out, "iif ", TRAFFIC_IIF, &keys[TRAFFIC_IIF]);
	print_words(out, "oif ", TRAFFIC_OIF, &keys[TRAFFIC_OIF]);
	print_words(out, "mark ", TRAFFIC_MARK, &keys[TRAFFIC_MARK]);
}

static bool is_captured(const struct traffic_fate *fate, const struct listeners *listeners)
{
	return (fate->fate == FATE_REDIRECTED || fate->fate == FATE_TPROXIED) &&
	       (!fate->foreign || explain_port_owner(fate->port, listeners));
}

/* Of two ways of capture it says which; else the one word is enough. */
static void print_way(FILE *out, const struct traffic_fate *fate, const struct traffic_fate *other, enum family family,
		      const struct listeners *listeners)
{
	struct explanation e = traffic_explanation(fate);

	if (fate->fate == FATE_PASSES || fate->fate == FATE_DROPPED) {
		fputs(fate->fate == FATE_PASSES ? "passes" : "dropped", out);
		return;
	}
	if (!is_captured(fate, listeners)) {
		text_print_fate(out, &e, family, listeners);
		return;
	}
	fputs("captured", out);
	if (!is_captured(other, listeners))
		return;
	fprintf(out, " to :%u", fate->port);
	if (fate->fate != other->fate)
		fprintf(out, " by %s", fate->fate == FATE_TPROXIED ? "TPROXY" : "REDIRECT");
	if (fate->fate == FATE_TPROXIED && other->fate == FATE_TPROXIED && fate->mark != other->mark)
		fprintf(out, " with mark 0x%x", fate->mark);
	if (fate->retargeted)
		fputs(", but nat then changes the destination", out);
}

static void print_fate(FILE *out, const struct traffic_fate *fate, const struct traffic_fate *other, enum family family,
		       const struct listeners *listeners)
{
	print_way(out, fate, other, family, listeners);
	if (fate->zone != other->zone)
		fprintf(out, " in conntrack zone %u", fate->zone);
}

void traffic_print_doubts(FILE *out, const struct traffic *traffic, enum layout layout)
{
	for (unsigned i = 0; i < traffic->n_doubts; i++) {
		const struct decision *at = &traffic->doubts[i];

		fputs("  unless it is decided otherwise by ", out);
		traffic_print_decision(out, at, at->rule->families & FAMILY_BIT(IPV4) ? IPV4 : IPV6, layout);
		fputs(", which istio-init cannot read\n", out);
	}
}

void text_print_changes(FILE *out, const struct traffic *traffic, const struct text_change *change)
{
	char **packets = xcalloc(traffic->n, sizeof(*packets));
	size_t column = 0, len;

	for (unsigned i = 0; i < traffic->n; i++) {
		FILE *line = xchecked(open_memstream(&packets[i], &len));

		print_packets(line, &traffic->classes[i]);
		fputc(':', line);
		fclose(line);
		if (len > column && len <= CHANGE_COLUMN)
			column = len;
	}
	for (unsigned i = 0; i < traffic->n; i++) {
		const struct traffic_class *class = &traffic->classes[i];
		enum family family = traffic_family(class);

		fprintf(out, "%-*s ", (int)column, packets[i]);
		traffic_print_unless(out, &class->fate, family, change->from);
		print_fate(out, &class->fate, &class->to, family, &change->listeners);
		traffic_print_reason(out, &class->fate, family, change->from);
		fputs(" → ", out);
		print_fate(out, &class->to, &class->fate, family, &change->listeners);
		traffic_print_reason(out, &class->to, family, change->to);
		fputc('\n', out);
		free(packets[i]);
	}
	free(packets);
	traffic_print_doubts(out, traffic, change->from);
}
