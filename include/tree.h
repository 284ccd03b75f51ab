/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Long lists of addresses as trees of chains, for layouts that test one rule after the other. */
#ifndef ISTIO_INIT_TREE_H
#define ISTIO_INIT_TREE_H

#include "ruleset.h"

/* Shorter lists are one leaf. */
#define TREE_MIN 9

/*
 * Replaces each rule of an iptables layout whose list of SRC or DST prefixes has at least
 * @min items by a tree of chains that decides the same for every packet.
 */
void ruleset_grow_trees(struct ruleset *rs, unsigned min);

#endif
