/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of a dump: what they stand for taken out of the kernel, and put back. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nftables/nftables.h"

/* A message with a name or two; what may come to one that is copied. */
#define NAMES_ROOM 640
#define RESTORE_ROOM 64

void nftables_new_table(struct nft_batch *batch, enum table_id table)
{
	mnl_attr_put_strz(nft_batch_add(batch, NAMES_ROOM, NFT_MSG_NEWTABLE, NFPROTO_INET, NLM_F_CREATE | NLM_F_EXCL, NULL),
			  NFTA_TABLE_NAME, nftables_table_name(table));
}

void nftables_delete_table(struct nft_batch *batch, enum table_id table)
{
	mnl_attr_put_strz(nft_batch_add(batch, NAMES_ROOM, NFT_MSG_DELTABLE, NFPROTO_INET, 0, NULL), NFTA_TABLE_NAME,
			  nftables_table_name(table));
}

static bool is_of(const struct nlmsghdr *nlh, uint16_t type, enum table_id table)
{
	return NFNL_MSG_TYPE(nlh->nlmsg_type) == type && nftables_table_find(nft_attr_str(nlh, NFTA_TABLE_NAME)) == table;
}

uint32_t nftables_table_flags(const struct nftables_dump *dump, enum table_id table)
{
	for (unsigned i = 0; i < dump->n; i++)
		if (is_of(dump->messages[i], NFT_MSG_NEWTABLE, table))
			return nft_attr_u32(dump->messages[i], NFTA_TABLE_FLAGS);
	return 0;
}

static void put_delete(struct nft_batch *batch, uint16_t type, enum table_id table, uint16_t name_attr, const char *name)
{
	struct nlmsghdr *nlh = nft_batch_add(batch, NAMES_ROOM, type, NFPROTO_INET, 0, NULL);

	/* The table's attribute is 1 in all of them. */
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, nftables_table_name(table));
	if (name)
		mnl_attr_put_strz(nlh, name_attr, name);
}

/* Rules, with their anonymous sets; then other sets, which may lead to chains; then chains. */
void nftables_empty_table(struct nft_batch *batch, const struct nftables_dump *dump, enum table_id table)
{
	put_delete(batch, NFT_MSG_DELRULE, table, 0, NULL);
	for (unsigned i = 0; i < dump->n; i++)
		if (is_of(dump->messages[i], NFT_MSG_NEWSET, table) &&
		    !(nft_attr_u32(dump->messages[i], NFTA_SET_FLAGS) & NFT_SET_ANONYMOUS))
			put_delete(batch, NFT_MSG_DELSET, table, NFTA_SET_NAME, nft_attr_str(dump->messages[i], NFTA_SET_NAME));
	for (unsigned i = 0; i < dump->n; i++)
		if (is_of(dump->messages[i], NFT_MSG_NEWCHAIN, table))
			put_delete(batch, NFT_MSG_DELCHAIN, table, NFTA_CHAIN_NAME,
				   nft_attr_str(dump->messages[i], NFTA_CHAIN_NAME));
}

unsigned nftables_free_set(const struct nftables_dump *dump, enum table_id table)
{
	const size_t stem = strlen(SET_STEM);
	uint32_t number, next = 0;

	for (unsigned i = 0; i < dump->n; i++) {
		const char *name;

		if (!is_of(dump->messages[i], NFT_MSG_NEWSET, table))
			continue;
		name = nft_attr_str(dump->messages[i], NFTA_SET_NAME);
		if (!strncmp(name, SET_STEM, stem) && number_parse(name + stem, UINT32_MAX - 1, &number) && number >= next)
			next = number + 1;
	}
	return next;
}

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
		       ATTR(NFTA_SET_KEY_LEN) | ATTR(NFTA_SET_DATA_TYPE) | ATTR(NFTA_SET_DATA_LEN) | ATTR(NFTA_SET_POLICY) |
		       ATTR(NFTA_SET_DESC) | ATTR(NFTA_SET_TIMEOUT) | ATTR(NFTA_SET_GC_INTERVAL) | ATTR(NFTA_SET_USERDATA) |
		       ATTR(NFTA_SET_OBJ_TYPE) | ATTR(NFTA_SET_EXPR) | ATTR(NFTA_SET_EXPRESSIONS);
	case NFT_MSG_NEWSETELEM:
		return ATTR(NFTA_SET_ELEM_LIST_TABLE) | ATTR(NFTA_SET_ELEM_LIST_SET) | ATTR(NFTA_SET_ELEM_LIST_ELEMENTS);
	default:
		return ATTR(NFTA_RULE_TABLE) | ATTR(NFTA_RULE_CHAIN) | ATTR(NFTA_RULE_EXPRESSIONS) | ATTR(NFTA_RULE_COMPAT) |
		       ATTR(NFTA_RULE_USERDATA);
	}
}

struct nlmsghdr *nft_put_back(struct nft_batch *batch, const struct nlmsghdr *saved, uint16_t flags)
{
	uint16_t type = NFNL_MSG_TYPE(saved->nlmsg_type);
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(saved);
	struct nlmsghdr *nlh = nft_batch_add(batch, saved->nlmsg_len + RESTORE_ROOM, type, nfg->nfgen_family,
					     NLM_F_CREATE | flags, NULL);
	uint32_t attrs = restored_attrs(type);
	const struct nlattr *attr;

	mnl_attr_for_each(attr, saved, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) < 32 && attrs & ATTR(mnl_attr_get_type(attr)))
			mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr), mnl_attr_get_payload(attr));
	return nlh;
}

static void put_back_message(struct nft_batch *batch, const struct nlmsghdr *saved, uint32_t id)
{
	bool rule = NFNL_MSG_TYPE(saved->nlmsg_type) == NFT_MSG_NEWRULE;
	struct nlmsghdr *nlh = nft_put_back(batch, saved, rule ? NLM_F_APPEND : 0);

	if (NFNL_MSG_TYPE(saved->nlmsg_type) == NFT_MSG_NEWSET)
		mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl(id));
}

void nftables_put_back(struct nft_batch *batch, const struct nftables_dump *dump)
{
	for (unsigned i = 0; i < dump->n; i++)
		put_back_message(batch, dump->messages[i], i + 1);
}
