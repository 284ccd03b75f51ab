/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nf_tables: read once for both of its backends, and changed by one transaction, so that a move from one to the other
 * is one step, too.
 */
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h> /* before any <linux/netfilter...> header */
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "iptables_nft/iptables_nft.h"
#include "log.h"
#include "nf_tables/others.h"
#include "nft/dump.h"
#include "nftables/guard.h"
#include "nftables/nftables.h"
#include "ownership.h"
#include "util.h"

/* Rivals that commit between our reading and our undoing. */
#define UNDO_TRIES 20

/* The guard of a move comes, rules change, the guard goes. */
#define STAGES_MAX 3

/* Its backends, each with a dump; the first two have the first numbers. */
static const enum backend_index backends[] = { NFTABLES, IPTABLES_NFT, AMBIENT };

#define NFT_BACKENDS ARRAY_SIZE(backends)
#define AMBIENT_DUMP 2
#define OTHERS NFT_BACKENDS

struct engine {
	struct nfnl *nfnl;
	struct nft_dump dumps[NFT_BACKENDS + 1]; /* the last: tables and chains of others, in the first's memory */
	bool all_chains;                         /* those are asked for */
	struct nft_dump *into; /* the one that messages of the dump under way belong to; NULL: it depends on their table */
	bool guard;            /* the one of a move is there */
	struct nfnl_batch batches[STAGES_MAX]; /* what is prepared */
	unsigned n_batches, next;
	const struct plan *plan;
	bool written;
};

/* The dump that a message about a table or chain belongs to, NULL for none. */
static struct nft_dump *dump_of(struct engine *e, const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	/* The attribute is 1 in all of them. */
	const char *table = nfnl_attr_str(nlh, NFTA_TABLE_NAME);

	if (nfg->nfgen_family == NFPROTO_INET && nftables_table_find(PROXY_STEM, table) != TABLES)
		return &e->dumps[NFTABLES];
	if (nfg->nfgen_family == NFPROTO_INET && nftables_table_find(AMBIENT_STEM, table) != TABLES)
		return &e->dumps[AMBIENT_DUMP];
	if ((nfg->nfgen_family == NFPROTO_IPV4 || nfg->nfgen_family == NFPROTO_IPV6) &&
	    iptables_nft_table_find(table) != TABLES)
		return &e->dumps[IPTABLES_NFT];
	return e->all_chains ? &e->dumps[OTHERS] : NULL;
}

static void see_message(const struct nlmsghdr *nlh, void *data)
{
	struct engine *e = data;
	struct nft_dump *dump = e->into ? e->into : dump_of(e, nlh);

	e->guard |= nftables_is_guard(nlh);
	if (dump)
		nft_dump_keep(dump, nlh);
}

static int dump(struct engine *e, const struct nfnl_query *query, struct err *err)
{
	return nfnl_dump(e->nfnl, query, see_message, e, err);
}

static int read_sets(struct engine *e, const char *table, struct err *err)
{
	struct nfnl_query query = { .type = NFT_MSG_GETSET, .family = NFPROTO_INET, .table = table };
	unsigned first = e->into->n, end;
	int rc = dump(e, &query, err);

	query.type = NFT_MSG_GETSETELEM;
	end = e->into->n;
	for (unsigned i = first; i < end && !rc; i++) {
		query.set = nfnl_attr_str(e->into->messages[i], NFTA_SET_NAME);
		rc = dump(e, &query, err);
	}
	return rc;
}

/* What is in the tables that a dump has begun with.  Only natively a list is a set. */
static int read_tables(struct engine *e, unsigned dump_index, unsigned n_tables, struct err *err)
{
	int rc = 0;

	e->into = &e->dumps[dump_index];
	for (unsigned i = 0; i < n_tables && !rc; i++) {
		const struct nlmsghdr *nlh = e->into->messages[i];
		const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
		struct nfnl_query query = {
			.type = NFT_MSG_GETRULE,
			.family = nfg->nfgen_family,
			.table = nfnl_attr_str(nlh, NFTA_TABLE_NAME),
		};

		if (e->into->rs->layout == LAYOUT_NATIVE)
			rc = read_sets(e, query.table, err);
		rc = rc ? rc : dump(e, &query, err);
	}
	e->into = NULL;
	return rc;
}

/* Of the tables of others in which what is sent here is translated. */
static int read_others(struct engine *e, struct err *err)
{
	struct nft_dump *others = &e->dumps[OTHERS];
	unsigned n = others->n;
	int rc = 0;

	e->into = others;
	for (unsigned i = 0; i < n && !rc; i++) {
		const struct nlmsghdr *nlh = others->messages[i];
		struct nfnl_query query = { .type = NFT_MSG_GETRULE };

		if (!others_want_rules(nlh))
			continue;
		query.family = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family;
		query.table = nfnl_attr_str(nlh, NFTA_CHAIN_TABLE);
		rc = dump(e, &query, err);
	}
	e->into = NULL;
	return rc;
}

