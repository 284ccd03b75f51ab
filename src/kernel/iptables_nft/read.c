/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the tables that iptables-nft uses, and tells Istio's part of them from that of others. */
#include "iptables_nft/iptables_nft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "capture.h"
#include "nft/chain.h"
#include "util.h"

/* What is read, and what it is compared with. */
struct reading {
	struct iptables_nft_state *state;
	const struct ruleset *want;
	bool shallow;
};

void iptables_nft_state_forget(struct iptables_nft_state *state)
{
	for (enum family f = 0; f < FAMILIES; f++)
		for (enum table_id t = 0; t < TABLES; t++) {
			free(state->tables[f][t].chains);
			free(state->tables[f][t].rules);
		}
	ruleset_free(state->live);
	memset(state, 0, sizeof(*state));
}

/* The table that a message is about, NULL if it is none of ours.  The attribute is 1 in all of them. */
static struct iptables_nft_table *message_table(struct iptables_nft_state *state, const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const char *name = nfnl_attr_str(nlh, NFTA_TABLE_NAME);

	if (nfg->nfgen_family != NFPROTO_IPV4 && nfg->nfgen_family != NFPROTO_IPV6)
		return NULL;
	for (enum table_id t = 0; t < TABLES; t++)
		if (!strcmp(name, table_name(t)))
			return &state->tables[nfg->nfgen_family == NFPROTO_IPV6 ? IPV6 : IPV4][t];
	return NULL;
}

static const struct nlmsghdr *keep(struct iptables_nft_state *state, const struct nlmsghdr *nlh)
{
	return memcpy(ruleset_alloc(state->live, nlh->nlmsg_len), nlh, nlh->nlmsg_len);
}

static void take_table(const struct nlmsghdr *nlh, void *data)
{
	struct iptables_nft_state *state = data;
	struct iptables_nft_table *t = message_table(state, nlh);

	if (t && !t->nlh)
		state->order[state->n_order++] = t;
	if (t)
		t->nlh = keep(state, nlh);
}

static enum hook hook_find(const char *name)
{
	enum hook hook = 0;

	while (hook < HOOK_NONE && strcmp(name, hook_name(hook)))
		hook++;
	return hook;
}

/* Whether it is a base chain as iptables-nft makes it; of the hooks that we do not use only that it is one. */
static bool chain_is_builtin(enum table_id table, const char *name, const struct nlmsghdr *nlh)
{
	static const char *const names[] = { "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING" };
	enum hook hook = hook_find(name);
	bool known = false;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		known |= !strcmp(name, names[i]);
	if (!known)
		return false;
	return hook == HOOK_NONE ? nft_chain_is_base(nlh) : nft_chain_is_at(nlh, nft_hook_find(table, hook));
}

static void take_chain(const struct nlmsghdr *nlh, void *data)
{
	struct iptables_nft_state *state = data;
	struct iptables_nft_table *t = message_table(state, nlh);
	struct iptables_nft_chain *chain;

	if (!t || !t->nlh)
		return; /* no table of ours, or one made after the tables were read: the generation tells */
	nlh = keep(state, nlh);
	chain = array_push(&t->chains, &t->n_chains, sizeof(*chain));
	*chain = (struct iptables_nft_chain){ .nlh = nlh, .name = nfnl_attr_str(nlh, NFTA_CHAIN_NAME) };
	chain->istio = chain_is_istio(chain->name);
	chain->builtin = !chain->istio && chain_is_builtin(t->id, chain->name, nlh);
}

bool iptables_nft_table_is_strange(const struct iptables_nft_table *t)
{
	return nfnl_attr_u32(t->nlh, NFTA_TABLE_FLAGS) & (NFT_TABLE_F_DORMANT | NFT_TABLE_F_OWNER);
}

struct iptables_nft_chain *iptables_nft_chain_find(const struct iptables_nft_table *t, const char *name)
{
	for (unsigned i = 0; i < t->n_chains; i++)
		if (!strcmp(t->chains[i].name, name))
			return &t->chains[i];
	return NULL;
}

/* Chains come in the order in which their rules do. */
struct rule_cursor {
	struct iptables_nft_state *state;
	struct iptables_nft_table *table;
	unsigned chain;
};

static void take_rule(const struct nlmsghdr *nlh, void *data)
{
	struct rule_cursor *at = data;
	struct iptables_nft_table *t = at->table;
	const char *name = nfnl_attr_str(nlh, NFTA_RULE_CHAIN);
	struct iptables_nft_rule *rule;

	while (at->chain < t->n_chains && strcmp(t->chains[at->chain].name, name))
		at->chain++;
	if (at->chain == t->n_chains)
		return; /* made after the chains were read: the generation tells */
	if (!t->chains[at->chain].n++)
		t->chains[at->chain].first = t->n_rules;
	rule = array_push(&t->rules, &t->n_rules, sizeof(*rule));
	*rule = (struct iptables_nft_rule){ .nlh = keep(at->state, nlh) };
}

static int read_rules(struct nfnl *nfnl, struct iptables_nft_state *state, struct err *err)
{
	int rc = 0;

	for (enum family f = 0; f < FAMILIES; f++)
		for (enum table_id t = 0; t < TABLES && !rc; t++) {
			struct nfnl_query query = { .type = NFT_MSG_GETRULE, .family = nft_nfproto(f), .table = table_name(t) };
			struct rule_cursor at = { .state = state, .table = &state->tables[f][t] };

			if (at.table->n_chains)
				rc = nfnl_dump(nfnl, &query, take_rule, &at, err);
		}
	return rc;
}

