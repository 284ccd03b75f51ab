/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tables of traffic have in common, as text and as JSON documents. */
#ifndef ISTIO_INIT_TRAFFIC_PARTS_H
#define ISTIO_INIT_TRAFFIC_PARTS_H

#include "text.h"

extern const char *const traffic_key_names[TRAFFIC_KEYS];

/* One value, or some, of a packet's. */
void traffic_print_item(FILE *out, enum traffic_key key, const struct traffic_item *item);

/* A rule that decides, or may, with what cannot be read of it. */
void traffic_print_decision(FILE *out, const struct decision *at, enum family family, enum layout layout);

/* Lines that name the rules that cannot be read, and alone may make a difference. */
void traffic_print_doubts(FILE *out, const struct traffic *traffic, enum layout layout);

/* The first items of a list, with a count of the rest. */
void traffic_print_items(FILE *out, enum traffic_key key, const struct traffic_list *list);

/* The option or the rule that decides, in brackets; nothing without. */
void traffic_print_reason(FILE *out, const struct traffic_fate *fate, enum family family, enum layout layout);

/* Which rules that cannot be read may decide otherwise. */
void traffic_print_unless(FILE *out, const struct traffic_fate *fate, enum family family, enum layout layout);

/* The fate as that of one packet. */
struct explanation traffic_explanation(const struct traffic_fate *fate);

/* The family that the class's rules are printed for: the first. */
static inline enum family traffic_family(const struct traffic_class *class)
{
	return class->families & FAMILY_BIT(IPV4) ? IPV4 : IPV6;
}

#endif
