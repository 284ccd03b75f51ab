/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The iptables-nft backend's parts: rules of an iptables layout in tables `ip nat`,
 * `ip6 nat`, ..., with the expressions that iptables-nft 1.8.9 writes.
 */
#ifndef ISTIO_INIT_IPTABLES_NFT_H
#define ISTIO_INIT_IPTABLES_NFT_H

#include <netinet/in.h> /* before any <linux/netfilter...> header */

#include <linux/netfilter.h>

#include <libnftnl/rule.h>

#include "netlink/batch.h"
#include "nft/decode.h"
#include "nft/dump.h"
#include "plan.h"

/*
 * Adds what the flat rule (see rule_iter) is made of to @r.  Returns 0, or -E2BIG or
 * -EINVAL if xtables cannot express it.
 */
int iptables_nft_rule_encode(struct nftnl_rule *r, const struct rule *rule, enum family family);

/* Decodes a dumped rule of a table of @family into @d->rule; its items are memory of @rs. */
void iptables_nft_rule_decode(struct nft_decoder *d, struct ruleset *rs, enum family family, const struct nlmsghdr *nlh);

/* TABLES if the name is none of the tables that we use. */
enum table_id iptables_nft_table_find(const char *name);

/* All that the dump of iptables-nft's tables holds, foreign chains and rules included, into its ruleset. */
void iptables_nft_decode(struct nft_dump *dump);

/*
 * Adds the messages of a step of this backend to the batch.  @before: NULL, or what was live, where it is put back.
 * Returns 0, or -errno with @err (STATUS_UNSUPPORTED) if xtables cannot express a rule.
 */
int iptables_nft_put_step(struct nfnl_batch *batch, const struct ruleset *before, const struct step *step, struct err *err);

/* Cookies of its messages are rules of the model. */
extern const struct nfnl_writer iptables_nft_writer;

#endif
