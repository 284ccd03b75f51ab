/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of traffic as JSON documents: lists are whole, and say which values a packet has, not which it has not. */
#include <netinet/in.h>
#include <stdlib.h>

#include "explain_parts.h"
#include "merge.h"
#include "traffic_parts.h"
#include "util.h"

static void put_number(struct emit *em, const struct range *range)
{
	if (range->lo == range->hi) {
		emit_number(em, NULL, range->lo);
		return;
	}
	fprintf(emit_print(em), "%u-%u", range->lo, range->hi);
	emit_printed(em, NULL);
}

/* All that are neither TCP nor UDP are "other", some of them as they are. */
static void put_protos(struct emit *em, const struct traffic_item *items, unsigned n)
{
	uint32_t others = 256 - 2;

	for (unsigned i = 0; i < n; i++) {
		const struct range *range = &items[i].range;

		others -= range->hi - range->lo + 1;
		for (uint32_t proto = range->lo; proto <= range->hi; proto++)
			if (proto == IPPROTO_TCP || proto == IPPROTO_UDP) {
				emit_string(em, NULL, proto == IPPROTO_TCP ? "tcp" : "udp");
				others++;
			}
	}
	if (!others)
		emit_string(em, NULL, "other");
	for (unsigned i = 0; i < n && others; i++)
		for (uint32_t proto = items[i].range.lo; proto <= items[i].range.hi; proto++)
			if (proto != IPPROTO_TCP && proto != IPPROTO_UDP) {
				traffic_print_item(emit_print(em), TRAFFIC_PROTO,
						   &(struct traffic_item){ .range = { proto, proto } });
				emit_printed(em, NULL);
			}
}

/* All values but those of the list, which ascends. */
static struct traffic_item *other_numbers(const struct traffic_list *list, uint32_t max, unsigned *n)
{
	struct traffic_item *items = NULL;
	uint64_t next = 0;

	for (unsigned i = 0; i <= list->n; i++) {
		uint64_t end = i < list->n ? list->items[i].range.lo : (uint64_t)max + 1;

		if (next < end)
			((struct traffic_item *)array_push(&items, n, sizeof(*items)))->range =
				(struct range){ (uint32_t)next, (uint32_t)(end - 1) };
		if (i < list->n)
			next = (uint64_t)list->items[i].range.hi + 1;
	}
	return items;
}

static struct traffic_item *other_prefixes(const struct traffic_list *list, unsigned families, unsigned *n)
{
	auto_free struct prefix *prefixes = xcalloc(list->n, sizeof(*prefixes)), *others = NULL;
	struct traffic_item *items;

	for (enum family f = 0; f < FAMILIES; f++) {
		unsigned n_prefixes = 0;

		for (unsigned i = 0; i < list->n; i++)
			if (list->items[i].prefix.family == f)
				prefixes[n_prefixes++] = list->items[i].prefix;
		if (families & FAMILY_BIT(f))
			prefixes_invert(prefixes, n_prefixes, f, &others, n);
	}
	items = xcalloc(*n, sizeof(*items));
	for (unsigned i = 0; i < *n; i++)
		items[i].prefix = others[i];
	return items;
}

static struct traffic_item *list_others(enum traffic_key key, const struct traffic_list *list, unsigned families,
					unsigned *n)
{
	switch (key) {
	case TRAFFIC_SRC:
	case TRAFFIC_DST:
		return other_prefixes(list, families, n);
	case TRAFFIC_PROTO:
		return other_numbers(list, UINT8_MAX, n);
	case TRAFFIC_SPORT:
	case TRAFFIC_DPORT:
		return other_numbers(list, UINT16_MAX, n);
	default:
		return other_numbers(list, UINT32_MAX, n);
	}
}

