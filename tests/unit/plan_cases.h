/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is live and wanted, in the words of rule_words.h, and the plan that comes of it, as plan_print has it. */
#ifndef ISTIO_INIT_PLAN_CASES_H
#define ISTIO_INIT_PLAN_CASES_H

#include "live.h"

struct given {
	const char *live[BACKENDS], *want;
	enum backend_index backend;
	const char *known, *fewer;
	bool guard, force, tproxy, has_routes, ambient;
};

#define N(text) [NFTABLES] = text
#define I(text) [IPTABLES_NFT] = text
#define L(text) [IPTABLES_LEGACY] = text
#define A(text) [AMBIENT] = text
#define TO_N(text) .backend = NFTABLES, .want = text
#define TO_I(text) .backend = IPTABLES_NFT, .want = text
#define TO_L(text) .backend = IPTABLES_LEGACY, .want = text
#define CLEAN .backend = BACKENDS

static const struct plan_case {
	struct given given;
	const char *steps, *verdict; /* NULL: free */
	const char *after[BACKENDS]; /* NULL: not looked at */
} plan_cases[] = {
	/* Nothing to do. */
	{ .given = { CLEAN }, .steps = "" },
	{ .given = { .live = { I("nat4 OUTPUT X"), L("nat4 OUTPUT Yn"), N("") }, CLEAN }, .steps = "" },
	{ .given = { .live = { I("nat46 OUTPUT XaY; nat46 ISTIO_a X") }, TO_I("nat46 OUTPUT a; nat46 ISTIO_a X") },
	  .steps = "" },
	{ .given = { .live = { L("nat4 OUTPUT a; nat4 ISTIO_a nop") }, TO_L("nat4 OUTPUT a; nat4 ISTIO_a [nop]") },
	  .steps = "" },
	{ .given = { .live = { N("nat46 OUTPUT a; nat46 ISTIO_a .X:Y") }, TO_N("nat46 OUTPUT a; nat46 ISTIO_a .X:Y") },
	  .steps = "" },

	/* Ambient mode's: left alone unless it is meant, or in the way. */
	{ .given = { .live = { A("nat46 OUTPUT .X") }, CLEAN },
	  .steps = "-A:nat46 OUTPUT (.X); -A:nat46 OUTPUT; -A:nat46",
	  .after = { A("") } },
	{ .given = { .live = { N("nat46 OUTPUT .X"), A("nat46 OUTPUT .Y") }, TO_N("nat46 OUTPUT .X") }, .steps = "" },
	{ .given = { .live = { A("nat46 OUTPUT .Y") }, TO_L("nat4 OUTPUT a; nat4 ISTIO_a X"), .ambient = true },
	  .steps = "+nat4; +nat4 OUTPUT; +nat4 ISTIO_a; +nat4 OUTPUT@0 a; +nat4 ISTIO_a@0 X; -A:nat46 OUTPUT (.Y); "
		   "-A:nat46 OUTPUT; -A:nat46" },
	{ .given = { .live = { I("nat4 ISTIO_PRERT X") }, TO_L("nat4 OUTPUT a; nat4 ISTIO_a X") },
	  .steps = "+nat4; +nat4 OUTPUT; +nat4 ISTIO_a; +nat4 OUTPUT@0 a; +nat4 ISTIO_a@0 X" },
	{ .given = { .live = { L("nat4 OUTPUT a; nat4 ISTIO_a Y; nat4 ISTIO_PRERT X") },
		     TO_L("nat4 OUTPUT a; nat4 ISTIO_a X") },
	  .steps = "-nat4 ISTIO_a@0 Y; -nat4 ISTIO_PRERT (X); -nat4 ISTIO_PRERT; +nat4 ISTIO_a@0 X",
	  .after = { L("nat4 ISTIO_a X; nat4 OUTPUT a") } },

	/* From nothing: chains before what leads to them. */
	{ .given = { TO_I("nat46 OUTPUT a; nat46 ISTIO_a X") },
	  .steps = "+nat4; +nat4 OUTPUT; +nat4 ISTIO_a; +nat4 OUTPUT@0 a; +nat4 ISTIO_a@0 X; +nat6; +nat6 OUTPUT; "
		   "+nat6 ISTIO_a; +nat6 OUTPUT@0 a; +nat6 ISTIO_a@0 X",
	  .after = { I("nat4 ISTIO_a X; nat4 OUTPUT a; nat6 ISTIO_a X; nat6 OUTPUT a") } },
	{ .given = { .live = { L("nat4 PREROUTING; nat4 OUTPUT") }, TO_L("nat4 OUTPUT a; nat4 ISTIO_a [nop]") },
	  .steps = "+nat4 ISTIO_a; +nat4 OUTPUT@0 a; +nat4 ISTIO_a@0 nop" },
	{ .given = { TO_N("nat46 OUTPUT a; nat46 ISTIO_a .X; raw46 OUTPUT X") },
	  .steps = "+nat46; +nat46 OUTPUT; +nat46 ISTIO_a; +nat46 OUTPUT@0 a; +nat46 ISTIO_a@0 .X; +raw46; "
		   "+raw46 OUTPUT; +raw46 OUTPUT@0 X",
	  .after = { N("nat46 OUTPUT a; nat46 ISTIO_a .X; raw46 OUTPUT X") } },

	/* What is missing is added, and nobody refuses: a family, a table. */
	{ .given = { .live = { I("nat4 OUTPUT a; nat4 ISTIO_a X") }, TO_I("nat46 OUTPUT a; nat46 ISTIO_a X") },
	  .steps = "+nat6; +nat6 OUTPUT; +nat6 ISTIO_a; +nat6 OUTPUT@0 a; +nat6 ISTIO_a@0 X" },
	{ .given = { .live = { L("nat4 OUTPUT a; nat4 ISTIO_a X") },
		     TO_L("nat4 OUTPUT a; nat4 ISTIO_a X; mangle4 OUTPUT b; mangle4 ISTIO_b X") },
	  .steps = "+mangle4; +mangle4 OUTPUT; +mangle4 ISTIO_b; +mangle4 OUTPUT@0 b; +mangle4 ISTIO_b@0 X" },
	{ .given = { .live = { N("nat46 OUTPUT X") }, TO_N("nat46 OUTPUT X; raw46 OUTPUT Y") },
	  .steps = "+raw46; +raw46 OUTPUT; +raw46 OUTPUT@0 Y" },
	/* natively where what is live is what was asked for without the family */
	{ .given = { .live = { N("nat46 OUTPUT .X") }, TO_N("nat46 OUTPUT .X:X"), .fewer = "nat46 OUTPUT .X" },
	  .steps = "+nat46 OUTPUT@1 :X" },
	{ .given = { .live = { N("nat46 OUTPUT .X") }, TO_N("nat46 OUTPUT .X:X"), .fewer = "nat46 OUTPUT .Y" },
	  .steps = "+nat46 OUTPUT@1 :X",
	  .verdict = "different" },
	/* but a chain without the jump to it is another install's */
	{ .given = { .live = { I("nat4 OUTPUT; nat4 ISTIO_a X") }, TO_I("nat4 OUTPUT a; nat4 ISTIO_a X") },
	  .steps = "+nat4 OUTPUT@0 a",
	  .verdict = "different" },

	/* What differs: rule by rule, among foreign ones. */
	{ .given = { .live = { I("nat4 OUTPUT XaYbZ; nat4 ISTIO_a AB; nat4 ISTIO_b C") },
		     TO_I("nat4 OUTPUT ^nac; nat4 ISTIO_a AQB; nat4 ISTIO_c C") },
	  .steps = "-nat4 OUTPUT@3 b; -nat4 ISTIO_b (C); -nat4 ISTIO_b; +nat4 ISTIO_c; +nat4 OUTPUT@0 n; "
		   "+nat4 OUTPUT@3 c; +nat4 ISTIO_a@1 Q; +nat4 ISTIO_c@0 C",
	  .verdict = "different",
	  .after = { I("nat4 ISTIO_a AQB; nat4 ISTIO_c C; nat4 OUTPUT nXacYZ") } },
	{ .given = { .live = { L("nat4 OUTPUT XY; nat4 PREROUTING Z") },
		     TO_L("nat4 OUTPUT ^na; nat4 ISTIO_a A; nat4 PREROUTING a") },
	  .steps = "+nat4 ISTIO_a; +nat4 OUTPUT@0 n; +nat4 OUTPUT@3 a; +nat4 PREROUTING@1 a; +nat4 ISTIO_a@0 A",
	  .after = { L("nat4 ISTIO_a A; nat4 OUTPUT nXYa; nat4 PREROUTING Za") } },
	{ .given = { .live = { L("nat4 OUTPUT ab; nat4 ISTIO_a A; nat4 ISTIO_b B") },
		     TO_L("nat4 OUTPUT ba; nat4 ISTIO_a A; nat4 ISTIO_b B") },
	  .steps = "-nat4 OUTPUT@0 a; +nat4 OUTPUT@1 a",
	  .verdict = "different" },
	{ .given = { .live = { L("nat4 OUTPUT aXa; nat4 ISTIO_a A") }, TO_L("nat4 OUTPUT a; nat4 ISTIO_a A") },
	  .steps = "-nat4 OUTPUT@2 a",
	  .verdict = "different" },
	{ .given = { .live = { L("nat4 OUTPUT 1Xa; nat4 ISTIO_a 2A") }, TO_L("nat4 OUTPUT a; nat4 ISTIO_a A") },
	  .steps = "-nat4 OUTPUT@0 1; -nat4 ISTIO_a@0 2",
	  .verdict = "different" },
	{ .given = { .live = { L("nat4 OUTPUT a; nat4 ISTIO_a nq") }, TO_L("nat4 OUTPUT a; nat4 ISTIO_a [nopq]") },
	  .steps = "+nat4 ISTIO_a@1 op",
	  .verdict = "different",
	  .after = { L("nat4 ISTIO_a nopq; nat4 OUTPUT a") } },
	/* tables that grow come first */
	{ .given = { .live = { I("mangle4 OUTPUT a; mangle4 ISTIO_a AB; nat4 OUTPUT a; nat4 ISTIO_a A") },
		     TO_I("mangle4 OUTPUT a; mangle4 ISTIO_a A; nat4 OUTPUT a; nat4 ISTIO_a AB") },
	  .steps = "+nat4 ISTIO_a@1 B; -mangle4 ISTIO_a@1 B",
	  .verdict = "different" },
	/* forced: what is equal goes and comes again, in its place */
	{ .given = { .live = { I("nat4 OUTPUT XaY; nat4 ISTIO_a A") },
		     TO_I("nat4 OUTPUT a; "
			  "nat4 ISTIO_a A"),
		     .force = true },
	  .steps = "-nat4 OUTPUT@1 a; -nat4 ISTIO_a@0 A; +nat4 OUTPUT@1 a; +nat4 ISTIO_a@0 A",
	  .after = { I("nat4 ISTIO_a A; nat4 OUTPUT XaY") } },

	/* Natively also what is listed in another order, or has somebody's set in it, comes anew. */
	{ .given = { .live = { N("nat46 ISTIO_a X; nat46 OUTPUT a") }, TO_N("nat46 OUTPUT a; nat46 ISTIO_a X") },
	  .steps = "" },
	{ .given = { .live = { N("nat46 ISTIO_a X; nat46 OUTPUT a") }, TO_N("nat46 OUTPUT a; nat46 ISTIO_a XY") },
	  .steps = "-nat46 ISTIO_a (X); -nat46 OUTPUT (a); -nat46 ISTIO_a; -nat46 OUTPUT; +nat46 OUTPUT; "
		   "+nat46 ISTIO_a; +nat46 OUTPUT@0 a; +nat46 ISTIO_a@0 XY",
	  .verdict = "different" },
	{ .given = { .live = { N("nat46 OUTPUT a; nat46 ISTIO_a X") }, TO_N("nat46 OUTPUT a; nat46 ISTIO_a XY") },
	  .steps = "+nat46 ISTIO_a@1 Y",
	  .verdict = "different" },
	{ .given = { .live = { N("nat46+ OUTPUT X") }, TO_N("nat46 OUTPUT Y") },
	  .steps = "-nat46 OUTPUT (X); -nat46 OUTPUT; -nat46; +nat46; +nat46 OUTPUT; +nat46 OUTPUT@0 Y",
	  .verdict = "different" },

	/* What decides nothing. */
	{ .given = { .live = { N("nat46! OUTPUT X") }, TO_N("nat46 OUTPUT X") },
	  .steps = "-nat46 OUTPUT (X); -nat46 OUTPUT; -nat46; +nat46; +nat46 OUTPUT; +nat46 OUTPUT@0 X",
	  .verdict = "different" },
	{ .given = { .live = { N("nat46 OUTPUT? X") }, TO_N("nat46 OUTPUT X") },
	  .steps = "-nat46 OUTPUT (X); -nat46 OUTPUT; +nat46 OUTPUT; +nat46 OUTPUT@0 X",
	  .verdict = "different" },
	{ .given = { .live = { I("nat4! OUTPUT aX; nat4 ISTIO_a A") }, TO_I("nat4 OUTPUT a; nat4 ISTIO_a A") },
	  .steps = "",
	  .verdict = "different, blocked nat" },
	{ .given = { .live = { I("nat4! OUTPUT X") }, TO_I("nat4 OUTPUT a; nat4 ISTIO_a A") },
	  .steps = "+nat4 ISTIO_a; +nat4 OUTPUT@1 a; +nat4 ISTIO_a@0 A",
	  .verdict = "free, blocked nat" },
	{ .given = { .live = { I("nat4 OUTPUT? X") }, TO_I("nat4 OUTPUT a; nat4 ISTIO_a A") },
	  .steps = "+nat4 ISTIO_a; +nat4 OUTPUT@1 a; +nat4 ISTIO_a@0 A",
	  .verdict = "free, blocked nat OUTPUT" },
	{ .given = { .live = { I("nat4 OUTPUT? a; nat4 ISTIO_a A") }, TO_I("nat4 OUTPUT a; nat4 ISTIO_a A") },
	  .steps = "",
	  .verdict = "different, blocked nat OUTPUT" },

	/* Another backend's go once ours are there; a guard keeps TPROXY's connections. */
	{ .given = { .live = { L("nat4 OUTPUT XaY; nat4 ISTIO_a A") }, TO_I("nat4 OUTPUT a; nat4 ISTIO_a A") },
	  .steps = "+nat4; +nat4 OUTPUT; +nat4 ISTIO_a; +nat4 OUTPUT@0 a; +nat4 ISTIO_a@0 A; -L:nat4 OUTPUT@1 a; "
		   "-L:nat4 ISTIO_a (A); -L:nat4 ISTIO_a",
	  .verdict = "elsewhere L",
	  .after = { L("nat4 OUTPUT XY") } },
	{ .given = { .live = { L("nat4 OUTPUT a; nat4 ISTIO_a A"), I("nat4 OUTPUT a; nat4 ISTIO_a A") },
		     TO_N("nat46 OUTPUT X") },
	  .steps = "+nat46; +nat46 OUTPUT; +nat46 OUTPUT@0 X; -I:nat4 OUTPUT (a); -I:nat4 ISTIO_a (A); "
		   "-I:nat4 OUTPUT; -I:nat4 ISTIO_a; -I:nat4; -L:nat4 OUTPUT@0 a; -L:nat4 ISTIO_a (A); -L:nat4 ISTIO_a",
	  .verdict = "elsewhere L",
	  .after = { I(""), L(""), N("nat46 OUTPUT X") } },
	{ .given = { .live = { N("nat46 OUTPUT X"), I("nat4 OUTPUT a; nat4 ISTIO_a A") },
		     TO_I("nat4 OUTPUT a; nat4 ISTIO_a A") },
	  .steps = "-N:nat46 OUTPUT (X); -N:nat46 OUTPUT; -N:nat46",
	  .verdict = "elsewhere N",
	  .after = { N("") } },
	{ .given = { .live = { N("mangle46 OUTPUT X") }, TO_L("mangle4 OUTPUT a; mangle4 ISTIO_a A"), .tproxy = true },
	  .steps = "+rule4; +route4; +guard; +mangle4; +mangle4 OUTPUT; +mangle4 ISTIO_a; +mangle4 OUTPUT@0 a; "
		   "+mangle4 ISTIO_a@0 A; -N:mangle46 OUTPUT (X); -N:mangle46 OUTPUT; -N:mangle46; -guard",
	  .verdict = "elsewhere N" },
	{ .given = { .live = { L("mangle4 OUTPUT a; mangle4 ISTIO_a A") },
		     TO_L("mangle4 OUTPUT a; mangle4 ISTIO_a A"),
		     .guard = true,
		     .tproxy = true,
		     .has_routes = true },
	  .steps = "-guard" },

	/* Routes. */
	{ .given = { TO_N("mangle46 OUTPUT X"), .tproxy = true },
	  .steps = "+rule4; +route4; +mangle46; +mangle46 OUTPUT; +mangle46 OUTPUT@0 X" },
	{ .given = { .live = { N("mangle46 OUTPUT X") }, TO_N("mangle46 OUTPUT X"), .tproxy = true },
	  .steps = "+rule4; +route4" },
	{ .given = { .live = { N("mangle46 OUTPUT X") }, TO_N("mangle46 OUTPUT X"), .has_routes = true },
	  .steps = "-rule4; -route4",
	  .verdict = "stale" },
	{ .given = { .live = { N("mangle46 OUTPUT X") }, TO_N("mangle46 OUTPUT Y"), .has_routes = true },
	  .steps = "-mangle46 OUTPUT@0 X; +mangle46 OUTPUT@0 Y; -rule4; -route4",
	  .verdict = "different" },
	{ .given = { .live = { N("mangle46 OUTPUT X") }, CLEAN, .has_routes = true },
	  .steps = "-N:mangle46 OUTPUT (X); -N:mangle46 OUTPUT; -N:mangle46; -rule4; -route4",
	  .verdict = "stale" },

	/* Clean: foreign rules stay, and what cannot be told from them, unless the options ask for it. */
	{ .given = { .live = { I("nat4 OUTPUT aX; nat4 ISTIO_a A; nat4 PREROUTING a") }, CLEAN },
	  .steps = "-I:nat4 OUTPUT@0 a; -I:nat4 ISTIO_a (A); -I:nat4 PREROUTING (a); -I:nat4 ISTIO_a; "
		   "-I:nat4 PREROUTING",
	  .after = { I("nat4 OUTPUT X") } },
	{ .given = { .live = { I("nat4 OUTPUT a; nat4 ISTIO_a A; nat4 PREROUTING") }, CLEAN },
	  .steps = "-I:nat4 OUTPUT (a); -I:nat4 ISTIO_a (A); -I:nat4 OUTPUT; -I:nat4 ISTIO_a; -I:nat4 PREROUTING; "
		   "-I:nat4",
	  .after = { I("") } },
	{ .given = { .live = { I("nat4 OUTPUT% a; nat4 ISTIO_a A") }, CLEAN },
	  .steps = "-I:nat4 OUTPUT@0 a; -I:nat4 ISTIO_a (A); -I:nat4 ISTIO_a",
	  .after = { I("nat4 OUTPUT%") } },
	{ .given = { .live = { I("nat4+ OUTPUT a; nat4 ISTIO_a A") }, CLEAN },
	  .steps = "-I:nat4 OUTPUT (a); -I:nat4 ISTIO_a (A); -I:nat4 OUTPUT; -I:nat4 ISTIO_a",
	  .after = { I("nat4+") } },
	{ .given = { .live = { I("nat4 OUTPUT anX; nat4 ISTIO_a A") }, CLEAN },
	  .steps = "-I:nat4 OUTPUT@0 a; -I:nat4 ISTIO_a (A); -I:nat4 ISTIO_a",
	  .after = { I("nat4 OUTPUT nX") } },
	{ .given = { .live = { I("nat4 OUTPUT anX; nat4 ISTIO_a A") }, CLEAN, .known = "nat4 OUTPUT n" },
	  .steps = "-I:nat4 OUTPUT@0 an; -I:nat4 ISTIO_a (A); -I:nat4 ISTIO_a",
	  .after = { I("nat4 OUTPUT X") } },
	{ .given = { .live = { L("nat4 OUTPUT aXn; nat4 ISTIO_a A") }, CLEAN },
	  .steps = "-L:nat4 OUTPUT@0 a; -L:nat4 ISTIO_a (A); -L:nat4 ISTIO_a",
	  .after = { L("nat4 OUTPUT Xn") } },
};

#endif
