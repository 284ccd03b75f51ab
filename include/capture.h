/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All of Istio's policy: which rules the options ask for (pure: no I/O, no kernel). */
#ifndef ISTIO_INIT_CAPTURE_H
#define ISTIO_INIT_CAPTURE_H

#include "config.h"
#include "ruleset.h"

struct capture_options {
	enum layout layout;
	unsigned families; /* mask; IPv4 is always in it */
	bool zones;        /* the raw table's conntrack-zone rules, unless --dns-zones=off */
};

/*
 * The rules in the order of upstream's chains.  The ruleset points into @cfg,
 * which must outlive it; free with ruleset_free.
 */
struct ruleset *capture_build(const struct config *cfg, const struct capture_options *options);

/*
 * Whether a live rule in a built-in chain of an iptables layout is Istio's: it
 * jumps to an ISTIO_ chain, or has the shape of a TPROXY rule of capture with the
 * live mark @tproxy_mark, or equals a rule that @want (may be NULL) has in that chain.
 */
bool capture_owns(const struct rule *rule, enum table_id table, enum hook hook, enum family family,
		  uint32_t tproxy_mark, const struct ruleset *want);

/* The mark that the live front rule of mangle ISTIO_INBOUND tests, or ISTIO_DIVERT sets, else 1337. */
uint32_t capture_live_mark(const struct ruleset *live);

#endif
