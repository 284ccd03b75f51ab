/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iptables-nft: all tables of both families change in one transaction.  What belongs to
 * others in the same tables is not touched.
 */
#include "iptables_nft/iptables_nft.h"

#include <errno.h>
#include <stdlib.h>

#include "backend.h"
#include "diff.h"
#include "util.h"

/* Rivals that commit between our reading and our undoing. */
#define UNDO_ATTEMPTS 20

struct backend {
	struct nfnl *nfnl;
	struct iptables_nft_state state;
	struct nfnl_batch batch;     /* what is prepared */
	const struct ruleset *want; /* what is written by it, if it is anything: how undo finds it */
	bool written[FAMILIES][TABLES];
};

static void iptables_nft_close(struct backend *b)
{
	if (!b)
		return;
	nfnl_close(b->nfnl);
	nfnl_batch_release(&b->batch);
	iptables_nft_state_forget(&b->state);
	free(b);
}

static int iptables_nft_open(struct backend **backend, const struct ruleset *want, struct err *err)
{
	struct backend *b = xcalloc(1, sizeof(*b));
	int rc = nfnl_open(&b->nfnl, err);

	if (!rc)
		rc = iptables_nft_state_read(&b->state, b->nfnl, want, false, err);
	if (rc) {
		iptables_nft_close(b);
		return rc;
	}
	ruleset_note_families(b->state.live, want);
	*backend = b;
	return 0;
}

static const struct ruleset *iptables_nft_live(const struct backend *b)
{
	return b->state.live;
}

static int iptables_nft_holds(struct backend **backend, struct err *err)
{
	struct iptables_nft_state state = {};
	struct nfnl *nfnl = NULL;
	int ret = nfnl_open(&nfnl, err);

	(void)backend; /* what open reads depends on what is wanted */
	if (!ret)
		ret = iptables_nft_state_read(&state, nfnl, NULL, true, err);
	if (!ret)
		ret = ruleset_is_empty(state.live) ? 0 : HOLDS_ISTIO;
	nfnl_close(nfnl);
	iptables_nft_state_forget(&state);
	return ret;
}

static void batch_init(struct nfnl_batch *batch, struct nfnl *nfnl)
{
	nfnl_batch_init(batch, nfnl);
	batch->writer = &iptables_nft_writer;
}

static int iptables_nft_prepare(struct backend *b, const struct ruleset *want, bool force, struct err *err)
{
	const struct ruleset *live = b->state.live;
	int rc = 0;

	batch_init(&b->batch, b->nfnl);
	for (enum family f = 0; f < FAMILIES; f++)
		for (enum table_id t = 0; t < TABLES && !rc; t++) {
			if (table_equal(live, want, t, f) && !(force && table_has_family(&want->tables[t], f)))
				continue;
			b->written[f][t] = true;
			rc = iptables_nft_table_edit(&b->batch, &b->state, &b->state.tables[f][t], want, err);
		}
	b->want = ruleset_is_empty(want) ? NULL : want;
	return rc;
}

static int iptables_nft_commit(struct backend *b, struct err *err)
{
	return nfnl_batch_send(&b->batch, err);
}

static int undo_once(const struct backend *b, struct iptables_nft_state *now, struct err *err)
{
	struct nfnl_batch batch;
	bool anew = false;
	int rc = iptables_nft_state_read(now, b->nfnl, b->want, false, err);

	if (rc)
		return rc;
	batch_init(&batch, b->nfnl);
	/* The kernel lists tables by age: behind one that has to be made again the others are made again, too. */
	for (unsigned i = 0; i < b->state.n_order; i++) {
		const struct iptables_nft_table *saved = b->state.order[i], *t = &now->tables[saved->family][saved->id];

		anew = anew || !t->nlh;
		if (anew || b->written[saved->family][saved->id])
			iptables_nft_table_restore(&batch, now, t, &b->state, anew);
	}
	for (enum family f = 0; f < FAMILIES; f++)
		for (enum table_id t = 0; t < TABLES; t++)
			if (b->written[f][t] && !b->state.tables[f][t].nlh)
				iptables_nft_table_restore(&batch, now, &now->tables[f][t], &b->state, false);
	rc = nfnl_batch_send(&batch, err);
	nfnl_batch_release(&batch);
	return rc;
}

/* Against rules that somebody may have changed since our replace. */
static int iptables_nft_undo(struct backend *b, struct err *err)
{
	struct iptables_nft_state now = {};
	int rc = -EAGAIN;

	for (unsigned attempt = 0; attempt < UNDO_ATTEMPTS && rc == -EAGAIN; attempt++)
		rc = undo_once(b, &now, err);
	iptables_nft_state_forget(&now);
	return rc;
}

const struct backend_ops backend_iptables_nft = {
	.name = "iptables-nft",
	.layout = LAYOUT_IPTABLES,
	.holds = iptables_nft_holds,
	.open = iptables_nft_open,
	.live = iptables_nft_live,
	.prepare = iptables_nft_prepare,
	.commit = iptables_nft_commit,
	.undo = iptables_nft_undo,
	.close = iptables_nft_close,
};
