/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands share: the way into the netns, and everything that it holds, read once. */
#ifndef ISTIO_INIT_CONTEXT_H
#define ISTIO_INIT_CONTEXT_H

#include "config.h"
#include "engine.h"
#include "saved_rules.h"

/* What a command means to do in the netns. */
enum intent {
	INTENT_PROBE,  /* open sockets: no privilege */
	INTENT_SHOW,   /* read rules, whatever the options ask for */
	INTENT_LOOK,   /* read rules to compare them */
	INTENT_CHANGE, /* write rules: never in the host's netns */
	INTENT_CLEAN,  /* remove all: likewise */
};

struct context {
	const struct config *cfg;
	enum intent intent;
	uint64_t caps;     /* effective capabilities in the netns */
	unsigned families; /* mask: IPv4, and IPv6 where it is on; 0: context_read has not been there yet */
	struct live live;
	struct engine *engines[ENGINES];
	int rcs[ENGINES]; /* what reading each said: 0, or why live has nothing of it */
	struct err errs[ENGINES];
	uint32_t *marks; /* of TPROXY installs, live or wanted, @n_marks of them */
	unsigned n_marks;
	struct saved_rules saved; /* of --rules: what live's rules and routes are then */
	struct ruleset *none;     /* beside it, with --backend=nftables: what is there of that backend */
	struct ruleset *known;    /* see struct plan_want; NULL where nobody has iptables rules */
};

/* Enters the netns of --network-namespace, and checks that the intent is allowed there; with --rules, nothing of both. */
int context_open(struct context *ctx, const struct config *cfg, enum intent intent, struct err *err);

/* Closes what it has opened of the netns, also after a failure. */
void context_close(struct context *ctx);

/*
 * Reads (again: a rival may have changed it) all that the netns holds; the first time also which families are on.
 * What the kernel lacks, or we may not look at, is left out, with a line in the log, where another way is left.
 * With --rules it reads the file instead.
 */
int context_read(struct context *ctx, struct err *err);

/*
 * The rules that the options ask for, as the backend would hold them beside what it holds; @zones: with the
 * conntrack-zone rules where they are asked for.
 */
struct ruleset *context_wanted(const struct context *ctx, enum backend_index backend, unsigned families, bool zones);

/* A rule of somebody else's that translates captured DNS in this netns. */
struct translator {
	const struct rule *rule;
	enum backend_index backend;      /* that holds it; BACKENDS: */
	const struct other_chain *other; /* an nft table of his own */
};

/*
 * The first of them: false if there is none.  With --dns-zones=auto context_wanted leaves the zones out then: query and
 * answer carry different addresses.
 */
bool context_translated_dns(const struct context *ctx, unsigned families, struct translator *found);

/* With --rules, of a file that says nothing of ip rules, routes and addresses: tells that they are @what, in one line. */
void context_tell_of_routes(const struct context *ctx, const char *what);

/* What routes the options ask for (none for a clean, or to show), and whose are Istio's; valid until the next context_read. */
struct routes_want context_wanted_routes(const struct context *ctx);

#endif
