/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "family.h"

#include <sys/socket.h>

static const struct {
	unsigned addr_len;
	const char *name, *title, *nft;
	uint8_t af;
} families[] = {
	[IPV4] = { 4, "ipv4", "IPv4", "ip", AF_INET },
	[IPV6] = { 16, "ipv6", "IPv6", "ip6", AF_INET6 },
	[FAMILIES] = { .nft = "inet" },
};

unsigned family_addr_len(enum family family)
{
	return families[family].addr_len;
}

const char *family_name(enum family family)
{
	return families[family].name;
}

const char *family_title(enum family family)
{
	return families[family].title;
}

const char *family_nft(enum family family)
{
	return families[family].nft;
}

uint8_t family_af(enum family family)
{
	return families[family].af;
}
