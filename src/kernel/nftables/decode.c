/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of our own tables back to the model: what nft/decode.c does not know, or not well enough. */
#include "nftables/nftables.h"

#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include "nft/chain.h"
#include "nft/decode.h"
#include "util.h"

/*
 * What TPROXY is made of; neither may be missing, nor come twice or before it:
 *
 *   tproxy port reg 1, meta set mark with reg 1, immediate reg 0 accept
 */
struct native_decoder {
	struct nft_decoder d;
	const struct nft_dump *dump; /* where its sets are */
	enum table_id table;
	bool marked, accepted;
};

static struct native_decoder *native(struct nft_decoder *d)
{
	return (struct native_decoder *)((char *)d - offsetof(struct native_decoder, d));
}

static bool decode_meta(struct nft_decoder *d, const struct nftnl_expr *e)
{
	bool sets_mark = nftnl_expr_is_set(e, NFTNL_EXPR_META_SREG) &&
			 nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY) == NFT_META_MARK;
	const struct nft_reg *reg = sets_mark ? nft_decoder_reg(d, e, NFTNL_EXPR_META_SREG) : NULL;
	struct native_decoder *n = native(d);

	if (reg && reg->holds == REG_FIELD && reg->kind == MATCH_CONNMARK && !reg->masked)
		return nft_decoder_set_target(d, (struct target){ .kind = TARGET_CONNMARK_RESTORE });
	if (!reg || d->rule.target.kind != TARGET_TPROXY)
		return nft_decode_meta(d, e);
	if (n->marked || n->accepted || reg->holds != REG_DATA || reg->len != sizeof(uint32_t))
		return false;
	n->marked = true;
	d->rule.target.mark = (struct mark){ nft_reg_u32(reg->data), UINT32_MAX };
	return true;
}

static bool decode_immediate(struct nft_decoder *d, const struct nftnl_expr *e)
{
	struct native_decoder *n = native(d);

	if (d->rule.target.kind != TARGET_TPROXY || n->accepted ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT ||
	    (int)nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT) != NF_ACCEPT)
		return nft_decode_immediate(d, e);
	n->accepted = true;
	return true;
}

static bool decode_byteorder(struct nft_decoder *d, const struct nftnl_expr *e)
{
	struct nft_reg reg = *nft_decoder_reg(d, e, NFTNL_EXPR_BYTEORDER_SREG);

	if (reg.holds != REG_FIELD || (reg.kind != MATCH_UID && reg.kind != MATCH_GID) ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_BYTEORDER_OP) != NFT_BYTEORDER_HTON)
		return false;
	reg.network_order = true;
	return nft_decoder_put(d, e, NFTNL_EXPR_BYTEORDER_DREG, &reg);
}

static bool decode_lookup(struct nft_decoder *d, const struct nftnl_expr *e)
{
	const struct nft_reg *reg = nft_decoder_reg(d, e, NFTNL_EXPR_LOOKUP_SREG);
	const char *set = nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET);
	bool invert = nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV;
	const struct native_decoder *n = native(d);
	enum family family = nft_decoder_family(d);
	struct match *m;

	if (reg->holds != REG_FIELD || reg->masked || nftnl_expr_is_set(e, NFTNL_EXPR_LOOKUP_DREG) || !set ||
	    reg->kind < MATCH_SRC || reg->kind > MATCH_GID || reg->kind == MATCH_PROTO || reg->kind == MATCH_TCP_FLAGS)
		return false;
	m = nft_decoder_push(d, reg->kind, invert);
	if (nftables_key_of(m, family).len == reg->len &&
	    nftables_set_decode(d->rs, n->dump, n->table, set, family, reg->network_order, m))
		return true;
	d->rule.n_matches--;
	return false;
}

