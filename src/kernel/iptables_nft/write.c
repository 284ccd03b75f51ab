/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps of a plan as messages. */
#include <arpa/inet.h>
#include <errno.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include "iptables_nft/iptables_nft.h"
#include "nft/chain.h"
#include "nft/put_back.h"
#include "util.h"

/* A message with a name or two; a rule with 64 owner groups and a comment. */
#define NAMES_ROOM 640
#define RULE_ROOM 8192

static struct nlmsghdr *put_message(struct nfnl_batch *batch, uint16_t type, uint16_t flags, const struct step *step,
				    uint16_t chain_attr)
{
	struct nlmsghdr *nlh = nfnl_batch_add(batch, NAMES_ROOM, type, nft_nfproto(step->family), flags, NULL);

	/* The table's attribute is 1 in all of them. */
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table_name(step->table));
	if (step->chain)
		mnl_attr_put_strz(nlh, chain_attr, step->chain->name);
	return nlh;
}

static void delete_rules(struct nfnl_batch *batch, const struct step *step)
{
	const struct rule *rule;
	struct chain_iter it;
	uint64_t handle;

	/* All of them, before the first chain goes: rules of one may lead to the other. */
	if (step->with == STEP_WITH_CHAIN) {
		put_message(batch, NFT_MSG_DELRULE, 0, step, NFTA_RULE_CHAIN);
		return;
	}
	step_iter_init(&it, step);
	for (unsigned k = 0; k < step->n; k++) {
		rule = step_iter_next(&it, step);
		handle = nft_rule_handle(rule->raw);
		mnl_attr_put(put_message(batch, NFT_MSG_DELRULE, 0, step, NFTA_RULE_CHAIN), NFTA_RULE_HANDLE,
			     sizeof(handle), &handle);
	}
}

/* The protocol that a rule tests: the kernel wants to be told (NFTA_RULE_COMPAT), but does not tell. */
static void put_compat(struct nlmsghdr *nlh, const struct rule *rule)
{
	const struct match *proto = rule_match(rule, MATCH_PROTO);
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_RULE_COMPAT);

	mnl_attr_put_u32(nlh, NFTA_RULE_COMPAT_PROTO, htonl(proto ? proto->proto : 0));
	mnl_attr_put_u32(nlh, NFTA_RULE_COMPAT_FLAGS, htonl(proto && proto->invert ? NFT_RULE_COMPAT_F_INV : 0));
	mnl_attr_nest_end(nlh, nest);
}

static int fail_inexpressible(const struct step *step, const struct rule *rule, int error, struct err *err)
{
	err_set(err, STATUS_UNSUPPORTED, error, "iptables-nft cannot hold a rule of %s in chain %s, table %s",
		rule->origin ? rule->origin : "the options", step->chain->name, table_name(step->table));
	err_hint(err, error == E2BIG ? "shorten the list, or use --backend=nftables" : "use --backend=nftables");
	return -error;
}

/* @rule: as the layer holds it; @source: what it was unrolled from, which outlives the batch. */
static int put_rule(struct nfnl_batch *batch, const struct step *step, const struct rule *rule,
		    const struct rule *source, uint16_t flags, struct nlmsghdr **nlh, struct err *err)
{
	struct nftnl_rule *r = xchecked(nftnl_rule_alloc());
	int rc = iptables_nft_rule_encode(r, rule, step->family);

	if (!rc) {
		*nlh = nfnl_batch_add(batch, RULE_ROOM, NFT_MSG_NEWRULE, nft_nfproto(step->family),
				      NLM_F_CREATE | flags, source);
		nftnl_rule_set_str(r, NFTNL_RULE_TABLE, table_name(step->table));
		nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, step->chain->name);
		nftnl_rule_nlmsg_build_payload(*nlh, r);
	}
	nftnl_rule_free(r);
	return rc ? fail_inexpressible(step, source, -rc, err) : 0;
}

static int add_rules(struct nfnl_batch *batch, const struct step *step, struct err *err)
{
	uint64_t before = step->before ? nft_rule_handle(step->before->raw) : 0;
	uint16_t flags = before ? 0 : NLM_F_APPEND;
	size_t bytes = nfnl_batch_bytes(batch);
	struct nlmsghdr *nlh = NULL;
	struct chain_iter it;
	int rc = 0;

	step_iter_init(&it, step);
	for (unsigned k = 0; k < step->n && !rc; k++) {
		const struct rule *rule = step_iter_next(&it, step);

		if (rule->raw) {
			nlh = nft_put_back(batch, rule->raw, flags);
			put_compat(nlh, rule);
		} else {
			rc = put_rule(batch, step, rule, it.it.rule, flags, &nlh, err);
		}
		if (!rc && before)
			mnl_attr_put(nlh, NFTA_RULE_POSITION, sizeof(before), &before);
	}
	batch->items += step->n;
	batch->items_bytes += nfnl_batch_bytes(batch) - bytes;
	return rc;
}

static void add_chain(struct nfnl_batch *batch, const struct step *step)
{
	struct nlmsghdr *nlh;

	if (step->chain->raw[step->family]) {
		nft_put_back(batch, step->chain->raw[step->family], 0);
		return;
	}
	nlh = put_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, step, NFTA_CHAIN_NAME);
	if (step->chain->hook != HOOK_NONE)
		nft_put_hook(nlh, nft_hook_find(step->table, step->chain->hook));
}

static void add_table(struct nfnl_batch *batch, const struct ruleset *before, const struct step *step)
{
	const void *raw = before ? before->tables[step->table].raw[step->family] : NULL;

	if (raw)
		nft_put_back(batch, raw, 0);
	else
		put_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, step, 0);
}

int iptables_nft_put_step(struct nfnl_batch *batch, const struct ruleset *before, const struct step *step, struct err *err)
{
	bool add = step->action == STEP_ADD;

	batch->writer = &iptables_nft_writer;
	switch ((enum step_kind)step->kind) {
	case STEP_TABLE:
		if (add)
			add_table(batch, before, step);
		else
			put_message(batch, NFT_MSG_DELTABLE, 0, step, 0);
		break;
	case STEP_CHAIN:
		if (add)
			add_chain(batch, step);
		else
			put_message(batch, NFT_MSG_DELCHAIN, 0, step, NFTA_CHAIN_NAME);
		break;
	case STEP_RULES:
		if (add)
			return add_rules(batch, step, err);
		delete_rules(batch, step);
		break;
	case STEP_ROUTE:
	case STEP_GUARD:
		break;
	}
	return 0;
}
