/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of interfaces' names in parts that can be written: some names and wildcards, or one wildcard but for some. */
#ifndef ISTIO_INIT_TRAFFIC_IFACES_H
#define ISTIO_INIT_TRAFFIC_IFACES_H

#include "diagram.h"
#include "ruleset.h"

/* What rules test, each once. */
struct iface_patterns {
	struct iface *items;
	unsigned n;
	bool nested; /* one holds another: else any set is one part */
};

void iface_patterns_add(struct iface_patterns *patterns, const struct ruleset *rs);

struct iface_part {
	uint32_t set;
	struct iface within; /* the wildcard whose names are in it, but for some; "": all that are not within one are listed */
};

/* The parts of the field's set, which has been made of the patterns: disjoint; array_push. */
void iface_parts(const struct iface_patterns *patterns, struct diagram *d, enum field field, uint32_t set,
		 struct iface_part **parts, unsigned *n);

/* The names of a field that a pattern stands for. */
uint32_t iface_set(struct diagram *d, enum field field, const char *pattern);

#endif