static void forget(struct engine *e)
{
	e->guard = false;
	nft_dump_free(&e->dumps[OTHERS]);
	for (unsigned d = 0; d < NFT_BACKENDS; d++) {
		nft_dump_free(&e->dumps[d]);
		ruleset_free(e->dumps[d].rs);
		e->dumps[d].rs = NULL;
	}
}

static int read_all(struct nfnl *nfnl, void *data, struct err *err)
{
	struct nfnl_query query = { .type = NFT_MSG_GETTABLE, .family = NFPROTO_UNSPEC };
	struct engine *e = data;
	unsigned n_tables[NFT_BACKENDS], any;
	int rc;

	(void)nfnl;
	forget(e);
	e->dumps[NFTABLES].rs = ruleset_new(LAYOUT_NATIVE, 0);
	e->dumps[IPTABLES_NFT].rs = ruleset_new(LAYOUT_IPTABLES, 0);
	e->dumps[AMBIENT_DUMP].rs = ruleset_new(LAYOUT_NATIVE, 0);
	e->dumps[AMBIENT_DUMP].rs->stem = AMBIENT_STEM;
	e->dumps[OTHERS].rs = e->dumps[NFTABLES].rs;
	rc = dump(e, &query, err);
	any = e->dumps[OTHERS].n;
	for (unsigned d = 0; d < NFT_BACKENDS; d++)
		any += n_tables[d] = e->dumps[d].n;
	if (rc || !any)
		return rc;
	query.type = NFT_MSG_GETCHAIN;
	query.family = n_tables[IPTABLES_NFT] || e->all_chains ? NFPROTO_UNSPEC : NFPROTO_INET;
	rc = dump(e, &query, err);
	for (unsigned d = 0; d < NFT_BACKENDS && !rc; d++)
		rc = read_tables(e, d, n_tables[d], err);
	return rc ? rc : read_others(e, err);
}

/* Of the engine's own link: what is there now, decoded. */
static int read_now(struct engine *e, struct err *err)
{
	int rc = nfnl_read(e->nfnl, read_all, e, err);

	if (rc)
		return rc;
	nftables_decode(&e->dumps[NFTABLES]);
	nftables_decode(&e->dumps[AMBIENT_DUMP]);
	iptables_nft_decode(&e->dumps[IPTABLES_NFT]);
	return 0;
}

static int nf_tables_read(struct engine **engine, struct live *live, struct err *err)
{
	struct engine *e = xcalloc(1, sizeof(*e));
	int rc = nfnl_open(&e->nfnl, err);

	*engine = e;
	e->all_chains = live->chains;
	rc = rc ? rc : read_now(e, err);
	for (unsigned d = 0; d < NFT_BACKENDS && !rc; d++)
		live->rules[backends[d]] = e->dumps[d].rs;
	live->guard = !rc && e->guard;
	if (!rc && e->all_chains)
		others_note(live, e->dumps, ARRAY_SIZE(e->dumps));
	return rc;
}

static void put_guard(struct nfnl_batch *batch, const struct engine *e, enum step_action action)
{
	if (action == STEP_DELETE || e->guard)
		nftables_delete_guard(batch);
	if (action == STEP_ADD)
		nftables_put_guard(batch, e->plan->want.routes.mark);
}

/* The messages of the steps [first, first + n); @undo: what they add is what the dumps show. */
static int put_steps(struct nfnl_batch *batch, const struct nft_dump *dumps, bool undo, const struct plan *plan,
		     unsigned first, unsigned n, struct err *err)
{
	struct nftables_writer writer = { .batch = batch, .dump = &dumps[NFTABLES], .undo = undo };
	struct nftables_writer ambient = { .batch = batch, .dump = &dumps[AMBIENT_DUMP], .undo = undo };
	int rc = 0;

	for (unsigned i = first; i < first + n && !rc; i++) {
		const struct step *step = &plan->steps[i];

		if (step->with == STEP_WITH_TABLE || step->kind == STEP_GUARD)
			continue;
		if (step->backend == NFTABLES)
			nftables_put_step(&writer, step);
		else if (step->backend == AMBIENT)
			nftables_put_step(&ambient, step);
		else
			rc = iptables_nft_put_step(batch, undo ? dumps[IPTABLES_NFT].rs : NULL, step, err);
	}
	return rc;
}

