/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules with what nft prints of them and with their expressions, for the tests of the nftables backend. */
#ifndef NFT_CASES_H
#define NFT_CASES_H

#include "ruleset.h"
#include "util.h"

#define V4 FAMILY_BIT(IPV4)
#define V6 FAMILY_BIT(IPV6)
#define RETURN \
	{ \
		.kind = TARGET_RETURN \
	}

/* Lists are words; @inverted: bits of match kinds. */
struct rule_case {
	unsigned families, inverted;
	const char *src, *dst, *iif, *oif, *sport, *dport, *uid, *gid;
	uint8_t proto;
	uint32_t ctstates;
	struct mark mark, connmark, tcp_flags;
	bool not_ipv4;
	struct target target;
	const char *comment;
	const char *text;
	const char *code; /* as libnftnl prints it on a little-endian machine */
};

extern const struct rule_case rule_cases[];
extern const unsigned n_rule_cases;

/* The rule of the case, normalized, in memory of the ruleset's. */
const struct rule *make_rule(struct ruleset *rs, const struct rule_case *c);

#endif
