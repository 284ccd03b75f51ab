/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of an iptables layout with every match and target. */
#ifndef ISTIO_INIT_XT_CASES_H
#define ISTIO_INIT_XT_CASES_H

#include <netinet/in.h>
#include <string.h>

#include "ruleset.h"

#define PREFIX(f, l, ...) \
	(const struct prefix[]) \
	{ \
		{ \
			.family = f, .len = l, .addr = { __VA_ARGS__ } \
		} \
	}
#define RANGES(...) \
	(const struct range[]) \
	{ \
		__VA_ARGS__ \
	}
#define IFACE(name) \
	(const struct iface[]) \
	{ \
		{ \
			name \
		} \
	}

#define M_SRC(inv, p) \
	{ \
		.kind = MATCH_SRC, .invert = inv, .n = 1, .prefixes = p \
	}
#define M_DST(inv, p) \
	{ \
		.kind = MATCH_DST, .invert = inv, .n = 1, .prefixes = p \
	}
#define M_IIF(inv, i) \
	{ \
		.kind = MATCH_IIF, .invert = inv, .n = 1, .ifaces = IFACE(i) \
	}
#define M_OIF(inv, i) \
	{ \
		.kind = MATCH_OIF, .invert = inv, .n = 1, .ifaces = IFACE(i) \
	}
#define M_PROTO(p) \
	{ \
		.kind = MATCH_PROTO, .n = 1, .proto = p \
	}
#define M_RANGE(k, inv, lo, hi) \
	{ \
		.kind = k, .invert = inv, .n = 1, .ranges = RANGES({ lo, hi }) \
	}
#define M_LIST(k, count, ...) \
	{ \
		.kind = k, .invert = true, .n = count, .ranges = RANGES(__VA_ARGS__) \
	}
#define M_STATE(inv, s) \
	{ \
		.kind = MATCH_CTSTATE, .invert = inv, .n = 1, .ctstates = s \
	}
#define M_MARK(k, inv, v, m) \
	{ \
		.kind = k, .invert = inv, .n = 1, .mark = { v, m } \
	}

/*
 * @blobs: the extensions, each with revision and size of its data as measured on x86-64,
 * the target last; a rule with a comment among them has one.
 */
