/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The native nftables backend: three inet tables that change in one transaction. */
#include "nftables/nftables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "backend.h"
#include "diff.h"
#include "nft/chain.h"
#include "util.h"

/* Rivals that commit between our reading and our undoing. */
#define UNDO_ATTEMPTS 20

/* @dump: all messages of our tables in the order in which they can be put back. */
struct backend {
	struct nfnl *nfnl;
	struct ruleset *live;
	struct nftables_dump dump;
	bool present[TABLES];
	bool has_ip_tables; /* somebody's of family ip or ip6 */
	struct nfnl_batch batch; /* what is prepared */
};

/* Which of our tables a message is about; TABLES if none.  The attribute is 1 in all of them. */
static enum table_id message_table(const struct nlmsghdr *nlh)
{
	return nftables_table_find(nfnl_attr_str(nlh, NFTA_TABLE_NAME));
}

static bool any_present(const bool present[TABLES])
{
	return present[TABLE_MANGLE] || present[TABLE_NAT] || present[TABLE_RAW];
}

static void take_message(const struct nlmsghdr *nlh, void *data)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	struct backend *b = data;
	enum table_id table = message_table(nlh);
	const struct nlmsghdr **place;

	b->has_ip_tables |= nfg->nfgen_family == NFPROTO_IPV4 || nfg->nfgen_family == NFPROTO_IPV6;
	if (table == TABLES || nfg->nfgen_family != NFPROTO_INET)
		return;
	b->present[table] = true;
	place = array_push(&b->dump.messages, &b->dump.n, sizeof(*place));
	/* Zeros behind it: libnftnl takes it for granted that strings end. */
	*place = memcpy(ruleset_alloc(b->live, nlh->nlmsg_len + sizeof(uint32_t)), nlh, nlh->nlmsg_len);
}

static void forget(struct backend *b)
{
	ruleset_free(b->live);
	free(b->dump.messages);
	memset(&b->dump, 0, sizeof(b->dump));
	memset(b->present, 0, sizeof(b->present));
	b->has_ip_tables = false;
	b->live = NULL;
}

/* Sets, then what is in them, then rules. */
static int read_table(struct backend *b, enum table_id table, struct err *err)
{
	struct nfnl_query query = { .type = NFT_MSG_GETSET, .family = NFPROTO_INET, .table = nftables_table_name(table) };
	unsigned first = b->dump.n, end;
	int rc = nfnl_dump(b->nfnl, &query, take_message, b, err);

	query.type = NFT_MSG_GETSETELEM;
	end = b->dump.n;
	for (unsigned i = first; i < end && !rc; i++) {
		query.set = nfnl_attr_str(b->dump.messages[i], NFTA_SET_NAME);
		rc = nfnl_dump(b->nfnl, &query, take_message, b, err);
	}
	query.type = NFT_MSG_GETRULE;
	query.set = NULL;
	return rc ? rc : nfnl_dump(b->nfnl, &query, take_message, b, err);
}

static int read_all(struct nfnl *nfnl, void *data, struct err *err)
{
	struct nfnl_query query = { .type = NFT_MSG_GETTABLE, .family = NFPROTO_UNSPEC };
	struct backend *b = data;
	int rc;

	forget(b);
	b->live = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH);
	rc = nfnl_dump(nfnl, &query, take_message, b, err);
	if (rc || !any_present(b->present))
		return rc;
	query.type = NFT_MSG_GETCHAIN;
	query.family = NFPROTO_INET;
	rc = nfnl_dump(nfnl, &query, take_message, b, err);
	for (enum table_id t = 0; t < TABLES && !rc; t++)
		if (b->present[t])
			rc = read_table(b, t, err);
	return rc;
}

/* What the model calls a chain; names are cut to what it holds. */
static const char *model_name(enum table_id table, const char *name, char text[sizeof(((struct chain *)0)->name)])
{
	for (enum hook h = 0; h < HOOK_NONE; h++)
		if (!strcmp(name, nft_hook_find(table, h)->name))
			return hook_name(h);
	snprintf(text, sizeof(((struct chain *)0)->name), "%s", name);
	return text;
}

/* Whether the chain is hooked in where we would hook it, or not at all if it is no base chain. */
static bool chain_is_ours(const struct nlmsghdr *nlh, enum table_id table, enum hook hook)
{
	if (hook == HOOK_NONE)
		return !nft_chain_is_base(nlh);
	return nft_chain_is_at(nlh, nft_hook_find(table, hook)) && nfnl_attr_u32(nlh, NFTA_CHAIN_POLICY) == NF_ACCEPT;
}

/* A chain that is not as ours, or in a table that is, begins with a rule that equals nothing. */
static void decode_chain(struct backend *b, enum table_id table, const struct nlmsghdr *nlh)
{
	const struct rule strange = { .families = FAMILY_BOTH, .unknown = true, .target.kind = TARGET_UNKNOWN };
	struct chain *chain;
	char text[sizeof(chain->name)];

	chain = ruleset_chain(b->live, table, model_name(table, nfnl_attr_str(nlh, NFTA_CHAIN_NAME), text));
	if (nftables_table_flags(&b->dump, table) || !chain_is_ours(nlh, table, chain->hook))
		ruleset_append(b->live, table, chain->name, &strange);
}

/* A chain is for the families of its rules; without any it is there all the same. */
static void note_empty_chains(struct ruleset *live)
{
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < live->tables[t].n_chains; c++)
			if (!live->tables[t].chains[c].n_rules)
				live->tables[t].chains[c].families = FAMILY_BOTH;
}

