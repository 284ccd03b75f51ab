/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is ours in a netns, and how it stands among what is not.  One place for all backends and commands.
 *
 * Ours are chains named ISTIO_, with all that is in them; jumps and gotos to one, whatever else the rule tests; our
 * native tables; and what releases of Istio write straight into built-in chains, told by their shapes.
 * "-i IF -j RETURN" and "-o IF -j RETURN", as -c and -k make them, cannot be told from a user's own: shared.  Nor can
 * mangle PREROUTING's DROP of INVALID, as --drop-invalid made it until 1.22.
 */
#ifndef ISTIO_INIT_OWNERSHIP_H
#define ISTIO_INIT_OWNERSHIP_H

#include "ruleset.h"

/*
 * Notes in each rule of @live, foreign ones included, whose it is.  @want: what the options of this run ask for;
 * NULL where they are not looked at.
 */
void ownership_decide(struct ruleset *live, const struct ruleset *want);

/* Whether anything of ours is in the ruleset, after ownership_decide; what is shared does not count. */
bool ownership_has_ours(const struct ruleset *live);

/*
 * Whether all that is ours there is what Istio's ambient mode writes into a pod (cni/pkg/iptables, cni/pkg/nftables):
 * tables of its own, or ISTIO_PRERT, which no sidecar has, and nothing that only a sidecar has.
 */
bool ownership_is_ambient(const struct ruleset *live);

/* Whether the rule has the shape of those that are shared, and stands where they do. */
bool ownership_is_shareable(const struct rule *rule, enum table_id table, enum hook hook);

/* One chain of one family: its live rules in order, and the wanted ones, both as the layer holds them. */
struct chain_edit {
	const struct rule *const *live;
	unsigned n_live;
	const struct rule *want;
	unsigned n_want;
	/* NULL, or where each wanted rule stood: behind so many foreign rules; and behind the last: of so many in all */
	const unsigned *places;
	bool own;           /* the chain is ours: no live rule of it is foreign */
	bool same_families; /* natively: rules are equal only for the same families */
	bool anew;          /* what would stay goes, and is added where it stood */
	bool shared_go;     /* what is shared and not wanted goes; else it is left alone */

	/* the answer, caller's, all zero before */
	bool *goes;       /* of each live rule */
	bool *left;       /* of each live rule, or NULL: it is shared, there more often than wanted, and left alone */
	unsigned *before; /* of each wanted rule: to be put in front of the live rule of that number, n_live: at the end */
	bool *stays;      /* of each wanted rule: it is there already */
};

/*
 * Which live rules go, which wanted ones are added, and where.
 *
 *   live     F  a  F  b  c  F        F: foreign; a b c: ours
 *   wanted      a     x  c  y
 *
 *   goes: b; stays: a c; x before b's successor c, y behind c: F  a  F  x  c  y  F
 *
 * Those that stay keep their places.  A new one goes behind the wanted one before it; the first ones go in front of
 * the first that stays.  If none stays: where the old ones stood; if there were none: at the end.  Those for the very
 * top (rule->top) go there unless a wanted one stands before them; those of the front (rule->front) do not stay behind a
 * foreign one that may end a packet's way (rule->ends).
 *
 * With @places, a rule stays only where it stood, unless there are more foreign rules by now, or fewer: then nobody
 * knows which are meant, and the order among ours is what counts.
 */
void ownership_edit(const struct chain_edit *edit);

#endif