static const struct {
	const char *blobs;
	unsigned families;
	struct match matches[RULE_MATCHES_MAX];
	struct target target;
} cases[] = {
	{ "RETURN.0:8", FAMILY_BOTH, {}, { .kind = TARGET_RETURN } },
	{ "ACCEPT.0:8", FAMILY_BOTH, {}, { .kind = TARGET_ACCEPT } },
	{ "DROP.0:8", FAMILY_BOTH, {}, { .kind = TARGET_DROP } },
	{ ".0:8", FAMILY_BOTH, {}, { .kind = TARGET_NONE } },
	{ "ISTIO_OUTPUT.0:8", FAMILY_BOTH, {}, { .kind = TARGET_JUMP, .chain = "ISTIO_OUTPUT" } },
	{ "ISTIO_REST.0:8", FAMILY_BOTH, {}, { .kind = TARGET_GOTO, .chain = "ISTIO_REST" } },
	{ "REDIRECT.0:24", FAMILY_BIT(IPV4), { M_PROTO(IPPROTO_TCP) }, { .kind = TARGET_REDIRECT, .port = 15001 } },
	{ "REDIRECT.0:40", FAMILY_BIT(IPV6), { M_PROTO(IPPROTO_TCP) }, { .kind = TARGET_REDIRECT, .port = 15001 } },
	{ "TPROXY.1:32",
	  FAMILY_BOTH,
	  { M_PROTO(IPPROTO_TCP) },
	  { .kind = TARGET_TPROXY, .port = 15006, .mark = { 1337, UINT32_MAX } } },
	{ "MARK.2:8", FAMILY_BOTH, {}, { .kind = TARGET_MARK, .mark = { 1338, UINT32_MAX } } },
	{ "CONNMARK.2:16", FAMILY_BOTH, {}, { .kind = TARGET_CONNMARK_SAVE } },
	{ "CONNMARK.2:16", FAMILY_BOTH, {}, { .kind = TARGET_CONNMARK_RESTORE } },
	{ "CT.2:72", FAMILY_BOTH, { M_PROTO(IPPROTO_UDP) }, { .kind = TARGET_CT_ZONE, .zone = 2 } },
	{ "RETURN.0:8",
	  FAMILY_BIT(IPV4),
	  { M_SRC(false, PREFIX(IPV4, 32, 127, 0, 0, 6)), M_OIF(false, "lo") },
	  { .kind = TARGET_RETURN } },
	{ "RETURN.0:8", FAMILY_BIT(IPV4), { M_DST(true, PREFIX(IPV4, 9, 10, 128)) }, { .kind = TARGET_RETURN } },
	{ "RETURN.0:8", FAMILY_BIT(IPV4), { M_DST(true, PREFIX(IPV4, 0, 0)) }, { .kind = TARGET_RETURN } },
	{ "RETURN.0:8",
	  FAMILY_BIT(IPV6),
	  { M_SRC(true, PREFIX(IPV6, 128, [15] = 6)), M_DST(false, PREFIX(IPV6, 61, 0x20, 1)) },
	  { .kind = TARGET_RETURN } },
	{ "RETURN.0:8", FAMILY_BOTH, { M_IIF(true, "eth+"), M_OIF(true, "abcdefghijklmno") }, { .kind = TARGET_RETURN } },
	{ "RETURN.0:8", FAMILY_BOTH, { M_IIF(false, "abcdefghijklmn+") }, { .kind = TARGET_RETURN } },
	{ "tcp.0:16 RETURN.0:8",
	  FAMILY_BOTH,
	  { M_PROTO(IPPROTO_TCP), M_RANGE(MATCH_DPORT, false, 80, 80) },
	  { .kind = TARGET_RETURN } },
	{ "tcp.0:16 RETURN.0:8",
	  FAMILY_BOTH,
	  { M_PROTO(IPPROTO_TCP), M_RANGE(MATCH_SPORT, true, 1, 65535), M_RANGE(MATCH_DPORT, false, 0, 9) },
	  { .kind = TARGET_RETURN } },
	{ "tcp.0:16 REDIRECT.0:24",
	  FAMILY_BIT(IPV4),
	  { M_PROTO(IPPROTO_TCP), M_MARK(MATCH_TCP_FLAGS, false, TCP_SYN, TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK) },
	  { .kind = TARGET_REDIRECT, .port = 15001 } },
	{ "tcp.0:16 RETURN.0:8",
	  FAMILY_BOTH,
	  { M_PROTO(IPPROTO_TCP), M_RANGE(MATCH_DPORT, true, 53, 53), M_MARK(MATCH_TCP_FLAGS, true, 0, TCP_PSH | TCP_URG) },
	  { .kind = TARGET_RETURN } },
	{ "udp.0:16 RETURN.0:8",
	  FAMILY_BOTH,
	  { M_PROTO(IPPROTO_UDP), M_RANGE(MATCH_SPORT, false, 53, 53), M_RANGE(MATCH_DPORT, true, 1024, 65535) },
	  { .kind = TARGET_RETURN } },
	{ "multiport.1:48 owner.1:24 ISTIO_IN_REDIRECT.0:8",
	  FAMILY_BOTH,
	  { M_OIF(false, "lo"), M_PROTO(IPPROTO_TCP), M_LIST(MATCH_DPORT, 2, { 53, 53 }, { 15008, 15008 }),
	    M_RANGE(MATCH_UID, false, 1337, 1337) },
	  { .kind = TARGET_JUMP, .chain = "ISTIO_IN_REDIRECT" } },
	{ "tcp.0:16 multiport.1:48 RETURN.0:8",
	  FAMILY_BOTH,
	  { M_PROTO(IPPROTO_TCP), M_RANGE(MATCH_SPORT, false, 5, 5), M_LIST(MATCH_DPORT, 3, { 1, 2 }, { 3, 3 }, { 4, 9 }) },
	  { .kind = TARGET_RETURN } },
	{ "multiport.1:48 multiport.1:48 RETURN.0:8",
	  FAMILY_BOTH,
	  { M_PROTO(IPPROTO_UDP), M_LIST(MATCH_SPORT, 2, { 1, 1 }, { 3, 3 }), M_LIST(MATCH_DPORT, 2, { 1, 2 }, { 3, 3 }) },
	  { .kind = TARGET_RETURN } },
	{ "owner.1:24 RETURN.0:8", FAMILY_BOTH, { M_RANGE(MATCH_UID, true, 0, 0) }, { .kind = TARGET_RETURN } },
	{ "owner.1:24 RETURN.0:8", FAMILY_BOTH, { M_RANGE(MATCH_GID, false, 5, UINT32_MAX - 1) }, { .kind = TARGET_RETURN } },
	{ "owner.1:24 owner.1:24 owner.1:24 owner.1:24 RETURN.0:8",
	  FAMILY_BOTH,
	  { M_RANGE(MATCH_UID, false, 7, 8), M_LIST(MATCH_GID, 3, { 5, 5 }, { 6, 9 }, { 11, 11 }) },
	  { .kind = TARGET_RETURN } },
	{ "conntrack.3:168 RETURN.0:8",
	  FAMILY_BOTH,
	  { M_STATE(false, CTSTATE_ESTABLISHED | CTSTATE_RELATED) },
	  { .kind = TARGET_RETURN } },
	{ "conntrack.3:168 RETURN.0:8", FAMILY_BOTH, { M_STATE(true, CTSTATE_INVALID | CTSTATE_NEW) }, { .kind = TARGET_RETURN } },
	{ "mark.1:16 connmark.1:16 comment.0:256 RETURN.0:8",
	  FAMILY_BOTH,
	  { M_MARK(MATCH_MARK, true, 1338, UINT32_MAX), M_MARK(MATCH_CONNMARK, false, 0x100, 0xff00) },
	  { .kind = TARGET_RETURN } },
};

static inline struct rule case_rule(size_t i, struct match matches[RULE_MATCHES_MAX])
{
	struct rule rule = { .matches = matches, .target = cases[i].target };

	memcpy(matches, cases[i].matches, RULE_MATCHES_MAX * sizeof(*matches));
	while (rule.n_matches < RULE_MATCHES_MAX && matches[rule.n_matches].n)
		rule.n_matches++;
	rule.comment = strstr(cases[i].blobs, "comment") ? "--bypass-mark" : NULL;
	rule.packets = 7;
	rule.bytes = 1ull << 40;
	return rule;
}

#endif
