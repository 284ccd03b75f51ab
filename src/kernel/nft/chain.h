/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Base chains: where each of our tables hangs in, and how that stands in messages about chains. */
#ifndef ISTIO_INIT_NFT_CHAIN_H
#define ISTIO_INIT_NFT_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

#include "ruleset.h"

/* A hook as nf_tables has it, and what nft calls a base chain there ("prerouting"). */
struct nft_hook {
	const char *name, *type; /* type: "filter", "nat", "route" */
	uint32_t hook;           /* NF_INET_... */
	int32_t priority;        /* as iptables' tables have it (NF_IP_PRI_... of linux/netfilter_ipv4.h) */
};

/* The same for both families.  @hook: not HOOK_NONE. */
const struct nft_hook *nft_hook_find(enum table_id table, enum hook hook);

/* NFPROTO_..., as the header of a message about a table of one family has it. */
uint8_t nft_nfproto(enum family family);

/* Appends to a NEWCHAIN message what makes the chain a base chain there, with policy accept. */
void nft_put_hook(struct nlmsghdr *nlh, const struct nft_hook *at);

/* Whether the chain of a NEWCHAIN message is a base chain; and one there, whatever its policy. */
bool nft_chain_is_base(const struct nlmsghdr *nlh);
/* The same, and where it hangs: NF_INET_..., or as its family numbers them. */
bool nft_chain_hook(const struct nlmsghdr *nlh, uint32_t *number, int32_t *priority);
bool nft_chain_is_at(const struct nlmsghdr *nlh, const struct nft_hook *at);

#endif
