/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/error.h"
#include "nftables/nftables.h"

static int explain(const struct nfnl_refusal *refusal, struct err *err)
{
	return nft_explain(refusal, NULL, err);
}

const struct nfnl_writer nftables_writer = { .explain = explain, .items = "list items" };
