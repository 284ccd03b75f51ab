/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of the native layout as text, as nf_tables' expressions, and back; without a kernel. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libnftnl/expr.h>

#include "merge.h"
#include "nft_text.h"
#include "text.h"
#include "util.h"

#include "iptables_nft/iptables_nft.h"
#include "nftables/nftables.h"

Suite *suite_nft(void);

#define NOT(kind) (1u << (kind))
#define V4 FAMILY_BIT(IPV4)
#define V6 FAMILY_BIT(IPV6)

/* Lists are words; @not: the matches that are inverted. */
struct rule_case {
	unsigned families, not ;
	const char *src, *dst, *iif, *oif, *sport, *dport, *uid, *gid;
	uint8_t proto;
	uint32_t ctstates;
	struct mark mark, connmark;
	bool not_ipv4;
	struct target target;
	const char *comment;
	const char *text;
	const char *code; /* as libnftnl prints it on a little-endian machine */
};

#define RETURN \
	{ \
		.kind = TARGET_RETURN \
	}
#define COUNTER " [ counter pkts 0 bytes 0 ]"
#define CODE_RETURN COUNTER " [ immediate reg 0 return ]"
#define CODE_V4 " [ meta load nfproto => reg 1 ] [ cmp eq reg 1 0x00000002 ]"
#define CODE_V6 " [ meta load nfproto => reg 1 ] [ cmp eq reg 1 0x0000000a ]"
#define CODE_TCP " [ meta load l4proto => reg 1 ] [ cmp eq reg 1 0x00000006 ]"

static const struct rule_case cases[] = {
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
	  .not = NOT(MATCH_DST),
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
	  .not = NOT(MATCH_DST),
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
	  .not = NOT(MATCH_DPORT),
	  .proto = IPPROTO_TCP,
	  .dport = "8000-8100",
	  .target = RETURN,
	  .text = "tcp dport != 8000-8100 counter return",
	  .code = CODE_TCP
	  " [ payload load 2b @ transport header + 2 => reg 1 ] [ range neq reg 1 0x0000401f 0x0000a41f ]" CODE_RETURN },
	{ .families = V4,
	  .not = NOT(MATCH_DST) | NOT(MATCH_DPORT),
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
	  .not = NOT(MATCH_MARK),
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
	  .not = NOT(MATCH_DST),
	  .dst = "::1",
	  .proto = IPPROTO_TCP,
	  .target = { .kind = TARGET_TPROXY, .port = 15006, .mark = { 1337, UINT32_MAX } },
	  .text = "ip6 daddr != ::1 meta l4proto tcp counter tproxy ip6 to :15006 meta mark set 0x00000539 accept",
	  .code = CODE_V6 " [ payload load 16b @ network header + 24 => reg 1 ]"
			  " [ cmp neq reg 1 0x00000000 0x00000000 0x00000000 0x01000000 ]" CODE_TCP COUNTER
			  " [ immediate reg 1 0x00009e3a ] [ tproxy ip6 port reg 1 ] [ immediate reg 1 0x00000539 ]"
			  " [ meta set mark with reg 1 ] [ immediate reg 0 accept ]" },
	{ .families = FAMILY_BOTH, .target = { .kind = TARGET_NONE }, .text = "counter", .code = COUNTER },
};

static void add_match(struct rule *rule, const struct rule_case *c, struct match m)
{
	m.invert = c->not &NOT(m.kind);
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
		void *item = items + m.n++ * match_item_size(&m);

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

/* The rule of the case, normalized. */
static const struct rule *make_rule(struct ruleset *rs, const struct rule_case *c)
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

START_TEST(rule_is_printed_as_nft_prints_it)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	text_print_nft_rule(out, make_rule(rs, &cases[_i]), false);
	fclose(out);
	ck_assert_str_eq(text, cases[_i].text);
	free(text);
	ruleset_free(rs);
}
END_TEST

