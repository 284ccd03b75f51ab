/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What keeps connections whole while rules move from one backend to another. */
#ifndef ISTIO_INIT_NFTABLES_GUARD_H
#define ISTIO_INIT_NFTABLES_GUARD_H

#include "netlink/batch.h"

/* Whether a message of a dump is about its table. */
bool nftables_is_guard(const struct nlmsghdr *nlh);

/* Adds the messages that put it there, for the TPROXY mark of both rule sets, and take it away. */
void nftables_put_guard(struct nfnl_batch *batch, uint32_t mark);
void nftables_delete_guard(struct nfnl_batch *batch);

#endif
