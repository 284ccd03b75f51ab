/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two families, and what each layer calls them. */
#ifndef ISTIO_INIT_FAMILY_H
#define ISTIO_INIT_FAMILY_H

#include <stdint.h>

enum family { IPV4, IPV6, FAMILIES };

#define FAMILY_BIT(family) (1u << (family))
#define FAMILY_BOTH (FAMILY_BIT(IPV4) | FAMILY_BIT(IPV6))

/* Bytes of an address: 4 or 16. */
unsigned family_addr_len(enum family family);

const char *family_name(enum family family);  /* as options have it: "ipv4", "ipv6" */
const char *family_title(enum family family); /* in a sentence: "IPv4", "IPv6" */
const char *family_nft(enum family family);   /* as nft has it: "ip", "ip6"; FAMILIES: "inet" */
uint8_t family_af(enum family family);        /* AF_INET, AF_INET6 */

#endif
