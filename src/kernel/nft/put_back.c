/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/put_back.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

/* What the caller may append. */
#define MORE_ROOM 64

#define ATTR(number) (1u << (number))

/* The attributes of a dumped message that make the same again; others are the kernel's own. */
static uint32_t restored_attrs(uint16_t type)
{
	switch (type) {
	case NFT_MSG_NEWTABLE:
		return ATTR(NFTA_TABLE_NAME) | ATTR(NFTA_TABLE_FLAGS) | ATTR(NFTA_TABLE_USERDATA);
	case NFT_MSG_NEWCHAIN:
		return ATTR(NFTA_CHAIN_TABLE) | ATTR(NFTA_CHAIN_NAME) | ATTR(NFTA_CHAIN_HOOK) | ATTR(NFTA_CHAIN_POLICY) |
		       ATTR(NFTA_CHAIN_TYPE) | ATTR(NFTA_CHAIN_COUNTERS) | ATTR(NFTA_CHAIN_USERDATA);
	case NFT_MSG_NEWSET:
		return ATTR(NFTA_SET_TABLE) | ATTR(NFTA_SET_NAME) | ATTR(NFTA_SET_FLAGS) | ATTR(NFTA_SET_KEY_TYPE) |
		       ATTR(NFTA_SET_KEY_LEN) | ATTR(NFTA_SET_DATA_TYPE) | ATTR(NFTA_SET_DATA_LEN) |
		       ATTR(NFTA_SET_POLICY) | ATTR(NFTA_SET_DESC) | ATTR(NFTA_SET_TIMEOUT) |
		       ATTR(NFTA_SET_GC_INTERVAL) | ATTR(NFTA_SET_USERDATA) | ATTR(NFTA_SET_OBJ_TYPE) |
		       ATTR(NFTA_SET_EXPR) | ATTR(NFTA_SET_EXPRESSIONS);
	case NFT_MSG_NEWSETELEM:
		return ATTR(NFTA_SET_ELEM_LIST_TABLE) | ATTR(NFTA_SET_ELEM_LIST_SET) | ATTR(NFTA_SET_ELEM_LIST_ELEMENTS);
	default:
		return ATTR(NFTA_RULE_TABLE) | ATTR(NFTA_RULE_CHAIN) | ATTR(NFTA_RULE_EXPRESSIONS) |
		       ATTR(NFTA_RULE_COMPAT) | ATTR(NFTA_RULE_USERDATA);
	}
}

struct nlmsghdr *nft_put_back(struct nfnl_batch *batch, const struct nlmsghdr *saved, uint16_t flags)
{
	uint16_t type = NFNL_MSG_TYPE(saved->nlmsg_type);
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(saved);
	struct nlmsghdr *nlh =
		nfnl_batch_add(batch, saved->nlmsg_len + MORE_ROOM, type, nfg->nfgen_family, NLM_F_CREATE | flags, NULL);
	uint32_t attrs = restored_attrs(type);
	const struct nlattr *attr;

	mnl_attr_for_each (attr, saved, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) < 32 && attrs & ATTR(mnl_attr_get_type(attr)))
			mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr), mnl_attr_get_payload(attr));
	return nlh;
}
