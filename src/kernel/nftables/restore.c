/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of a dump: what they stand for taken out of the kernel, and put back. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nft/put_back.h"
#include "nftables/nftables.h"

/* A message with a name or two. */
#define NAMES_ROOM 640

void nftables_new_table(struct nfnl_batch *batch, enum table_id table)
{
	mnl_attr_put_strz(nfnl_batch_add(batch, NAMES_ROOM, NFT_MSG_NEWTABLE, NFPROTO_INET, NLM_F_CREATE | NLM_F_EXCL, NULL),
			  NFTA_TABLE_NAME, nftables_table_name(table));
}

void nftables_delete_table(struct nfnl_batch *batch, enum table_id table)
{
	mnl_attr_put_strz(nfnl_batch_add(batch, NAMES_ROOM, NFT_MSG_DELTABLE, NFPROTO_INET, 0, NULL), NFTA_TABLE_NAME,
			  nftables_table_name(table));
}

static bool is_of(const struct nlmsghdr *nlh, uint16_t type, enum table_id table)
{
	return NFNL_MSG_TYPE(nlh->nlmsg_type) == type && nftables_table_find(nfnl_attr_str(nlh, NFTA_TABLE_NAME)) == table;
}

uint32_t nftables_table_flags(const struct nftables_dump *dump, enum table_id table)
{
	for (unsigned i = 0; i < dump->n; i++)
		if (is_of(dump->messages[i], NFT_MSG_NEWTABLE, table))
			return nfnl_attr_u32(dump->messages[i], NFTA_TABLE_FLAGS);
	return 0;
}

static void put_delete(struct nfnl_batch *batch, uint16_t type, enum table_id table, uint16_t name_attr, const char *name)
{
	struct nlmsghdr *nlh = nfnl_batch_add(batch, NAMES_ROOM, type, NFPROTO_INET, 0, NULL);

	/* The table's attribute is 1 in all of them. */
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, nftables_table_name(table));
	if (name)
		mnl_attr_put_strz(nlh, name_attr, name);
}

/* Rules, with their anonymous sets; then other sets, which may lead to chains; then chains. */
void nftables_empty_table(struct nfnl_batch *batch, const struct nftables_dump *dump, enum table_id table)
{
	put_delete(batch, NFT_MSG_DELRULE, table, 0, NULL);
	for (unsigned i = 0; i < dump->n; i++)
		if (is_of(dump->messages[i], NFT_MSG_NEWSET, table) &&
		    !(nfnl_attr_u32(dump->messages[i], NFTA_SET_FLAGS) & NFT_SET_ANONYMOUS))
			put_delete(batch, NFT_MSG_DELSET, table, NFTA_SET_NAME, nfnl_attr_str(dump->messages[i], NFTA_SET_NAME));
	for (unsigned i = 0; i < dump->n; i++)
		if (is_of(dump->messages[i], NFT_MSG_NEWCHAIN, table))
			put_delete(batch, NFT_MSG_DELCHAIN, table, NFTA_CHAIN_NAME,
				   nfnl_attr_str(dump->messages[i], NFTA_CHAIN_NAME));
}

unsigned nftables_free_set(const struct nftables_dump *dump, enum table_id table)
{
	const size_t stem = strlen(SET_STEM);
	uint32_t number, next = 0;

	for (unsigned i = 0; i < dump->n; i++) {
		const char *name;

		if (!is_of(dump->messages[i], NFT_MSG_NEWSET, table))
			continue;
		name = nfnl_attr_str(dump->messages[i], NFTA_SET_NAME);
		if (!strncmp(name, SET_STEM, stem) && number_parse(name + stem, UINT32_MAX - 1, &number) && number >= next)
			next = number + 1;
	}
	return next;
}

static void put_back_message(struct nfnl_batch *batch, const struct nlmsghdr *saved, uint32_t id)
{
	bool rule = NFNL_MSG_TYPE(saved->nlmsg_type) == NFT_MSG_NEWRULE;
	struct nlmsghdr *nlh = nft_put_back(batch, saved, rule ? NLM_F_APPEND : 0);

	if (NFNL_MSG_TYPE(saved->nlmsg_type) == NFT_MSG_NEWSET)
		mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl(id));
}

void nftables_put_back(struct nfnl_batch *batch, const struct nftables_dump *dump)
{
	for (unsigned i = 0; i < dump->n; i++)
		put_back_message(batch, dump->messages[i], i + 1);
}
