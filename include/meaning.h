/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_MEANING_H
#define ISTIO_INIT_MEANING_H

#include <stdint.h>

#include "steps.h"

/*
 * Whether no packet of any connection, in any state, would be treated differently once the steps have been carried out: by
 * each table in each hook, foreign rules included, the verdict, the marks and the zone.  @live: what the backend's tables
 * hold, or NULL.  Also false where that cannot be told: of steps about routes or another backend, beside rules that cannot
 * be read, or of rules so many and so different that it would take more than @memory (bytes; 0: not known) or 1 GiB.
 */
bool steps_mean_the_same(const struct step *steps, unsigned n, enum backend_index backend, const struct ruleset *live,
			 uint64_t memory);

/*
 * Whether @live holds the native tables of Istio's own program, and our rules of the @families (a mask) would treat no packet
 * otherwise, but for what our native layout does otherwise on purpose: IPv6 that is off is left alone, --drop-invalid is for
 * every protocol, what TPROXY finds no proxy for is dropped, the mark is saved of what comes by lo, a packet without a socket
 * is as in iptables, and the ICMP answer of a DNS agent that is down finds its query.
 */
bool steps_respell_istios(const struct step *steps, unsigned n, const struct ruleset *live, unsigned families,
			  uint64_t memory);

#endif
