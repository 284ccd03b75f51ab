/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nf_tables/others.h"

#include <netinet/in.h> /* before any <linux/netfilter...> header */
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "iptables_nft/iptables_nft.h"
#include "nft/chain.h"
#include "nftables/nftables.h"
#include "util.h"

#define HOOKS_MAX 6

/* Families whose chains see packets of ours.  netdev has NF_NETDEV_INGRESS and NF_NETDEV_EGRESS (linux/netfilter.h). */
static const struct {
	uint8_t nfproto, families;
	const char *name, *hooks[HOOKS_MAX];
} kinds[] = {
	{ NFPROTO_IPV4, FAMILY_BIT(IPV4), "ip", { "prerouting", "input", "forward", "output", "postrouting" } },
	{ NFPROTO_IPV6, FAMILY_BIT(IPV6), "ip6", { "prerouting", "input", "forward", "output", "postrouting" } },
	{ NFPROTO_INET, FAMILY_BOTH, "inet", { "prerouting", "input", "forward", "output", "postrouting", "ingress" } },
	{ NFPROTO_NETDEV, FAMILY_BOTH, "netdev", { "ingress", "egress" } },
};

static uint8_t nfproto_of(const struct nlmsghdr *nlh)
{
	return ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family;
}

/* The message of the chain's table: the dump has all of them in front. */
static const struct nlmsghdr *find_table(const struct nft_dump *dump, const struct nlmsghdr *chain)
{
	for (unsigned i = 0; i < dump->n; i++) {
		const struct nlmsghdr *nlh = dump->messages[i];

		if (NFNL_MSG_TYPE(nlh->nlmsg_type) == NFT_MSG_NEWTABLE && nfproto_of(nlh) == nfproto_of(chain) &&
		    !strcmp(nfnl_attr_str(nlh, NFTA_TABLE_NAME), nfnl_attr_str(chain, NFTA_CHAIN_TABLE)))
			return nlh;
	}
	return NULL;
}

/* Whether the model has walked through the chain where it hangs. */
static bool is_walked(const struct nft_dump *dump, const struct nlmsghdr *nlh, uint32_t flags)
{
	bool native = dump->rs->layout == LAYOUT_NATIVE;
	const char *table = nfnl_attr_str(nlh, NFTA_CHAIN_TABLE), *name = nfnl_attr_str(nlh, NFTA_CHAIN_NAME);
	enum table_id id = native ? nftables_table_find(dump->rs->stem, table) : iptables_nft_table_find(table);

	for (enum hook h = 0; h < HOOK_NONE && id != TABLES && !(flags & NFT_TABLE_F_OWNER); h++)
		if (!strcmp(name, native ? nft_hook_find(id, h)->name : hook_name(h))) {
			const struct chain *chain = ruleset_find(dump->rs, id, hook_name(h));

			return chain && !(chain->misplaced & FAMILY_BIT(nfproto_of(nlh) == NFPROTO_IPV6 ? IPV6 : IPV4));
		}
	return false;
}

/* Sets and maps are not read: what is looked up in them may be there. */
static struct ruleset *read_rules(const struct nft_dump *dump, const struct nlmsghdr *chain, unsigned families)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, families);

	for (unsigned i = 0; i < dump->n; i++) {
		const struct nlmsghdr *nlh = dump->messages[i];
		const char *name = nfnl_attr_str(nlh, NFTA_RULE_CHAIN);

		if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWRULE || nfproto_of(nlh) != nfproto_of(chain) ||
		    strcmp(nfnl_attr_str(nlh, NFTA_RULE_TABLE), nfnl_attr_str(chain, NFTA_CHAIN_TABLE)) != 0)
			continue;
		if (!strcmp(name, nfnl_attr_str(chain, NFTA_CHAIN_NAME)))
			name = hook_name(HOOK_OUTPUT);
		nftables_rule_decode(rs, dump, TABLE_NAT, name, families, nlh)->owner = RULE_FOREIGN;
	}
	return rs;
}

bool others_want_rules(const struct nlmsghdr *nlh)
{
	const struct nft_hook *output = nft_hook_find(TABLE_NAT, HOOK_OUTPUT);
	uint32_t hook;
	int32_t priority;

	return NFNL_MSG_TYPE(nlh->nlmsg_type) == NFT_MSG_NEWCHAIN && nft_chain_hook(nlh, &hook, &priority) &&
	       hook == output->hook && nfproto_of(nlh) != NFPROTO_NETDEV &&
	       !strcmp(nfnl_attr_str(nlh, NFTA_CHAIN_TYPE), output->type);
}

static void note_chain(struct live *live, const struct nft_dump *dump, const struct nlmsghdr *nlh, uint32_t hook,
		       int32_t priority)
{
	struct other_chain *other;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		if (kinds[k].nfproto != nfproto_of(nlh) || hook >= HOOKS_MAX || !kinds[k].hooks[hook])
			continue;
		other = array_push(&live->others, &live->n_others, sizeof(*other));
		*other = (struct other_chain){
			.families = kinds[k].families,
			.family = kinds[k].name,
			.table = nfnl_attr_str(nlh, NFTA_CHAIN_TABLE),
			.chain = nfnl_attr_str(nlh, NFTA_CHAIN_NAME),
			.type = nfnl_attr_str(nlh, NFTA_CHAIN_TYPE),
			.hook = kinds[k].hooks[hook],
			.priority = priority,
			.rules = others_want_rules(nlh) ? read_rules(dump, nlh, kinds[k].families) : NULL,
		};
	}
}

void others_note(struct live *live, const struct nft_dump *dumps, unsigned n)
{
	for (unsigned d = 0; d < n; d++)
		for (unsigned i = 0; i < dumps[d].n; i++) {
			const struct nlmsghdr *nlh = dumps[d].messages[i], *table;
			uint32_t hook, flags;
			int32_t priority;

			if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWCHAIN || !nft_chain_hook(nlh, &hook, &priority))
				continue;
			table = find_table(&dumps[d], nlh);
			flags = table ? nfnl_attr_u32(table, NFTA_TABLE_FLAGS) : 0;
			/* A chain without rules lets all pass, unless its policy says otherwise. */
			if (flags & NFT_TABLE_F_DORMANT ||
			    (!nfnl_attr_u32(nlh, NFTA_CHAIN_USE) && nfnl_attr_u32(nlh, NFTA_CHAIN_POLICY) == NF_ACCEPT) ||
			    (d + 1 < n && is_walked(&dumps[d], nlh, flags)))
				continue;
			note_chain(live, &dumps[d], nlh, hook, priority);
		}
}
