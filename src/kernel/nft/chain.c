/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base chains in messages (enum nft_chain_attributes, nft_hook_attributes of
 * linux/netfilter/nf_tables.h).  By libmnl alone: libnftnl's chain object, of which we would use
 * a fifth, makes three hundredths of the program.
 */
#include "nft/chain.h"

#include <arpa/inet.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "netlink/nfnl.h"

const struct nft_hook *nft_hook_find(enum table_id table, enum hook hook)
{
	static const struct nft_hook hooks[TABLES][HOOK_NONE] = {
		[TABLE_MANGLE] = { { "prerouting", "filter", NF_INET_PRE_ROUTING, -150 },
				   { "output", "route", NF_INET_LOCAL_OUT, -150 } },
		[TABLE_NAT] = { { "prerouting", "nat", NF_INET_PRE_ROUTING, -100 },
				{ "output", "nat", NF_INET_LOCAL_OUT, -100 } },
		[TABLE_RAW] = { { "prerouting", "filter", NF_INET_PRE_ROUTING, -300 },
				{ "output", "filter", NF_INET_LOCAL_OUT, -300 } },
	};

	return &hooks[table][hook];
}

uint8_t nft_nfproto(enum family family)
{
	return family == IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
}

void nft_put_hook(struct nlmsghdr *nlh, const struct nft_hook *at)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);

	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(at->hook));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl((uint32_t)at->priority));
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, at->type);
}

/* The hook of a base chain. */
struct hook_attrs {
	bool is_base;
	uint32_t number, priority;
};

static int hook_cb(const struct nlattr *attr, void *data)
{
	struct hook_attrs *hook = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type == NFTA_HOOK_HOOKNUM && !mnl_attr_validate(attr, MNL_TYPE_U32)) {
		hook->is_base = true;
		hook->number = ntohl(mnl_attr_get_u32(attr));
	} else if (type == NFTA_HOOK_PRIORITY && !mnl_attr_validate(attr, MNL_TYPE_U32)) {
		hook->priority = ntohl(mnl_attr_get_u32(attr));
	}
	return MNL_CB_OK;
}

static int chain_cb(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == NFTA_CHAIN_HOOK)
		mnl_attr_parse_nested(attr, hook_cb, data);
	return MNL_CB_OK;
}

static struct hook_attrs read_hook(const struct nlmsghdr *nlh)
{
	struct hook_attrs hook = { 0 };

	mnl_attr_parse(nlh, sizeof(struct nfgenmsg), chain_cb, &hook);
	return hook;
}

bool nft_chain_is_base(const struct nlmsghdr *nlh)
{
	return read_hook(nlh).is_base;
}

bool nft_chain_hook(const struct nlmsghdr *nlh, uint32_t *number, int32_t *priority)
{
	struct hook_attrs hook = read_hook(nlh);

	*number = hook.number;
	*priority = (int32_t)hook.priority;
	return hook.is_base;
}

bool nft_chain_is_at(const struct nlmsghdr *nlh, const struct nft_hook *at)
{
	struct hook_attrs hook = read_hook(nlh);

	return hook.is_base && hook.number == at->hook && (int32_t)hook.priority == at->priority &&
	       !strcmp(nfnl_attr_str(nlh, NFTA_CHAIN_TYPE), at->type);
}
