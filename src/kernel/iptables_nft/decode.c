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

/* What iptables-nft writes besides xtables' extensions, and means what it means there. */
static bool is_shared_expr(const struct nftnl_expr *e, const char *name)
{
	static const char *const shared[] = { "meta", "cmp", "payload", "counter", "immediate", "bitwise", "range" };
	uint32_t key;

	for (unsigned i = 0; i < ARRAY_SIZE(shared); i++) {
		if (strcmp(shared[i], name))
			continue;
		/* Unlike xtables' owner, "meta skuid !=" matches no packet without a socket. */
		key = strcmp(name, "meta") ? NFT_META_L4PROTO : nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY);
		return key != NFT_META_SKUID && key != NFT_META_SKGID;
	}
	return false;
}

static int decode_match(struct decoder *d, const struct nftnl_expr *e, struct xt_rule *live)
{
	uint32_t len = 0;
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_MT_NAME);
	const void *info = nftnl_expr_get(e, NFTNL_EXPR_MT_INFO, &len);

	if (!name || !info)
		return decoder_set_unknown(d);
	xt_match_decode(live, name, (uint8_t)nftnl_expr_get_u32(e, NFTNL_EXPR_MT_REV), info, len);
	return 0;
}

/* A rule does one thing. */
static int decode_target(struct decoder *d, const struct nftnl_expr *e, struct xt_rule *live)
{
	uint32_t len = 0;
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_TG_NAME);
	const void *info = nftnl_expr_get(e, NFTNL_EXPR_TG_INFO, &len);

	if (!name || !info || d->rule.target.kind != TARGET_NONE)
		return decoder_set_unknown(d);
	xt_target_decode(live, name, (uint8_t)nftnl_expr_get_u32(e, NFTNL_EXPR_TG_REV), info, len);
	/* TPROXY ends the rule, whereas nf_tables' own needs an accept. */
	d->tproxy_marked = d->tproxy_accepted = true;
	return 0;
}

/* An extension adds to the rule as xtables' entries do. */
static int decode_extension(struct decoder *d, const struct nftnl_expr *e,
			    int (*decode)(struct decoder *d, const struct nftnl_expr *e, struct xt_rule *live))
{
	struct xt_rule live;
	bool unknown;

	live.rs = d->rs;
	live.rule = d->rule;
	live.rule.matches = live.matches;
	memcpy(live.matches, d->matches, d->rule.n_matches * sizeof(*live.matches));
	decode(d, e, &live);
	unknown = d->rule.unknown;
	d->rule = live.rule;
	d->rule.unknown |= unknown;
	memcpy(d->matches, live.matches, d->rule.n_matches * sizeof(*d->matches));
	d->rule.matches = d->matches;
	return 0;
}

static int decode_expr(struct nftnl_expr *e, void *data)
{
	struct decoder *d = data;
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

	if (!strcmp(name, "match"))
		return decode_extension(d, e, decode_match);
	if (!strcmp(name, "target"))
		return decode_extension(d, e, decode_target);
	return is_shared_expr(e, name) ? decoder_expr(e, d) : decoder_set_unknown(d);
}

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

void iptables_nft_rule_decode(struct decoder *d, struct ruleset *rs, enum family family, const struct nlmsghdr *nlh)
{
	memset(d, 0, sizeof(*d));
	d->rs = rs;
	d->rule.families = FAMILY_BIT(family);
	d->rule.target.kind = TARGET_NONE;
	d->rule.matches = d->matches;
	decoder_run(d, nlh, decode_expr);
	sort_matches(&d->rule);
}
