/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

/* Of a number with two names the first is printed. */
static const struct {
	const char *name;
	uint8_t proto;
	bool ports;
} protos[] = {
	{ "tcp", IPPROTO_TCP, true },           { "udp", IPPROTO_UDP, true },
	{ "sctp", IPPROTO_SCTP, true },         { "icmp", IPPROTO_ICMP, false },
	{ "ipv6-icmp", IPPROTO_ICMPV6, false }, { "icmpv6", IPPROTO_ICMPV6, false },
	{ "udplite", IPPROTO_UDPLITE, true },   { "dccp", IPPROTO_DCCP, true },
	{ "esp", IPPROTO_ESP, false },          { "ah", IPPROTO_AH, false },
	{ "gre", IPPROTO_GRE, false },
};

const char *const tcp_flag_names[TCP_FLAG_NAMES] = { "fin", "syn", "rst", "psh", "ack", "urg" };

const char *proto_name(uint32_t proto, char text[PROTO_TEXT_MAX])
{
	for (unsigned i = 0; i < ARRAY_SIZE(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	snprintf(text, PROTO_TEXT_MAX, "%u", proto);
	return text;
}

bool proto_find(const char *name, uint8_t *proto)
{
	for (unsigned i = 0; i < ARRAY_SIZE(protos); i++)
		if (!strcmp(protos[i].name, name)) {
			*proto = protos[i].proto;
			return true;
		}
	return false;
}

bool proto_has_ports(uint32_t proto)
{
	for (unsigned i = 0; i < ARRAY_SIZE(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].ports;
	return false;
}
