/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proof of the redirect with real sockets, end to end. */
#ifndef ISTIO_INIT_VALIDATE_H
#define ISTIO_INIT_VALIDATE_H

#include <stdint.h>

#include "err.h"

struct validation {
	unsigned families;                /* mask: each is proved */
	uint16_t proxy_port, inbound_port; /* where the proxy would listen */
	uint16_t probe_port;              /* where the probe connects to */
	uint32_t uid;                     /* whose loopback traffic is redirected */
	uint32_t timeout_ms;              /* for one family */
};

/*
 * Listens on loopback at both ports, connects from the loopback address to 127.0.0.6 and
 * ::6 at the probe port, and accepts only a connection whose original destination is the
 * probe port.  Works as @uid: another user becomes it in a child, which takes CAP_SETUID.
 * Returns 0, or -errno with @err (STATUS_INVALID; STATUS_NOPERM before it starts).
 */
int validate_redirect(const struct validation *v, struct err *err);

#endif
