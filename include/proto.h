/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of the protocols that stand above IP, and of TCP's flags, as iptables and nft print them. */
#ifndef ISTIO_INIT_PROTO_H
#define ISTIO_INIT_PROTO_H

#include <stdbool.h>
#include <stdint.h>

#define PROTO_TEXT_MAX 12

/* "tcp"; the number of one without a name, in @text. */
const char *proto_name(uint32_t proto, char text[PROTO_TEXT_MAX]);

/* The number of a name, "icmpv6" among them; false if it is none. */
bool proto_find(const char *name, uint8_t *proto);

/* "syn": the flag of bit 1 << @i; as many as TCP_FLAGS_ALL has. */
#define TCP_FLAG_NAMES 6
extern const char *const tcp_flag_names[TCP_FLAG_NAMES];

/* Whether its header begins with two ports. */
bool proto_has_ports(uint32_t proto);

#endif
