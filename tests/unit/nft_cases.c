/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "merge.h"
#include "nft_cases.h"

#define NOT(kind) (1u << (kind))

#define COUNTER " [ counter pkts 0 bytes 0 ]"
#define CODE_RETURN COUNTER " [ immediate reg 0 return ]"
#define CODE_V4 " [ meta load nfproto => reg 1 ] [ cmp eq reg 1 0x00000002 ]"
#define CODE_V6 " [ meta load nfproto => reg 1 ] [ cmp eq reg 1 0x0000000a ]"
#define CODE_TCP " [ meta load l4proto => reg 1 ] [ cmp eq reg 1 0x00000006 ]"
#define CODE_FLAGS " [ payload load 1b @ transport header + 13 => reg 1 ]"

const struct rule_case rule_cases[] = {
	{ .families = FAMILY_BOTH, .target = RETURN, .text = "counter return", .code = CODE_RETURN },
	{ .families = FAMILY_BOTH,
	  .not_ipv4 = true,
	  .target = RETURN,
	  .text = "meta nfproto != ipv4 counter return",
	  .code = " [ meta load nfproto => reg 1 ] [ cmp neq reg 1 0x00000002 ]" CODE_RETURN },
	{ .families = V4, .target = RETURN, .text = "meta nfproto ipv4 counter return", .code = CODE_V4 CODE_RETURN },
	{ .families = V4,
	  .src = "127.0.0.6",
	  .oif = "lo",
	  .target = RETURN,
	  .text = "ip saddr 127.0.0.6 oifname \"lo\" counter return",
	  .code = CODE_V4
	  " [ payload load 4b @ network header + 12 => reg 1 ] [ cmp eq reg 1 0x0600007f ]"
	  " [ meta load oifname => reg 1 ] [ cmp eq reg 1 0x00006f6c 0x00000000 0x00000000 0x00000000 ]" CODE_RETURN },
	{ .families = V4,
	  .dst = "10.0.0.0/8",
	  .target = RETURN,
	  .text = "ip daddr 10.0.0.0/8 counter return",
	  .code = CODE_V4 " [ payload load 1b @ network header + 16 => reg 1 ] [ cmp eq reg 1 0x0000000a ]" CODE_RETURN },
	{ .families = V4,
	  .inverted = NOT(MATCH_DST),
	  .dst = "10.0.0.0/9",
	  .target = RETURN,
	  .text = "ip daddr != 10.0.0.0/9 counter return",
	  .code = CODE_V4
	  " [ payload load 4b @ network header + 16 => reg 1 ]"
	  " [ bitwise reg 1 = ( reg 1 & 0x000080ff ) ^ 0x00000000 ] [ cmp neq reg 1 0x0000000a ]" CODE_RETURN },
	{ .families = V6,
	  .dst = "::127.0.0.53",
	  .target = RETURN,
	  .text = "ip6 daddr ::127.0.0.53 counter return",
	  .code = CODE_V6 " [ payload load 16b @ network header + 24 => reg 1 ]"
			  " [ cmp eq reg 1 0x00000000 0x00000000 0x00000000 0x3500007f ]" CODE_RETURN },
	{ .families = V6,
	  .src = "fd00::/10",
	  .target = RETURN,
	  .text = "ip6 saddr fd00::/10 counter return",
	  .code = CODE_V6 " [ payload load 16b @ network header + 8 => reg 1 ]"
			  " [ bitwise reg 1 = ( reg 1 & 0x0000c0ff 0x00000000 0x00000000 0x00000000 ) ^"
			  " 0x00000000 0x00000000 0x00000000 0x00000000 ]"
			  " [ cmp eq reg 1 0x000000fd 0x00000000 0x00000000 0x00000000 ]" CODE_RETURN },
	{ .families = V4,
	  .dst = "10.0.0.0/24 10.0.1.0/24 10.0.2.0/24",
	  .target = RETURN,
	  .text = "ip daddr 10.0.0.0-10.0.2.255 counter return",
	  .code = CODE_V4 " [ payload load 4b @ network header + 16 => reg 1 ] [ cmp gte reg 1 0x0000000a ]"
			  " [ cmp lte reg 1 0xff02000a ]" CODE_RETURN },
	{ .families = V4,
	  .dst = "10.0.0.0/24 10.0.2.0/24 10.0.1.0/24 0.0.0.0/8 240.0.0.0/4 1.2.3.4",
	  .target = RETURN,
	  .text = "ip daddr { 0.0.0.0/8, 1.2.3.4, 10.0.0.0-10.0.2.255, 240.0.0.0/4 } counter return",
	  .code = CODE_V4 " [ payload load 4b @ network header + 16 => reg 1 ] [ lookup reg 1 set __set0 0x0 ]" CODE_RETURN },
	{ .families = V6,
	  .inverted = NOT(MATCH_DST),
	  .dst = "fd00::2 fd00::1",
	  .target = RETURN,
	  .text = "ip6 daddr != { fd00::1, fd00::2 } counter return",
	  .code = CODE_V6
	  " [ payload load 16b @ network header + 24 => reg 1 ] [ lookup reg 1 set __set0 0x1 ]" CODE_RETURN },
	{ .families = V6,
	  .src = "ff00::/8 ::/8",
	  .target = RETURN,
	  .text = "ip6 saddr { ::/8, ff00::/8 } counter return",
	  .code = CODE_V6 " [ payload load 16b @ network header + 8 => reg 1 ] [ lookup reg 1 set __set0 0x0 ]" CODE_RETURN },
	{ .families = FAMILY_BOTH,
	  .iif = "eth+",
	  .target = RETURN,
	  .text = "iifname \"eth*\" counter return",
	  .code = " [ meta load iifname => reg 1 ] [ cmp eq reg 1 0x00687465 ]" CODE_RETURN },
	{ .families = FAMILY_BOTH,
	  .iif = "eth1 vm0",
	  .oif = "eth+ lo",
	  .target = RETURN,
	  .text = "iifname { \"vm0\", \"eth1\" } oifname { \"eth*\", \"lo\" } counter return",
	  .code = " [ meta load iifname => reg 1 ] [ lookup reg 1 set __set0 0x0 ]"
		  " [ meta load oifname => reg 1 ] [ lookup reg 1 set __set1 0x0 ]" CODE_RETURN },
	{ .families = FAMILY_BOTH,
	  .proto = IPPROTO_TCP,
	  .target = { .kind = TARGET_JUMP, .chain = "istio-inbound" },
	  .text = "meta l4proto tcp counter jump istio-inbound",
	  .code = CODE_TCP COUNTER " [ immediate reg 0 jump -> istio-inbound ]" },
	{ .families = FAMILY_BOTH,
	  .proto = IPPROTO_TCP,
	  .dport = "15008",
	  .target = RETURN,
	  .text = "tcp dport 15008 counter return",
	  .code = CODE_TCP " [ payload load 2b @ transport header + 2 => reg 1 ] [ cmp eq reg 1 0x0000a03a ]" CODE_RETURN },
	{ .families = FAMILY_BOTH,
	  .proto = IPPROTO_UDP,
	  .sport = "8000-8100",
	  .target = RETURN,
	  .text = "udp sport 8000-8100 counter return",
	  .code = " [ meta load l4proto => reg 1 ] [ cmp eq reg 1 0x00000011 ] [ payload load 2b @ transport header + 0 => reg 1 ]"
		  " [ cmp gte reg 1 0x0000401f ] [ cmp lte reg 1 0x0000a41f ]" CODE_RETURN },
	{ .families = FAMILY_BOTH,
	  .inverted = NOT(MATCH_DPORT),
	  .proto = IPPROTO_TCP,
	  .dport = "8000-8100",
	  .target = RETURN,
	  .text = "tcp dport != 8000-8100 counter return",
	  .code = CODE_TCP
	  " [ payload load 2b @ transport header + 2 => reg 1 ] [ range neq reg 1 0x0000401f 0x0000a41f ]" CODE_RETURN },
	{ .families = V4,
	  .inverted = NOT(MATCH_DST) | NOT(MATCH_DPORT),
	  .dst = "127.0.0.1",
	  .oif = "lo",
	  .proto = IPPROTO_TCP,
	  .dport = "15008 53",
	  .uid = "1337",
	  .target = { .kind = TARGET_JUMP, .chain = "istio-in-redirect" },
	  .text = "ip daddr != 127.0.0.1 oifname \"lo\" tcp dport != { 53, 15008 } meta skuid 1337 counter jump istio-in-redirect",
	  .code = CODE_V4 " [ payload load 4b @ network header + 16 => reg 1 ] [ cmp neq reg 1 0x0100007f ]"
			  " [ meta load oifname => reg 1 ] [ cmp eq reg 1 0x00006f6c 0x00000000 0x00000000 0x00000000 ]" CODE_TCP
			  " [ payload load 2b @ transport header + 2 => reg 1 ] [ lookup reg 1 set __set0 0x1 ]"
			  " [ meta load skuid => reg 1 ] [ cmp eq reg 1 0x00000539 ]" COUNTER
			  " [ immediate reg 0 jump -> istio-in-redirect ]" },
	{ .families = FAMILY_BOTH,
	  .proto = IPPROTO_TCP,
	  .dport = "80 8000-8100 60000-65535 81",
	  .target = RETURN,
	  .text = "tcp dport { 80-81, 8000-8100, 60000-65535 } counter return",
	  .code = CODE_TCP
	  " [ payload load 2b @ transport header + 2 => reg 1 ] [ lookup reg 1 set __set0 0x0 ]" CODE_RETURN },
	{ .families = FAMILY_BOTH,
	  .uid = "0 1337 500",
	  .gid = "3 1000-4294967294",
	  .target = RETURN,
	  .text = "meta skuid { 0, 500, 1337 } meta skgid { 3, 1000-4294967294 } counter return",
	  .code = " [ meta load skuid => reg 1 ] [ byteorder reg 1 = hton(reg 1, 4, 4) ] [ lookup reg 1 set __set0 0x0 ]"
		  " [ meta load skgid => reg 1 ] [ byteorder reg 1 = hton(reg 1, 4, 4) ] [ lookup reg 1 set __set1 0x0 ]" CODE_RETURN },
	{ .families = FAMILY_BOTH,
	  .uid = "1000-2000",
	  .target = RETURN,
	  .text = "meta skuid 1000-2000 counter return",
	  .code = " [ meta load skuid => reg 1 ] [ byteorder reg 1 = hton(reg 1, 4, 4) ]"
		  " [ cmp gte reg 1 0xe8030000 ] [ cmp lte reg 1 0xd0070000 ]" CODE_RETURN },
	{ .families = FAMILY_BOTH,
	  .ctstates = CTSTATE_RELATED | CTSTATE_ESTABLISHED,
	  .target = { .kind = TARGET_GOTO, .chain = "x" },
	  .text = "ct state established,related counter goto x",
	  .code = " [ ct load state => reg 1 ] [ bitwise reg 1 = ( reg 1 & 0x00000006 ) ^ 0x00000000 ]"
		  " [ cmp neq reg 1 0x00000000 ]" COUNTER " [ immediate reg 0 goto -> x ]" },
	{ .families = FAMILY_BOTH,
	  .inverted = NOT(MATCH_MARK),
	  .mark = { 1338, UINT32_MAX },
	  .target = { .kind = TARGET_DROP },
	  .text = "meta mark != 0x0000053a counter drop",
	  .code = " [ meta load mark => reg 1 ] [ cmp neq reg 1 0x0000053a ]" COUNTER " [ immediate reg 0 drop ]" },
	{ .families = FAMILY_BOTH,
	  .mark = { 1, 0xff },
	  .target = { .kind = TARGET_ACCEPT },
	  .text = "meta mark & 0x000000ff == 0x00000001 counter accept",
	  .code = " [ meta load mark => reg 1 ] [ bitwise reg 1 = ( reg 1 & 0x000000ff ) ^ 0x00000000 ]"
		  " [ cmp eq reg 1 0x00000001 ]" COUNTER " [ immediate reg 0 accept ]" },
	{ .families = FAMILY_BOTH,
	  .connmark = { 1337, UINT32_MAX },
	  .target = { .kind = TARGET_CONNMARK_RESTORE },
	  .text = "ct mark 0x00000539 counter meta mark set ct mark",
	  .code = " [ ct load mark => reg 1 ] [ cmp eq reg 1 0x00000539 ]" COUNTER
		  " [ ct load mark => reg 1 ] [ meta set mark with reg 1 ]" },
	{ .families = FAMILY_BOTH,
	  .target = { .kind = TARGET_CONNMARK_SAVE },
	  .text = "counter ct mark set meta mark",
	  .code = COUNTER " [ meta load mark => reg 1 ] [ ct set mark with reg 1 ]" },
	{ .families = FAMILY_BOTH,
	  .target = { .kind = TARGET_MARK, .mark = { 1338, UINT32_MAX } },
	  .text = "counter meta mark set 0x0000053a",
	  .code = COUNTER " [ immediate reg 1 0x0000053a ] [ meta set mark with reg 1 ]" },
	{ .families = FAMILY_BOTH,
	  .target = { .kind = TARGET_CT_ZONE, .zone = 2 },
	  .text = "counter ct zone set 2",
	  .code = COUNTER " [ immediate reg 1 0x00000002 ] [ ct set zone with reg 1 ]" },
	{ .families = FAMILY_BOTH,
	  .proto = IPPROTO_TCP,
	  .target = { .kind = TARGET_REDIRECT, .port = 15001 },
	  .comment = "a b",
	  .text = "meta l4proto tcp counter redirect to :15001 comment \"a b\"",
	  .code = CODE_TCP COUNTER " [ immediate reg 1 0x0000993a ] [ redir proto_min reg 1 ]"
				   " userdata = { \\x00\\x04a b\\x00 }" },
	{ .families = V6,
	  .inverted = NOT(MATCH_DST),
	  .dst = "::1",
	  .proto = IPPROTO_TCP,
	  .target = { .kind = TARGET_TPROXY, .port = 15006, .mark = { 1337, UINT32_MAX } },
	  .text = "ip6 daddr != ::1 meta l4proto tcp counter tproxy ip6 to :15006 meta mark set 0x00000539 accept",
	  .code = CODE_V6 " [ payload load 16b @ network header + 24 => reg 1 ]"
			  " [ cmp neq reg 1 0x00000000 0x00000000 0x00000000 0x01000000 ]" CODE_TCP COUNTER
			  " [ immediate reg 1 0x00009e3a ] [ tproxy ip6 port reg 1 ] [ immediate reg 1 0x00000539 ]"
			  " [ meta set mark with reg 1 ] [ immediate reg 0 accept ]" },
	{ .families = FAMILY_BOTH,
	  .proto = IPPROTO_TCP,
	  .tcp_flags = { TCP_SYN, TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK },
	  .target = { .kind = TARGET_REDIRECT, .port = 15001 },
	  .text = "tcp flags syn / fin,syn,rst,ack counter redirect to :15001",
	  .code = CODE_TCP CODE_FLAGS
	  " [ bitwise reg 1 = ( reg 1 & 0x00000017 ) ^ 0x00000000 ] [ cmp eq reg 1 0x00000002 ]" COUNTER
	  " [ immediate reg 1 0x0000993a ] [ redir proto_min reg 1 ]" },
	{ .families = FAMILY_BOTH,
	  .inverted = NOT(MATCH_TCP_FLAGS),
	  .proto = IPPROTO_TCP,
	  .dport = "53",
	  .tcp_flags = { TCP_PSH, TCP_PSH | TCP_URG },
	  .target = RETURN,
	  .text = "tcp dport 53 tcp flags != psh / psh,urg counter return",
	  .code = CODE_TCP
	  " [ payload load 2b @ transport header + 2 => reg 1 ] [ cmp eq reg 1 0x00003500 ]" CODE_FLAGS
	  " [ bitwise reg 1 = ( reg 1 & 0x00000028 ) ^ 0x00000000 ] [ cmp neq reg 1 0x00000008 ]" CODE_RETURN },
	{ .families = FAMILY_BOTH,
	  .proto = IPPROTO_TCP,
	  .tcp_flags = { 0, TCP_SYN | TCP_ACK },
	  .target = RETURN,
	  .text = "tcp flags ! syn,ack counter return",
	  .code = CODE_TCP CODE_FLAGS
	  " [ bitwise reg 1 = ( reg 1 & 0x00000012 ) ^ 0x00000000 ] [ cmp eq reg 1 0x00000000 ]" CODE_RETURN },
	{ .families = FAMILY_BOTH, .target = { .kind = TARGET_NONE }, .text = "counter", .code = COUNTER },
};

