/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands share: the way into the netns, and what it should hold. */
#ifndef ISTIO_INIT_RUN_H
#define ISTIO_INIT_RUN_H

#include "command.h"
#include "backend.h"
#include "routes.h"

/* The backends, in the order in which auto prefers them; BACKENDS where one is meant: none. */
enum backend_index { INDEX_NFTABLES, INDEX_IPTABLES_NFT, INDEX_LEGACY, BACKENDS };

/* What a command means to do in the netns. */
enum intent {
	INTENT_PROBE,  /* open sockets: no privilege */
	INTENT_SHOW,   /* read rules, whatever the options ask for */
	INTENT_LOOK,   /* read rules to compare them */
	INTENT_CHANGE, /* write rules: never in the host's netns */
	INTENT_CLEAN,  /* remove all: likewise */
};

struct run {
	const struct config *cfg;
	enum intent intent;
	uint64_t caps;     /* effective capabilities in the netns */
	unsigned families; /* mask: IPv4, and IPv6 where it is on; known once run_refresh has read it */
	struct plumbing_state *plumbing_state;
};

/*
 * Enters the netns of --network-namespace, checks that the intent is allowed there, and, if it is not to write,
 * reads what run_refresh reads.  run_close is safe after a failure, too.
 */
int run_open(struct run *run, const struct config *cfg, enum intent intent, struct err *err);
void run_close(struct run *run);

/* Reads the plumbing (again: a rival may have changed it); the first time also which families are on. */
int run_refresh(struct run *run, struct err *err);

/* The rules that the options ask for; @zones: with the conntrack-zone rules where they are asked for. */
struct ruleset *run_wanted(const struct run *run, enum layout layout, bool zones);

const struct backend_ops *backend_at(enum backend_index index);

/* "24 rules" of the text form for the log line. */
unsigned count_rules(const struct ruleset *rs);

/* Prints the dry run; always STATUS_DONE. */
int print_dry_run(const struct config *cfg);

#endif