static void decode_all(struct backend *b)
{
	char text[sizeof(((struct chain *)0)->name)];

	for (unsigned i = 0; i < b->dump.n; i++) {
		const struct nlmsghdr *nlh = b->dump.messages[i];
		enum table_id table = message_table(nlh);

		switch (NFNL_MSG_TYPE(nlh->nlmsg_type)) {
		case NFT_MSG_NEWCHAIN:
			decode_chain(b, table, nlh);
			break;
		case NFT_MSG_NEWRULE:
			nftables_rule_decode(b->live, &b->dump, table,
					   model_name(table, nfnl_attr_str(nlh, NFTA_RULE_CHAIN), text), nlh);
			break;
		}
	}
	note_empty_chains(b->live);
}

static void nftables_close(struct backend *b)
{
	if (!b)
		return;
	nfnl_close(b->nfnl);
	nfnl_batch_release(&b->batch);
	forget(b);
	free(b);
}

static int nftables_open(struct backend **backend, const struct ruleset *want, struct err *err)
{
	struct backend *b = xcalloc(1, sizeof(*b));
	int rc = nfnl_open(&b->nfnl, err);

	(void)want; /* whole tables are ours */
	if (!rc)
		rc = nfnl_read(b->nfnl, read_all, b, err);
	if (rc) {
		nftables_close(b);
		return rc;
	}
	decode_all(b);
	*backend = b;
	return 0;
}

static int nftables_holds(struct backend **backend, struct err *err)
{
	int rc = nftables_open(backend, NULL, err);

	if (rc)
		return rc;
	return (any_present((*backend)->present) ? HOLDS_ISTIO : 0) | ((*backend)->has_ip_tables ? 0 : HOLDS_NO_IPTABLES);
}

static const struct ruleset *nftables_live(const struct backend *b)
{
	return b->live;
}

static bool table_is_right(const struct backend *b, const struct ruleset *want, enum table_id table)
{
	return table_equal(b->live, want, table, IPV4) && table_equal(b->live, want, table, IPV6);
}

/*
 * Takes out what is there of a table; returns whether the table itself still is.  It is if it
 * may, so that it keeps its place among others.  To delete anything makes the commit wait for
 * all CPUs: nothing is deleted that is not there.
 */
static bool clear_table(struct nfnl_batch *batch, const struct backend *b, enum table_id table, bool keep)
{
	if (!b->present[table])
		return false;
	keep = keep && !nftables_table_flags(&b->dump, table);
	if (keep)
		nftables_empty_table(batch, &b->dump, table);
	else
		nftables_delete_table(batch, table);
	return keep;
}

static int nftables_prepare(struct backend *b, const struct ruleset *want, bool force, struct err *err)
{
	(void)err;
	nfnl_batch_init(&b->batch, b->nfnl);
	b->batch.writer = &nftables_writer;
	for (enum table_id t = 0; t < TABLES; t++) {
		bool wanted = want->tables[t].n_chains;

		if (wanted && b->present[t] && !force && table_is_right(b, want, t))
			continue;
		if (!clear_table(&b->batch, b, t, wanted) && wanted)
			nftables_new_table(&b->batch, t);
		if (wanted)
			nftables_put_table(&b->batch, want, t, nftables_free_set(&b->dump, t));
	}
	return 0;
}

static int nftables_commit(struct backend *b, struct err *err)
{
	return nfnl_batch_send(&b->batch, err);
}

/* The kernel lists tables by age: behind one that has to be made again the others are made again, too. */
static void clear_for_undo(struct nfnl_batch *batch, const struct backend *b, const struct backend *now)
{
	bool keep = true;

	for (unsigned i = 0; i < b->dump.n && NFNL_MSG_TYPE(b->dump.messages[i]->nlmsg_type) == NFT_MSG_NEWTABLE; i++) {
		enum table_id t = message_table(b->dump.messages[i]);

		keep = clear_table(batch, now, t, keep && !nftables_table_flags(&b->dump, t));
	}
	for (enum table_id t = 0; t < TABLES; t++)
		if (!b->present[t])
			clear_table(batch, now, t, false);
}

static int undo_once(const struct backend *b, struct backend *now, struct err *err)
{
	struct nfnl_batch batch;
	int rc = nfnl_read(now->nfnl, read_all, now, err);

	if (rc)
		return rc;
	nfnl_batch_init(&batch, now->nfnl);
	batch.writer = &nftables_writer;
	clear_for_undo(&batch, b, now);
	nftables_put_back(&batch, &b->dump);
	rc = nfnl_batch_send(&batch, err);
	nfnl_batch_release(&batch);
	return rc;
}

/* Against rules that somebody may have changed since our replace. */
static int nftables_undo(struct backend *b, struct err *err)
{
	struct backend now = { .nfnl = b->nfnl };
	int rc;

	for (unsigned attempt = 0; attempt < UNDO_ATTEMPTS; attempt++) {
		rc = undo_once(b, &now, err);
		if (rc != -EAGAIN)
			break;
	}
	forget(&now);
	return rc;
}

const struct backend_ops backend_nftables = {
	.name = "nftables",
	.layout = LAYOUT_NATIVE,
	.holds = nftables_holds,
	.open = nftables_open,
	.live = nftables_live,
	.prepare = nftables_prepare,
	.commit = nftables_commit,
	.undo = nftables_undo,
	.close = nftables_close,
};
