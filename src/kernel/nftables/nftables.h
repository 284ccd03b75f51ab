/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The native nftables backend's parts.  Registers and what is compared with them: addresses
 * and ports are in network order; marks, owners, states and zones in the machine's.  Owners
 * are brought into network order for ranges (the kernel has only memcmp) and for sets.
 */
#ifndef ISTIO_INIT_NFTABLES_H
#define ISTIO_INIT_NFTABLES_H

#include <libnftnl/rule.h>

#include "netlink/batch.h"
#include "nft/dump.h"
#include "plan.h"

/* "istio-proxy-nat" */
const char *nftables_table_name(enum table_id table);
/* Whose name begins with @stem (see struct ruleset); TABLES if the name is none of these. */
enum table_id nftables_table_find(const char *stem, const char *name);

/* Cookies of its messages are rules of the model. */
extern const struct nfnl_writer nftables_writer;

/* --- ruleset to messages --- */

/*
 * Sets of our rules are named by number.  (For a name that the kernel makes up, "__set%d", it looks
 * through the whole transaction.)  The sets of rules that the same transaction removes still have
 * theirs, so that new ones go on behind the highest:
 *
 *   there: __set0 __set1 __set6      new: __set7 __set8 ...
 */
#define SET_STEM "__set"
#define SET_NAME SET_STEM "%u"

/* How far the messages of a transaction have got; @batch, @dump and @undo are set by the caller, the rest is zero. */
struct nftables_writer {
	struct nfnl_batch *batch;
	const struct nft_dump *dump; /* what is live, or was, where it is put back */
	bool undo;                   /* tables are put back as the dump shows them */
	bool begun, sets_are_back[TABLES];
	unsigned sets[TABLES]; /* the number of the next set */
};

/* Adds the messages of a step of the native backend; to delete anything makes the commit wait for all CPUs. */
void nftables_put_step(struct nftables_writer *w, const struct step *step);

/* What nft takes the keys of sets for: enum datatypes of nftables' include/datatype.h. */
enum nftables_key_type {
	KEY_IPADDR = 7,
	KEY_IP6ADDR = 8,
	KEY_INET_SERVICE = 13,
	KEY_UID = 24,
	KEY_GID = 25,
	KEY_IFNAME = 41,
};

struct nftables_key {
	enum nftables_key_type type;
	uint32_t len; /* bytes */
};

/* The key of a list; @family: of addresses. */
struct nftables_key nftables_key_of(const struct match *m, enum family family);

/* @value in network order. */
void nftables_put_number(uint8_t *key, uint32_t len, uint32_t value);

static inline bool nftables_is_addr(const struct match *m)
{
	return m->kind == MATCH_SRC || m->kind == MATCH_DST;
}

static inline bool nftables_is_iface(const struct match *m)
{
	return m->kind == MATCH_IIF || m->kind == MATCH_OIF;
}

/* The longest message that carries set elements; a netlink attribute ends at 64 KiB (16 bits). */
#define SET_MESSAGE_MAX 61440

/* Whether a merged list becomes a set, and the messages of that set. */
bool nftables_set_needed(const struct match *m);
void nftables_put_set(struct nfnl_batch *batch, const char *table, const char *name, uint32_t id, const struct match *m);

/* The rule as nf_tables takes it, its sets added to the batch from number *@sets on.  Free with nftnl_rule_free. */
struct nftnl_rule *nftables_rule_encode(struct nfnl_batch *batch, enum table_id table, const char *chain,
					const struct rule *rule, unsigned *sets);

/* --- messages to ruleset --- */

/* All that the dump of our tables holds, into its ruleset. */
void nftables_decode(struct nft_dump *dump);

/*
 * The elements of a dumped set as the items of @m (m->kind is set; merged, memory of @rs).
 * @family: of addresses.  @network_order: owners have been brought into that.  False if the
 * set is not as nftables_put_set makes it.
 */
bool nftables_set_decode(struct ruleset *rs, const struct nft_dump *dump, enum table_id table, const char *name,
			 enum family family, bool network_order, struct match *m);

/*
 * Adds a dumped rule to the chain that it names (@chain: as the model calls it), and returns it.  @families: of its table.
 */
struct rule *nftables_rule_decode(struct ruleset *rs, const struct nft_dump *dump, enum table_id table,
				  const char *chain, unsigned families, const struct nlmsghdr *nlh);

#endif
