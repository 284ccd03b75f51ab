/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests that both nft backends write in the same way. */
#ifndef ISTIO_INIT_NFT_MATCH_H
#define ISTIO_INIT_NFT_MATCH_H

#include "nft/expr.h"
#include "ruleset.h"

/* Where an address is in the header of its family (RFC 791, RFC 8200).  @kind: MATCH_SRC or MATCH_DST. */
uint32_t nft_addr_offset(enum match_kind kind, enum family family);

/* Loads the address that a MATCH_SRC or MATCH_DST of at least one prefix tests, in network order. */
void nft_add_addr(struct nftnl_rule *r, const struct match *m);

/* Loads it, or as many bytes of it as are needed, and tests for the first prefix of the list. */
void nft_add_prefix(struct nftnl_rule *r, const struct match *m);

/* Loads the flags of the TCP header and tests them. */
#define TCP_FLAGS_OFFSET 13
void nft_add_tcp_flags(struct nftnl_rule *r, const struct match *m);

/* Tests the register, which holds the packet's or the connection's mark in the machine's order. */
void nft_add_mark(struct nftnl_rule *r, const struct match *m);

#endif
