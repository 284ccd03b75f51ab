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
#include "ruleset.h"

/*
 * Adds what the flat rule (see rule_iter) is made of to @r.  Returns 0, or -E2BIG or
 * -EINVAL if xtables cannot express it.
 */
int iptables_nft_rule_encode(struct nftnl_rule *r, const struct rule *rule, enum family family);

/* Decodes a dumped rule of a table of @family into @d->rule; its items are memory of @rs. */
void iptables_nft_rule_decode(struct nft_decoder *d, struct ruleset *rs, enum family family, const struct nlmsghdr *nlh);

/*
 * A live rule.  @foreign: rules of its chain before it that are not ours.  @proto: the protocol that it
 * tests, 0: any; the kernel wants to be told (NFTA_RULE_COMPAT), but does not tell.
 */
struct iptables_nft_rule {
	const struct nlmsghdr *nlh;
	unsigned foreign;
	uint8_t proto;
	bool not_proto;
	bool ours, kept; /* kept: it is wanted, and not in front of everything */
};

/* A live chain with its rules, from @first of the table on. */
struct iptables_nft_chain {
	const struct nlmsghdr *nlh;
	const char *name;
	bool istio;   /* ours, with all that is in it */
	bool builtin; /* a base chain of iptables' name, and as iptables-nft makes it */
	unsigned first, n, foreign;
};

/* One table of one family, as it was read. */
struct iptables_nft_table {
	enum family family;
	enum table_id id;
	const struct nlmsghdr *nlh; /* NULL: it does not exist */
	struct iptables_nft_chain *chains;
	struct iptables_nft_rule *rules;
	unsigned n_chains, n_rules;
};

/* What a netns holds.  Messages are memory of @live, which is what of Istio's is there. */
struct iptables_nft_state {
	struct ruleset *live;
	struct iptables_nft_table tables[FAMILIES][TABLES];
	struct iptables_nft_table *order[FAMILIES * TABLES]; /* those that exist, the oldest first, as the kernel lists them */
	unsigned n_order;
};

/*
 * Reads it anew; errors as nfnl_read.  @want: see capture_owns, may be NULL.  @shallow: where chains
 * tell that something of Istio's is there, their rules are left out.
 */
int iptables_nft_state_read(struct iptables_nft_state *state, struct nfnl *nfnl, const struct ruleset *want, bool shallow,
		    struct err *err);
void iptables_nft_state_forget(struct iptables_nft_state *state);

/* Whether a table that exists is asleep, or another process's own. */
bool iptables_nft_table_is_strange(const struct iptables_nft_table *t);

struct iptables_nft_chain *iptables_nft_chain_find(const struct iptables_nft_table *t, const char *name);

/*
 * Adds to the batch what turns Istio's part of the table, as @now has it, into that of @want; or into
 * what it was in @saved.  A table or chain of ours that is not there any more is deleted, and so is what
 * iptables-nft would make anew at once: a built-in chain without rules, a table of nothing else.
 * Returns 0, or -errno with @err.  @anew: the table is made again if nobody else has anything in it.
 */
int iptables_nft_table_edit(struct nfnl_batch *batch, const struct iptables_nft_state *now, const struct iptables_nft_table *t,
		    const struct ruleset *want, struct err *err);
void iptables_nft_table_restore(struct nfnl_batch *batch, const struct iptables_nft_state *now, const struct iptables_nft_table *t,
			const struct iptables_nft_state *saved, bool anew);

/* Cookies of its messages are rules of the model. */
extern const struct nfnl_writer iptables_nft_writer;

#endif
