/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_EXPLAIN_MATCH_H
#define ISTIO_INIT_EXPLAIN_MATCH_H

#include "packet.h"

/* Whether all tests that were read hold.  @any_group: as if the sender were in each of the owner groups that are captured. */
bool rule_holds(const struct rule *rule, const struct packet *packet, enum layout layout, bool any_group);

/*
 * Whether the rule is where the native layout names the included owner groups: where it captures, not in a rule that
 * lets the others go.
 */
bool match_is_owner_group(const struct rule *rule, const struct match *m);

/*
 * A copy whose lists are the item that fits the packet, so that one rule of a long list is shown; natively, and of live
 * rules, as it stands.  Free its matches.
 */
struct rule rule_narrow(const struct rule *rule, const struct packet *packet, enum layout layout);

#endif