/* A batch in place of a link that has read generation 7. */
static void init_batch(struct nfnl_batch *batch)
{
	struct nfnl *nfnl = xcalloc(1, sizeof(*nfnl));

	nfnl->generation = 7;
	nfnl_batch_init(batch, nfnl, 0);
	free(nfnl);
}

START_TEST(rule_has_the_expressions_that_nft_makes)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH);
	const struct rule *rule = make_rule(rs, &cases[_i]);
	struct nfnl_batch batch;
	struct nftnl_rule *r;
	char text[4096], expected[4096];
	unsigned sets = 0;

	init_batch(&batch);
	r = nftables_rule_encode(&batch, TABLE_NAT, "istio-output", rule, &sets);
	nftnl_rule_snprintf(text, sizeof(text), r, NFTNL_OUTPUT_DEFAULT, 0);
	nft_text_flatten(text);
	snprintf(expected, sizeof(expected), "%s", cases[_i].code);
	nft_text_of_this_machine(expected);
	ck_assert_str_eq(text, expected);
	nftnl_rule_free(r);
	nfnl_batch_release(&batch);
	ruleset_free(rs);
}
END_TEST

/* The messages of a batch as if the kernel had dumped them. */
static void take_dump(struct nft_dump *dump, const struct nfnl_batch *batch)
{
	const char *end = batch->data + nfnl_batch_bytes(batch);

	memset(dump, 0, sizeof(*dump));
	for (const char *at = batch->data; at < end; at += MNL_ALIGN(((const struct nlmsghdr *)at)->nlmsg_len)) {
		const struct nlmsghdr **place = array_push(&dump->messages, &dump->n, sizeof(*place));

		*place = (const struct nlmsghdr *)at;
	}
}

/* Adds the whole table nat, as a plan for an empty netns does. */
static void put_table(struct nfnl_batch *batch, const struct ruleset *rs)
{
	struct ruleset *none = ruleset_new(LAYOUT_NATIVE, 0);
	struct nft_dump empty = { .rs = none };
	struct nftables_writer writer = { .batch = batch, .dump = &empty };
	struct live live = { .rules = { [NFTABLES] = none } };
	struct plan_want want = { .backend = NFTABLES, .rules = rs };
	struct plan plan;

	plan_init(&plan, &live, &want);
	plan_add_table(&plan, NFTABLES, none, rs, TABLE_NAT, FAMILIES, 0);
	for (unsigned i = 0; i < plan.n; i++)
		nftables_put_step(&writer, &plan.steps[i]);
	plan_free(&plan);
	ruleset_free(none);
}

/* Puts @rs into a batch and reads the chain istio-output back; free with ruleset_free. */
static struct ruleset *read_back(struct nfnl_batch *batch, struct nft_dump *dump, const struct ruleset *rs)
{
	struct ruleset *back = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH);

	init_batch(batch);
	put_table(batch, rs);
	take_dump(dump, batch);
	for (unsigned i = 0; i < dump->n; i++)
		if (dump->messages[i]->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
			nftables_rule_decode(back, dump, TABLE_NAT, nfnl_attr_str(dump->messages[i], NFTA_RULE_CHAIN),
					     dump->messages[i]);
	return back;
}

START_TEST(rule_comes_back_as_it_went)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH), *back;
	const struct rule *rule = make_rule(rs, &cases[_i]);
	struct nft_dump dump;
	struct nfnl_batch batch;

	back = read_back(&batch, &dump, rs);
	ck_assert_uint_eq(ruleset_find(back, TABLE_NAT, "istio-output")->n_rules, 1);
	ck_assert(!ruleset_find(back, TABLE_NAT, "istio-output")->rules->unknown);
	ck_assert(rule_equal(ruleset_find(back, TABLE_NAT, "istio-output")->rules, rule));
	ck_assert_uint_eq(ruleset_find(back, TABLE_NAT, "istio-output")->rules->families, rule->families);
	free(dump.messages);
	nfnl_batch_release(&batch);
	ruleset_free(back);
	ruleset_free(rs);
}
END_TEST

