/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine around the rules: namespaces, capabilities, the xtables lock. */
#ifndef ISTIO_INIT_SYSTEM_H
#define ISTIO_INIT_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "err.h"

/* Enters the network namespace at @path (its user namespace too where that is needed). */
int netns_enter(const char *path, struct err *err);

/* Whether this is the machine's initial network namespace (it alone has bpf_jit_enable). */
bool netns_is_initial(void);

/* Whether the netns holds a veth whose peer is in another netns: 1, 0 or -errno with @err. */
int netns_has_pod_links(struct err *err);

/* Whether the link is there and has no IPv4 address (netdevice(7)). */
bool netns_link_lacks_ipv4(const char *name);

struct netns_route {
	char oif[16];
	bool has_src;
	uint8_t src[16]; /* network order */
};

/* By which interface, and from which address, a packet to @dst would leave; false: by none. */
bool netns_find_route(struct netns_route *route, enum family family, const uint8_t *dst, uint32_t mark);

/* Effective capabilities of this thread, as a bit mask. */
uint64_t caps_effective(void);
/* Drops all capabilities that are not in @keep, from all sets but the bounding one. */
void caps_keep(uint64_t keep);

/*
 * The xtables lock: best effort.  Waits up to @wait_ms while somebody holds it.  Where the file
 * cannot be opened, the netns that we are in is locked instead.  Returns a descriptor to close, -1 if
 * neither can be had (with a debug line), or -EBUSY with @err (STATUS_BUSY) when the wait ran out.
 */
int lock_take(const char *path, uint32_t wait_ms, struct err *err);

#endif
