/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of "explain": a packet is asked for in rulesets of both layouts. */
#include "fuzz.h"

#include <stdlib.h>

#include "capture.h"
#include "text.h"
#include "util.h"

static struct config cfg;
static struct ruleset *rulesets[4];

static void build(void)
{
	static char *redirect[] = { "istio-init",
				    "--sidecar",
				    "-n",
				    "-x",
				    "10.0.0.0/8,fd00::/8",
				    "-c",
				    "eth1,vm+",
				    "--redirect-dns",
				    "--capture-all-dns",
				    "--exclude-outbound-uids",
				    "1-9",
				    "--bypass-mark",
				    "7/0xff",
				    NULL };
	static char *tproxy[] = { "istio-init", "--sidecar", "-n", "-m", "TPROXY", "-d",
				  "22",         "-o",        "25", "-k", "vm0",    NULL };
	static struct config other;

	fuzz_config(&cfg, redirect);
	fuzz_config(&other, tproxy);
	for (unsigned i = 0; i < ARRAY_SIZE(rulesets); i++)
		rulesets[i] = capture_build(i < 2 ? &cfg : &other, &(struct capture_options){
									   .layout = i % 2 ? LAYOUT_NATIVE : LAYOUT_IPTABLES,
									   .families = FAMILY_BOTH,
									   .zones = true,
								   });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet packet;
	struct err err = { 0 };
	struct fuzz_text text;
	enum fate fates[ARRAY_SIZE(rulesets)];

	if (!rulesets[0])
		build();
	fuzz_text_read(&text, data, size);
	if (packet_parse(&packet, text.words, &err)) {
		FUZZ_CHECK(err.status == STATUS_USAGE && err.what[0]);
		fuzz_text_free(&text);
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(rulesets); i++) {
		struct explanation e;
		size_t len;
		char *shown = NULL;
		FILE *out = open_memstream(&shown, &len);

		FUZZ_CHECK(!explain_packet(&e, rulesets[i], &packet, &err));
		text_print_explanation(out, &e, &packet, rulesets[i]->layout, &(struct listeners){ 15001, 15006, 15053 });
		fates[i] = e.fate;
		explanation_free(&e);
		fclose(out);
		FUZZ_CHECK(len);
		free(shown);
	}
	/* The policy is one, whatever its layout. */
	FUZZ_CHECK(fates[0] == fates[1] && fates[2] == fates[3]);
	fuzz_text_free(&text);
	return 0;
}
