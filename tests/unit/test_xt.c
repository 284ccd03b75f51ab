/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules to xtables blobs and back, and blobs that are none of ours. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xt/xt.h"
#include "xt/entry.h"
#include "util.h"
#include "xt_cases.h"

Suite *suite_xt(void);

/* The kernel keeps verdicts as numbers: what libiptc makes of their names. */
static void use_verdict(void *entry, enum family family, const struct rule *rule)
{
	static const int verdicts[] = {
		[TARGET_RETURN] = XT_RETURN,  [TARGET_ACCEPT] = -NF_ACCEPT - 1,
		[TARGET_DROP] = -NF_DROP - 1, [TARGET_JUMP] = 4096,
		[TARGET_GOTO] = 4096,         [TARGET_NONE] = 512,
	};
	struct xt_standard_target *target;

	if (rule->target.kind > TARGET_GOTO && rule->target.kind != TARGET_NONE)
		return;
	target = (void *)((char *)entry + *xt_fields_of(entry, family).target_offset);
	/* What follows the NUL of a name is anything. */
	memset(target->target.u.user.name, 0x5a, XT_NAME_SIZE);
	target->target.u.user.name[0] = '\0';
	target->verdict = verdicts[rule->target.kind];
}

static void describe(char *text, size_t size, const struct rule *rule, enum family family)
{
	struct xt_match_iter it;
	struct xt_blob blob;
	size_t len = 0;

	xt_match_iter_init(&it, rule);
	while (xt_match_next(&it, &blob) > 0)
		len += (size_t)snprintf(text + len, size - len, "%s.%u:%u ", blob.name, blob.revision, blob.size);
	ck_assert_int_eq(xt_target_encode(rule, family, &blob), 0);
	snprintf(text + len, size - len, "%s.%u:%u", blob.name, blob.revision, blob.size);
}

START_TEST(round_trip)
{
	size_t i = (size_t)_i;
	struct match matches[RULE_MATCHES_MAX];
	struct rule rule = case_rule(i, matches);
	uint64_t entry[XT_ENTRY_MAX / 8], again[XT_ENTRY_MAX / 8];
	struct draft live;
	char text[256];

	for (enum family f = 0; f < FAMILIES; f++) {
		struct ruleset *rs;
		int len;

		if (!(cases[i].families & FAMILY_BIT(f)))
			continue;
		rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
		describe(text, sizeof(text), &rule, f);
		if (sizeof(void *) == 8)
			ck_assert_str_eq(text, cases[i].blobs);
		len = xt_entry_encode(&rule, f, entry, sizeof(entry));
		ck_assert_int_gt(len, 0);
		use_verdict(entry, f, &rule);
		draft_init(&live, rs, f);
		xt_entry_decode(&live, entry, (size_t)len, rule.target.chain);
		ck_assert(!live.rule.unknown);
		ck_assert(rule_equal(&live.rule, &rule));
		ck_assert_uint_eq(live.rule.families, FAMILY_BIT(f));
		ck_assert_uint_eq(live.rule.packets, 7);
		ck_assert_uint_eq(live.rule.bytes, 1ull << 40);

		ck_assert_int_eq(xt_entry_encode(&live.rule, f, again, sizeof(again)), len);
		use_verdict(again, f, &rule);
		ck_assert_mem_eq(again, entry, (size_t)len);
		ck_assert_int_eq(xt_entry_encode(&rule, f, again, (size_t)len - 1), -E2BIG);
		ruleset_free(rs);
	}
}
END_TEST

/* Neither a short read nor a wrong byte anywhere is taken for a rule that would be written otherwise. */
START_TEST(damaged)
{
	size_t i = (size_t)_i;
	struct match matches[RULE_MATCHES_MAX];
	struct rule rule = case_rule(i, matches);
	uint64_t entry[XT_ENTRY_MAX / 8], again[XT_ENTRY_MAX / 8];
	struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	enum family f = cases[i].families & FAMILY_BIT(IPV4) ? IPV4 : IPV6;
	int len = xt_entry_encode(&rule, f, entry, sizeof(entry));
	struct draft live;

	use_verdict(entry, f, &rule);
	for (int size = 0; size < len; size++) {
		uint8_t *exact = memcpy(xcalloc(1, (size_t)size), entry, (size_t)size);

		draft_init(&live, rs, f);
		xt_entry_decode(&live, exact, (size_t)size, rule.target.chain);
		ck_assert(live.rule.unknown);
		free(exact);
	}
	for (int at = 0; at < len; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			((uint8_t *)entry)[at] ^= 1u << bit;
			draft_init(&live, rs, f);
			xt_entry_decode(&live, entry, (size_t)len, rule.target.chain);
			if (!live.rule.unknown)
				ck_assert_int_gt(xt_entry_encode(&live.rule, f, again, sizeof(again)), 0);
			((uint8_t *)entry)[at] ^= 1u << bit;
		}
	ruleset_free(rs);
}
END_TEST