static bool has_own_chain(const struct iptables_nft_state *state)
{
	for (enum family f = 0; f < FAMILIES; f++)
		for (enum table_id t = 0; t < TABLES; t++)
			for (unsigned c = 0; c < state->tables[f][t].n_chains; c++)
				if (state->tables[f][t].chains[c].istio)
					return true;
	return false;
}

static int read_all(struct nfnl *nfnl, void *data, struct err *err)
{
	struct nfnl_query query = { .type = NFT_MSG_GETTABLE, .family = NFPROTO_UNSPEC };
	struct reading *reading = data;
	struct iptables_nft_state *state = reading->state;
	int rc;

	iptables_nft_state_forget(state);
	state->live = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	for (enum family f = 0; f < FAMILIES; f++)
		for (enum table_id t = 0; t < TABLES; t++) {
			state->tables[f][t].family = f;
			state->tables[f][t].id = t;
		}
	rc = nfnl_dump(nfnl, &query, take_table, state, err);
	if (rc || !state->n_order)
		return rc;
	query.type = NFT_MSG_GETCHAIN;
	rc = nfnl_dump(nfnl, &query, take_chain, state, err);
	if (rc || (reading->shallow && has_own_chain(state)))
		return rc;
	return read_rules(nfnl, state, err);
}

/* Names are cut to what the model holds. */
static struct chain *live_chain(struct iptables_nft_state *state, const struct iptables_nft_table *t, const struct iptables_nft_chain *chain)
{
	char text[sizeof(((struct chain *)0)->name)];

	snprintf(text, sizeof(text), "%s", chain->name);
	return ruleset_chain(state->live, t->id, text);
}

static void decode_rule(struct iptables_nft_state *state, const struct iptables_nft_table *t, struct iptables_nft_rule *rule,
			struct nft_decoder *d)
{
	iptables_nft_rule_decode(d, state->live, t->family, rule->nlh);
	for (unsigned i = 0; i < d->rule.n_matches; i++)
		if (d->matches[i].kind == MATCH_PROTO) {
			rule->proto = (uint8_t)d->matches[i].proto;
			rule->not_proto = d->matches[i].invert;
		}
}

static void decode_own_chain(struct iptables_nft_state *state, struct iptables_nft_table *t, const struct iptables_nft_chain *chain)
{
	struct chain *live = live_chain(state, t, chain);
	struct nft_decoder d;

	live->families |= FAMILY_BIT(t->family);
	for (unsigned i = chain->first; i < chain->first + chain->n; i++) {
		t->rules[i].ours = true;
		decode_rule(state, t, &t->rules[i], &d);
		ruleset_append(state->live, t->id, live->name, &d.rule);
	}
}

static bool is_kept(const struct iptables_nft_table *t, const char *name, const struct rule *rule, const struct ruleset *want)
{
	const struct chain *chain = want ? ruleset_find(want, t->id, name) : NULL;
	struct rule_iter it;

	for (unsigned i = 0; chain && i < chain->n_rules; i++) {
		if (chain->rules[i].top || !(chain->rules[i].families & FAMILY_BIT(t->family)))
			continue;
		rule_iter_init(&it, &chain->rules[i]);
		while (rule_iter_next(&it))
			if (rule_equal(rule, &it.flat))
				return true;
	}
	return false;
}

/* Any chain may have a jump to ours; other rules of ours stand in the hooks that we use. */
static bool rule_is_ours(const struct rule *rule, const struct iptables_nft_table *t, const struct iptables_nft_chain *chain, uint32_t mark,
			 const struct ruleset *want)
{
	enum hook hook = hook_find(chain->name);

	if (hook != HOOK_NONE)
		return capture_owns(rule, t->id, hook, t->family, mark, want);
	return (rule->target.kind == TARGET_JUMP || rule->target.kind == TARGET_GOTO) &&
	       chain_is_istio(rule->target.chain);
}

static void decode_other_chain(const struct reading *reading, struct iptables_nft_table *t, struct iptables_nft_chain *chain, uint32_t mark)
{
	struct ruleset *live = reading->state->live;
	struct nft_decoder d;

	for (unsigned i = chain->first; i < chain->first + chain->n; i++) {
		struct iptables_nft_rule *rule = &t->rules[i];

		decode_rule(reading->state, t, rule, &d);
		rule->ours = rule_is_ours(&d.rule, t, chain, mark, reading->want);
		rule->foreign = chain->foreign;
		if (!rule->ours) {
			chain->foreign++;
			continue;
		}
		rule->kept = is_kept(t, chain->name, &d.rule, reading->want);
		/* A chain that is not hooked in decides nothing. */
		d.rule.unknown |= iptables_nft_table_is_strange(t) || (hook_find(chain->name) != HOOK_NONE && !chain->builtin);
		ruleset_append(live, t->id, live_chain(reading->state, t, chain)->name, &d.rule);
	}
}

static void decode_all(const struct reading *reading)
{
	uint32_t mark = 0;

	for (int own = 1; own >= 0; own--) {
		for (enum family f = 0; f < FAMILIES; f++)
			for (enum table_id id = 0; id < TABLES; id++) {
				struct iptables_nft_table *t = &reading->state->tables[f][id];

				for (unsigned c = 0; c < t->n_chains; c++)
					if (own && t->chains[c].istio)
						decode_own_chain(reading->state, t, &t->chains[c]);
					else if (!own && !t->chains[c].istio)
						decode_other_chain(reading, t, &t->chains[c], mark);
			}
		mark = capture_live_mark(reading->state->live);
	}
}

int iptables_nft_state_read(struct iptables_nft_state *state, struct nfnl *nfnl, const struct ruleset *want, bool shallow,
		    struct err *err)
{
	struct reading reading = { .state = state, .want = want, .shallow = shallow };
	int rc = nfnl_read(nfnl, read_all, &reading, err);

	if (!rc)
		decode_all(&reading);
	return rc;
}
