/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of the tables that iptables-nft uses, to the model. */
#include "iptables_nft/iptables_nft.h"

#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nft/chain.h"
#include "util.h"

enum table_id iptables_nft_table_find(const char *name)
{
	enum table_id t = 0;

	while (t < TABLES && strcmp(name, table_name(t)) != 0)
		t++;
	return t;
}

static enum family family_of(const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

	return nfg->nfgen_family == NFPROTO_IPV6 ? IPV6 : IPV4;
}

static bool is_builtin_name(const char *name)
{
	static const char *const names[] = { "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static void read_table(struct ruleset *rs, enum table_id id, const struct nlmsghdr *nlh, uint8_t age)
{
	struct table *table = &rs->tables[id];
	enum family family = family_of(nlh);

	table->present |= FAMILY_BIT(family);
	table->raw[family] = nlh;
	table->age[family] = age;
	/* Of chains, sets, objects and flow tables; the chains are counted out below. */
	table->others[family] = nfnl_attr_u32(nlh, NFTA_TABLE_USE);
	if (nfnl_attr_u32(nlh, NFTA_TABLE_FLAGS) & (NFT_TABLE_F_DORMANT | NFT_TABLE_F_OWNER))
		table->strange |= FAMILY_BIT(family);
}

/* Of the hooks that we do not use all that is looked at is that the chain is in one. */
static void read_chain(struct ruleset *rs, enum table_id id, const struct nlmsghdr *nlh, uint32_t age)
{
	struct chain *chain = ruleset_chain(rs, id, nfnl_attr_str(nlh, NFTA_CHAIN_NAME));
	enum family family = family_of(nlh);
	bool base = nft_chain_is_base(nlh), in_place = base;

	chain->families |= FAMILY_BIT(family);
	chain->raw[family] = nlh;
	chain->age[family] = age;
	rs->tables[id].others[family]--;
	if (chain->hook != HOOK_NONE)
		in_place = nft_chain_is_at(nlh, nft_hook_find(id, chain->hook));
	if (!is_builtin_name(chain->name))
		return;
	if (!in_place)
		chain->misplaced |= FAMILY_BIT(family);
	else if (nfnl_attr_u32(nlh, NFTA_CHAIN_POLICY) == NF_ACCEPT)
		chain->stock |= FAMILY_BIT(family);
	else
		chain->drops |= FAMILY_BIT(family);
}

static void read_rule(struct ruleset *rs, enum table_id id, const struct nlmsghdr *nlh)
{
	struct nft_decoder d;
	struct rule *rule;

	iptables_nft_rule_decode(&d, rs, family_of(nlh), nlh);
	rule = ruleset_append(rs, id, nfnl_attr_str(nlh, NFTA_RULE_CHAIN), &d.rule);
	rule->raw = nlh;
	rule->id = nft_rule_handle(nlh);
}

void iptables_nft_decode(struct nft_dump *dump)
{
	for (unsigned i = 0; i < dump->n; i++) {
		const struct nlmsghdr *nlh = dump->messages[i];
		/* The table's attribute is 1 in all of them. */
		enum table_id id = iptables_nft_table_find(nfnl_attr_str(nlh, NFTA_TABLE_NAME));

		if (id == TABLES)
			continue;
		switch (NFNL_MSG_TYPE(nlh->nlmsg_type)) {
		case NFT_MSG_NEWTABLE:
			read_table(dump->rs, id, nlh, (uint8_t)i);
			break;
		case NFT_MSG_NEWCHAIN:
			read_chain(dump->rs, id, nlh, i);
			break;
		case NFT_MSG_NEWRULE:
			read_rule(dump->rs, id, nlh);
			break;
		}
	}
}
