/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this network namespace's links and routes tell. */
#ifndef ISTIO_INIT_LINKS_H
#define ISTIO_INIT_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "err.h"

/* Whether the netns holds a veth whose peer is in another netns: 1, 0 or -errno with @err. */
int netns_has_pod_links(struct err *err);

/* Whether there is no such link; false where that cannot be told. */
bool netns_link_is_missing(const char *name);

/* Whether the link is there and has no IPv4 address (netdevice(7)). */
bool netns_link_lacks_ipv4(const char *name);

struct netns_route {
	char oif[16];
	bool has_src;
	uint8_t src[16]; /* network order */
};

/* By which interface, and from which address, a packet to @dst would leave; false: by none. */
bool netns_find_route(struct netns_route *route, enum family family, const uint8_t *dst, uint32_t mark);

/* A packet on its way in, or (@iif NULL) out. */
struct netns_flow {
	enum family family;
	const uint8_t *src, *dst; /* network order */
	const char *iif;
	uint32_t mark;
};

/* Whether ip rules and routes bring the packet to a socket of this netns: 1, 0; -errno: the kernel does not tell. */
int netns_delivers(const struct netns_flow *flow);

#endif
