/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages that change Istio's part of one table, around what is foreign in it. */
#include "iptables_nft/iptables_nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include "nft/chain.h"
#include "nft/put_back.h"
#include "util.h"

/* A message with a name or two; a rule with 64 owner groups and a comment. */
#define NAMES_ROOM 640
#define RULE_ROOM 8192

/* What is to be: the rules of a ruleset, or, to take a write back, what was read (and its ruleset). */
struct goal {
	const struct ruleset *rs;
	const struct iptables_nft_table *saved; /* NULL: @rs decides alone */
};

static struct nlmsghdr *put_message(struct nfnl_batch *batch, const struct iptables_nft_table *t, uint16_t type, uint16_t flags,
				    uint16_t name_attr, const char *name)
{
	struct nlmsghdr *nlh = nfnl_batch_add(batch, NAMES_ROOM, type, nft_nfproto(t->family), flags, NULL);

	/* The table's attribute is 1 in all of them. */
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table_name(t->id));
	if (name)
		mnl_attr_put_strz(nlh, name_attr, name);
	return nlh;
}

/* As the kernel wrote it, in network order. */
static uint64_t rule_handle(const struct iptables_nft_rule *rule)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, rule->nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_RULE_HANDLE && mnl_attr_validate(attr, MNL_TYPE_U64) >= 0)
			return mnl_attr_get_u64(attr);
	return 0;
}

static bool goal_has_table(const struct goal *goal, const struct iptables_nft_table *t)
{
	return goal->saved ? goal->saved->nlh != NULL : table_has_family(&goal->rs->tables[t->id], t->family);
}

/* One of ours, or built in and with rules of ours. */
static bool goal_has_chain(const struct goal *goal, const struct iptables_nft_table *t, const char *name)
{
	const struct chain *chain = ruleset_find(goal->rs, t->id, name);

	return chain && chain_has_family(chain, t->family);
}

/* A built-in chain that lets all pass is as good as none. */
static bool is_void(const struct iptables_nft_chain *chain)
{
	return chain->builtin && !chain->foreign && nfnl_attr_u32(chain->nlh, NFTA_CHAIN_POLICY) == NF_ACCEPT;
}

/* Whether the table is of no use to anybody without us: NFTA_TABLE_USE counts chains, sets, objects, flow tables. */
static bool table_is_void(const struct iptables_nft_table *t)
{
	unsigned others = nfnl_attr_u32(t->nlh, NFTA_TABLE_USE);

	for (unsigned i = 0; i < t->n_chains; i++)
		others -= t->chains[i].istio || is_void(&t->chains[i]);
	return !others;
}

/* A built-in chain goes with our last rule in it; to take a write back, if the write made it. */
static bool chain_goes(const struct goal *goal, const struct iptables_nft_table *t, const struct iptables_nft_chain *chain)
{
	if (chain->istio)
		return !goal_has_chain(goal, t, chain->name);
	if (!is_void(chain))
		return false;
	if (goal->saved)
		return !iptables_nft_chain_find(goal->saved, chain->name);
	return chain->n && !goal_has_chain(goal, t, chain->name);
}

/*
 * Takes out all that is ours.  To delete anything makes the commit wait for all CPUs:
 * nothing is deleted that is not there.  False if the table itself is gone then.
 */
static bool clear(struct nfnl_batch *batch, const struct goal *goal, const struct iptables_nft_table *t)
{
	uint64_t handle;

	if (!t->nlh)
		return false;
	if (!goal_has_table(goal, t) && table_is_void(t)) {
		put_message(batch, t, NFT_MSG_DELTABLE, 0, 0, NULL);
		return false;
	}
	for (unsigned c = 0; c < t->n_chains; c++) {
		const struct iptables_nft_chain *chain = &t->chains[c];

		if (chain->istio && chain->n)
			put_message(batch, t, NFT_MSG_DELRULE, 0, NFTA_RULE_CHAIN, chain->name);
		for (unsigned i = chain->first; !chain->istio && i < chain->first + chain->n; i++) {
			if (!t->rules[i].ours)
				continue;
			handle = rule_handle(&t->rules[i]);
			mnl_attr_put(put_message(batch, t, NFT_MSG_DELRULE, 0, NFTA_RULE_CHAIN, chain->name),
				     NFTA_RULE_HANDLE, sizeof(handle), &handle);
		}
	}
	for (unsigned c = 0; c < t->n_chains; c++)
		if (chain_goes(goal, t, &t->chains[c]))
			put_message(batch, t, NFT_MSG_DELCHAIN, 0, NFTA_CHAIN_NAME, t->chains[c].name);
	return true;
}

