/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules of others do to packets that are ours to take. */
#ifndef ISTIO_INIT_FOREIGN_H
#define ISTIO_INIT_FOREIGN_H

#include "config.h"
#include "ruleset.h"

/*
 * Notes in the foreign rules of built-in chains (rule->ends) which of them may end the way of a packet that the options
 * want: accept, drop or translate it, or lead to a rule that does.  After ownership_decide.
 */
void foreign_note_ends(struct ruleset *live, const struct config *cfg);

/*
 * The foreign rule of nat OUTPUT by which a DNS query that the options capture may be translated, or let go otherwise
 * (@translated: by which one over UDP may be translated); NULL if there is none, or no DNS is captured.
 */
const struct rule *foreign_dns_rule(const struct ruleset *live, const struct config *cfg, unsigned families,
				    bool translated);

/* The first of @n foreign rules of the family's chain that may end a packet's way in front of rule number @until. */
const struct rule *foreign_first_end(const struct chain *chain, enum family family, unsigned until, unsigned *n);

/* How many rules of others the layer holds; after ownership_decide. */
unsigned foreign_count(const struct ruleset *rs);

#endif
