/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules as iptables-nft writes them, and back; without a kernel. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iptables_nft/iptables_nft.h"
#include "nft/chain.h"
#include "nft/expr.h"
#include "nft_text.h"
#include "util.h"
#include "xt_cases.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include <libnftnl/common.h>
#include <libnftnl/udata.h>

Suite *suite_iptables_nft(void);

#define COUNTER "[ counter pkts 0 bytes 0 ]"
#define RETURN COUNTER " [ immediate reg 0 return ]"
#define TCP "[ meta load l4proto => reg 1 ] [ cmp eq reg 1 0x00000006 ] "
#define UDP "[ meta load l4proto => reg 1 ] [ cmp eq reg 1 0x00000011 ] "

/* Of each case, as nft --debug=netlink prints it after iptables-nft-restore (1.8.9). */
static const char *const codes[] = {
	RETURN,
	COUNTER " [ immediate reg 0 accept ]",
	COUNTER " [ immediate reg 0 drop ]",
	COUNTER,
	COUNTER " [ immediate reg 0 jump -> ISTIO_OUTPUT ]",
	COUNTER " [ immediate reg 0 goto -> ISTIO_REST ]",
	TCP COUNTER " [ target name REDIRECT rev 0 ]",
	TCP COUNTER " [ target name REDIRECT rev 0 ]",
	TCP COUNTER " [ target name TPROXY rev 1 ]",
	COUNTER " [ target name MARK rev 2 ]",
	COUNTER " [ target name CONNMARK rev 2 ]",
	COUNTER " [ target name CONNMARK rev 2 ]",
	UDP COUNTER " [ target name CT rev 2 ]",
	"[ meta load oifname => reg 1 ] [ cmp eq reg 1 0x00006f6c ] "
	"[ payload load 4b @ network header + 12 => reg 1 ] [ cmp eq reg 1 0x0600007f ] " RETURN,
	"[ payload load 4b @ network header + 16 => reg 1 ] "
	"[ bitwise reg 1 = ( reg 1 & 0x000080ff ) ^ 0x00000000 ] [ cmp neq reg 1 0x0000800a ] " RETURN,
	"[ payload load 4b @ network header + 16 => reg 1 ] "
	"[ bitwise reg 1 = ( reg 1 & 0x00000000 ) ^ 0x00000000 ] [ cmp neq reg 1 0x00000000 ] " RETURN,
	"[ payload load 16b @ network header + 8 => reg 1 ] "
	"[ cmp neq reg 1 0x00000000 0x00000000 0x00000000 0x06000000 ] "
	"[ payload load 16b @ network header + 24 => reg 1 ] "
	"[ bitwise reg 1 = ( reg 1 & 0xffffffff 0xf8ffffff 0x00000000 0x00000000 ) ^ 0x00000000 0x00000000 0x00000000 0x00000000 ] "
	"[ cmp eq reg 1 0x00000120 0x00000000 0x00000000 0x00000000 ] " RETURN,
	"[ meta load iifname => reg 1 ] [ cmp neq reg 1 0x00687465 ] [ meta load oifname => reg 1 ] "
	"[ cmp neq reg 1 0x64636261 0x68676665 0x6c6b6a69 0x006f6e6d ] " RETURN,
	"[ meta load iifname => reg 1 ] [ cmp eq reg 1 0x64636261 0x68676665 0x6c6b6a69 0x00006e6d ] " RETURN,
	TCP "[ payload load 2b @ transport header + 2 => reg 1 ] [ cmp eq reg 1 0x00005000 ] " RETURN,
	TCP "[ payload load 2b @ transport header + 0 => reg 1 ] [ range neq reg 1 0x00000100 0x0000ffff ] "
	    "[ payload load 2b @ transport header + 2 => reg 1 ] [ range eq reg 1 0x00000000 0x00000900 ] " RETURN,
	TCP "[ payload load 1b @ transport header + 13 => reg 1 ] [ bitwise reg 1 = ( reg 1 & 0x00000017 ) ^ 0x00000000 ] "
	    "[ cmp eq reg 1 0x00000002 ] " COUNTER " [ target name REDIRECT rev 0 ]",
	TCP "[ payload load 1b @ transport header + 13 => reg 1 ] [ bitwise reg 1 = ( reg 1 & 0x00000028 ) ^ 0x00000000 ] "
	    "[ cmp neq reg 1 0x00000000 ] [ payload load 2b @ transport header + 2 => reg 1 ] "
	    "[ cmp neq reg 1 0x00003500 ] " RETURN,
	UDP "[ payload load 2b @ transport header + 0 => reg 1 ] [ cmp eq reg 1 0x00003500 ] "
	    "[ payload load 2b @ transport header + 2 => reg 1 ] [ range neq reg 1 0x00000004 0x0000ffff ] " RETURN,
	"[ meta load oifname => reg 1 ] [ cmp eq reg 1 0x00006f6c ] " TCP
	"[ match name multiport rev 1 ] [ match name owner rev 1 ] " COUNTER
	" [ immediate reg 0 jump -> ISTIO_IN_REDIRECT ]",
	TCP "[ payload load 2b @ transport header + 0 => reg 1 ] [ cmp eq reg 1 0x00000500 ] "
	    "[ match name multiport rev 1 ] " RETURN,
	UDP "[ match name multiport rev 1 ] [ match name multiport rev 1 ] " RETURN,
	"[ match name owner rev 1 ] " RETURN,
	"[ match name owner rev 1 ] " RETURN,
	"[ match name owner rev 1 ] [ match name owner rev 1 ] [ match name owner rev 1 ] "
	"[ match name owner rev 1 ] " RETURN,
	"[ match name conntrack rev 3 ] " RETURN,
	"[ match name conntrack rev 3 ] " RETURN,
	"[ meta load mark => reg 1 ] [ cmp neq reg 1 0x0000053a ] [ match name connmark rev 1 ] "
	"[ match name comment rev 0 ] " RETURN,
};
_Static_assert(ARRAY_SIZE(codes) == ARRAY_SIZE(cases), "the expressions of each case");