#define DATA(member, ...) (const union xt_info){ .member = { __VA_ARGS__ } }, sizeof(((union xt_info *)0)->member)

/* Data that the kernel may well hold, but that the model has no word for. */
static const struct {
	const char *name;
	bool target;
	unsigned revision;
	union xt_info info;
	size_t size;
} strangers[] = {
	{ "tcp", false, 0, DATA(tcp, .spts = { 0, 65535 }, .dpts = { 0, 65535 }) },
	{ "tcp", false, 0, DATA(tcp, .spts = { 0, 65535 }, .dpts = { 1, 1 }, .flg_mask = 0x82, .flg_cmp = 2) },
	{ "tcp", false, 0, DATA(tcp, .spts = { 0, 65535 }, .dpts = { 1, 1 }, .option = 8) },
	{ "tcp", false, 0, DATA(tcp, .spts = { 0, 65535 }, .dpts = { 9, 1 }) },
	{ "tcp", false, 1, DATA(tcp, .spts = { 0, 65535 }, .dpts = { 1, 1 }) },
	{ "udp", false, 0, DATA(udp, .spts = { 0, 65535 }, .dpts = { 0, 65535 }) },
	{ "multiport", false, 1, DATA(multiport, .flags = 1, .count = 1, .ports = { 1 }) },
	{ "multiport", false, 1, DATA(multiport, .flags = 1, .count = 1, .ports = { 1 }, .invert = 1) },
	{ "multiport", false, 1, DATA(multiport, .flags = 2, .count = 2, .ports = { 1, 2 }, .invert = 1) },
	{ "multiport", false, 1, DATA(multiport, .flags = 1, .count = 16, .invert = 1) },
	{ "multiport", false, 1,
	  DATA(multiport, .flags = 1, .count = 2, .ports = { 1, 2 }, .pflags = { 0, 1 }, .invert = 1) },
	{ "owner", false, 1, DATA(owner, .uid_min = 1, .uid_max = 1, .match = XT_OWNER_UID | XT_OWNER_GID) },
	{ "owner", false, 1, DATA(owner, .match = XT_OWNER_SOCKET) },
	{ "owner", false, 1, DATA(owner, .gid_min = 1, .gid_max = 1, .match = XT_OWNER_GID | XT_OWNER_SUPPL_GROUPS) },
	{ "conntrack", false, 3, DATA(conntrack, .match_flags = XT_CONNTRACK_STATE, .state_mask = 128) },
	{ "conntrack", false, 3, DATA(conntrack, .match_flags = XT_CONNTRACK_STATE | XT_CONNTRACK_PROTO, .state_mask = 1) },
	{ "conntrack", false, 3,
	  DATA(conntrack, .match_flags = XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS, .state_mask = 1) },
	{ "conntrack", false, 3, DATA(conntrack2, .match_flags = XT_CONNTRACK_STATE, .state_mask = 1) },
	{ "comment", false, 0, { .comment = { { [0 ... XT_MAX_COMMENT_LEN - 1] = 'x' } } }, sizeof(struct xt_comment_info) },
	{ "statistic", false, 0, DATA(mark, .mark = 1) },
	{ "REDIRECT", true, 0, DATA(redirect4, .rangesize = 1, .range = { { .flags = 2, .min.all = 1, .max.all = 2 } }) },
	{ "REDIRECT", true, 0, DATA(redirect4, .rangesize = 1, .range = { { .flags = 6, .min.all = 1, .max.all = 1 } }) },
	{ "REDIRECT", true, 0, DATA(redirect6, .flags = 2, .min_proto.all = 1, .max_proto.all = 1) },
	{ "TPROXY", true, 1, DATA(tproxy, .laddr.ip = 1, .lport = 1) },
	{ "MARK", true, 1, DATA(set_mark, .mark = 1, .mask = 1) },
	{ "CONNMARK", true, 2, DATA(set_connmark, .ctmask = UINT32_MAX, .nfmask = UINT32_MAX, .mode = XT_CONNMARK_SET) },
	{ "CONNMARK", true, 2, DATA(set_connmark, .ctmask = 1, .nfmask = UINT32_MAX, .mode = XT_CONNMARK_SAVE) },
	{ "CONNMARK", true, 2,
	  DATA(set_connmark, .ctmask = UINT32_MAX, .nfmask = UINT32_MAX, .shift_bits = 1, .mode = XT_CONNMARK_SAVE) },
	{ "CT", true, 2, DATA(ct, .flags = XT_CT_NOTRACK, .zone = 1) },
	{ "CT", true, 2, DATA(ct, .zone = 1, .helper = "ftp") },
	{ "CT", true, 2, DATA(ct, .zone = 1, .timeout = "x") },
	{ "MASQUERADE", true, 0, DATA(redirect4, .rangesize = 1) },
};

