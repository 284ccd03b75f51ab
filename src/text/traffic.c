/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "proto.h"
#include "traffic_parts.h"
#include "util.h"

/* Longer lists are cut, with a count. */
#define ITEMS_SHOWN 8

/* Where fates begin, if the packet leaves room. */
#define FATE_COLUMN 72

const char *const traffic_key_names[TRAFFIC_KEYS] = {
	[TRAFFIC_PROTO] = "proto", [TRAFFIC_SRC] = "src",   [TRAFFIC_SPORT] = "sport", [TRAFFIC_DST] = "dst",
	[TRAFFIC_DPORT] = "dport", [TRAFFIC_UID] = "uid",   [TRAFFIC_GID] = "gid",     [TRAFFIC_IIF] = "iif",
	[TRAFFIC_OIF] = "oif",     [TRAFFIC_MARK] = "mark",
};

static void print_range(FILE *out, const struct range *range)
{
	fprintf(out, "%u", range->lo);
	if (range->hi != range->lo)
		fprintf(out, "-%u", range->hi);
}

void traffic_print_item(FILE *out, enum traffic_key key, const struct traffic_item *item)
{
	char text[PREFIX_TEXT_MAX], number[PROTO_TEXT_MAX];

	switch (key) {
	case TRAFFIC_SRC:
	case TRAFFIC_DST:
		if (item->prefix.len == family_addr_len(item->prefix.family) * 8)
			fputs(addr_text(item->prefix.family, item->prefix.addr, text), out);
		else
			fputs(prefix_text(&item->prefix, text), out);
		break;
	case TRAFFIC_IIF:
	case TRAFFIC_OIF:
		escape_name(out, item->iface.name, ",");
		break;
	case TRAFFIC_MARK:
		fprintf(out, "0x%x", item->mark.value);
		if (item->mark.mask != UINT32_MAX)
			fprintf(out, "/0x%x", item->mark.mask);
		break;
	case TRAFFIC_PROTO:
		if (item->range.lo == item->range.hi)
			fputs(proto_name(item->range.lo, number), out);
		else
			print_range(out, &item->range);
		break;
	default:
		print_range(out, &item->range);
	}
}

void traffic_print_items(FILE *out, enum traffic_key key, const struct traffic_list *list)
{
	const char *before = "";

	if (list->none) {
		fputs("none", out);
		before = ",";
	}
	for (unsigned i = 0; i < list->n && i < ITEMS_SHOWN; i++) {
		fputs(before, out);
		traffic_print_item(out, key, &list->items[i]);
		before = ",";
	}
	if (list->n > ITEMS_SHOWN)
		fprintf(out, ",(%u more)", list->n - ITEMS_SHOWN);
}

static void print_list(FILE *out, enum traffic_key key, const struct traffic_list *list)
{
	if (list->any)
		return;
	fprintf(out, " %s%s", traffic_key_names[key], list->not ? "!=" : "=");
	traffic_print_items(out, key, list);
	if (list->n_except) {
		fprintf(out, " %s!=", traffic_key_names[key]);
		traffic_print_items(out, key, &(struct traffic_list){ .n = list->n_except, .items = list->except });
	}
}

static void print_class(FILE *out, const struct traffic_class *class)
{
	fputs(class->hook == HOOK_OUTPUT ? "out" : "in", out);
	if (class->families != FAMILY_BOTH)
		fprintf(out, " %s", family_name(traffic_family(class)));
	for (enum traffic_key k = 0; k < TRAFFIC_KEYS; k++)
		print_list(out, k, &class->keys[k]);
}

void traffic_print_decision(FILE *out, const struct decision *at, enum family family, enum layout layout)
{
	struct explain_step step = { .table = at->table, .chain = at->chain->name, .rule = *at->rule };

	step.rule.unknown = 0;
	text_print_decider(out, &(struct explanation){ .steps = &step, .n_steps = 1 }, family, layout);
	if (at->rule->unread) {
		fputs(" [", out);
		escape_print(out, at->rule->unread, "");
		fputc(']', out);
	}
}

void traffic_print_reason(FILE *out, const struct traffic_fate *fate, enum family family, enum layout layout)
{
	if (fate->origin)
		fprintf(out, " (%s)", fate->origin);
	if (!fate->decision.rule)
		return;
	fputs(" (", out);
	traffic_print_decision(out, &fate->decision, family, layout);
	fputc(')', out);
}

void traffic_print_unless(FILE *out, const struct traffic_fate *fate, enum family family, enum layout layout)
{
	for (unsigned i = 0; i < fate->n_doubts; i++) {
		fputs(i ? " or " : "may be decided by ", out);
		traffic_print_decision(out, &fate->doubts[i], family, layout);
	}
	if (fate->n_doubts)
		fputs(", which istio-init cannot read; else ", out);
}

struct explanation traffic_explanation(const struct traffic_fate *fate)
{
	struct explanation e = {
		.fate = fate->fate,
		.port = fate->port,
		.has_addr = fate->has_addr,
		.foreign = fate->foreign,
		.retargeted = fate->retargeted,
		.mark = fate->mark,
		.route_table = fate->route_table,
	};

	memcpy(e.addr, fate->addr, sizeof(e.addr));
	return e;
}

static void print_fate(FILE *out, const struct traffic_fate *fate, enum family family, enum layout layout,
		       const struct listeners *listeners)
{
	struct explanation e = traffic_explanation(fate);

	traffic_print_unless(out, fate, family, layout);
	text_print_fate(out, &e, family, listeners);
	traffic_print_reason(out, fate, family, layout);
}

void text_print_traffic(FILE *out, const struct traffic *traffic, enum layout layout, const struct listeners *listeners)
{
	for (unsigned i = 0; i < traffic->n; i++) {
		const struct traffic_class *class = &traffic->classes[i];
		auto_free char *text = NULL;
		size_t len = 0;
		FILE *line = xchecked(open_memstream(&text, &len));

		print_class(line, class);
		fclose(line);
		fprintf(out, "%-*s  ", FATE_COLUMN, text);
		print_fate(out, &class->fate, traffic_family(class), layout, listeners);
		fputc('\n', out);
	}
}
