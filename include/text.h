/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules as text, exactly as the stock tools print them. */
#ifndef ISTIO_INIT_TEXT_H
#define ISTIO_INIT_TEXT_H

#include <stdio.h>

#include "emit.h"
#include "explain.h"
#include "live.h"
#include "plan.h"
#include "ruleset.h"
#include "traffic.h"

struct text_options {
	unsigned families; /* mask: what to print */
	unsigned empty;    /* mask: also families of which nothing is there, as a header */
	bool counters;     /* [packets:bytes], as iptables-save -c */
};

/*
 * An iptables layout as iptables-save prints it: "# ipv4", tables mangle, nat,
 * raw, own chains sorted by name, no line for built-in chains.
 */
void text_print_iptables(FILE *out, const struct ruleset *rs, const struct text_options *options);

/*
 * The table's chains as they are printed; caller's.  Of iptables built-in ones first, in the order of the hooks, then own
 * ones by name, as libiptc has them; of nftables as they were made.
 */
const struct chain **text_sort_chains(const struct ruleset *rs, const struct table *table);

/* One rule line, "-A CHAIN ...", without newline. */
void text_print_iptables_rule(FILE *out, const char *chain, const struct rule *rule, enum family family);

/* What ends a name in nft's language. */
#define TEXT_NFT_UNSAFE ";{}#,"

/* A native layout as nft -s list table prints it. */
void text_print_nft(FILE *out, const struct ruleset *rs, const struct text_options *options);
void text_print_nft_rule(FILE *out, const struct rule *rule, bool counters);

/* A chain's name as nft has it ("prerouting"); a table's in the ruleset's layout ("nat", "istio-proxy-nat"). */
const char *text_nft_chain_name(const struct chain *chain);
void text_print_table_name(FILE *out, const struct ruleset *rs, enum table_id table);

/* What follows a rule not all of which can be read; @unread: see struct rule. */
void text_print_unread(FILE *out, const char *unread);

/* In the spelling of the ruleset's layout. */
void text_print_ruleset(FILE *out, const struct ruleset *rs, const struct text_options *options);

/*
 * What routes_list tells, behind the rules: "# ip rule add ...".  Without the "# " it is a command; --rules reads it, and
 * to the stock tools it is a comment.
 */
void text_print_routes(FILE *out, const struct routes *live, const struct routes_want *want, unsigned families);

/* The way of one family's packets through the chains of an iptables layout, as a flowchart of Mermaid's or Graphviz's. */
void text_print_picture(FILE *out, const struct ruleset *rs, enum family family, bool dot);

/* Each rule that matched under its table and hook, then the verdict in words. */
struct listeners {
	uint16_t outbound, inbound, dns; /* ports of the proxy, and of its agent */
};
void text_print_explanation(FILE *out, const struct explanation *e, const struct packet *packet, enum layout layout,
			    const struct listeners *listeners);

/*
 * The same as members of a JSON document.  @unless: NULL, or lines that say what else may decide, which makes the
 * verdict uncertain.
 */
void text_json_explanation(struct emit *emit, const struct explanation *e, const struct packet *packet,
			   enum layout layout, const struct listeners *listeners, const char *unless);

/* What becomes of a packet, in a few words. */
void text_print_fate(FILE *out, const struct explanation *e, enum family family, const struct listeners *listeners);

/* A line for each class, in the words of explain's packets; and members of a JSON document.  @unless: as above, or "". */
void text_print_traffic(FILE *out, const struct traffic *traffic, enum layout layout, const struct listeners *listeners);
void text_json_traffic(struct emit *emit, const struct traffic *traffic, enum layout layout, const char *unless);

/* The layouts of the rules that classes are compared by, now and then; whose ports are whose. */
struct text_change {
	enum layout from, to;
	struct listeners listeners;
};
/* A line for each class of traffic_compare, what becomes of it now and then; and members of a JSON document. */
void text_print_changes(FILE *out, const struct traffic *traffic, const struct text_change *change);
void text_json_changes(struct emit *emit, const struct traffic *traffic, const struct text_change *change,
		       const char *unless);

/* The rule that has decided, or may have, and cannot be read: nothing if there is none. */
void text_print_decider(FILE *out, const struct explanation *e, enum family family, enum layout layout);

/* A chain of another nft table, and what is known of it. */
void text_print_other(FILE *out, const struct other_chain *other);

/* A unified diff of two texts of whole lines; nothing if they are equal. */
void text_print_unified(FILE *out, const char *from, const char *to, const char *a, const char *b, bool color);

/*
 * A unified diff from @live to @want in the layout's own spelling, both of the same
 * layout; nothing if they are equal.  @color: ANSI colours.
 */
void text_print_diff(FILE *out, const struct ruleset *live, const struct ruleset *want, bool color);

/*
 * Elements of a JSON document's arrays: what a backend holds (with counters: it is live), a step of a plan, which is an
 * action for each rule.  @backend: the name of the step's, NULL for routes.  And members: "routes", what routes_list
 * tells; "option", which asked for a rule, or "reason", why it is there without one; nothing for NULL.
 */
void text_json_backend(struct emit *e, const char *backend, const struct ruleset *rs, const struct text_options *options);
void text_json_origin(struct emit *e, const char *origin);
void text_json_routes(struct emit *e, const struct routes *live, const struct routes_want *want, unsigned families);
void text_json_step(struct emit *e, const struct plan *plan, const struct step *step, const char *backend);

#endif
