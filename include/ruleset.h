/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one ruleset: plain data that capture and the backends' read-back make and
 * that printers, backends, diff and explain consume.
 *
 * A list of an option stays a list in its rule: a match with several items holds
 * if any item matches, inverted if none does.  Each consumer lowers lists as its
 * layer wants: iptables makes one rule of each item (rule_iter), of an inverted
 * list one rule that names them all; nftables makes one rule with a set.  What
 * matches everything (address length 0, interface "+") is no match in iptables.
 */
#ifndef ISTIO_INIT_RULESET_H
#define ISTIO_INIT_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

/* The same policy in two layouts: chain names, and how lists of owners are written, differ. */
enum layout { LAYOUT_IPTABLES, LAYOUT_NATIVE };

/* What the names of native tables begin with: of sidecars, of ambient mode (cni/pkg/nftables/nftables.go). */
#define PROXY_STEM "istio-proxy-"
#define AMBIENT_STEM "istio-ambient-"

/* In the order in which they are printed. */
enum table_id { TABLE_MANGLE, TABLE_NAT, TABLE_RAW, TABLES };

/* Hooks we use; HOOK_NONE: a chain of our own. */
enum hook { HOOK_PREROUTING, HOOK_OUTPUT, HOOK_NONE };

/* In the order in which iptables-save prints them. */
enum match_kind {
	MATCH_NFPROTO, /* native layout only: the packet's family */
	MATCH_SRC,
	MATCH_DST,
	MATCH_IIF,
	MATCH_OIF,
	MATCH_PROTO,
	MATCH_SPORT,
	MATCH_DPORT,
	MATCH_TCP_FLAGS,
	MATCH_UID,
	MATCH_GID,
	MATCH_CTSTATE,
	MATCH_MARK,
	MATCH_CONNMARK,
};

/* Bits of MATCH_CTSTATE; the values are the kernel's IP_CT_* of nf_conntrack_common.h shifted as nft does. */
#define CTSTATE_INVALID 1u
#define CTSTATE_ESTABLISHED 2u
#define CTSTATE_RELATED 4u
#define CTSTATE_NEW 8u

/* Bits of MATCH_TCP_FLAGS, as the header has them (RFC 9293); no more of them has a name in iptables. */
#define TCP_FIN 1u
#define TCP_SYN 2u
#define TCP_RST 4u
#define TCP_PSH 8u
#define TCP_ACK 16u
#define TCP_URG 32u
#define TCP_FLAGS_ALL 0x3fu

struct match {
	uint8_t kind; /* enum match_kind */
	bool invert;
	uint32_t n; /* items of a list; 1 for a scalar */
	union {
		const struct prefix *prefixes; /* SRC, DST: all of one family */
		const struct range *ranges;    /* SPORT, DPORT, UID, GID */
		const struct iface *ifaces;    /* IIF, OIF */
		uint32_t proto;                /* PROTO: IPPROTO_...; NFPROTO: enum family */
		uint32_t ctstates;             /* CTSTATE: bits */
		struct mark mark; /* MARK, CONNMARK; TCP_FLAGS: those that are looked at, those set of them */
	};
};

enum target_kind {
	TARGET_RETURN,
	TARGET_ACCEPT,
	TARGET_DROP,
	TARGET_JUMP,
	TARGET_GOTO,
	TARGET_REDIRECT,         /* to port */
	TARGET_TPROXY,           /* to port, set mark */
	TARGET_MARK,             /* set mark */
	TARGET_CONNMARK_SAVE,    /* connection's mark = packet's */
	TARGET_CONNMARK_RESTORE, /* packet's mark = connection's */
	TARGET_CT_ZONE,          /* zone */
	TARGET_DNAT,             /* of a live rule: to addr and port */
	TARGET_SNAT,             /* likewise, from addr and port */
	TARGET_NONE,             /* live rule without a target: only counts */
	TARGET_UNKNOWN,          /* live rule whose target is none of these */
};

