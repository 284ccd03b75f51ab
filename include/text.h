/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules as text, exactly as the stock tools print them. */
#ifndef ISTIO_INIT_TEXT_H
#define ISTIO_INIT_TEXT_H

#include <stdio.h>

#include "explain.h"
#include "live.h"
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

/* One rule line, "-A CHAIN ...", without newline. */
void text_print_iptables_rule(FILE *out, const char *chain, const struct rule *rule, enum family family);

/* What ends a name in nft's language. */
#define TEXT_NFT_UNSAFE ";{}#,"

/* A native layout as nft -s list table prints it. */
void text_print_nft(FILE *out, const struct ruleset *rs, const struct text_options *options);
void text_print_nft_rule(FILE *out, const struct rule *rule, bool counters);

/* What follows a rule not all of which can be read; @unread: see struct rule. */
void text_print_unread(FILE *out, const char *unread);

/* In the spelling of the ruleset's layout. */
void text_print_ruleset(FILE *out, const struct ruleset *rs, const struct text_options *options);

/* The way of one family's packets through the chains of an iptables layout, as a Mermaid flowchart. */
void text_print_mermaid(FILE *out, const struct ruleset *rs, enum family family);

/* Each rule that matched under its table and hook, then the verdict in words. */
struct listeners {
	uint16_t outbound, inbound, dns; /* ports of the proxy, and of its agent */
};
void text_print_explanation(FILE *out, const struct explanation *e, const struct packet *packet, enum layout layout,
			    const struct listeners *listeners);

/* What becomes of a packet, in a few words. */
void text_print_fate(FILE *out, const struct explanation *e, enum family family, const struct listeners *listeners);

/* A line for each class, in the words of explain's packets. */
void text_print_traffic(FILE *out, const struct traffic *traffic, enum layout layout, const struct listeners *listeners);

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

#endif