const unsigned n_rule_cases = ARRAY_SIZE(rule_cases);

static void add_match(struct rule *rule, const struct rule_case *c, struct match m)
{
	m.invert = c->inverted & NOT(m.kind);
	if (!m.n)
		m.n = 1;
	rule->matches[rule->n_matches++] = m;
}

/* A list of words in memory of the ruleset's. */
static void add_list(struct ruleset *rs, struct rule *rule, const struct rule_case *c, enum match_kind kind,
		     const char *words)
{
	struct match m = { .kind = (uint8_t)kind };
	char copy[128], *rest = NULL;
	char *items = ruleset_alloc(rs, 16 * sizeof(struct prefix));

	if (!words)
		return;
	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		void *item = items + m.n++ * match_item_size(m.kind);

		if (kind == MATCH_SRC || kind == MATCH_DST)
			ck_assert_ptr_null(prefix_parse(word, item, NULL));
		else if (kind == MATCH_IIF || kind == MATCH_OIF)
			strcpy(((struct iface *)item)->name, word);
		else if (sscanf(word, "%u-%u", &((struct range *)item)->lo, &((struct range *)item)->hi) == 1)
			((struct range *)item)->hi = ((struct range *)item)->lo;
	}
	m.prefixes = (const struct prefix *)items;
	add_match(rule, c, m);
}