struct target {
	uint8_t kind;  /* enum target_kind */
	uint16_t port; /* DNAT, SNAT: 0 if it is kept */
	uint16_t zone;
	struct mark mark;
	const char *chain;   /* JUMP, GOTO: name */
	const uint8_t *addr; /* DNAT, SNAT: in network order, NULL if it is kept */
};

/*
 * No live rule tests more: an nft rule has at most so many expressions (NFT_RULE_MAXEXPRS of
 * net/netfilter/nf_tables_api.c), and in an xtables rule each kind of match is one list.
 */
#define RULE_MATCHES_MAX 128

/* Whose a rule is.  Wanted rules are ours; of live ones ownership_decide says it. */
enum rule_owner {
	RULE_OURS,
	RULE_SHARED,  /* cannot be told from a user's own, and this run asks for exactly it */
	RULE_FOREIGN, /* a user's own: stays where it is, with its counters */
};

/* What of a live rule the model cannot express.  What stands in the rule all the same has been read, and is so. */
#define UNKNOWN_TEST 1u /* something that it tests, or how it is written: where all else fits, it may do what it does */
#define UNKNOWN_ACTION 2u /* something that it does, besides its target */

struct rule {
	uint8_t families; /* mask of FAMILY_BIT; exactly one if the rule has SRC or DST */
	bool top;         /* in a built-in chain: before foreign rules, not behind them */
	bool front;       /* so it stays: it moves back in front of one that ends */
	bool ends;        /* live, foreign, in a built-in chain: it may end the way of a packet that is ours to take */
	uint8_t unknown;  /* live: UNKNOWN_... bits; with any the rule equals no wanted one */
	uint8_t owner;    /* enum rule_owner */
	uint8_t n_matches;
	struct match *matches; /* sorted by kind */
	struct target target;
	const char *unread;      /* live: names of what is unknown, "fib, limit"; NULL: they are not known either */
	const char *comment;     /* --comments, or live; NULL without */
	const char *origin;      /* the option that asked for the rule ("--istio-service-cidr"); NULL if none */
	uint64_t packets, bytes; /* live counters */
	uint64_t id;             /* live: tells it from other rules of its table (a handle, a hash); 0: wanted */
	const struct rule *was;  /* of a copy: the rule that it is of; else NULL */
	const void *raw;         /* live: the rule as its backend read it, and can write it again; NULL: wanted */
};

struct chain {
	const char *name;
	enum hook hook;
	uint8_t families; /* where it exists: has a rule, or is live and empty */
	struct rule *rules;
	unsigned n_rules;

	/* Of a live chain, masks of families: */
	uint8_t misplaced; /* it is not hooked in where its name says, and decides nothing that we know */
	uint8_t stock;     /* built in, and as the stock tool makes it again at any time: policy ACCEPT, its hook */
	uint8_t drops;     /* built in, and what comes to its end is dropped: policy DROP */
	const void *raw[FAMILIES]; /* as struct rule's; natively the first */
	uint32_t age[FAMILIES];    /* the kernel lists the oldest first */
};

struct table {
	struct chain *chains;
	unsigned n_chains;
	uint32_t *index;     /* hash of names: 1 + position in chains; 0: free */
	uint32_t index_size; /* a power of two, at least twice n_chains */

	/* Of a live table, masks of families (natively both or none), and what it is in each: */
	uint8_t present;
	uint8_t strange;           /* dormant, or another process's own: what stands in it decides nothing */
	uint8_t age[FAMILIES];     /* 0 is the oldest of the backend's tables; the kernel lists them so */
	unsigned others[FAMILIES]; /* objects in it that are no chains: sets, maps, flow tables */
	const void *raw[FAMILIES];
};

struct ruleset {
	enum layout layout;
	const char *stem; /* of LAYOUT_NATIVE: what its tables' names begin with, "istio-proxy-" */
	uint8_t families; /* mask of families it is for */
	struct table tables[TABLES];
	struct arena *arena; /* holds matches, items of live rules, names */
};

const char *table_name(enum table_id table); /* "nat" */
const char *hook_name(enum hook hook);       /* "PREROUTING" */

struct ruleset *ruleset_new(enum layout layout, unsigned families);
void ruleset_free(struct ruleset *rs);