/* What no set of the kernel's holds; a stretch that ends before it begins must not be split. */
START_TEST(elements_that_are_there_twice)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH), *twice = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH),
		       *back;
	const struct rule *rule = make_rule(rs, &cases[_i]), *read;
	struct nft_dump dump;
	struct nfnl_batch batch;
	unsigned sets = 0;

	back = read_back(&batch, &dump, rs);
	for (unsigned i = 0, n = dump.n; i < n; i++)
		if (dump.messages[i]->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM)) {
			const struct nlmsghdr **place = array_push(&dump.messages, &dump.n, sizeof(*place));

			*place = dump.messages[i];
			sets++;
		}
	for (unsigned i = 0; i < dump.n; i++)
		if (dump.messages[i]->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
			nftables_rule_decode(twice, &dump, TABLE_NAT, "istio-output", dump.messages[i]);
	read = ruleset_find(twice, TABLE_NAT, "istio-output")->rules;
	ck_assert(read->unknown ? sets : rule_equal(read, rule));
	free(dump.messages);
	nfnl_batch_release(&batch);
	ruleset_free(back);
	ruleset_free(twice);
	ruleset_free(rs);
}
END_TEST

/* 20,000 prefixes that do not touch, and one message of the kernel's size for each part of them. */
START_TEST(long_lists_are_split_over_messages)
{
	enum { N = 20000 };
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH), *back;
	struct prefix *prefixes = xcalloc(N, sizeof(*prefixes));
	struct match m = { .kind = MATCH_DST, .n = N, .prefixes = prefixes };
	struct rule rule = { .families = V6, .n_matches = 1, .matches = &m, .target = RETURN };
	struct nft_dump dump;
	struct nfnl_batch batch;
	unsigned parts = 0;

	for (uint32_t i = 0; i < N; i++) {
		uint32_t net = htonl(2 * ((i * 7919) % N));

		prefixes[i] = (struct prefix){ .family = IPV6, .len = 64, .addr = { 0xfd } };
		memcpy(prefixes[i].addr + 4, &net, sizeof(net));
	}
	ruleset_append(rs, TABLE_NAT, "istio-output", &rule);
	ruleset_normalize(rs);
	back = read_back(&batch, &dump, rs);
	ck_assert(rule_equal(ruleset_find(back, TABLE_NAT, "istio-output")->rules,
			     ruleset_find(rs, TABLE_NAT, "istio-output")->rules));
	for (unsigned i = 0; i < dump.n; i++) {
		ck_assert_uint_le(dump.messages[i]->nlmsg_len, SET_MESSAGE_MAX);
		parts += dump.messages[i]->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM);
	}
	ck_assert_uint_gt(parts, 20);
	ck_assert_uint_eq(batch.items, N);
	ck_assert_uint_lt(nfnl_batch_bytes(&batch) - batch.items_bytes, 4096);
	free(dump.messages);
	nfnl_batch_release(&batch);
	ruleset_free(back);
	ruleset_free(rs);
	free(prefixes);
}
END_TEST

/* What the golden texts cannot show on a machine of one byte order. */
static int find_data(struct nftnl_expr *e, void *data)
{
	const void **found = data;
	uint32_t len;

	if (!strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "cmp"))
		*found = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);
	return 0;
}

static void check_last_cmp(const struct rule_case *c, const void *data, size_t len)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH);
	const void *found = NULL;
	struct nfnl_batch batch;
	struct nftnl_rule *r;
	unsigned sets = 0;

	init_batch(&batch);
	r = nftables_rule_encode(&batch, TABLE_NAT, "istio-output", make_rule(rs, c), &sets);
	nftnl_expr_foreach (r, find_data, &found)
		;
	ck_assert_mem_eq(found, data, len);
	nftnl_rule_free(r);
	nfnl_batch_release(&batch);
	ruleset_free(rs);
}

