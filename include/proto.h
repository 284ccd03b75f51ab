/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of the protocols that stand above IP, as iptables and nft print them. */
#ifndef ISTIO_INIT_PROTO_H
#define ISTIO_INIT_PROTO_H

#include <stdbool.h>
#include <stdint.h>

#define PROTO_TEXT_MAX 12

/* "tcp"; the number of one without a name, in @text. */
const char *proto_name(uint32_t proto, char text[PROTO_TEXT_MAX]);

/* The number of a name, "icmpv6" among them; false if it is none. */
bool proto_find(const char *name, uint8_t *proto);

/* Whether its header begins with two ports. */
bool proto_has_ports(uint32_t proto);

#endif
