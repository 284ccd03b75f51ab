/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/expr.h"

#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "util.h"

/* What stands for an expression that is not linked; the shortest attribute has room for its name. */
#define STAND_IN "cmp"

/* No type of attribute in an expression: libnftnl passes it over. */
#define NO_TYPE 63

/* libnftnl takes it for granted that an expression has a name; NULL without, or where it is not padded. */
static const char *expr_name(const struct nlattr *expr)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, expr)
		if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME)
			return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ||
					       (const char *)mnl_attr_next(attr) > (const char *)expr + expr->nla_len ?
				       NULL :
				       mnl_attr_get_str(attr);
	return NULL;
}

static void put_stand_in(struct nlattr *expr)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested (attr, expr)
		if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME) {
			memcpy(mnl_attr_get_payload(attr), STAND_IN, sizeof(STAND_IN));
			attr->nla_len = MNL_ATTR_HDRLEN + sizeof(STAND_IN);
		} else {
			attr->nla_type = NO_TYPE;
		}
}

/* The attribute of the expressions, NULL without. */
static struct nlattr *find_exprs(const struct nlmsghdr *nlh)
{
	struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_RULE_EXPRESSIONS)
			return attr;
	return NULL;
}

int nft_rule_parse(const struct nlmsghdr *nlh, struct nftnl_rule *r, void (*unlinked)(const char *name, void *data),
		   void *data)
{
	auto_free struct nlmsghdr *copy = NULL;
	struct nlattr *exprs = find_exprs(nlh), *expr;
	bool all_linked = true;

	if (exprs)
		mnl_attr_for_each_nested (expr, exprs) {
			const char *name = expr_name(expr);

			if (!name)
				return -1;
			all_linked &= nft_expr_is_linked(name);
		}
	if (all_linked)
		return nftnl_rule_nlmsg_parse(nlh, r) < 0 ? -1 : 0;
	copy = memcpy(xcalloc(1, nlh->nlmsg_len), nlh, nlh->nlmsg_len);
	mnl_attr_for_each_nested (expr, find_exprs(copy)) {
		const char *name = expr_name(expr);

		if (nft_expr_is_linked(name))
			continue;
		unlinked(name, data);
		put_stand_in(expr);
	}
	return nftnl_rule_nlmsg_parse(copy, r) < 0 ? -1 : 0;
}

struct nftnl_expr *nft_add_expr(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = xchecked(nftnl_expr_alloc(name));

	nftnl_rule_add_expr(r, e);
	return e;
}

static void add_keyed(struct nftnl_rule *r, const char *name, uint16_t key_attr, uint32_t key, uint16_t register_attr)
{
	struct nftnl_expr *e = nft_add_expr(r, name);

	nftnl_expr_set_u32(e, key_attr, key);
	nftnl_expr_set_u32(e, register_attr, NFT_REG_1);
}

void nft_add_meta(struct nftnl_rule *r, uint32_t key)
{
	add_keyed(r, "meta", NFTNL_EXPR_META_KEY, key, NFTNL_EXPR_META_DREG);
}

void nft_add_meta_set(struct nftnl_rule *r, uint32_t key)
{
	add_keyed(r, "meta", NFTNL_EXPR_META_KEY, key, NFTNL_EXPR_META_SREG);
}

void nft_add_ct(struct nftnl_rule *r, uint32_t key)
{
	add_keyed(r, "ct", NFTNL_EXPR_CT_KEY, key, NFTNL_EXPR_CT_DREG);
}

void nft_add_ct_set(struct nftnl_rule *r, uint32_t key)
{
	add_keyed(r, "ct", NFTNL_EXPR_CT_KEY, key, NFTNL_EXPR_CT_SREG);
}

void nft_add_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len)
{
	struct nftnl_expr *e = nft_add_expr(r, "payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
}

void nft_add_immediate(struct nftnl_rule *r, const void *data, uint32_t len)
{
	struct nftnl_expr *e = nft_add_expr(r, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set_data(e, NFTNL_EXPR_IMM_DATA, data, len);
}

void nft_add_mask(struct nftnl_rule *r, const void *mask, uint32_t len)
{
	static const uint8_t zero[16];
	struct nftnl_expr *e = nft_add_expr(r, "bitwise");

	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set_data(e, NFTNL_EXPR_BITWISE_MASK, mask, len);
	nftnl_expr_set_data(e, NFTNL_EXPR_BITWISE_XOR, zero, len);
}

void nft_add_hton(struct nftnl_rule *r)
{
	struct nftnl_expr *e = nft_add_expr(r, "byteorder");

	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_LEN, sizeof(uint32_t));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SIZE, sizeof(uint32_t));
}

static void add_cmp(struct nftnl_rule *r, uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *e = nft_add_expr(r, "cmp");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set_data(e, NFTNL_EXPR_CMP_DATA, data, len);
}

void nft_add_equal(struct nftnl_rule *r, bool invert, const void *data, uint32_t len)
{
	add_cmp(r, invert ? NFT_CMP_NEQ : NFT_CMP_EQ, data, len);
}

/* As nft writes the two. */
void nft_add_range(struct nftnl_rule *r, bool invert, const void *lo, const void *hi, uint32_t len)
{
	struct nftnl_expr *e;

	if (!invert) {
		add_cmp(r, NFT_CMP_GTE, lo, len);
		add_cmp(r, NFT_CMP_LTE, hi, len);
		return;
	}
	e = nft_add_expr(r, "range");
	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_OP, NFT_RANGE_NEQ);
	nftnl_expr_set_data(e, NFTNL_EXPR_RANGE_FROM_DATA, lo, len);
	nftnl_expr_set_data(e, NFTNL_EXPR_RANGE_TO_DATA, hi, len);
}

void nft_add_lookup(struct nftnl_rule *r, bool invert, const char *set)
{
	struct nftnl_expr *e = nft_add_expr(r, "lookup");

	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, invert ? NFT_LOOKUP_F_INV : 0);
}

void nft_add_verdict(struct nftnl_rule *r, int verdict, const char *chain)
{
	struct nftnl_expr *e = nft_add_expr(r, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}