const struct rule *make_rule(struct ruleset *rs, const struct rule_case *c)
{
	struct match matches[RULE_MATCHES_MAX];
	struct rule rule = { .families = (uint8_t)c->families, .matches = matches, .target = c->target, .comment = c->comment };

	if (c->not_ipv4)
		matches[rule.n_matches++] = (struct match){ .kind = MATCH_NFPROTO, .invert = true, .n = 1, .proto = IPV4 };
	add_list(rs, &rule, c, MATCH_SRC, c->src);
	add_list(rs, &rule, c, MATCH_DST, c->dst);
	add_list(rs, &rule, c, MATCH_IIF, c->iif);
	add_list(rs, &rule, c, MATCH_OIF, c->oif);
	if (c->proto)
		add_match(&rule, c, (struct match){ .kind = MATCH_PROTO, .proto = c->proto });
	add_list(rs, &rule, c, MATCH_SPORT, c->sport);
	add_list(rs, &rule, c, MATCH_DPORT, c->dport);
	if (c->tcp_flags.mask)
		add_match(&rule, c, (struct match){ .kind = MATCH_TCP_FLAGS, .mark = c->tcp_flags });
	add_list(rs, &rule, c, MATCH_UID, c->uid);
	add_list(rs, &rule, c, MATCH_GID, c->gid);
	if (c->ctstates)
		add_match(&rule, c, (struct match){ .kind = MATCH_CTSTATE, .ctstates = c->ctstates });
	if (c->mark.mask)
		add_match(&rule, c, (struct match){ .kind = MATCH_MARK, .mark = c->mark });
	if (c->connmark.mask)
		add_match(&rule, c, (struct match){ .kind = MATCH_CONNMARK, .mark = c->connmark });
	ruleset_append(rs, TABLE_NAT, "istio-output", &rule);
	ruleset_normalize(rs);
	return &ruleset_find(rs, TABLE_NAT, "istio-output")->rules[0];
}
