/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of others' rules that stand beside ours. */
#ifndef ISTIO_INIT_BESIDE_H
#define ISTIO_INIT_BESIDE_H

#include <stdio.h>

#include "context.h"

/*
 * One warning for each backend's chain of nat in which somebody else's rule stands, or would stand after the plan, in
 * front of one of our jumps, and may end a packet's way there.
 */
void warn_of_front(const struct plan *plan);

/* Says why conntrack zones are left out, where a server's address is translated in the netns. */
void warn_of_translated_dns(const struct context *ctx);

/*
 * One warning for each chain of somebody's own nft table that may take captured DNS before any rule of ours, since its
 * priority says so.
 */
void warn_of_dns_in_front(const struct context *ctx);

/* Rules of ours that the plan moves in front of others', as hunks of a unified diff; nothing if there are none. */
void print_moves(FILE *out, const struct plan *plan, bool color);

#endif
