/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps of a plan as messages. */
#include <arpa/inet.h>
#include <stdio.h>
#include <netinet/in.h> /* before any <linux/netfilter...> header */
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nft/chain.h"
#include "nft/put_back.h"
#include "nftables/nftables.h"
#include "util.h"

/* A message with a name or two; a rule with all matches, a comment and names of full length. */
#define NAMES_ROOM 640
#define RULE_ROOM 4096

static const char *chain_name(enum table_id table, const struct chain *chain)
{
	return chain->hook == HOOK_NONE ? chain->name : nft_hook_find(table, chain->hook)->name;
}

static struct nlmsghdr *put_message(struct nftables_writer *w, uint16_t type, uint16_t flags, const struct step *step,
				    uint16_t chain_attr)
{
	struct nlmsghdr *nlh = nfnl_batch_add(w->batch, NAMES_ROOM, type, NFPROTO_INET, flags, NULL);
	char name[32];

	/* The table's attribute is 1 in all of them. */
	snprintf(name, sizeof(name), "%s%s", w->dump->rs->stem, table_name(step->table));
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, name);
	if (step->chain)
		mnl_attr_put_strz(nlh, chain_attr, chain_name(step->table, step->chain));
	return nlh;
}

static void delete_rules(struct nftables_writer *w, const struct step *step)
{
	/* All of them, before the first chain goes: rules of one may lead to the other. */
	if (step->with == STEP_WITH_CHAIN) {
		put_message(w, NFT_MSG_DELRULE, 0, step, NFTA_RULE_CHAIN);
		return;
	}
	for (unsigned i = step->first; i < step->first + step->n; i++) {
		uint64_t handle = nft_rule_handle(step->chain->rules[i].raw);

		mnl_attr_put(put_message(w, NFT_MSG_DELRULE, 0, step, NFTA_RULE_CHAIN), NFTA_RULE_HANDLE,
			     sizeof(handle), &handle);
	}
}

/*
 * Anonymous sets go with their rules, and come back before them.  Their numbers tell the rules of this transaction
 * which set is meant:
 *
 *   __set0 __set1        live; their rules stay, or go only with the commit
 *   __set2 (ID 3) ...    new: names from the first on that is free
 */
static unsigned free_set(const struct nft_dump *dump, enum table_id table)
{
	const size_t stem = strlen(SET_STEM);
	uint32_t number, next = 0;

	for (unsigned i = 0; i < dump->n; i++) {
		const char *name = nfnl_attr_str(dump->messages[i], NFTA_SET_NAME);

		if (NFNL_MSG_TYPE(dump->messages[i]->nlmsg_type) != NFT_MSG_NEWSET ||
		    nftables_table_find(dump->rs->stem, nfnl_attr_str(dump->messages[i], NFTA_SET_TABLE)) != table)
			continue;
		if (!strncmp(name, SET_STEM, stem) && number_parse(name + stem, UINT32_MAX - 1, &number) && number >= next)
			next = number + 1;
	}
	return next;
}

/* All sets of a table of which everything is made again. */
static void put_back_sets(struct nftables_writer *w, enum table_id table)
{
	if (w->sets_are_back[table])
		return;
	w->sets_are_back[table] = true;
	for (unsigned i = 0; i < w->dump->n; i++) {
		const struct nlmsghdr *saved = w->dump->messages[i];
		uint16_t type = NFNL_MSG_TYPE(saved->nlmsg_type);
		struct nlmsghdr *nlh;

		if ((type != NFT_MSG_NEWSET && type != NFT_MSG_NEWSETELEM) ||
		    nftables_table_find(w->dump->rs->stem, nfnl_attr_str(saved, NFTA_SET_TABLE)) != table)
			continue;
		nlh = nft_put_back(w->batch, saved, 0);
		if (type == NFT_MSG_NEWSET)
			mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl(i + 1));
	}
}

static void put_rule(struct nftables_writer *w, const struct step *step, const struct rule *rule)
{
	uint64_t before = step->before ? nft_rule_handle(step->before->raw) : 0;
	uint16_t flags = before ? 0 : NLM_F_APPEND;
	struct nftnl_rule *r = NULL;
	struct nlmsghdr *nlh;

	if (rule->raw) {
		nlh = nft_put_back(w->batch, rule->raw, flags);
	} else {
		r = nftables_rule_encode(w->batch, step->table, chain_name(step->table, step->chain), rule,
					 &w->sets[step->table]);
		nlh = nfnl_batch_add(w->batch, RULE_ROOM, NFT_MSG_NEWRULE, NFPROTO_INET, NLM_F_CREATE | flags, rule);
		nftnl_rule_nlmsg_build_payload(nlh, r);
		nftnl_rule_free(r);
	}
	if (before)
		mnl_attr_put(nlh, NFTA_RULE_POSITION, sizeof(before), &before);
}

static void add_rules(struct nftables_writer *w, const struct step *step)
{
	struct chain_iter it;

	step_iter_init(&it, step);
	for (unsigned k = 0; k < step->n; k++)
		put_rule(w, step, step_iter_next(&it, step));
}

static void add_chain(struct nftables_writer *w, const struct step *step)
{
	struct nlmsghdr *nlh;

	if (step->chain->raw[IPV4]) {
		put_back_sets(w, step->table);
		nft_put_back(w->batch, step->chain->raw[IPV4], 0);
		return;
	}
	nlh = put_message(w, NFT_MSG_NEWCHAIN, NLM_F_CREATE, step, NFTA_CHAIN_NAME);
	if (step->chain->hook != HOOK_NONE)
		nft_put_hook(nlh, nft_hook_find(step->table, step->chain->hook));
}

static void add_table(struct nftables_writer *w, const struct step *step)
{
	if (w->dump->rs->tables[step->table].raw[IPV4] && w->undo)
		nft_put_back(w->batch, w->dump->rs->tables[step->table].raw[IPV4], 0);
	else
		put_message(w, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, step, 0);
}

void nftables_put_step(struct nftables_writer *w, const struct step *step)
{
	bool add = step->action == STEP_ADD;

	if (!w->begun) {
		w->begun = true;
		for (enum table_id t = 0; t < TABLES; t++)
			w->sets[t] = free_set(w->dump, t);
	}
	w->batch->writer = &nftables_writer;
	switch ((enum step_kind)step->kind) {
	case STEP_TABLE:
		if (add)
			add_table(w, step);
		else
			put_message(w, NFT_MSG_DELTABLE, 0, step, 0);
		break;
	case STEP_CHAIN:
		if (add)
			add_chain(w, step);
		else
			put_message(w, NFT_MSG_DELCHAIN, 0, step, NFTA_CHAIN_NAME);
		break;
	case STEP_RULES:
		if (add)
			add_rules(w, step);
		else
			delete_rules(w, step);
		break;
	case STEP_ROUTE:
	case STEP_GUARD:
		break;
	}
}