static void put_base_chain(struct nfnl_batch *batch, const struct iptables_nft_table *t, enum hook hook)
{
	nft_put_hook(put_message(batch, t, NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFTA_CHAIN_NAME, hook_name(hook)),
		      nft_hook_find(t->id, hook));
}

/* Where a rule goes: before the foreign rule of that number, or to the end (0). */
static uint64_t place_of(const struct iptables_nft_table *t, const struct iptables_nft_chain *chain, unsigned foreign)
{
	for (unsigned i = chain ? chain->first : 0; chain && i < chain->first + chain->n; i++)
		if (!t->rules[i].ours && t->rules[i].foreign == foreign)
			return rule_handle(&t->rules[i]);
	return 0;
}

/*
 * How many foreign rules stand before the place of ours in a built-in chain: where the first that stays
 * stood; else the first behind the foreign rules in front of which those that belong at the very top
 * were put; without any, all.
 */
static unsigned foreign_before(const struct iptables_nft_table *t, const struct iptables_nft_chain *chain)
{
	const struct iptables_nft_rule *first = NULL, *behind = NULL;

	for (unsigned i = chain->first; i < chain->first + chain->n; i++) {
		const struct iptables_nft_rule *rule = &t->rules[i];

		if (!rule->ours)
			continue;
		if (rule->kept)
			return rule->foreign;
		if (!behind && rule->foreign)
			behind = rule;
		if (!first)
			first = rule;
	}
	if (behind)
		return behind->foreign;
	return first ? 0 : chain->foreign;
}

/* @rule: flat; @source: what it was unrolled from, for messages. */
static int put_rule(struct nfnl_batch *batch, const struct iptables_nft_table *t, const char *chain, const struct rule *rule,
		    const struct rule *source, uint64_t before, struct err *err)
{
	size_t bytes = nfnl_batch_bytes(batch);
	struct nftnl_rule *r = xchecked(nftnl_rule_alloc());
	struct nlmsghdr *nlh;
	int rc = iptables_nft_rule_encode(r, rule, t->family);

	if (!rc) {
		nlh = nfnl_batch_add(batch, RULE_ROOM, NFT_MSG_NEWRULE, nft_nfproto(t->family),
				    NLM_F_CREATE | (before ? 0 : NLM_F_APPEND), source);
		nftnl_rule_set_str(r, NFTNL_RULE_TABLE, table_name(t->id));
		nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
		if (before)
			nftnl_rule_set_u64(r, NFTNL_RULE_POSITION, be64toh(before));
		nftnl_rule_nlmsg_build_payload(nlh, r);
		batch->items++;
		batch->items_bytes += nfnl_batch_bytes(batch) - bytes;
	}
	nftnl_rule_free(r);
	if (!rc)
		return 0;
	err_set(err, STATUS_UNSUPPORTED, -rc, "iptables-nft cannot hold a rule of %s in chain %s, table %s",
		source->origin ? source->origin : "the options", chain, table_name(t->id));
	err_hint(err, rc == -E2BIG ? "shorten the list, or use --backend=nftables" : "use --backend=nftables");
	return rc;
}

static int fill_chain(struct nfnl_batch *batch, const struct iptables_nft_table *t, const struct chain *chain, struct err *err)
{
	bool base = chain->hook != HOOK_NONE;
	const struct iptables_nft_chain *live = base && t->nlh ? iptables_nft_chain_find(t, chain->name) : NULL;
	uint64_t top = live ? place_of(t, live, 0) : 0;
	uint64_t place = live ? place_of(t, live, foreign_before(t, live)) : 0;
	const struct rule *rule;
	struct chain_iter it;
	int rc = 0;

	if (live && !live->builtin) {
		err_set(err, STATUS_FAILED, EEXIST,
			"chain %s of table %s %s is not hooked in as iptables-nft does it: rules in it would capture nothing",
			chain->name, t->family == IPV6 ? "ip6" : "ip", table_name(t->id));
		err_hint(err, "find out what made it (nft list ruleset), or use --backend=nftables");
		return -EEXIST;
	}
	chain_iter_init(&it, chain, t->family);
	while (!rc && (rule = chain_iter_next(&it)))
		rc = put_rule(batch, t, chain->name, rule, it.it.rule, base && rule->top ? top : place, err);
	return rc;
}

