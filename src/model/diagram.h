/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function of a packet's fields as a reduced, ordered decision diagram over their bits, most significant first
 * (Bryant 1986; over intervals: Gouda and Liu's firewall decision diagrams).  Of two equal functions there is one node,
 * so that equality is a comparison.  What a path ends in is a number that the user of the diagram gives a meaning.
 */
#ifndef ISTIO_INIT_DIAGRAM_H
#define ISTIO_INIT_DIAGRAM_H

#include <stdbool.h>
#include <stdint.h>

/* In the order in which they are tested: long lists of one address stay apart from all that comes behind. */
enum field {
	FIELD_DST,
	FIELD_SRC,
	FIELD_IIF, /* names, padded with zeros */
	FIELD_OIF,
	FIELD_PROTO,
	FIELD_DPORT,
	FIELD_SPORT,
	FIELD_UID,     /* the first bit: no socket has sent it */
	FIELD_GID,     /* likewise */
	FIELD_MARK,    /* bit for bit with the connection's mark behind it */
	FIELD_FLAGS,   /* TCP's */
	FIELD_CTSTATE, /* which bit of CTSTATE_... */
	FIELD_GUESS,   /* a bit for each rule that cannot be read: whether it holds */
	FIELDS
};

#define GUESS_BITS 4096

/* The first variable and the number of bits of each. */
extern const struct field_bits {
	uint16_t first, bits;
} field_bits[FIELDS];

enum field field_of(unsigned variable);

#define TERMINAL 0x80000000u
#define NOTHING TERMINAL           /* of sets: not in it; of others: nothing is decided */
#define EVERYTHING (TERMINAL | 1u) /* of sets: in it */

/* What operations are named by in the cache; users have their own from OP_USER on. */
enum { OP_NONE, OP_AND, OP_OR, OP_NOT, OP_PART, OP_USER = OP_PART + FIELDS + 1 };

struct diagram_node {
	uint32_t variable, low, high;
};

struct diagram {
	struct diagram_node *nodes;
	uint32_t n, room;
	uint32_t *index; /* hash of nodes: 1 + number */
	struct diagram_memo {
		uint32_t op, a, b, result;
	} * memos;
	uint32_t memo_mask;
	bool full; /* over the budget: results mean nothing any more */
};

void diagram_init(struct diagram *d);
void diagram_free(struct diagram *d);

uint32_t diagram_node(struct diagram *d, unsigned variable, uint32_t low, uint32_t high);

static inline bool is_terminal(uint32_t node)
{
	return node & TERMINAL;
}

/* The first variable that the node tests; above all others of a terminal. */
static inline uint32_t diagram_top(const struct diagram *d, uint32_t node)
{
	return is_terminal(node) ? UINT32_MAX : d->nodes[node].variable;
}

/* What is left of the node where the variable, which is not behind its top, is so. */
static inline uint32_t diagram_half(const struct diagram *d, uint32_t node, uint32_t variable, bool high)
{
	if (diagram_top(d, node) != variable)
		return node;
	return high ? d->nodes[node].high : d->nodes[node].low;
}

bool diagram_recall(const struct diagram *d, uint32_t op, uint32_t a, uint32_t b, uint32_t *result);
uint32_t diagram_remember(struct diagram *d, uint32_t op, uint32_t a, uint32_t b, uint32_t result);

/* @a in the set, NOTHING elsewhere. */
uint32_t diagram_and(struct diagram *d, uint32_t set, uint32_t a);
/* @a, and @b where it is NOTHING. */
uint32_t diagram_or(struct diagram *d, uint32_t a, uint32_t b);
uint32_t diagram_not(struct diagram *d, uint32_t set);
/* The set of packets for which @a comes to one of its ends (diagram_ends, with the same field). */
uint32_t diagram_part(struct diagram *d, uint32_t a, uint32_t end, enum field field);

/* Sets by one field's value: its first @bits bits, in network order, from its bit @skip on; a range of a number. */
uint32_t diagram_prefix(struct diagram *d, enum field field, unsigned skip, const uint8_t *value, unsigned bits);
uint32_t diagram_range(struct diagram *d, enum field field, unsigned skip, uint32_t low, uint32_t high);

/* The distinct ends of @a, terminals (@field FIELDS) or what is behind the bits of a field; array_push. */
void diagram_ends(struct diagram *d, uint32_t a, enum field field, uint32_t **ends, unsigned *n);

#endif
