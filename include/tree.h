/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Long lists of addresses as trees of chains, for layouts that test one rule after the other. */
#ifndef ISTIO_INIT_TREE_H
#define ISTIO_INIT_TREE_H

#include "ruleset.h"

/*
 * The kernel follows 15 jumps and gotos below a base chain in nf_tables (NFT_JUMP_STACK_SIZE, 16, counts
 * the base chain); legacy tables know no limit.  The longest way is that of two lists in a row: to
 * ISTIO_OUTPUT, down one tree, to what follows the list, down the other, to ISTIO_REDIRECT.
 */
#define TREE_JUMPS_MAX 15
#define TREE_HEIGHT_MAX ((TREE_JUMPS_MAX - 3) / 2)

/* Shorter lists are one leaf: no fewer rules are passed in it than in the list itself. */
#define TREE_MIN 17

/*
 * Replaces each rule of an iptables layout whose list of SRC or DST prefixes has at least
 * @min items by a tree of chains that decides the same for every packet.
 */
void ruleset_grow_trees(struct ruleset *rs, unsigned min);

#endif