START_TEST(registers_have_the_byte_order_of_their_fields)
{
	static const struct rule_case port = { .families = FAMILY_BOTH, .proto = IPPROTO_TCP, .dport = "15008" };
	static const struct rule_case uid = { .families = FAMILY_BOTH, .uid = "1337" };
	static const struct rule_case uids = { .families = FAMILY_BOTH, .uid = "1-1337" };
	static const struct rule_case mark = { .families = FAMILY_BOTH, .mark = { 1337, UINT32_MAX } };
	static const struct rule_case addr = { .families = V4, .dst = "10.1.2.3" };
	uint32_t host = 1337;

	check_last_cmp(&port, "\x3a\xa0", 2);
	check_last_cmp(&uid, &host, sizeof(host));
	check_last_cmp(&uids, "\x00\x00\x05\x39", 4);
	check_last_cmp(&mark, &host, sizeof(host));
	check_last_cmp(&addr, "\x0a\x01\x02\x03", 4);
}
END_TEST

static void add_raw(struct nftnl_rule *r, const char *name, uint16_t attr, uint32_t value)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	nftnl_expr_set_u32(e, attr, value);
	nftnl_rule_add_expr(r, e);
}

/* Rules that others wrote: none of it may be taken for something else. */
START_TEST(what_the_model_cannot_say_is_unknown)
{
	struct ruleset *back = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH);
	struct nft_dump none = {};
	_Alignas(struct nlmsghdr) char buf[4096];
	static const uint16_t port = 5;
	const struct chain *chain;

	for (unsigned i = 0; i < 5; i++) {
		struct nftnl_rule *r = nftnl_rule_alloc();
		struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_NEWRULE, AF_INET, 0, 0);
		struct nftnl_expr *e;

		add_raw(r, "meta", NFTNL_EXPR_META_KEY, NFT_META_MARK);
		switch (i) {
		case 0: /* an expression of another layout */
			add_raw(r, "match", NFTNL_EXPR_MT_REV, 0);
			break;
		case 1: /* a field that we do not know */
			add_raw(r, "meta", NFTNL_EXPR_META_KEY, NFT_META_CPU);
			break;
		case 2: /* tproxy that lets go of what it has not taken */
			e = nftnl_expr_alloc("immediate");
			nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
			nftnl_expr_set_data(e, NFTNL_EXPR_IMM_DATA, &port, sizeof(port));
			nftnl_rule_add_expr(r, e);
			e = nftnl_expr_alloc("tproxy");
			nftnl_expr_set_u32(e, NFTNL_EXPR_TPROXY_FAMILY, 0);
			nftnl_expr_set_u32(e, NFTNL_EXPR_TPROXY_REG_PORT, NFT_REG_1);
			nftnl_rule_add_expr(r, e);
			break;
		case 3: /* a set that is not there */
			e = nftnl_expr_alloc("lookup");
			nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
			nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, "gone");
			nftnl_rule_add_expr(r, e);
			break;
		case 4: /* half a range */
			e = nftnl_expr_alloc("payload");
			nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
			nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
			nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, 2);
			nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, 2);
			nftnl_rule_add_expr(r, e);
			e = nftnl_expr_alloc("cmp");
			nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
			nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_GTE);
			nftnl_expr_set_data(e, NFTNL_EXPR_CMP_DATA, &port, sizeof(port));
			nftnl_rule_add_expr(r, e);
			break;
		}
		nftnl_rule_nlmsg_build_payload(nlh, r);
		nftables_rule_decode(back, &none, TABLE_NAT, "odd", nlh);
		nftnl_rule_free(r);
	}
	chain = ruleset_find(back, TABLE_NAT, "odd");
	ck_assert_uint_eq(chain->n_rules, 5);
	for (unsigned i = 0; i < chain->n_rules; i++)
		ck_assert(chain->rules[i].unknown);
	ruleset_free(back);
}
END_TEST