static void put_items(struct emit *em, enum traffic_key key, const struct traffic_item *items, unsigned n)
{
	if (key == TRAFFIC_PROTO) {
		put_protos(em, items, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		if (key == TRAFFIC_SPORT || key == TRAFFIC_DPORT || key == TRAFFIC_UID || key == TRAFFIC_GID) {
			put_number(em, &items[i].range);
			continue;
		}
		if (key == TRAFFIC_MARK)
			fprintf(emit_print(em), "0x%x/0x%x", items[i].mark.value, items[i].mark.mask);
		else if (key == TRAFFIC_IIF || key == TRAFFIC_OIF)
			fputs(items[i].iface.name, emit_print(em));
		else
			traffic_print_item(emit_print(em), key, &items[i]);
		emit_printed(em, NULL);
	}
}

static void put_list(struct emit *em, enum traffic_key key, const struct traffic_list *list, unsigned families)
{
	bool named = key == TRAFFIC_IIF || key == TRAFFIC_OIF || key == TRAFFIC_MARK;
	auto_free struct traffic_item *others = NULL;
	unsigned n = 0;
	char name[16];

	if (list->any)
		return;
	snprintf(name, sizeof(name), "%s%s", traffic_key_names[key], named && list->not ? "_not" : "");
	emit_list(em, name);
	if (list->none != list->not &&(key == TRAFFIC_UID || key == TRAFFIC_GID))
		emit_string(em, NULL, "none");
	if (list->not &&!named)
		others = list_others(key, list, families, &n);
	put_items(em, key, others ? others : list->items, others ? n : list->n);
	emit_end(em);
	if (!list->n_except)
		return;
	snprintf(name, sizeof(name), "%s_not", traffic_key_names[key]);
	emit_list(em, name);
	put_items(em, key, list->except, list->n_except);
	emit_end(em);
}

static void put_class(struct emit *em, const struct traffic_class *class)
{
	emit_string(em, "direction", class->hook == HOOK_OUTPUT ? "out" : "in");
	if (class->families != FAMILY_BOTH)
		emit_string(em, "family", family_name(traffic_family(class)));
	for (enum traffic_key k = 0; k < TRAFFIC_KEYS; k++)
		put_list(em, k, &class->keys[k], class->families);
}

static void put_decisions(struct emit *em, const struct decision *decisions, unsigned n, enum family family,
			  enum layout layout)
{
	for (unsigned i = 0; i < n; i++) {
		traffic_print_decision(emit_print(em), &decisions[i], family, layout);
		emit_printed(em, NULL);
	}
}

static void put_doubts(struct emit *em, const struct traffic_fate *fate, enum family family, enum layout layout)
{
	if (!fate->n_doubts)
		return;
	emit_list(em, "unless");
	put_decisions(em, fate->doubts, fate->n_doubts, family, layout);
	emit_end(em);
}

static void put_fate(struct emit *em, const struct traffic_fate *fate, enum family family, enum layout layout)
{
	char text[ADDR_TEXT_MAX];

	emit_string(em, "fate", explain_fate_name(fate->fate));
	if (fate->has_addr)
		emit_string(em, "address", addr_text(family, fate->addr, text));
	if (fate->port && fate->fate >= FATE_REDIRECTED && fate->fate <= FATE_TRANSLATED)
		emit_number(em, "port", fate->port);
	emit_list(em, "because");
	emit_string(em, NULL, fate->origin);
	put_decisions(em, &fate->decision, fate->decision.rule != NULL, family, layout);
	emit_end(em);
}

void text_json_traffic(struct emit *em, const struct traffic *traffic, enum layout layout, const char *unless)
{
	emit_bool(em, "exact", traffic->exact && !*unless);
	if (*unless)
		explain_put_lines(em, "unless", unless);
	emit_array(em, "classes");
	for (unsigned i = 0; i < traffic->n; i++) {
		const struct traffic_class *class = &traffic->classes[i];

		emit_row(em, NULL);
		put_class(em, class);
		put_fate(em, &class->fate, traffic_family(class), layout);
		put_doubts(em, &class->fate, traffic_family(class), layout);
		emit_end(em);
	}
	emit_end(em);
}

static void put_end(struct emit *em, const char *key, const struct traffic_fate *fate, const struct traffic_fate *other,
		    enum family family, enum layout layout)
{
	emit_object(em, key);
	put_fate(em, fate, family, layout);
	if (fate->fate == FATE_TPROXIED) {
		fprintf(emit_print(em), "0x%x", fate->mark);
		emit_printed(em, "set_mark");
	}
	if (fate->zone != other->zone)
		emit_number(em, "zone", fate->zone);
	emit_end(em);
}

void text_json_changes(struct emit *em, const struct traffic *traffic, const struct text_change *change, const char *unless)
{
	auto_free char *lines = NULL;
	size_t len = 0;
	FILE *out = xchecked(open_memstream(&lines, &len));

	traffic_print_doubts(out, traffic, change->from);
	fputs(unless, out);
	fclose(out);
	emit_bool(em, "exact", traffic->exact && !*lines);
	if (*lines)
		explain_put_lines(em, "unless", lines);
	emit_array(em, "changes");
	for (unsigned i = 0; i < traffic->n; i++) {
		const struct traffic_class *class = &traffic->classes[i];
		enum family family = traffic_family(class);

		emit_row(em, NULL);
		put_class(em, class);
		put_doubts(em, &class->fate, family, change->from);
		put_end(em, "from", &class->fate, &class->to, family, change->from);
		put_end(em, "to", &class->to, &class->fate, family, change->to);
		emit_end(em);
	}
	emit_end(em);
}
