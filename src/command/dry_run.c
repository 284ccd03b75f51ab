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

/* As --backend names it: text of iptables is for each that is not nftables. */
static const char *dry_run_backend(const struct config *cfg, enum layout layout)
{
	if (layout == LAYOUT_NATIVE)
		return "nftables";
	return cfg->backend == BACKEND_IPTABLES_NFT    ? "iptables-nft" :
	       cfg->backend == BACKEND_IPTABLES_LEGACY ? "iptables-legacy" :
							 "auto";
}

/* Where nothing is yet. */
static void print_document(const struct config *cfg, const struct ruleset *rs, const struct routes_want *want,
			   const struct text_options *text)
{
	struct emit document;

	emit_begin(&document, stdout);
	emit_string(&document, "command", "apply");
	emit_array(&document, "backends");
	text_json_backend(&document, dry_run_backend(cfg, rs->layout), rs, text);
	emit_end(&document);
	text_json_routes(&document, &routes_of_nothing, want, text->families);
	emit_finish(&document);
}

/* Looks at nothing of the machine: what auto would find out there is taken as there. */
int print_dry_run(const struct config *cfg)
{
	struct capture_options options = {
		.layout = dry_run_layout(cfg),
		.families = cfg->ipv6 == OFF ? FAMILY_BIT(IPV4) : FAMILY_BOTH,
		.zones = true,
	};
	struct text_options text = { .families = print_families(cfg) };
	struct routes_want want = capture_routes(cfg, options.families);
	struct ruleset *rs;

	rs = capture_build(cfg, &options);
	if (cfg->output == PRINT_JSON)
		print_document(cfg, rs, &want, &text);
	else if (cfg->format >= FORMAT_MERMAID)
		text_print_picture(stdout, rs, cfg->family == FAMILY_CHOICE_IPV6 ? IPV6 : IPV4, cfg->format == FORMAT_DOT);
	else {
		text_print_ruleset(stdout, rs, &text);
		text_print_routes(stdout, &routes_of_nothing, &want, text.families);
	}
	ruleset_free(rs);
	return STATUS_DONE;
}