/* Memory that lives as long as the ruleset, zeroed. */
void *ruleset_alloc(struct ruleset *rs, size_t size);
char *ruleset_strdup(struct ruleset *rs, const char *s);

/*
 * The chain of that name, made if it is not there.  Names of built-in chains
 * ("PREROUTING", "OUTPUT") give base chains in either layout.
 * The pointer is valid until the next chain is made.
 */
struct chain *ruleset_chain(struct ruleset *rs, enum table_id table, const char *name);
const struct chain *ruleset_find(const struct ruleset *rs, enum table_id table, const char *name);

/* Makes ruleset_find right again after the chains have been put into another order. */
void table_index_chains(struct table *table);

/* Adds a rule (shallow copy, its matches are copied and sorted) at the end, or in front. */
struct rule *ruleset_append(struct ruleset *rs, enum table_id table, const char *chain, const struct rule *rule);
struct rule *ruleset_prepend(struct ruleset *rs, enum table_id table, const char *chain, const struct rule *rule);

/* Whether the chain exists for the family. */
bool chain_has_family(const struct chain *chain, enum family family);

/* Whether the table has a chain for the family. */
bool table_has_family(const struct table *table, enum family family);
bool ruleset_is_empty(const struct ruleset *rs);

/* Whether the match lets everything pass, as far as its first item tells: no layer has a test for that. */
bool match_is_vacuous(const struct match *m);

/*
 * Iterates over what one rule becomes in iptables: positive lists are
 * unrolled, prefixes outermost, interfaces innermost.  @flat is the current
 * rule, its lists of length one (inverted lists stay whole), valid until the next step.
 */
struct rule_iter {
	struct rule flat;
	struct match matches[RULE_MATCHES_MAX];
	const struct rule *rule;
	uint32_t at[RULE_MATCHES_MAX];
	bool started, has_lists;
};
void rule_iter_init(struct rule_iter *it, const struct rule *rule);
bool rule_iter_next(struct rule_iter *it);

/*
 * The same over a chain's rules of one family, as iptables holds them; of @family FAMILIES: over all
 * of them as they are, as the native layout holds them.
 * Usage: chain_iter_init(&it, chain, IPV4); while ((rule = chain_iter_next(&it))) ...
 */
struct chain_iter {
	const struct chain *chain; /* NULL: an empty chain */
	enum family family;
	unsigned next; /* behind the rule of the chain that the current one was made of */
	bool inside;
	struct rule_iter it;
};
void chain_iter_init(struct chain_iter *it, const struct chain *chain, enum family family);
const struct rule *chain_iter_next(struct chain_iter *it);

/* How many rules the iteration over a chain shows: those that are not foreign; those that are. */
unsigned chain_count_rules(const struct chain *chain, enum family family);
unsigned chain_count_foreign(const struct chain *chain, enum family family);

/* How many of ours the layer holds: "24 rules" of the log line. */
unsigned ruleset_count_rules(const struct ruleset *rs);

/* The families whose rules one chain of the layout holds together: one, or (FAMILIES) both. */
static inline unsigned family_mask(enum family family)
{
	return family == FAMILIES ? FAMILY_BOTH : FAMILY_BIT(family);
}

/* The match of that kind, or NULL. */
const struct match *rule_match(const struct rule *rule, enum match_kind kind);

/* Whether the protocol that a test of ports, or of TCP's flags, is about is tested, too. */
bool rule_transport_is_known(const struct rule *rule);

/* Same matches, same target, same comment; not families, counters, position. */
bool rule_equal(const struct rule *a, const struct rule *b);

/* Adds the name of something in a live rule that cannot be read. */
void rule_note_unread(struct ruleset *rs, struct rule *rule, const char *name);

/* Whether the name is one of Istio's own chains in an iptables table. */
bool chain_is_istio(const char *name);

/* Whether the chain, with all that is in it, is ours: natively any, since whole tables are. */
static inline bool chain_is_ours(const struct ruleset *rs, const struct chain *chain)
{
	return rs->layout == LAYOUT_NATIVE || chain_is_istio(chain->name);
}

#endif
