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

/* The fate as that of one packet. */
struct explanation traffic_explanation(const struct traffic_fate *fate);

/* The family that the class's rules are printed for: the first. */
static inline enum family traffic_family(const struct traffic_class *class)
{
	return class->families & FAMILY_BIT(IPV4) ? IPV4 : IPV6;
}

#endif
