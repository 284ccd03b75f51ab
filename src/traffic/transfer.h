/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ruleset as a diagram: what walker.c says of one packet, of all at once. */
#ifndef ISTIO_INIT_TRANSFER_H
#define ISTIO_INIT_TRANSFER_H

#include "effect.h"

/* Rules that cannot be read: each is a bit of FIELD_GUESS. */
struct guesses {
	struct decision *items;
	unsigned n;
};

/*
 * What becomes of packets of new connections that come (or go out) by the hook.  @captured: as if no rule let any go
 * that could be captured, and every sender were in an owner group.  @loop, @asleep: chains jump in a circle; a chain with
 * rules was passed over.
 */
uint32_t transfer_build(struct effects *e, const struct ruleset *rs, enum hook hook, enum family family, bool captured,
			struct guesses *guesses, bool *loop, bool *asleep);

/* What one table does in a hook with any packet, of a connection in whatever state. */
uint32_t transfer_table(struct effects *e, const struct ruleset *rs, enum table_id table, enum hook hook,
			enum family family, struct guesses *guesses, bool *loop, bool *asleep);

#endif
