/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nf_tables' errors mean, and what helps.  Cookies are rules of the model (const struct rule), or NULL. */
#ifndef ISTIO_INIT_NFT_ERROR_H
#define ISTIO_INIT_NFT_ERROR_H

#include <stdbool.h>

#include "netlink/batch.h"

/* A part of the kernel that may be missing. */
struct nft_module {
	const char *name;   /* "nft_redir" */
	const char *option; /* "CONFIG_NFT_REDIR" */
};

/*
 * For nfnl_writer.explain.  @behind: what is behind the expression at fault, if the caller knows
 * better than its name tells; may be NULL.  A rule that sets a conntrack zone gives CAUSE_ZONES.
 */
int nft_explain(const struct nfnl_refusal *refusal, const struct nft_module *behind, struct err *err);

/* Whether it is a rule that sets a conntrack zone. */
bool nft_sets_zone(const struct nfnl_refusal *refusal);

#endif