int iptables_nft_table_edit(struct nfnl_batch *batch, const struct iptables_nft_state *now, const struct iptables_nft_table *t,
		    const struct ruleset *want, struct err *err)
{
	const struct table *table = &want->tables[t->id];
	const struct goal goal = { .rs = want }, live = { .rs = now->live };
	bool present = clear(batch, &goal, t);
	int rc = 0;

	if (!goal_has_table(&goal, t))
		return 0;
	if (present && iptables_nft_table_is_strange(t)) {
		err_set(err, STATUS_FAILED, EEXIST, "table %s %s is dormant, or owned by another program",
			t->family == IPV6 ? "ip6" : "ip", table_name(t->id));
		err_hint(err, "find out what made it (nft list ruleset), or use --backend=nftables");
		return -EEXIST;
	}
	if (!present)
		put_message(batch, t, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, 0, NULL);
	for (unsigned i = 0; i < table->n_chains; i++) {
		const struct chain *chain = &table->chains[i];

		if (!chain_has_family(chain, t->family))
			continue;
		if (chain->hook == HOOK_NONE && !goal_has_chain(&live, t, chain->name))
			put_message(batch, t, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, NFTA_CHAIN_NAME, chain->name);
		else if (chain->hook != HOOK_NONE && !iptables_nft_chain_find(t, chain->name))
			put_base_chain(batch, t, chain->hook);
	}
	for (unsigned i = 0; i < table->n_chains && !rc; i++)
		if (chain_has_family(&table->chains[i], t->family))
			rc = fill_chain(batch, t, &table->chains[i], err);
	return rc;
}

static void put_compat(struct nlmsghdr *nlh, const struct iptables_nft_rule *rule)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_RULE_COMPAT);

	mnl_attr_put_u32(nlh, NFTA_RULE_COMPAT_PROTO, htonl(rule->proto));
	mnl_attr_put_u32(nlh, NFTA_RULE_COMPAT_FLAGS, htonl(rule->not_proto ? NFT_RULE_COMPAT_F_INV : 0));
	mnl_attr_nest_end(nlh, nest);
}

/* Somebody else's chain may have become shorter than it was (then at its end). */
static void put_back_rules(struct nfnl_batch *batch, const struct iptables_nft_table *t, const struct iptables_nft_chain *live,
			   const struct iptables_nft_table *saved, const struct iptables_nft_chain *chain)
{
	struct nlmsghdr *nlh;
	uint64_t place;

	for (unsigned i = chain->first; i < chain->first + chain->n; i++) {
		if (!saved->rules[i].ours)
			continue;
		place = chain->istio ? 0 : place_of(t, live, saved->rules[i].foreign);
		nlh = nft_put_back(batch, saved->rules[i].nlh, place ? 0 : NLM_F_APPEND);
		put_compat(nlh, &saved->rules[i]);
		if (place)
			mnl_attr_put(nlh, NFTA_RULE_POSITION, sizeof(place), &place);
	}
}

void iptables_nft_table_restore(struct nfnl_batch *batch, const struct iptables_nft_state *now, const struct iptables_nft_table *t,
			const struct iptables_nft_state *state, bool anew)
{
	const struct iptables_nft_table *saved = &state->tables[t->family][t->id];
	const struct goal goal = { .rs = state->live, .saved = saved }, live = { .rs = now->live };
	bool present = false;

	if (anew && t->nlh && table_is_void(t))
		put_message(batch, t, NFT_MSG_DELTABLE, 0, 0, NULL);
	else
		present = clear(batch, &goal, t);
	if (!present && saved->nlh)
		nft_put_back(batch, saved->nlh, 0);
	for (unsigned i = 0; i < saved->n_chains; i++) {
		const struct iptables_nft_chain *chain = &saved->chains[i];

		if (chain->istio ? !(present && goal_has_chain(&live, t, chain->name)) :
				   chain->builtin && !(present && iptables_nft_chain_find(t, chain->name)))
			nft_put_back(batch, chain->nlh, 0);
	}
	for (unsigned i = 0; i < saved->n_chains; i++) {
		const struct iptables_nft_chain *chain = &saved->chains[i];
		const struct iptables_nft_chain *there = chain->istio ? chain : iptables_nft_chain_find(t, chain->name);

		/* Somebody else's chain may be gone by now. */
		if (there || chain->builtin)
			put_back_rules(batch, t, there, saved, chain);
	}
}
