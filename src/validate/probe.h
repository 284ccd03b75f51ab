/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the proofs of one family share: sockets of an owner, and listening where the proxy would. */
#ifndef ISTIO_INIT_PROBE_H
#define ISTIO_INIT_PROBE_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "validation.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct probe {
	const struct validation *v;
	enum family family;
	uint64_t deadline; /* clock_us */
	struct err *err;
};

/* @addr in network order; 127.0.0.@last or ::@last.  Both return the length. */
socklen_t probe_address(union address *a, enum family family, const uint8_t *addr, uint16_t port);
socklen_t probe_loopback(union address *a, enum family family, uint8_t last, uint16_t port);

/* A socket that does not block and, for rules that ask, belongs to the owner; -1 with errno. */
int probe_socket(const struct probe *p, int type, const struct owner *owner);

/*
 * Listens (SOCK_DGRAM: is bound) at a port of the loopback address, as the proxy.  While another process holds it,
 * which may be a run like this one, waits until the deadline.  Returns the socket, or -errno with the probe's err.
 */
int probe_listen(const struct probe *p, int type, uint16_t port);

/* Gives way to others for a moment. */
void probe_pause(void);

/* Proves that DNS is captured; 0, or -errno with the probe's err. */
int probe_dns(struct probe *p);

#endif
