/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proof of the redirect with real sockets, end to end. */
#ifndef ISTIO_INIT_VALIDATION_H
#define ISTIO_INIT_VALIDATION_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "err.h"

/* Whom rules take a packet for: the owner of the socket that sent it. */
struct owner {
	uint32_t uid, gid;
};

struct validation {
	unsigned families;                 /* mask: each is proved */
	uint16_t proxy_port, inbound_port; /* where the proxy would listen */
	uint16_t probe_port;               /* where the probe connects to */
	struct owner proxy;                /* whose loopback traffic is redirected */
	uint32_t timeout_ms;               /* to get the ports of one family, and again to prove it */

	uint16_t dns_port;                           /* the agent's; 0: DNS is not proved */
	const struct prefix_list *servers[FAMILIES]; /* those that are captured; NULL: all are */
	bool has_app;                                /* @app is somebody whose queries are captured */
	struct owner app;
};

/*
 * Whether the proof can be had here: this user may act as @proxy's UID.  Returns 0, or -errno with @err
 * (STATUS_NOPERM).  To be asked before anything is written.
 */
int validate_may(const struct validation *v, bool has_setuid, struct err *err);

/*
 * Listens on loopback at both ports, connects from the loopback address to 127.0.0.6 and
 * ::6 at the probe port, and accepts only a connection whose original destination is the
 * probe port.  With DNS capture sends a query of each of the two owners to a server that is captured: @app's must come
 * to the agent's port, @proxy's must not, and each gets its own answer.
 * Returns 0, or -errno with @err (STATUS_INVALID).
 */
int validate_redirect(const struct validation *v, struct err *err);

#endif
