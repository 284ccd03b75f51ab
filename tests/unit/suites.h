/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every suite of the unit tests, one line each. */
SUITE(addr)
SUITE(heap)
SUITE(merge)
SUITE(nft)
SUITE(iptables_nft)
SUITE(ruleset)
SUITE(capture)
SUITE(tree)
SUITE(cli)
SUITE(cli_values)
SUITE(xt)
SUITE(plumbing)
