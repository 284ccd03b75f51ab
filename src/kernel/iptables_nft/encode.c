/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules as iptables-nft 1.8.9 writes them (iptables/nft-shared.c, nft.c there): interfaces, protocol
 * and addresses first; then flags, ports and the packet's mark as expressions of nf_tables, all other
 * extensions as xtables' own blobs inside of "match" and "target".
 */
#include "iptables_nft/iptables_nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>

#include "nft/match.h"
#include "util.h"
#include "xt/xt.h"

/* The name with its NUL; of a wildcard what comes before the '+'. */
static int add_iface(struct nftnl_rule *r, const struct match *m)
{
	const char *name = m->ifaces->name;
	size_t len = strlen(name);

	if (!len || !strcmp(name, "+"))
		return -EINVAL;
	nft_add_meta(r, m->kind == MATCH_IIF ? NFT_META_IIFNAME : NFT_META_OIFNAME);
	nft_add_equal(r, m->invert, name, (uint32_t)(name[len - 1] == '+' ? len - 1 : len + 1));
	return 0;
}

static int add_head_match(struct nftnl_rule *r, const struct match *m)
{
	uint8_t proto = (uint8_t)m->proto;

	switch (m->kind) {
	case MATCH_IIF:
	case MATCH_OIF:
		return add_iface(r, m);
	case MATCH_PROTO:
		nft_add_meta(r, NFT_META_L4PROTO);
		nft_add_equal(r, m->invert, &proto, sizeof(proto));
		return 0;
	case MATCH_SRC:
	case MATCH_DST:
		nft_add_prefix(r, m);
		return 0;
	default:
		return -EINVAL;
	}
}

static int add_head(struct nftnl_rule *r, const struct rule *rule)
{
	static const enum match_kind order[] = { MATCH_IIF, MATCH_OIF, MATCH_PROTO, MATCH_SRC, MATCH_DST };
	int rc = rule_match(rule, MATCH_NFPROTO) ? -EINVAL : 0;

	for (unsigned i = 0; i < ARRAY_SIZE(order) && !rc; i++) {
		const struct match *m = rule_match(rule, order[i]);

		if (m)
			rc = add_head_match(r, m);
	}
	return rc;
}

/* A list is xtables' multiport. */
static void add_ports(struct nftnl_rule *r, const struct match *m)
{
	uint16_t lo, hi;
	struct nftnl_expr *e;

	if (!m || m->n > 1)
		return;
	lo = htons((uint16_t)m->ranges->lo);
	hi = htons((uint16_t)m->ranges->hi);
	nft_add_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, m->kind == MATCH_SPORT ? 0 : sizeof(uint16_t), sizeof(uint16_t));
	if (lo == hi) {
		nft_add_equal(r, m->invert, &lo, sizeof(lo));
		return;
	}
	/* Unlike nft, one expression in either case. */
	e = nft_add_expr(r, "range");
	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_OP, m->invert ? NFT_RANGE_NEQ : NFT_RANGE_EQ);
	nftnl_expr_set_data(e, NFTNL_EXPR_RANGE_FROM_DATA, &lo, sizeof(lo));
	nftnl_expr_set_data(e, NFTNL_EXPR_RANGE_TO_DATA, &hi, sizeof(hi));
}

/* libnftnl keeps the data that it is given, and frees it. */
static void *blob_data(const struct xt_blob *blob)
{
	return memcpy(xcalloc(1, blob->size), blob->data, blob->size);
}

static void add_extension(struct nftnl_rule *r, const struct rule *rule, const struct xt_blob *blob)
{
	struct nftnl_expr *e;

	if (!strcmp(blob->name, "tcp") || !strcmp(blob->name, "udp")) {
		if (rule_match(rule, MATCH_TCP_FLAGS))
			nft_add_tcp_flags(r, rule_match(rule, MATCH_TCP_FLAGS));
		add_ports(r, rule_match(rule, MATCH_SPORT));
		add_ports(r, rule_match(rule, MATCH_DPORT));
		return;
	}
	if (!strcmp(blob->name, "mark")) {
		nft_add_meta(r, NFT_META_MARK);
		nft_add_mark(r, rule_match(rule, MATCH_MARK));
		return;
	}
	e = nft_add_expr(r, "match");
	nftnl_expr_set_str(e, NFTNL_EXPR_MT_NAME, blob->name);
	nftnl_expr_set_u32(e, NFTNL_EXPR_MT_REV, blob->revision);
	nftnl_expr_set(e, NFTNL_EXPR_MT_INFO, blob_data(blob), blob->size);
}

static int add_target(struct nftnl_rule *r, const struct rule *rule, enum family family)
{
	const struct target *target = &rule->target;
	struct nftnl_expr *e;
	struct xt_blob blob;
	int rc;

	switch (target->kind) {
	case TARGET_NONE:
		return 0;
	case TARGET_RETURN:
		nft_add_verdict(r, NFT_RETURN, NULL);
		return 0;
	case TARGET_ACCEPT:
		nft_add_verdict(r, NF_ACCEPT, NULL);
		return 0;
	case TARGET_DROP:
		nft_add_verdict(r, NF_DROP, NULL);
		return 0;
	case TARGET_JUMP:
	case TARGET_GOTO:
		nft_add_verdict(r, target->kind == TARGET_JUMP ? NFT_JUMP : NFT_GOTO, target->chain);
		return 0;
	}
	rc = xt_target_encode(rule, family, &blob);
	if (rc)
		return rc;
	e = nft_add_expr(r, "target");
	nftnl_expr_set_str(e, NFTNL_EXPR_TG_NAME, blob.name);
	nftnl_expr_set_u32(e, NFTNL_EXPR_TG_REV, blob.revision);
	nftnl_expr_set(e, NFTNL_EXPR_TG_INFO, blob_data(&blob), blob.size);
	return 0;
}

int iptables_nft_rule_encode(struct nftnl_rule *r, const struct rule *rule, enum family family)
{
	const struct match *proto = rule_match(rule, MATCH_PROTO);
	struct xt_match_iter it;
	struct xt_blob blob;
	int rc = add_head(r, rule);

	xt_match_iter_init(&it, rule);
	while (!rc && (rc = xt_match_next(&it, &blob)) > 0) {
		add_extension(r, rule, &blob);
		rc = 0;
	}
	if (rc)
		return rc;
	nft_add_expr(r, "counter");
	/* What extensions that want a protocol (multiport, TPROXY) look at. */
	nftnl_rule_set_u32(r, NFTNL_RULE_COMPAT_PROTO, proto ? proto->proto : 0);
	nftnl_rule_set_u32(r, NFTNL_RULE_COMPAT_FLAGS, proto && proto->invert ? NFT_RULE_COMPAT_F_INV : 0);
	return add_target(r, rule, family);
}
