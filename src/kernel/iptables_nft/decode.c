/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules of iptables-nft back to the model.  Newer ones write more with expressions of nf_tables,
 * and read what older ones write; all that means what a rule of the model means is read.
 */
#include "iptables_nft/iptables_nft.h"

#include <string.h>

#include <linux/netfilter/nf_tables.h>

#include "util.h"
#include "xt/xt.h"

/* Unlike xtables' owner, "meta skuid !=" matches no packet without a socket. */
static bool decode_meta(struct nft_decoder *d, const struct nftnl_expr *e)
{
	uint32_t key = nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY);

	return key != NFT_META_SKUID && key != NFT_META_SKGID && nft_decode_meta(d, e);
}

/* Extensions add to a rule as xtables' entries do. */
static void begin_extension(const struct nft_decoder *d, struct draft *live)
{
	live->rs = d->rs;
	live->rule = d->rule;
	memcpy(live->matches, d->matches, d->rule.n_matches * sizeof(*live->matches));
	live->rule.matches = live->matches;
}

static void end_extension(struct nft_decoder *d, const struct draft *live)
{
	d->rule = live->rule;
	memcpy(d->matches, live->matches, d->rule.n_matches * sizeof(*d->matches));
	d->rule.matches = d->matches;
}

static bool decode_match(struct nft_decoder *d, const struct nftnl_expr *e)
{
	uint32_t len = 0;
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_MT_NAME);
	const void *info = nftnl_expr_get(e, NFTNL_EXPR_MT_INFO, &len);
	struct draft live;

	if (!name || !info)
		return false;
	begin_extension(d, &live);
	xt_match_decode(&live, name, (uint8_t)nftnl_expr_get_u32(e, NFTNL_EXPR_MT_REV), info, len);
	end_extension(d, &live);
	return true;
}

/* A rule does one thing. */
static bool decode_target(struct nft_decoder *d, const struct nftnl_expr *e)
{
	uint32_t len = 0;
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_TG_NAME);
	const void *info = nftnl_expr_get(e, NFTNL_EXPR_TG_INFO, &len);
	struct draft live;

	if (!name || !info || d->rule.target.kind != TARGET_NONE)
		return false;
	begin_extension(d, &live);
	xt_target_decode(&live, name, (uint8_t)nftnl_expr_get_u32(e, NFTNL_EXPR_TG_REV), info, len);
	end_extension(d, &live);
	return true;
}

/* What iptables-nft writes besides xtables' extensions means what it means to nft. */
static const struct nft_expr_kind kinds[] = {
	{ "match", decode_match },
	{ "counter", nft_decode_counter },
	{ "immediate", nft_decode_immediate },
	{ "meta", decode_meta },
	{ "cmp", nft_decode_cmp },
	{ "payload", nft_decode_payload },
	{ "target", decode_target },
	{ "bitwise", nft_decode_bitwise },
	{ "range", nft_decode_range },
	{},
};

/* As rule_equal wants them. */
static void sort_matches(struct rule *rule)
{
	for (unsigned i = 1; i < rule->n_matches; i++) {
		struct match m = rule->matches[i];
		unsigned at = i;

		for (; at && rule->matches[at - 1].kind > m.kind; at--)
			rule->matches[at] = rule->matches[at - 1];
		rule->matches[at] = m;
	}
}

void iptables_nft_rule_decode(struct nft_decoder *d, struct ruleset *rs, enum family family, const struct nlmsghdr *nlh)
{
	nft_decoder_init(d, rs, FAMILY_BIT(family), kinds);
	nft_decoder_run(d, nlh);
	sort_matches(&d->rule);
}