START_TEST(stranger)
{
	struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	struct draft live;

	draft_init(&live, rs, IPV4);
	(strangers[_i].target ? xt_target_decode : xt_match_decode)(&live, strangers[_i].name, strangers[_i].revision,
								    &strangers[_i].info, XT_ALIGN(strangers[_i].size));
	ck_assert(live.rule.unknown);
	ck_assert_uint_eq(live.rule.target.kind, strangers[_i].target ? TARGET_UNKNOWN : TARGET_NONE);
	ruleset_free(rs);
}
END_TEST

/* Older revisions that mean the same: another program's iptables may have written them. */
START_TEST(older_revisions)
{
	struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	struct xt_connmark_tginfo1 save = { .ctmask = UINT32_MAX, .nfmask = UINT32_MAX, .mode = XT_CONNMARK_SAVE };
	struct xt_conntrack_mtinfo2 invalid = { .match_flags = XT_CONNTRACK_STATE, .state_mask = 1 };
	struct xt_tproxy_target_info tproxy = { .mark_value = 5, .mark_mask = 7, .lport = htons(15006) };
	struct xt_ct_target_info zone = { .zone = 2 };
	struct draft live;

	draft_init(&live, rs, IPV4);
	xt_match_decode(&live, "conntrack", 2, &invalid, XT_ALIGN(sizeof(invalid)));
	ck_assert_uint_eq(live.matches[0].ctstates, CTSTATE_INVALID);
	xt_target_decode(&live, "CONNMARK", 1, &save, XT_ALIGN(sizeof(save)));
	ck_assert_uint_eq(live.rule.target.kind, TARGET_CONNMARK_SAVE);
	xt_target_decode(&live, "CT", 0, &zone, XT_ALIGN(sizeof(zone)));
	ck_assert_uint_eq(live.rule.target.zone, 2);
	xt_target_decode(&live, "TPROXY", 0, &tproxy, XT_ALIGN(sizeof(tproxy)));
	ck_assert_uint_eq(live.rule.target.port, 15006);
	ck_assert_uint_eq(live.rule.target.mark.mask, 7);
	ck_assert(!live.rule.unknown);
	ruleset_free(rs);
}
END_TEST

/* xtables' ports, owners and marks are the machine's numbers; those of NAT and TPROXY are the network's. */
START_TEST(numbers_have_the_byte_order_of_their_fields)
{
	struct match matches[] = { M_PROTO(IPPROTO_TCP), M_RANGE(MATCH_DPORT, false, 15008, 15008),
				   M_RANGE(MATCH_UID, false, 1337, 1337) };
	struct rule rule = { .matches = matches, .n_matches = ARRAY_SIZE(matches) };
	struct xt_match_iter it;
	struct xt_blob blob;
	union xt_info info;

	xt_match_iter_init(&it, &rule);
	ck_assert_int_eq(xt_match_next(&it, &blob), 1);
	memcpy(&info, blob.data, blob.size);
	ck_assert_uint_eq(info.tcp.dpts[0], 15008);
	ck_assert_int_eq(xt_match_next(&it, &blob), 1);
	memcpy(&info, blob.data, blob.size);
	ck_assert_uint_eq(info.owner.uid_min, 1337);

	rule.target = (struct target){ .kind = TARGET_REDIRECT, .port = 15001 };
	ck_assert_int_eq(xt_target_encode(&rule, IPV4, &blob), 0);
	memcpy(&info, blob.data, blob.size);
	ck_assert_mem_eq(&info.redirect4.range[0].min, "\x3a\x99", 2);
	ck_assert_int_eq(xt_target_encode(&rule, IPV6, &blob), 0);
	memcpy(&info, blob.data, blob.size);
	ck_assert_mem_eq(&info.redirect6.max_proto, "\x3a\x99", 2);

	rule.target = (struct target){ .kind = TARGET_TPROXY, .port = 15006, .mark = { 1337, UINT32_MAX } };
	ck_assert_int_eq(xt_target_encode(&rule, IPV4, &blob), 0);
	memcpy(&info, blob.data, blob.size);
	ck_assert_mem_eq(&info.tproxy.lport, "\x3a\x9e", 2);
	ck_assert_uint_eq(info.tproxy.mark_value, 1337);
}
END_TEST