static bool decode_set_ct(struct nft_decoder *d, const struct nftnl_expr *e, uint32_t key)
{
	const struct nft_reg *reg = nft_decoder_reg(d, e, NFTNL_EXPR_CT_SREG);
	uint16_t zone;

	if (key == NFT_CT_MARK && reg->holds == REG_FIELD && reg->kind == MATCH_MARK && !reg->masked)
		return nft_decoder_set_target(d, (struct target){ .kind = TARGET_CONNMARK_SAVE });
	if (key != NFT_CT_ZONE || reg->holds != REG_DATA || reg->len != sizeof(zone) ||
	    nftnl_expr_is_set(e, NFTNL_EXPR_CT_DIR))
		return false;
	memcpy(&zone, reg->data, sizeof(zone));
	return nft_decoder_set_target(d, (struct target){ .kind = TARGET_CT_ZONE, .zone = zone });
}

static bool decode_ct(struct nft_decoder *d, const struct nftnl_expr *e)
{
	uint32_t key = nftnl_expr_get_u32(e, NFTNL_EXPR_CT_KEY);

	if (nftnl_expr_is_set(e, NFTNL_EXPR_CT_SREG))
		return decode_set_ct(d, e, key);
	if (key != NFT_CT_STATE && key != NFT_CT_MARK)
		return false;
	return nft_decoder_load(d, e, NFTNL_EXPR_CT_DREG, key == NFT_CT_STATE ? MATCH_CTSTATE : MATCH_CONNMARK,
				sizeof(uint32_t));
}

static bool decode_redir(struct nft_decoder *d, const struct nftnl_expr *e)
{
	const struct nft_reg *reg = nft_decoder_reg(d, e, NFTNL_EXPR_REDIR_REG_PROTO_MIN);

	if (reg->holds != REG_DATA || reg->len != sizeof(uint16_t) ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_REDIR_FLAGS) & ~(uint32_t)NF_NAT_RANGE_PROTO_SPECIFIED ||
	    (nftnl_expr_is_set(e, NFTNL_EXPR_REDIR_REG_PROTO_MAX) &&
	     nft_decoder_reg(d, e, NFTNL_EXPR_REDIR_REG_PROTO_MAX) != reg))
		return false;
	return nft_decoder_set_target(d, (struct target){ .kind = TARGET_REDIRECT, .port = nft_reg_u16(reg->data) });
}

static bool decode_tproxy(struct nft_decoder *d, const struct nftnl_expr *e)
{
	const struct nft_reg *reg = nft_decoder_reg(d, e, NFTNL_EXPR_TPROXY_REG_PORT);
	uint32_t nfproto = nftnl_expr_get_u32(e, NFTNL_EXPR_TPROXY_FAMILY);
	uint32_t ours = d->rule.families == FAMILY_BOTH ? NFPROTO_UNSPEC : nft_nfproto(nft_decoder_family(d));

	if (reg->holds != REG_DATA || reg->len != sizeof(uint16_t) ||
	    nftnl_expr_is_set(e, NFTNL_EXPR_TPROXY_REG_ADDR) || nfproto != ours)
		return false;
	return nft_decoder_set_target(d, (struct target){ .kind = TARGET_TPROXY, .port = nft_reg_u16(reg->data) });
}

static const struct nft_expr_kind kinds[] = {
	{ "meta", decode_meta },
	{ "cmp", nft_decode_cmp },
	{ "payload", nft_decode_payload },
	{ "counter", nft_decode_counter },
	{ "immediate", decode_immediate },
	{ "lookup", decode_lookup },
	{ "bitwise", nft_decode_bitwise },
	{ "byteorder", decode_byteorder },
	{ "range", nft_decode_range },
	{ "ct", decode_ct },
	{ "redir", decode_redir },
	{ "tproxy", decode_tproxy },
	{},
};

struct rule *nftables_rule_decode(struct ruleset *rs, const struct nft_dump *dump, enum table_id table,
				  const char *chain, unsigned families, const struct nlmsghdr *nlh)
{
	struct native_decoder n = { .dump = dump, .table = table };

	nft_decoder_init(&n.d, rs, families, kinds);
	nft_decoder_run(&n.d, nlh);
	if (n.d.rule.target.kind == TARGET_TPROXY && !(n.marked && n.accepted))
		n.d.rule.unknown |= UNKNOWN_ACTION;
	return ruleset_append(rs, table, chain, &n.d.rule);
}