static int nf_tables_prepare(struct engine *e, const struct plan *plan, unsigned first, unsigned n, struct err *err)
{
	struct nfnl_batch *batch = &e->batches[e->n_batches];

	e->plan = plan;
	nfnl_batch_init(batch, e->nfnl, e->n_batches++);
	for (unsigned i = first; i < first + n; i++)
		if (plan->steps[i].kind == STEP_GUARD)
			put_guard(batch, e, plan->steps[i].action);
	return put_steps(batch, e->dumps, false, plan, first, n, err);
}

static int nf_tables_commit(struct engine *e, struct err *err)
{
	struct nfnl_batch *batch = &e->batches[e->next++];
	int rc = nfnl_batch_send(batch, err);

	e->written |= !rc || batch->lost;
	return rc;
}

static bool is_ours(const struct step *step)
{
	for (unsigned d = 0; d < NFT_BACKENDS; d++)
		if (step->backend == backends[d])
			return step->kind != STEP_GUARD;
	return false;
}

/* "inet istio-proxy-nat" */
#define TABLE_TEXT_MAX 32

static const char *table_text(enum backend_index backend, enum table_id table, enum family family,
			      char text[TABLE_TEXT_MAX])
{
	if (backend == IPTABLES_NFT)
		snprintf(text, TABLE_TEXT_MAX, "%s %s", family_nft(family), table_name(table));
	else
		snprintf(text, TABLE_TEXT_MAX, "inet %s%s", backend == AMBIENT ? AMBIENT_STEM : PROXY_STEM,
			 table_name(table));
	return text;
}

/* Each table that was to change. */
static void tell_left(const struct engine *e, const char *why)
{
	const struct step *last = NULL;
	char text[TABLE_TEXT_MAX];

	for (unsigned i = 0; i < e->plan->n; i++) {
		const struct step *step = &e->plan->steps[i];

		if (step->kind == STEP_GUARD && step->action == STEP_ADD)
			log_error("cannot undo: table inet " GUARD_TABLE " may be left: %s", why);
		if (!is_ours(step) || (last && last->backend == step->backend && last->table == step->table &&
				       last->family == step->family))
			continue;
		last = step;
		log_error("cannot undo: what was table %s before could not be put back: %s",
			  table_text(step->backend, step->table, step->family, text), why);
	}
}

static void tell_stranger(enum backend_index backend, enum table_id table, enum family family)
{
	char text[TABLE_TEXT_MAX];

	table_text(backend, table, family, text);
	if (backend == IPTABLES_NFT)
		log_error("cannot undo: another program has written Istio's rules of table %s since; they were left as they are",
			  text);
	else
		log_error("cannot undo: another program has written table %s since; it was left as it is", text);
}

/* Against rules that somebody may have changed since our commit. */
static int undo_once(struct engine *e, struct engine *now, struct err *err)
{
	struct nfnl_batch batch;
	struct plan undo;
	int rc = read_now(now, err);

	if (rc)
		return rc;
	nfnl_batch_init(&batch, now->nfnl, 0);
	if (now->guard)
		nftables_delete_guard(&batch);
	for (unsigned d = 0; d < NFT_BACKENDS && !rc; d++) {
		ownership_decide(now->dumps[d].rs, e->plan->want.known);
		plan_undo(&undo, e->plan, backends[d], now->dumps[d].rs, (1u << TABLES) - 1, FAMILIES, tell_stranger);
		rc = put_steps(&batch, e->dumps, true, &undo, 0, undo.n, err);
		plan_free(&undo);
	}
	rc = rc ? rc : nfnl_batch_send(&batch, err);
	nfnl_batch_release(&batch);
	return rc;
}

static void nf_tables_undo(struct engine *e)
{
	struct engine now = { .nfnl = e->nfnl };
	struct err err = { 0 };
	int rc = -EAGAIN;

	for (unsigned i = 0; i < UNDO_TRIES && e->written && rc == -EAGAIN; i++)
		rc = undo_once(e, &now, &err);
	forget(&now);
	if (!e->written || !rc)
		return;
	tell_left(e, err.what);
	log_error("run istio-init with --reconcile, or istio-init clean, to get a known state");
}

static void nf_tables_close(struct engine *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < e->n_batches; i++)
		nfnl_batch_release(&e->batches[i]);
	nfnl_close(e->nfnl);
	forget(e);
	free(e);
}

const struct engine_ops engine_nf_tables = {
	.read = nf_tables_read,
	.prepare = nf_tables_prepare,
	.commit = nf_tables_commit,
	.undo = nf_tables_undo,
	.close = nf_tables_close,
};
