/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read from nf_tables: rules that others wrote, answers that are cut short, refusals. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libnftnl/expr.h>

#include "util.h"

#include "iptables_nft/iptables_nft.h"
#include "nftables/nftables.h"

Suite *suite_nft_answers(void);

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
	struct nft_dump none = { .rs = back };
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
		nftables_rule_decode(back, &none, TABLE_NAT, "odd", FAMILY_BOTH, nlh);
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

Suite *suite_nft_answers(void)
{
	Suite *suite = suite_create("nft answers");
	TCase *tc = tcase_create("nft answers");

	tcase_add_test(tc, what_the_model_cannot_say_is_unknown);
	tcase_add_loop_test(tc, answers_are_whole, 0, ARRAY_SIZE(answers));
	tcase_add_loop_test(tc, a_kernel_without_zones_is_told_apart, 0, ARRAY_SIZE(refusals));
	suite_add_tcase(suite, tc);
	return suite;
}
