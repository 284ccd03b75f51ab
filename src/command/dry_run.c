/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "capture.h"
#include "print.h"
#include "text.h"

static enum layout dry_run_layout(const struct config *cfg)
{
	if (cfg->format == FORMAT_BY_BACKEND)
		return cfg->backend == BACKEND_NFTABLES ? LAYOUT_NATIVE : LAYOUT_IPTABLES;
	return cfg->format == FORMAT_NFT ? LAYOUT_NATIVE : LAYOUT_IPTABLES;
}

/* Looks at nothing of the machine: what auto would find out there is taken as there. */
int print_dry_run(const struct config *cfg)
{
	struct capture_options options = {
		.layout = dry_run_layout(cfg),
		.families = cfg->ipv6 == OFF ? FAMILY_BIT(IPV4) : FAMILY_BOTH,
		.zones = true,
	};
	struct text_options text = { .families = FAMILY_BOTH };
	struct ruleset *rs;

	if (cfg->family != FAMILY_CHOICE_BOTH)
		text.families = FAMILY_BIT(cfg->family == FAMILY_CHOICE_IPV4 ? IPV4 : IPV6);
	rs = capture_build(cfg, &options);
	if (cfg->format == FORMAT_MERMAID)
		text_print_mermaid(stdout, rs, cfg->family == FAMILY_CHOICE_IPV6 ? IPV6 : IPV4);
	else
		text_print_ruleset(stdout, rs, &text);
	ruleset_free(rs);
	return STATUS_DONE;
}
