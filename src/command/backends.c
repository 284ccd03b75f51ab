/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "backends.h"

#include <linux/capability.h>
#include <string.h>

#include "log.h"
#include "ownership.h"

static const struct {
	enum layout layout;
	enum engine_index engine;
} backends[BACKENDS + 1] = {
	[NFTABLES] = { LAYOUT_NATIVE, ENGINE_NF_TABLES },
	[IPTABLES_NFT] = { LAYOUT_IPTABLES, ENGINE_NF_TABLES },
	[IPTABLES_LEGACY] = { LAYOUT_IPTABLES, ENGINE_X_TABLES },
	[AMBIENT] = { LAYOUT_NATIVE, ENGINE_NF_TABLES },
	[BACKENDS] = { LAYOUT_IPTABLES, ENGINE_ROUTES },
};

enum layout backend_layout(enum backend_index index)
{
	return backends[index].layout;
}

enum engine_index backend_engine(enum backend_index index)
{
	return backends[index].engine;
}

bool backends_holds(const struct context *ctx, enum backend_index index)
{
	const struct ruleset *live = ctx->live.rules[index];

	return live && ownership_has_ours(live) && !ownership_is_ambient(live);
}

static void choose_in_order(struct choice *choice, const struct context *ctx, bool legacy_first)
{
	bool raw = ctx->caps & 1ull << CAP_NET_RAW;

	if (legacy_first && raw)
		choice->candidates[choice->n++] = IPTABLES_LEGACY;
	choice->candidates[choice->n++] = NFTABLES;
	choice->candidates[choice->n++] = IPTABLES_NFT;
	choice->lacks_raw = !raw;
	if (!raw)
		log_debug("iptables-legacy is left out: the capability NET_RAW is missing");
	else if (!legacy_first)
		choice->candidates[choice->n++] = IPTABLES_LEGACY;
}

/* Somebody's own rules in legacy tables, of whatever table. */
static bool legacy_has_others(const struct live *live)
{
	const struct ruleset *rs = live->rules[IPTABLES_LEGACY];

	for (enum table_id t = 0; rs && t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++)
			if (chain_count_foreign(&rs->tables[t].chains[c], FAMILIES))
				return true;
	return live->has_others;
}

void backends_choose(struct choice *choice, const struct context *ctx)
{
	const struct config *cfg = ctx->cfg;
	enum backend_index holder = BACKENDS;

	memset(choice, 0, sizeof(*choice));
	for (enum backend_index i = BACKENDS; i-- > 0;)
		if (backends_holds(ctx, i))
			holder = i;
	if (cfg->backend != BACKEND_AUTO) {
		choice->candidates[choice->n++] = (enum backend_index)(cfg->backend - BACKEND_NFTABLES);
		choice->reason = "as asked for";
	} else if (holder != BACKENDS) {
		choice->candidates[choice->n++] = holder;
		choice->reason = "it holds Istio rules already";
	} else if (legacy_has_others(&ctx->live)) {
		choose_in_order(choice, ctx, true);
		choice->reason = "legacy tables hold rules already";
	} else {
		choose_in_order(choice, ctx, false);
		choice->reason = "the first that this kernel has";
	}
}

int backends_first(enum backend_index *index, const struct context *ctx, const struct choice *choice, struct err *err)
{
	enum engine_index engine = backend_engine(choice->candidates[choice->n - 1]);

	for (unsigned i = 0; i < choice->n; i++) {
		*index = choice->candidates[i];
		if (ctx->live.rules[*index])
			return 0;
	}
	*err = ctx->errs[engine];
	return ctx->rcs[engine];
}
