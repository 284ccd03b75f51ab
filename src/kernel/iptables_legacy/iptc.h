/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_IPTABLES_LEGACY_IPTC_H
#define ISTIO_INIT_IPTABLES_LEGACY_IPTC_H

#include "addr.h"

struct xt_counters;
struct xtc_handle;

/*
 * libiptc, which is two libraries of the same functions, and no stable interface: all
 * of it that we use (1.8.x) is behind this table.  A handle is one read of
 * one table; entries are struct ipt_entry or ip6t_entry and live as long as the
 * handle holds them.  Positions count from 0.  Functions that return int return 0 or -errno.
 */
struct iptc {
	int (*init)(const char *table, struct xtc_handle **h); /* creates the table if need be */
	void (*free)(struct xtc_handle *h);
	const char *(*first_chain)(struct xtc_handle *h);
	const char *(*next_chain)(struct xtc_handle *h);
	const void *(*first_rule)(const char *chain, struct xtc_handle *h);
	const void *(*next_rule)(struct xtc_handle *h);
	const char *(*target)(const void *entry, struct xtc_handle *h);
	int (*append)(const char *chain, const void *entry, struct xtc_handle *h);
	int (*insert)(const char *chain, const void *entry, unsigned position, struct xtc_handle *h);
	int (*remove)(const char *chain, unsigned position, struct xtc_handle *h);
	int (*flush)(const char *chain, struct xtc_handle *h);
	int (*create_chain)(const char *chain, struct xtc_handle *h);
	int (*delete_chain)(const char *chain, struct xtc_handle *h);
	const struct xt_counters *(*counters)(const void *entry);
	int (*set_counters)(const char *chain, unsigned position, struct xt_counters *counters, struct xtc_handle *h);
	const char *(*policy)(const char *chain, struct xt_counters *counters, struct xtc_handle *h); /* NULL: none */
	int (*set_policy)(const char *chain, const char *policy, struct xt_counters *counters, struct xtc_handle *h);
	int (*commit)(struct xtc_handle *h);
};
extern const struct iptc legacy_iptc[FAMILIES];

/*
 * Whether the netns has the table, for who may not read the list of tables: 1, 0 or -errno.  The kernel makes one that
 * it can have and has not (xt_find_table_lock of net/netfilter/x_tables.c): no request tells without.  No module is
 * loaded for it.
 */
int legacy_iptc_ask(enum family family, const char *table);

/* Closes the sockets that all handles share; none of them may be used any more. */
void legacy_iptc_close(void);

#endif
