/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of dumps, kept: what they stand for can be decoded, and made again. */
#ifndef ISTIO_INIT_NFT_DUMP_H
#define ISTIO_INIT_NFT_DUMP_H

#include <libmnl/libmnl.h>

#include "ruleset.h"

/*
 * In the order in which the kernel listed them: tables, chains, and of each table sets, their elements, rules.
 * Messages are memory of @rs, into which they are decoded.
 */
struct nft_dump {
	struct ruleset *rs;
	const struct nlmsghdr **messages;
	unsigned n;
};

/* A copy of the message; with zeros behind it, as libnftnl takes it for granted that strings end. */
void nft_dump_keep(struct nft_dump *dump, const struct nlmsghdr *nlh);
void nft_dump_free(struct nft_dump *dump); /* @rs stays */

/* The handle of a rule's message, in network order, as it stands there; 0 without. */
uint64_t nft_rule_handle(const struct nlmsghdr *nlh);

#endif
