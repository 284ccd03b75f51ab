/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of our own tables to the model. */
#include <netinet/in.h> /* before any <linux/netfilter...> header */
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nft/chain.h"
#include "nftables/nftables.h"
#include "util.h"

/* What the model calls a chain. */
static const char *model_name(enum table_id table, const char *name)
{
	for (enum hook h = 0; h < HOOK_NONE; h++)
		if (!strcmp(name, nft_hook_find(table, h)->name))
			return hook_name(h);
	return name;
}

/* Whether the chain is hooked in where we would hook it, or not at all if it is no base chain. */
static bool is_in_place(const struct nlmsghdr *nlh, enum table_id table, enum hook hook)
{
	if (hook == HOOK_NONE)
		return !nft_chain_is_base(nlh);
	return nft_chain_is_at(nlh, nft_hook_find(table, hook)) && nfnl_attr_u32(nlh, NFTA_CHAIN_POLICY) == NF_ACCEPT;
}

static void read_table(struct nft_dump *dump, enum table_id id, const struct nlmsghdr *nlh, uint8_t age)
{
	struct table *table = &dump->rs->tables[id];

	table->present = FAMILY_BOTH;
	table->raw[IPV4] = nlh;
	table->age[IPV4] = age;
	if (nfnl_attr_u32(nlh, NFTA_TABLE_FLAGS) & (NFT_TABLE_F_DORMANT | NFT_TABLE_F_OWNER))
		table->strange = FAMILY_BOTH;
}

static void read_chain(struct nft_dump *dump, enum table_id id, const struct nlmsghdr *nlh)
{
	struct chain *chain = ruleset_chain(dump->rs, id, model_name(id, nfnl_attr_str(nlh, NFTA_CHAIN_NAME)));

	chain->raw[IPV4] = nlh;
	if (!is_in_place(nlh, id, chain->hook))
		chain->misplaced = FAMILY_BOTH;
}

static void read_rule(struct nft_dump *dump, enum table_id id, const struct nlmsghdr *nlh)
{
	const char *chain = model_name(id, nfnl_attr_str(nlh, NFTA_RULE_CHAIN));
	struct rule *rule = nftables_rule_decode(dump->rs, dump, id, chain, FAMILY_BOTH, nlh);

	rule->raw = nlh;
	rule->id = nft_rule_handle(nlh);
}

/* A chain is for the families of its rules; without any, or out of its place, for both. */
static void note_families(struct ruleset *rs)
{
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++) {
			struct chain *chain = &rs->tables[t].chains[c];

			if (!chain->n_rules || chain->misplaced)
				chain->families = FAMILY_BOTH;
		}
}

void nftables_decode(struct nft_dump *dump)
{
	for (unsigned i = 0; i < dump->n; i++) {
		const struct nlmsghdr *nlh = dump->messages[i];
		/* The table's attribute is 1 in all of them. */
		enum table_id id = nftables_table_find(dump->rs->stem, nfnl_attr_str(nlh, NFTA_TABLE_NAME));

		/* The kernel tells of what it was asked for; who says more is not believed. */
		if (id == TABLES)
			continue;
		switch (NFNL_MSG_TYPE(nlh->nlmsg_type)) {
		case NFT_MSG_NEWTABLE:
			read_table(dump, id, nlh, (uint8_t)i);
			break;
		case NFT_MSG_NEWCHAIN:
			read_chain(dump, id, nlh);
			break;
		case NFT_MSG_NEWSET:
			dump->rs->tables[id].others[IPV4] += !(nfnl_attr_u32(nlh, NFTA_SET_FLAGS) & NFT_SET_ANONYMOUS);
			break;
		case NFT_MSG_NEWRULE:
			read_rule(dump, id, nlh);
			break;
		}
	}
	note_families(dump->rs);
}
