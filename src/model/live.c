/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "live.h"

const char *backend_name(enum backend_index index)
{
	static const char *const names[] = {
		[NFTABLES] = "nftables",
		[IPTABLES_NFT] = "iptables-nft",
		[IPTABLES_LEGACY] = "iptables-legacy",
		[AMBIENT] = "nftables (ambient mode)",
		[BACKENDS] = "routes",
	};

	return names[index];
}
