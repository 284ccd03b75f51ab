/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base chains in messages (enum nft_chain_attributes, nft_hook_attributes of
 * linux/netfilter/nf_tables.h).  By libmnl alone: libnftnl's chain object, of which we would use
 * a fifth, makes three hundredths of the program.
 */
#include <arpa/inet.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "netlink/batch.h"
#include "nftables/nftables.h"

void nft_put_hook(struct nlmsghdr *nlh, const struct nft_hook *place)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);

	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(place->hook));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl((uint32_t)place->priority));
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, place->type);
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

bool nft_chain_is_at(const struct nlmsghdr *nlh, const struct nft_hook *place)
{
	struct hook_attrs hook = read_hook(nlh);

	return hook.is_base && hook.number == place->hook && (int32_t)hook.priority == place->priority &&
	       !strcmp(nft_attr_str(nlh, NFTA_CHAIN_TYPE), place->type);
}
