/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function of a packet's fields as a reduced, ordered decision diagram over intervals (firewall decision diagrams:
 * Gouda and Liu 2004).  Of two equal functions there is one node, so that equality is a comparison.  What a path ends
 * in is a number that the user of the diagram gives a meaning.
 */
#ifndef ISTIO_INIT_DIAGRAM_H
#define ISTIO_INIT_DIAGRAM_H

#include <stdbool.h>

#include "fields.h"

#define TERMINAL 0x80000000u
#define NOTHING TERMINAL           /* of sets: not in it; of others: nothing is decided */
#define EVERYTHING (TERMINAL | 1u) /* of sets: in it */

/* What functions are named by in the cache; users have their own from OP_USER on. */
enum { OP_NONE, OP_AND, OP_OR, OP_NOT, OP_REPLACE, OP_PART, OP_USER = OP_PART + FIELDS + 1 };

/* Where the variable's value is at least @from, and below that of the next cut. */
struct cut {
	struct value from;
	uint32_t node;
};

struct diagram {
	struct diagram_node {
		uint32_t variable, hash, first, n; /* @n cuts: the first is from 0, neighbours differ */
	} * nodes;
	struct cut *cuts, *open; /* @open: of the nodes that are being made, the innermost last */
	uint32_t *index;         /* hash of nodes: 1 + number */
	uint32_t n_nodes, n_cuts, n_open, nodes_room, cuts_room, open_room;
	struct diagram_memo *memos;
	uint32_t memo_mask;
	uint64_t memory; /* bytes that there are for all that is done with it; 0: it is not known */
	bool full;       /* over the budget: results mean nothing any more */
};

void diagram_init(struct diagram *d);
void diagram_free(struct diagram *d);

static inline bool is_terminal(uint32_t node)
{
	return node & TERMINAL;
}

/* The first variable that the node tests; above all others of a terminal. */
static inline uint32_t diagram_top(const struct diagram *d, uint32_t node)
{
	return is_terminal(node) ? UINT32_MAX : d->nodes[node].variable;
}

/* What is left of the node where the variable, which is not behind its top, has the value. */
uint32_t diagram_at(const struct diagram *d, uint32_t node, uint32_t variable, struct value value);

/* A variable of one bit, and both its sides. */
uint32_t diagram_bit(struct diagram *d, uint32_t variable, uint32_t clear, uint32_t set);
static inline uint32_t diagram_half(const struct diagram *d, uint32_t node, uint32_t variable, bool set)
{
	return diagram_at(d, node, variable, (struct value){ 0, set });
}

/* Sets by a field of one variable: a range, both ends included; the first @bits of 16 bytes. */
uint32_t diagram_range(struct diagram *d, enum field field, uint64_t low, uint64_t high);
uint32_t diagram_block(struct diagram *d, enum field field, const uint8_t bytes[16], unsigned bits);

/* @a in the set, NOTHING elsewhere. */
uint32_t diagram_and(struct diagram *d, uint32_t set, uint32_t a);
/* @a, and @b where it is NOTHING. */
uint32_t diagram_or(struct diagram *d, uint32_t a, uint32_t b);
uint32_t diagram_not(struct diagram *d, uint32_t set);
/* The set of packets for which @a comes to one of its ends (diagram_ends, with the same field). */
uint32_t diagram_part(struct diagram *d, uint32_t a, uint32_t end, enum field field);

/* Puts diagrams, of whatever variables, in the place of @n of its terminals, which ascend. */
uint32_t diagram_replace(struct diagram *d, uint32_t a, const uint32_t *ends, const uint32_t *images, unsigned n);

/* A function of nodes, which @op and @parameter name in the cache. */
struct diagram_map {
	struct diagram *d;
	uint32_t op, parameter;
	/* Whether the function says itself what stands for the node, a terminal at the latest, and not by its children. */
	bool (*stop)(const struct diagram_map *map, uint32_t node, uint32_t *result);
	void *data;
	bool quick; /* @stop is quicker than the cache */
};
uint32_t diagram_map(const struct diagram_map *map, uint32_t a);

/* The distinct ends of @a, terminals (@field FIELDS) or what is behind the variables of a field; array_push. */
void diagram_ends(struct diagram *d, uint32_t a, enum field field, uint32_t **ends, unsigned *n);

#endif
