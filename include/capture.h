/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All of Istio's policy: which rules the options ask for (pure: no I/O, no kernel). */
#ifndef ISTIO_INIT_CAPTURE_H
#define ISTIO_INIT_CAPTURE_H

#include "config.h"
#include "routes.h"
#include "ruleset.h"

struct capture_options {
	enum layout layout;
	unsigned families; /* mask; IPv4 is always in it */
	bool zones;        /* the raw table's conntrack-zone rules, unless --dns-zones=off */
	bool dns_front;    /* with --jump=auto: what nat OUTPUT holds of ours stands in front of others' rules */
};

/*
 * The rules in the order of upstream's chains.  The ruleset points into @cfg,
 * which must outlive it; free with ruleset_free.
 */
struct ruleset *capture_build(const struct config *cfg, const struct capture_options *options);

/* What the options ask for beside rules of @families; whose marks are Istio's is not in it. */
struct routes_want capture_routes(const struct config *cfg, unsigned families);

#endif