static struct nftnl_rule *encode(size_t i, enum family family)
{
	struct match matches[RULE_MATCHES_MAX];
	struct rule rule = case_rule(i, matches);
	struct nftnl_rule *r = nftnl_rule_alloc();

	ck_assert_int_eq(iptables_nft_rule_encode(r, &rule, family), 0);
	return r;
}

#define MESSAGE_MAX 16384

/* As the kernel dumps it, but that it does not tell NFTA_RULE_COMPAT.  Frees the rule. */
static struct nlmsghdr *to_message(char *buf, struct nftnl_rule *r, enum family family)
{
	struct nlmsghdr *nlh =
		nftnl_nlmsg_build_hdr(buf, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, nft_nfproto(family), 0, 0);

	nftnl_rule_nlmsg_build_payload(nlh, r);
	nftnl_rule_free(r);
	return nlh;
}

START_TEST(has_the_expressions_of_iptables_nft)
{
	char text[4096], expected[4096];

	snprintf(expected, sizeof(expected), "%s", codes[_i]);
	nft_text_of_this_machine(expected);
	for (enum family f = 0; f < FAMILIES; f++) {
		struct nftnl_rule *r;

		if (!(cases[_i].families & FAMILY_BIT(f)))
			continue;
		r = encode((size_t)_i, f);
		nftnl_rule_snprintf(text, sizeof(text), r, NFTNL_OUTPUT_DEFAULT, 0);
		nft_text_flatten(text);
		ck_assert_str_eq(text + 1, expected);
		nftnl_rule_free(r);
	}
}
END_TEST

