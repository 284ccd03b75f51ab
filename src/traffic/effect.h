/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules do with a packet: the ends of a diagram's paths, and how one comes behind the other. */
#ifndef ISTIO_INIT_EFFECT_H
#define ISTIO_INIT_EFFECT_H

#include "diagram.h"
#include "walker.h"

enum effect_kind {
	EFFECT_GOES_ON, /* to the next rule, table or hook */
	EFFECT_RETURNS,
	EFFECT_DECIDED, /* for this table */
	EFFECT_OVER,    /* for good */
};

/* What is known of a packet, whatever it was before. */
#define KNOWN_DST 1u
#define KNOWN_DPORT 2u
#define KNOWN_LO 4u     /* it comes in by lo */
#define KNOWN_IIF 8u    /* it comes in by nothing */
#define KNOWN_OIF 16u   /* it goes out by nothing */
#define KNOWN_OWNER 32u /* no socket has sent it */
#define KNOWN_NEW 64u   /* the first packet of a connection: of TCP a SYN */

#define ZONE_SET 0x10000u

/* A mark is the packet's or the connection's old one, with bits cleared and flipped. */
struct effect_mark {
	uint32_t keep, flip;
};

/* No padding: effects are told apart by their bytes. */
struct effect {
	const char *origin;      /* the option that decides; NULL: none */
	const struct rule *rule; /* the rule that decides, and no option asks for */
	const struct chain *chain;
	struct effect_mark mark, connmark;
	uint32_t dport, port, table;
	uint32_t zone;                /* of the connection, with ZONE_SET: the first rule that sets one decides */
	uint32_t route_table;         /* LOST: where an ip rule for the mark leads */
	uint8_t mark_of, connmark_of; /* 1: of the other one's old value */
	uint8_t kind, fate, known;
	uint8_t foreign, retargeted, anything;
	uint8_t translates; /* nat: what TPROXY has taken keeps its socket */
	uint8_t fresh;      /* decided in the chain that is being read: who led there decides */
	uint8_t has_addr;
	uint8_t everything; /* of the terminal of that name alone */
	uint8_t addr[16], dst[16];
};

extern const struct effect effect_none; /* NOTHING */

struct effects {
	struct diagram d;
	struct effect *items; /* a terminal's is at its number, without TERMINAL */
	unsigned n;
	const char **origins; /* one pointer for each text */
	unsigned n_origins;
	uint32_t *index;
	uint32_t index_size;
};

void effects_init(struct effects *e);
void effects_free(struct effects *e);

/* The terminal of an effect; an origin by its text. */
uint32_t effect_terminal(struct effects *e, const struct effect *effect);
const char *effect_origin(struct effects *e, const char *origin);

static inline const struct effect *effect_at(const struct effects *e, uint32_t terminal)
{
	return &e->items[terminal & ~TERMINAL];
}

/* @b as a packet finds it that has had @terminal's effect, and both effects at its ends. */
uint32_t effect_then(struct effects *e, uint32_t terminal, uint32_t b);

/* @a, and @b behind it where it goes on; @changes: not as the packet came, everywhere. */
uint32_t effect_sequence(struct effects *e, uint32_t a, uint32_t b, bool changes);

/* Other ends for those of @a: @op and @parameter name the map, which @map makes. */
typedef uint32_t effect_map(struct effects *e, uint32_t terminal, uint32_t parameter);
uint32_t effect_map_ends(struct effects *e, uint32_t a, uint32_t op, uint32_t parameter, effect_map *map);

/* Puts diagrams in the place of ends: @image says what stands for each, of any packet. */
typedef uint32_t effect_image(struct effects *e, uint32_t terminal, void *data);
uint32_t effect_replace(struct effects *e, uint32_t a, effect_image *image, void *data);

/* What is done with a packet, and not why: an effect_map. */
uint32_t effect_without_reason(struct effects *e, uint32_t terminal, uint32_t unused);

#endif
