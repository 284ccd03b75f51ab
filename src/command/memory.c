/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory.h"

#include "backends.h"
#include "log.h"
#include "system.h"

/* Fewer fit into what a runtime takes to start the container. */
#define FEW_CIDRS 2000

/*
 * Bytes for each CIDR of scattered ones in a first apply: the program's and the kernel's, which the container's limit
 * counts, too.  From tests/bench/memory.  A rule of iptables-nft has a counter of 16 bytes for each CPU that there may be
 * (pcpu_obj_full_size of the kernel's mm/percpu-internal.h), and 4 CIDRs take 5 rules.
 */
static const struct price {
	unsigned cidr, cpu;
} prices[BACKENDS] = {
	[NFTABLES] = { 280, 0 },
	[IPTABLES_NFT] = { 840, 20 },
	[IPTABLES_LEGACY] = { 910, 0 },
};

/* The kernel's large pages, of which the last is part empty. */
#define SPARE (2u << 20)

static uint64_t count(const struct cidr_list *list, unsigned families)
{
	uint64_t n = 0;

	for (enum family f = 0; f < FAMILIES; f++)
		n += families & FAMILY_BIT(f) ? list->of[f].n : 0;
	return n;
}

bool warn_of_memory(const struct context *ctx, enum backend_index backend)
{
	const struct config *cfg = ctx->cfg;
	const struct price *price = &prices[backend];
	uint64_t n = count(&cfg->outbound_cidrs, ctx->families) + count(&cfg->outbound_cidrs_exclude, ctx->families) +
		     count(&cfg->exclude_inbound_cidrs, ctx->families);
	uint64_t limit = n > FEW_CIDRS ? memory_limit() : UINT64_MAX, need;

	if (limit == UINT64_MAX)
		return false;
	need = SPARE + n * (price->cidr + (price->cpu ? price->cpu * cpus_possible() : 0));
	if (need < limit)
		return false;
	log_release();
	log_warn("%ju CIDRs take some %ju MiB of memory on %s, and this container's limit is %ju MiB: it may be killed for it "
		 "(OOMKilled, exit status 137); raise resources.limits.memory, or use shorter lists",
		 (uintmax_t)n, (uintmax_t)(need >> 20) + 1, backend_name(backend), (uintmax_t)(limit >> 20));
	log_hold();
	return true;
}
