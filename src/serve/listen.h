/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INJECT_LISTEN_H
#define ISTIO_INJECT_LISTEN_H

#include <netinet/in.h>

#include "err.h"

union address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

/* The address without the port, in @text. */
const char *address_text(const union address *address, char text[INET6_ADDRSTRLEN]);

/*
 * A socket that is bound to ADDR:PORT ([ADDR]:PORT for IPv6, :PORT and [::]:PORT for both families) and does not
 * block, not yet listening; or -errno with @err, which begins with @option.
 */
int listen_bind(const char *option, const char *address, struct err *err);
/* Begins to take connections; the option's name is for the message. */
int listen_begin(int fd, const char *option, const char *address, struct err *err);

#endif
