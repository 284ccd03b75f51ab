/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ipt_entry (first byte 4) or ip6t_entry (6); with 'j' before it, one that jumps.  What is known is written as it was read. */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#include "xt/xt.h"

/* Verdicts and jumps are libiptc's to encode. */
static bool is_extension(const struct rule *rule)
{
	return rule->target.kind >= TARGET_REDIRECT && rule->target.kind < TARGET_NONE;
}

static void check_again(struct ruleset *rs, const struct rule *rule, enum family family)
{
	static uint64_t entry[XT_ENTRY_MAX / 8];
	struct draft again;
	int len = xt_entry_encode(rule, family, entry, sizeof(entry));

	FUZZ_CHECK(len > 0 || len == -E2BIG);
	if (len < 0 || !is_extension(rule))
		return;
	draft_init(&again, rs, family);
	xt_entry_decode(&again, entry, (size_t)len, NULL);
	FUZZ_CHECK(!again.rule.unknown && rule_equal(&again.rule, rule));
	FUZZ_CHECK(again.rule.packets == rule->packets && again.rule.bytes == rule->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool jump = size && *data == 'j';
	enum family family;
	struct ruleset *rs;
	struct draft live;
	uint8_t *entry;

	data += jump;
	size -= jump;
	if (!size || (*data != '4' && *data != '6'))
		return -1;
	family = *data == '6' ? IPV6 : IPV4;
	/* a block of its own, for its bounds */
	entry = malloc(size);
	memcpy(entry, data + 1, size - 1);
	entry = realloc(entry, size > 1 ? size - 1 : 1);
	rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	draft_init(&live, rs, family);
	xt_entry_decode(&live, entry, size - 1, jump ? "ISTIO_OUTPUT" : NULL);
	/* DNAT is no rule of ours, and never written. */
	if (!live.rule.unknown && live.rule.target.kind != TARGET_DNAT && live.rule.target.kind != TARGET_SNAT)
		check_again(rs, &live.rule, family);
	ruleset_append(rs, TABLE_NAT, "OUTPUT", &live.rule);
	fuzz_use_ruleset(rs);
	ruleset_free(rs);
	free(entry);
	return 0;
}
