/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A dumped message of nf_tables as the request that makes the same again. */
#ifndef ISTIO_INIT_NFT_PUT_BACK_H
#define ISTIO_INIT_NFT_PUT_BACK_H

#include "netlink/batch.h"

/*
 * Adds to the batch what makes again the table, chain, set, elements or rule that @saved shows,
 * counters included; handles and the like are the kernel's to give.  @flags: besides NLM_F_CREATE.
 * Up to 64 bytes of attributes may be appended, until the next message is added.
 */
struct nlmsghdr *nft_put_back(struct nfnl_batch *batch, const struct nlmsghdr *saved, uint16_t flags);

#endif