/* Lengths and errors that no kernel says must not be taken for any. */
static const struct {
	uint16_t type;
	uint32_t len;
	int error;
	bool whole;
} answers[] = {
	{ NLMSG_DONE, 20, 0, true },
	{ NLMSG_DONE, 20, -ENOMEM, true },
	{ NLMSG_DONE, 16, 0, false },
	{ NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, 20, 0, true },
	{ NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, 16, 0, false },
	{ NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, UINT32_MAX - 16, 0, false },
	{ NLMSG_ERROR, 36, 0, true },
	{ NLMSG_ERROR, 36, -EPERM, true },
	{ NLMSG_ERROR, 36, EPERM, false },
	{ NLMSG_ERROR, 36, INT_MIN, false },
	{ NLMSG_ERROR, 20, 0, false },
};

START_TEST(answers_are_whole)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr body;
	} answer = { { .nlmsg_type = answers[_i].type, .nlmsg_len = answers[_i].len }, { .error = answers[_i].error } };

	ck_assert_int_eq(netlink_is_whole(&answer.head, sizeof(answer), sizeof(struct nfgenmsg)), answers[_i].whole);
}
END_TEST

/* Refusals of a rule that sets a conntrack zone, and of one that does not. */
static const struct {
	const struct nfnl_writer *writer;
	enum target_kind target;
	int error;
	enum err_cause cause;
} refusals[] = {
	{ &nftables_writer, TARGET_CT_ZONE, EOPNOTSUPP, CAUSE_ZONES },
	{ &nftables_writer, TARGET_CT_ZONE, ENOENT, CAUSE_ZONES },
	{ &nftables_writer, TARGET_CT_ZONE, ENOMEM, CAUSE_OTHER },
	{ &nftables_writer, TARGET_REDIRECT, EOPNOTSUPP, CAUSE_OTHER },
	{ &iptables_nft_writer, TARGET_CT_ZONE, EOPNOTSUPP, CAUSE_ZONES },
	{ &iptables_nft_writer, TARGET_CT_ZONE, ENOENT, CAUSE_ZONES },
	{ &iptables_nft_writer, TARGET_REDIRECT, ENOENT, CAUSE_OTHER },
};

START_TEST(a_kernel_without_zones_is_told_apart)
{
	const struct rule rule = { .target.kind = refusals[_i].target };
	const char *name = refusals[_i].target == TARGET_CT_ZONE ? "CT" : "REDIRECT";
	_Alignas(struct nlmsghdr) char buf[64];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	struct nfnl_refusal refusal = { .error = refusals[_i].error,
					.type = NFT_MSG_NEWRULE,
					.table = "t",
					.chain = "c",
					.expr = "target",
					.data = data,
					.cookie = &rule };
	struct err err;

	mnl_attr_put_strz(nlh, 1, name);
	mnl_attr_nest_end(nlh, data);
	ck_assert_int_lt(refusals[_i].writer->explain(&refusal, &err), 0);
	ck_assert_int_eq(err.cause, refusals[_i].cause);
	if (refusals[_i].writer == &iptables_nft_writer && refusals[_i].error == ENOENT)
		ck_assert_ptr_nonnull(strstr(err.what, name));
}
END_TEST

Suite *suite_nft(void)
{
	Suite *suite = suite_create("nft");
	TCase *tc = tcase_create("nft");

	tcase_add_loop_test(tc, rule_is_printed_as_nft_prints_it, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, rule_has_the_expressions_that_nft_makes, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, rule_comes_back_as_it_went, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, elements_that_are_there_twice, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, long_lists_are_split_over_messages);
	tcase_add_test(tc, registers_have_the_byte_order_of_their_fields);
	tcase_add_test(tc, what_the_model_cannot_say_is_unknown);
	tcase_add_loop_test(tc, answers_are_whole, 0, ARRAY_SIZE(answers));
	tcase_add_loop_test(tc, a_kernel_without_zones_is_told_apart, 0, ARRAY_SIZE(refusals));
	suite_add_tcase(suite, tc);
	return suite;
}
