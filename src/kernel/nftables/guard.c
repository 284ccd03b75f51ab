/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While two TPROXY rule sets are live, the second sees the mark that the first has put on a client's packet, and its rule
 * for the proxy's own connections saves it: all answers would be routed to lo and never leave the pod.  Right behind both
 * (mangle is at -150), and before any answer, the guard takes the mark from the connection again:
 *
 *   table inet istio-init-move { chain prerouting { type filter hook prerouting priority -149;
 *           iifname != "lo" meta mark MARK ct mark MARK ct mark set 0 } }
 */
#include "nftables/guard.h"

#include <netinet/in.h> /* before any <linux/netfilter...> header */
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "live.h"
#include "nft/chain.h"
#include "nft/expr.h"
#include "nftables/nftables.h"
#include "util.h"

#define GUARD_ROOM 1024

static const struct nft_hook hook = { "prerouting", "filter", NF_INET_PRE_ROUTING, -149 };

/* What an error names. */
static const struct rule guard_rule = { .families = FAMILY_BOTH, .target = { .kind = TARGET_CONNMARK_SAVE } };

bool nftables_is_guard(const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

	return NFNL_MSG_TYPE(nlh->nlmsg_type) == NFT_MSG_NEWTABLE && nfg->nfgen_family == NFPROTO_INET &&
	       !strcmp(nfnl_attr_str(nlh, NFTA_TABLE_NAME), GUARD_TABLE);
}

static struct nlmsghdr *put_message(struct nfnl_batch *batch, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh;

	batch->writer = &nftables_writer;
	nlh = nfnl_batch_add(batch, GUARD_ROOM, type, NFPROTO_INET, flags, &guard_rule);
	/* The table's attribute is 1 in all of them. */
	if (type != NFT_MSG_NEWRULE)
		mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, GUARD_TABLE);
	return nlh;
}

void nftables_put_guard(struct nfnl_batch *batch, uint32_t mark)
{
	static const char lo[16] = "lo";
	static const uint32_t none;
	struct nftnl_rule *r = xchecked(nftnl_rule_alloc());
	struct nlmsghdr *nlh;

	put_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	nlh = put_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, hook.name);
	nft_put_hook(nlh, &hook);
	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, GUARD_TABLE);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, hook.name);
	nft_add_meta(r, NFT_META_IIFNAME);
	nft_add_equal(r, true, lo, sizeof(lo));
	nft_add_meta(r, NFT_META_MARK);
	nft_add_equal(r, false, &mark, sizeof(mark));
	nft_add_ct(r, NFT_CT_MARK);
	nft_add_equal(r, false, &mark, sizeof(mark));
	nft_add_immediate(r, &none, sizeof(none));
	nft_add_ct_set(r, NFT_CT_MARK);
	nftnl_rule_nlmsg_build_payload(put_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND), r);
	nftnl_rule_free(r);
}

void nftables_delete_guard(struct nfnl_batch *batch)
{
	put_message(batch, NFT_MSG_DELTABLE, 0);
}