/* Conditions that are there twice: only inverted owners make a list, whatever order the kernel has them in. */
START_TEST(repeated)
{
	struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	struct mark mark = { 1, 1 };
	struct draft live;

	draft_init(&live, rs, IPV4);
	draft_add(&live, MATCH_MARK, false, &mark);
	for (uint32_t id = 0; id < 64; id++)
		draft_add(&live, MATCH_GID, true, &(struct range){ id, id });
	ck_assert(!live.rule.unknown);
	ck_assert_uint_eq(live.rule.n_matches, 2);
	ck_assert_uint_eq(live.matches[0].kind, MATCH_GID);
	ck_assert_uint_eq(live.matches[0].n, 64);
	for (uint32_t id = 0; id < 64; id++)
		ck_assert_uint_eq(live.matches[0].ranges[id].lo, id);
	draft_add(&live, MATCH_MARK, false, &mark);
	ck_assert(live.rule.unknown);

	draft_init(&live, rs, IPV4);
	draft_add(&live, MATCH_UID, false, RANGES({ 1, 1 }));
	draft_add(&live, MATCH_UID, false, RANGES({ 2, 2 }));
	ck_assert(live.rule.unknown);
	ruleset_free(rs);
}
END_TEST

/* What a single xtables rule cannot hold. */
START_TEST(inexpressible)
{
	struct range many[16];
	char comment[XT_MAX_COMMENT_LEN + 1] = {};
	struct match matches[][2] = {
		{ M_RANGE(MATCH_DPORT, false, 1, 1), { .kind = MATCH_UID, .n = 1, .ranges = many } },
		{ { .kind = MATCH_NFPROTO, .n = 1, .proto = IPV4 }, { .kind = MATCH_UID, .n = 1, .ranges = many } },
		{ { .kind = MATCH_UID, .n = 2, .ranges = many }, { .kind = MATCH_GID, .n = 1, .ranges = many } },
		{ M_PROTO(IPPROTO_TCP), { .kind = MATCH_DPORT, .invert = true, .n = 16, .ranges = many } },
	};
	static const int errors[] = { -EINVAL, -EINVAL, -EINVAL, -E2BIG };
	uint64_t entry[XT_ENTRY_MAX / 8];
	struct rule rule = { .target.kind = TARGET_RETURN, .n_matches = 2 };

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct range){ i + 1, i + 1 };
	for (unsigned i = 0; i < ARRAY_SIZE(matches); i++) {
		rule.matches = matches[i];
		ck_assert_int_eq(xt_entry_encode(&rule, IPV4, entry, sizeof(entry)), errors[i]);
	}
	rule = (struct rule){ .target.kind = TARGET_RETURN, .comment = memset(comment, 'x', XT_MAX_COMMENT_LEN) };
	ck_assert_int_eq(xt_entry_encode(&rule, IPV4, entry, sizeof(entry)), -E2BIG);
	rule = (struct rule){ .target = { .kind = TARGET_JUMP, .chain = "ISTIO_OUTPUT_OF_29_CHARACTERS" } };
	ck_assert_int_eq(xt_entry_encode(&rule, IPV4, entry, sizeof(entry)), -EINVAL);
	rule.target.kind = TARGET_UNKNOWN;
	ck_assert_int_eq(xt_entry_encode(&rule, IPV4, entry, sizeof(entry)), -EINVAL);
}
END_TEST

START_TEST(extensions)
{
	static const char *const names[] = { "tcp",       "udp",  "multiport", "owner",
					     "conntrack", "mark", "connmark",  "comment" };
	static const char *const targets[] = { "REDIRECT", "TPROXY", "MARK", "CONNMARK", "CT" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		ck_assert_ptr_nonnull(xt_extension_find(names[i], false));
	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++)
		ck_assert_ptr_nonnull(xt_extension_find(targets[i], true));
	ck_assert_ptr_null(xt_extension_find("RETURN", true));
	ck_assert_ptr_null(xt_extension_find("REDIRECT", false));
}
END_TEST

Suite *suite_xt(void)
{
	Suite *suite = suite_create("xt");
	TCase *tcase = tcase_create("xt");

	tcase_add_loop_test(tcase, round_trip, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tcase, damaged, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tcase, stranger, 0, ARRAY_SIZE(strangers));
	tcase_add_test(tcase, older_revisions);
	tcase_add_test(tcase, numbers_have_the_byte_order_of_their_fields);
	tcase_add_test(tcase, repeated);
	tcase_add_test(tcase, inexpressible);
	tcase_add_test(tcase, extensions);
	suite_add_tcase(suite, tcase);
	return suite;
}