START_TEST(comes_back_as_it_went)
{
	struct match matches[RULE_MATCHES_MAX];
	struct rule rule = case_rule((size_t)_i, matches);
	char buf[MESSAGE_MAX];
	struct nft_decoder d;

	for (enum family f = 0; f < FAMILIES; f++) {
		struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);

		if (cases[_i].families & FAMILY_BIT(f)) {
			iptables_nft_rule_decode(&d, rs, f, to_message(buf, encode((size_t)_i, f), f));
			ck_assert(!d.rule.unknown);
			ck_assert(rule_equal(&d.rule, &rule));
			ck_assert_uint_eq(d.rule.families, FAMILY_BIT(f));
		}
		ruleset_free(rs);
	}
}
END_TEST

/* What extensions look at: the protocol, and whether it is meant. */
START_TEST(tells_the_protocol)
{
	struct match proto = { .kind = MATCH_PROTO, .n = 1, .proto = IPPROTO_UDP };
	struct rule rule = { .n_matches = 1, .matches = &proto, .target.kind = TARGET_RETURN };

	for (int invert = 0; invert < 2; invert++) {
		struct nftnl_rule *r = nftnl_rule_alloc();

		proto.invert = invert;
		ck_assert_int_eq(iptables_nft_rule_encode(r, &rule, IPV4), 0);
		ck_assert_uint_eq(nftnl_rule_get_u32(r, NFTNL_RULE_COMPAT_PROTO), IPPROTO_UDP);
		ck_assert_uint_eq(nftnl_rule_get_u32(r, NFTNL_RULE_COMPAT_FLAGS), invert ? NFT_RULE_COMPAT_F_INV : 0);
		nftnl_rule_free(r);
	}
}
END_TEST

/* A message that is damaged, and what reads it. */
struct damage {
	struct nlmsghdr *nlh;
	struct ruleset *rs;
	enum family family;
	unsigned done;
};

/*
 * A wrong bit in what an attribute holds may change what a rule means, but nothing else.  (At
 * wrong lengths, and names without end, libnftnl ends the program.)
 */
static int damage_attr(const struct nlattr *attr, void *data)
{
	struct damage *damage = data;
	uint8_t *bytes = mnl_attr_get_payload(attr);
	struct nft_decoder d;

	if (attr->nla_type & NLA_F_NESTED)
		return mnl_attr_parse_nested(attr, damage_attr, data);
	for (int at = 0; at < mnl_attr_get_payload_len(attr) - 1; at++)
		for (unsigned bit = 0; bit < 8; bit++, damage->done++) {
			bytes[at] ^= (uint8_t)(1 << bit);
			iptables_nft_rule_decode(&d, damage->rs, damage->family, damage->nlh);
			ck_assert_uint_le(d.rule.n_matches, RULE_MATCHES_MAX);
			bytes[at] ^= (uint8_t)(1 << bit);
		}
	return MNL_CB_OK;
}

START_TEST(damaged)
{
	char buf[MESSAGE_MAX] __attribute__((aligned(8)));
	struct damage damage = { .family = cases[_i].families & FAMILY_BIT(IPV4) ? IPV4 : IPV6 };

	damage.nlh = to_message(buf, encode((size_t)_i, damage.family), damage.family);
	damage.rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	mnl_attr_parse(damage.nlh, sizeof(struct nfgenmsg), damage_attr, &damage);
	ck_assert_uint_gt(damage.done, 0);
	ruleset_free(damage.rs);
}
END_TEST

static void decode(struct nft_decoder *d, struct ruleset *rs, struct nftnl_rule *r)
{
	char buf[MESSAGE_MAX];

	iptables_nft_rule_decode(d, rs, IPV4, to_message(buf, r, IPV4));
}

static void add_blob(struct nftnl_rule *r, bool target, const char *name, uint32_t revision, size_t size)
{
	struct nftnl_expr *e = nft_add_expr(r, target ? "target" : "match");

	/* The attributes of the two have the same numbers. */
	nftnl_expr_set_str(e, target ? NFTNL_EXPR_TG_NAME : NFTNL_EXPR_MT_NAME, name);
	nftnl_expr_set_u32(e, target ? NFTNL_EXPR_TG_REV : NFTNL_EXPR_MT_REV, revision);
	nftnl_expr_set(e, target ? NFTNL_EXPR_TG_INFO : NFTNL_EXPR_MT_INFO, xcalloc(1, size), (uint32_t)size);
}

