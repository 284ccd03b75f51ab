/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules and rulesets in a few letters, for tests that are about where rules stand, and not what they do. */
#ifndef ISTIO_INIT_RULE_WORDS_H
#define ISTIO_INIT_RULE_WORDS_H

#include <stdio.h>

#include "live.h"

/*
 * A chain is a word of letters, a rule each:
 *
 *   a-m    ours, a jump to ISTIO_a ...; two of one letter are copies of each other
 *   n-z    shared in a built-in chain, "-o ethn -j RETURN"; [nop]: one rule with a list of them
 *   A-Z    foreign in a built-in chain, "--dport 65 -j ACCEPT"
 *   0-9    ours, a jump to ISTIO_a, but nobody can read what else it tests
 *
 * and before a letter
 *
 *   ^      for the very top
 *   . :    natively: of IPv4, of IPv6 alone
 */
void word_append(struct ruleset *rs, enum table_id table, const char *chain, unsigned families, const char *word);

/* @families: those of the chain. */
void word_print(FILE *out, const struct rule *rule, unsigned families);

/*
 * A ruleset is "TABLE CHAIN WORD; ...", the word left out for an empty chain, the chain for an empty table:
 *
 *   nat4  nat6  nat46    of these families (natively all are nat46)
 *   nat4!                the table sleeps
 *   nat4+                somebody has a set in it
 *   OUTPUT?              the chain is not hooked in
 *   OUTPUT%              with a policy of somebody's own
 *
 * Live, a rule has one family in the iptables layout, and tables and chains have ages as they are written.
 */
struct ruleset *words_read(enum backend_index backend, bool live, const char *text);

/* Back again: tables as the kernel lists them, natively chains, too; else these by name.  Caller frees. */
char *words_print(enum backend_index backend, const struct ruleset *rs);

#endif
