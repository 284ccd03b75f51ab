/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A diagram as rows of fields: each packet is in exactly one. */
#ifndef ISTIO_INIT_ROWS_H
#define ISTIO_INIT_ROWS_H

#include "diagram.h"
#include "family.h"

struct row {
	unsigned families;         /* mask */
	uint32_t sets[FIELDS - 1]; /* of values of each field: all but FIELD_GUESS */
	uint32_t src6, dst6;       /* of both families: those of IPv6; in @sets are IPv4's */
	uint32_t end;              /* a terminal, or where guesses matter what is left of the diagram */
};

struct rows {
	struct row *items;
	unsigned n;
};

/* Adds those of the family's diagram that do not end in NOTHING. */
void rows_add(struct rows *rows, struct diagram *d, uint32_t node, enum family family);

/* Joins rows that end alike and differ in one field; and then those of the two families that differ in addresses alone. */
void rows_merge(struct rows *rows, struct diagram *d);

#endif
