/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules as xtables blobs and back: pure, no system call.  Shared by iptables-legacy
 * (whole entries) and iptables-nft (single matches and targets).
 *
 * Layouts are those of <linux/netfilter/xt_*.h> and <linux/netfilter_ipv4/ip_tables.h>;
 * names and revisions are what iptables 1.8 writes on Linux 4.18 and later.
 */
#ifndef ISTIO_INIT_XT_H
#define ISTIO_INIT_XT_H

#include "draft.h"

#define XT_NAME_SIZE 29   /* XT_EXTENSION_MAXNAMELEN, with the NUL */
#define XT_DATA_MAX 256   /* the longest: xt_comment_info */
#define XT_ENTRY_MAX 8192 /* far more than a rule with 64 owner groups needs */

/* One match or target. */
struct xt_blob {
	const char *name; /* static, or the chain of a jump */
	uint8_t revision;
	uint16_t size; /* bytes of @data, padded to XT_ALIGN */
	uint8_t data[XT_DATA_MAX] __attribute__((aligned(8)));
};

/*
 * Iterates over the matches of a flat rule (see rule_iter) that are extensions, in the
 * order of iptables-save: tcp or udp (if a port is tested), multiport, owner, conntrack,
 * mark, connmark, comment.  Addresses, interfaces and the protocol are not among them.
 */
struct xt_match_iter {
	const struct rule *rule;
	unsigned step, item;
	uint32_t kinds; /* of the rule's conditions */
};
void xt_match_iter_init(struct xt_match_iter *it, const struct rule *rule);
/* 1 with the next match in @blob, 0 at the end, -E2BIG or -EINVAL if xtables cannot express it. */
int xt_match_next(struct xt_match_iter *it, struct xt_blob *blob);

/*
 * The target of a rule.  Verdicts and jumps are given as libiptc wants them: named
 * "RETURN", "ISTIO_OUTPUT" or "" (none), with room for the verdict.
 * Returns 0, or -EINVAL if xtables cannot express it.
 */
int xt_target_encode(const struct rule *rule, enum family family, struct xt_blob *blob);

/*
 * A whole ipt_entry or ip6t_entry with matches and target into @buf, which is aligned to
 * 8 bytes.  Counters are those of the rule.  Returns its length, or -E2BIG or -EINVAL.
 */
int xt_entry_encode(const struct rule *rule, enum family family, void *buf, size_t size);

/* Adds a match extension; @name is NUL-terminated, @data need not be aligned. */
void xt_match_decode(struct draft *live, const char *name, uint8_t revision, const void *data, size_t size);

/* Sets the target from an extension (not a verdict or jump). */
void xt_target_decode(struct draft *live, const char *name, uint8_t revision, const void *data, size_t size);

/*
 * Decodes the @size bytes of a whole entry.  @jump: the chain that it jumps to (NULL if it
 * does not), since the entry itself knows only an offset.
 */
void xt_entry_decode(struct draft *live, const void *entry, size_t size, const char *jump);

/* What an extension is called elsewhere, for messages. */
struct xt_extension {
	const char *name;
	bool target;
	const char *module; /* "xt_owner" */
	const char *option; /* "CONFIG_NETFILTER_XT_MATCH_OWNER" */
};
/* The extension of that name, or NULL if it is none that we use. */
const struct xt_extension *xt_extension_find(const char *name, bool target);

#endif