/* What only looks like ours equals nothing. */
START_TEST(strangers)
{
	struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	uint32_t uid = 1337;
	struct nft_decoder d;

	for (int i = 0; i < 6; i++) {
		struct nftnl_rule *r = nftnl_rule_alloc();

		switch (i) {
		case 0: /* no packet without a socket */
			nft_add_meta(r, NFT_META_SKUID);
			nft_add_equal(r, true, &uid, sizeof(uid));
			break;
		case 1:
			add_blob(r, false, "owner", 0, 40);
			break;
		case 2:
			add_blob(r, false, "string", 1, 8);
			break;
		case 3:
			nft_add_meta(r, NFT_META_MARK);
			nft_add_lookup(r, false, "marks");
			break;
		case 4:
			add_blob(r, true, "MASQUERADE", 0, 24);
			break;
		case 5:
			add_blob(r, true, "MARK", 2, 8);
			break;
		}
		nft_add_expr(r, "counter");
		nft_add_verdict(r, NFT_RETURN, NULL);
		decode(&d, rs, r);
		ck_assert(d.rule.unknown);
	}
	ruleset_free(rs);
}
END_TEST

/* Ranges as nft and newer programs write them, a comment as older ones do. */
START_TEST(other_spellings)
{
	const struct match wanted[] = { M_PROTO(IPPROTO_TCP), M_RANGE(MATCH_DPORT, false, 100, 200) };
	const struct rule rule = {
		.n_matches = 2, .matches = (struct match *)wanted, .target.kind = TARGET_RETURN, .comment = "why"
	};
	struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(64);
	struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	struct nftnl_rule *r = nftnl_rule_alloc();
	const uint8_t proto = IPPROTO_TCP, lo[] = { 0, 100 }, hi[] = { 0, 200 };
	struct nft_decoder d;

	nft_add_meta(r, NFT_META_L4PROTO);
	nft_add_equal(r, false, &proto, sizeof(proto));
	nft_add_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
	nft_add_range(r, false, lo, hi, sizeof(lo));
	nft_add_expr(r, "counter");
	nft_add_verdict(r, NFT_RETURN, NULL);
	ck_assert(nftnl_udata_put_strz(data, NFTNL_UDATA_RULE_COMMENT, "why"));
	nftnl_rule_set_data(r, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(data), nftnl_udata_buf_len(data));
	nftnl_udata_buf_free(data);
	decode(&d, rs, r);
	ck_assert(!d.rule.unknown);
	ck_assert(rule_equal(&d.rule, &rule));
	ruleset_free(rs);
}
END_TEST

START_TEST(inexpressible)
{
	struct match matches[] = {
		{ .kind = MATCH_NFPROTO, .n = 1, .proto = IPV4 }, M_OIF(true, "+"), M_RANGE(MATCH_DPORT, false, 1, 1), /* of no protocol */
	};
	struct rule rule = { .n_matches = 1, .target.kind = TARGET_RETURN };

	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		struct nftnl_rule *r = nftnl_rule_alloc();

		rule.matches = &matches[i];
		ck_assert_int_eq(iptables_nft_rule_encode(r, &rule, IPV4), -EINVAL);
		nftnl_rule_free(r);
	}
}
END_TEST

Suite *suite_iptables_nft(void)
{
	Suite *suite = suite_create("iptables_nft");
	TCase *tcase = tcase_create("iptables_nft");

	tcase_add_loop_test(tcase, has_the_expressions_of_iptables_nft, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tcase, comes_back_as_it_went, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tcase, damaged, 0, ARRAY_SIZE(cases));
	tcase_add_test(tcase, tells_the_protocol);
	tcase_add_test(tcase, strangers);
	tcase_add_test(tcase, other_spellings);
	tcase_add_test(tcase, inexpressible);
	suite_add_tcase(suite, tcase);
	return suite;
}
