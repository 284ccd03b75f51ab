/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Route netlink messages built and read back, answers taken apart, and what counts as Istio's. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "route/state.h"
#include "util.h"

Suite *suite_plumbing(void);

static struct plumbing_state *state;

static void set_up(void)
{
	state = xcalloc(1, sizeof(*state));
}

static void tear_down(void)
{
	plumbing_close(state);
}

/* Shows the request in the state's buffer to the decoder, as one object of a dump. */
static int see(const struct rtnl_query *query)
{
	struct netlink_answers answers = rtnl_answers(&state->rtnl, query, state);
	struct nlmsghdr *nlh = (void *)state->rtnl.buf;

	nlh->nlmsg_flags = NLM_F_MULTI;
	return netlink_parse(&answers, nlh, nlh->nlmsg_len);
}

static const struct live_rule rules[] = {
	{ IPV4, 1337, UINT32_MAX, 133, 32765, RTPROT_UNSPEC, true, false },
	{ IPV6, 0xfffffffe, UINT32_MAX, 0xffffffff, 0, RTPROT_BOOT, true, false },
	{ IPV6, 1, UINT32_MAX, 252, 32764, RTPROT_STATIC, true, false },
	{ IPV4, 0x111, 0xfff, 100, 32764, RTPROT_UNSPEC, false, false },
};

START_TEST(rule_round_trip)
{
	const struct live_rule *rule = &rules[_i];

	plumbing_put_rule(&state->rtnl, RTM_NEWRULE, rule);
	ck_assert_int_eq(see(&plumbing_query_rules), 1);
	ck_assert_uint_eq(state->n_rules, 1);
	ck_assert_int_eq(state->rules->family, rule->family);
	ck_assert_uint_eq(state->rules->mark, rule->mark);
	ck_assert_uint_eq(state->rules->mask, rule->mask);
	ck_assert_uint_eq(state->rules->table, rule->table);
	ck_assert_uint_eq(state->rules->priority, rule->priority);
	ck_assert_uint_eq(state->rules->protocol, rule->protocol);
	ck_assert(state->rules->plain == rule->plain && !state->rules->removed);
}
END_TEST

/* One more thing that a rule may say, and whether it still is a plain one. */
static const struct {
	uint16_t type;
	uint32_t value;
	bool plain;
} sayings[] = {
	{ FRA_SUPPRESS_PREFIXLEN, UINT32_MAX, true },
	{ FRA_SUPPRESS_PREFIXLEN, 0, false },
	{ FRA_SUPPRESS_IFGROUP, 1, false },
	{ FRA_SRC, 1, false },
	{ FRA_DST, 1, false },
	{ FRA_IIFNAME, 'e', false },
	{ FRA_OIFNAME, 'e', false },
	{ FRA_FLOW, 1, false },
	{ FRA_TUN_ID, 1, false },
	{ FRA_L3MDEV, 1, false },
	{ FRA_UID_RANGE, 1, false },
	{ FRA_IP_PROTO, 6, false },
	{ FRA_SPORT_RANGE, 1, false },
	{ FRA_DPORT_RANGE, 1, false },
	{ FRA_DPORT_RANGE + 1, 1, false }, /* newer kernels' */
	{ 31, 1, false },
	{ 4711, 1, false },
	{ FRA_FWMARK, 0, false },
	{ FRA_FWMASK, 0xffff, false },
};

START_TEST(rule_that_says_more)
{
	plumbing_put_rule(&state->rtnl, RTM_NEWRULE, &rules[0]);
	mnl_attr_put_u32((void *)state->rtnl.buf, sayings[_i].type, sayings[_i].value);
	see(&plumbing_query_rules);
	ck_assert_uint_eq(state->n_rules, 1);
	ck_assert_int_eq(state->rules->plain, sayings[_i].plain);
}
END_TEST

START_TEST(rule_header_that_says_more)
{
	struct fib_rule_hdr *header = mnl_nlmsg_get_payload((void *)state->rtnl.buf);

	plumbing_put_rule(&state->rtnl, RTM_NEWRULE, &rules[0]);
	header->flags = FIB_RULE_INVERT;
	see(&plumbing_query_rules);
	header->flags = 0;
	header->src_len = 8;
	see(&plumbing_query_rules);
	header->src_len = 0;
	header->tos = 16;
	see(&plumbing_query_rules);
	ck_assert_uint_eq(state->n_rules, 3);
	for (unsigned i = 0; i < state->n_rules; i++)
		ck_assert(!state->rules[i].plain);
	/* of no interest at all */
	header->tos = 0;
	header->action = FR_ACT_BLACKHOLE;
	see(&plumbing_query_rules);
	header->action = FR_ACT_TO_TBL;
	header->family = 128; /* RTNL_FAMILY_IPMR */
	see(&plumbing_query_rules);
	ck_assert_uint_eq(state->n_rules, 3);
}
END_TEST

static const struct live_route routes[] = {
	{ IPV4, 133, 0, RTPROT_BOOT, RT_SCOPE_HOST, false },
	{ IPV6, 70000, 1024, RTPROT_STATIC, RT_SCOPE_UNIVERSE, false },
};

START_TEST(route_round_trip)
{
	const struct live_route *route = &routes[_i];

	plumbing_put_route(&state->rtnl, RTM_NEWROUTE, route);
	ck_assert_int_eq(see(&plumbing_query_routes), 1);
	ck_assert_uint_eq(state->n_routes, 1);
	ck_assert_int_eq(state->routes->family, route->family);
	ck_assert_uint_eq(state->routes->table, route->table);
	ck_assert_uint_eq(state->routes->metric, route->metric);
	ck_assert_uint_eq(state->routes->protocol, route->protocol);
	ck_assert_uint_eq(state->routes->scope, route->scope);
}
END_TEST

START_TEST(route_that_is_another)
{
	struct rtmsg *header = mnl_nlmsg_get_payload((void *)state->rtnl.buf);

	plumbing_put_route(&state->rtnl, RTM_NEWROUTE, &routes[0]);
	header->rtm_type = RTN_UNICAST;
	see(&plumbing_query_routes);
	header->rtm_type = RTN_LOCAL;
	header->rtm_dst_len = 8;
	see(&plumbing_query_routes);
	header->rtm_dst_len = 0;
	header->rtm_family = AF_MPLS;
	see(&plumbing_query_routes);
	header->rtm_family = AF_INET;
	mnl_attr_put_u32((void *)state->rtnl.buf, RTA_PREFSRC, 1);
	see(&plumbing_query_routes);
	plumbing_put_route(&state->rtnl, RTM_NEWROUTE, &routes[0]);
	mnl_attr_put_u32((void *)state->rtnl.buf, RTA_OIF, 2);
	see(&plumbing_query_routes);
	ck_assert_uint_eq(state->n_routes, 0);
}
END_TEST

static const struct {
	struct live_address address;
	unsigned global;
	bool inbound6, lo_has_ipv4, lo_has_ipv6;
} addresses[] = {
	{ { { IPV4, 8, { 127, 0, 0, 1 } }, 0 }, 0, false, true, false },
	{ { { IPV4, 16, { 169, 254, 1, 1 } }, 0 }, 0, false, true, false },
	{ { { IPV4, 16, { 169, 253, 1, 1 } }, 0 }, FAMILY_BIT(IPV4), false, true, false },
	{ { { IPV4, 32, { 10, 0, 0, 2 } }, 0 }, FAMILY_BIT(IPV4), false, true, false },
	{ { { IPV6, 128, { [15] = 1 } }, IFA_F_PERMANENT }, 0, false, false, true },
	{ { { IPV6, 128, { [15] = 6 } }, IFA_F_NODAD }, 0, true, false, true },
	{ { { IPV6, 64, { [15] = 6 } }, IFA_F_NOPREFIXROUTE }, 0, true, false, true },
	{ { { IPV6, 128, { [15] = 7 } }, 0 }, FAMILY_BIT(IPV6), false, false, true },
	{ { { IPV6, 64, { 0xfe, 0x80, [15] = 1 } }, 0 }, 0, false, false, true },
	{ { { IPV6, 64, { 0xfe, 0xbf, [15] = 1 } }, 0 }, 0, false, false, true },
	{ { { IPV6, 64, { 0xfe, 0xc0, [15] = 1 } }, 0 }, FAMILY_BIT(IPV6), false, false, true },
	{ { { IPV6, 64, { 0xfd, [15] = 1 } }, 0 }, FAMILY_BIT(IPV6), false, false, true },
};

START_TEST(address_round_trip)
{
	struct netns_addrs addrs;

	plumbing_put_address(&state->rtnl, RTM_NEWADDR, &addresses[_i].address);
	ck_assert_int_eq(see(&plumbing_query_addresses), 1);
	plumbing_addrs(state, &addrs);
	ck_assert_uint_eq(addrs.global, addresses[_i].global);
	ck_assert_int_eq(state->has_inbound6, addresses[_i].inbound6);
	ck_assert_int_eq(state->lo_has_ipv4, addresses[_i].lo_has_ipv4);
	ck_assert_int_eq(state->lo_has_ipv6, addresses[_i].lo_has_ipv6);
	if (state->has_inbound6) {
		ck_assert_uint_eq(state->inbound6.prefix.len, addresses[_i].address.prefix.len);
		ck_assert_uint_eq(state->inbound6.flags, addresses[_i].address.flags);
	}
}
END_TEST

START_TEST(address_of_another_interface)
{
	struct ifaddrmsg *header = mnl_nlmsg_get_payload((void *)state->rtnl.buf);

	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
		plumbing_put_address(&state->rtnl, RTM_NEWADDR, &addresses[i].address);
		header->ifa_index = LO_INDEX + 1;
		state->global = 0;
		see(&plumbing_query_addresses);
		ck_assert_uint_eq(state->global, addresses[i].global);
	}
	ck_assert(!state->has_inbound6 && !state->lo_has_ipv4 && !state->lo_has_ipv6);
}
END_TEST

/* The kind and the peer of a link, and whether it leads to a pod. */
static const struct {
	const char *kind;
	bool peer_elsewhere, pod;
} links[] = {
	{ "veth", true, true }, { "veth", false, false }, { "macvlan", true, false }, { NULL, true, false },
};

START_TEST(link_to_a_pod)
{
	struct ifinfomsg *header;
	struct nlmsghdr *nlh = rtnl_request(&state->rtnl, RTM_NEWLINK, 0, &header, sizeof(*header));
	bool found = false;
	struct netlink_answers answers = rtnl_answers(&state->rtnl, &links_query, &found);

	if (links[_i].kind) {
		struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);

		mnl_attr_put_strz(nlh, IFLA_INFO_KIND, links[_i].kind);
		mnl_attr_nest_end(nlh, info);
	}
	if (links[_i].peer_elsewhere)
		mnl_attr_put_u32(nlh, IFLA_LINK_NETNSID, 0);
	netlink_parse(&answers, nlh, nlh->nlmsg_len);
	ck_assert_int_eq(found, links[_i].pod);
}
END_TEST

static void count_object(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	++*(unsigned *)data;
}

/* Datagrams of up to three messages: type, flags, sequence number, payload; and how they end. */
static const struct {
	struct {
		uint16_t type, flags;
		uint32_t seq;
		int status;
		unsigned len; /* of the payload */
	} messages[3];
	int rc;
	unsigned seen;
	bool interrupted;
} datagrams[] = {
	{ { { NLMSG_ERROR, 0, 7, 0, 20 } }, 0, 0, false },
	{ { { NLMSG_ERROR, 0, 7, -EEXIST, 20 } }, -EEXIST, 0, false },
	{ { { NLMSG_ERROR, 0, 7, -EEXIST, 0 } }, -EBADMSG, 0, false },
	{ { { NLMSG_ERROR, 0, 7, EEXIST, 20 } }, -EBADMSG, 0, false },
	{ { { NLMSG_ERROR, 0, 7, INT_MIN, 20 } }, -EBADMSG, 0, false },
	{ { { NLMSG_DONE, NLM_F_MULTI, 7, 0, 4 } }, 0, 0, false },
	{ { { NLMSG_DONE, NLM_F_MULTI, 7, -EAFNOSUPPORT, 4 } }, -EAFNOSUPPORT, 0, false },
	{ { { RTM_NEWLINK, 0, 7, 0, 16 } }, 0, 1, false },
	{ { { RTM_NEWLINK, NLM_F_MULTI, 7, 0, 16 }, { RTM_NEWLINK, NLM_F_MULTI, 7, 0, 16 } }, 1, 2, false },
	{ { { RTM_NEWLINK, NLM_F_MULTI, 7, 0, 16 }, { NLMSG_DONE, NLM_F_MULTI, 7, 0, 4 } }, 0, 1, false },
	{ { { RTM_NEWLINK, NLM_F_MULTI | NLM_F_DUMP_INTR, 7, 0, 16 }, { NLMSG_DONE, NLM_F_MULTI, 7, 0, 4 } }, 0, 1, true },
	{ { { RTM_NEWLINK, NLM_F_MULTI, 7, 0, 16 }, { NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 7, 0, 4 } }, 0, 1, true },
	/* of another request, too short, of no meaning */
	{ { { NLMSG_ERROR, 0, 6, -EPERM, 20 }, { NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 6, 0, 4 } }, 1, 0, false },
	{ { { NLMSG_ERROR, 0, 6, -EPERM, 20 }, { RTM_NEWLINK, 0, 7, 0, 16 } }, 0, 1, false },
	{ { { RTM_NEWLINK, NLM_F_MULTI, 7, 0, 15 } }, -EBADMSG, 0, false },
	{ { { RTM_NEWLINK, NLM_F_MULTI, 7, 0, 16 }, { RTM_NEWLINK, NLM_F_MULTI, 7, 0, 0 } }, -EBADMSG, 1, false },
	{ { { NLMSG_NOOP, 0, 7, 0, 16 } }, 1, 0, false },
};

START_TEST(answers_to_a_request)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	unsigned seen = 0;
	struct netlink_answers answers = { .seq = 7, .header = 16, .see = count_object, .data = &seen };
	size_t len = 0;

	for (unsigned i = 0; i < 3 && datagrams[_i].messages[i].type; i++) {
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf + len);
		int *payload = mnl_nlmsg_put_extra_header(nlh, datagrams[_i].messages[i].len);

		if (datagrams[_i].messages[i].len >= sizeof(*payload))
			*payload = datagrams[_i].messages[i].status;
		nlh->nlmsg_type = datagrams[_i].messages[i].type;
		nlh->nlmsg_flags = datagrams[_i].messages[i].flags;
		nlh->nlmsg_seq = datagrams[_i].messages[i].seq;
		nlh->nlmsg_len = MNL_NLMSG_HDRLEN + datagrams[_i].messages[i].len;
		len += MNL_ALIGN(nlh->nlmsg_len);
	}
	ck_assert_int_eq(netlink_parse(&answers, buf, len), datagrams[_i].rc);
	ck_assert_uint_eq(seen, datagrams[_i].seen);
	ck_assert_int_eq(answers.interrupted, datagrams[_i].interrupted);
	ck_assert_int_eq(answers.ended, datagrams[_i].rc <= 0 && datagrams[_i].rc != -EBADMSG);
}
END_TEST

/* No cut of a message makes a decoder read beyond it (the sanitizer watches), nor see what was cut off. */
START_TEST(messages_cut_short)
{
	const struct rtnl_query *queries[] = { &plumbing_query_lo, &plumbing_query_addresses, &plumbing_query_rules,
					       &plumbing_query_routes };
	const struct nlmsghdr *nlh = (const void *)state->rtnl.buf;

	plumbing_put_rule(&state->rtnl, RTM_NEWRULE, &rules[1]);
	for (uint32_t len = 0; len < nlh->nlmsg_len; len++) {
		/* libmnl reads on to the next multiple of 4, which any buffer of the kernel's has. */
		char *copy = xcalloc(1, MNL_ALIGN(len));
		struct netlink_answers answers = rtnl_answers(&state->rtnl, queries[_i], state);

		memcpy(copy, nlh, len);
		if (len >= MNL_NLMSG_HDRLEN)
			((struct nlmsghdr *)copy)->nlmsg_len = len;
		netlink_parse(&answers, copy, len);
		if (len >= MNL_NLMSG_HDRLEN)
			((struct nlmsghdr *)copy)->nlmsg_len = UINT32_MAX - len;
		netlink_parse(&answers, copy, len);
		free(copy);
	}
	for (unsigned i = 0; i < state->n_rules; i++)
		ck_assert(!state->rules[i].plain || state->rules[i].mark == rules[1].mark);
}
END_TEST

#define WANT_REDIRECT { .lo_up = true, .inbound6 = true, .mark = 1337, .table = 133 }
#define WANT_TPROXY { .lo_up = true, .inbound6 = true, .tproxy = FAMILY_BIT(IPV4), .mark = 1337, .table = 133 }
#define WANT_NOTHING { .nothing = true, .mark = 1337, .table = 133 }
#define RULE(m, t, p) { IPV4, m, UINT32_MAX, t, p, RTPROT_UNSPEC, true, false }
#define FOREIGN(m, t, p) { IPV4, m, UINT32_MAX, t, p, RTPROT_UNSPEC, false, false }
#define ROUTE(t) { IPV4, t, 0, RTPROT_BOOT, RT_SCOPE_HOST, false }

static const struct {
	struct plumbing want;
	uint32_t live_mark;
	struct live_rule rules[3];
	struct live_route routes[2];
	bool no_address, lo_down;
	bool equal, stale;
} judgements[] = {
	{ .want = WANT_REDIRECT, .equal = true },
	{ .want = WANT_REDIRECT, .no_address = true },
	{ .want = WANT_REDIRECT, .lo_down = true },
	{ .want = { .lo_up = true, .mark = 1337, .table = 133 }, .stale = true },
	{ .want = { .lo_up = true, .mark = 1337, .table = 133 }, .no_address = true, .equal = true },
	{ .want = WANT_TPROXY },
	{ .want = WANT_TPROXY, .rules = { RULE(1337, 133, 32765) } },
	{ .want = WANT_TPROXY, .routes = { ROUTE(133) } },
	{ .want = WANT_TPROXY, .rules = { RULE(1337, 133, 32765) }, .routes = { ROUTE(133) }, .equal = true },
	{ .want = WANT_TPROXY, .rules = { RULE(1337, 133, 100) }, .routes = { ROUTE(133) }, .equal = true },
	{ .want = WANT_TPROXY, .rules = { RULE(1337, 133, 40000) }, .routes = { ROUTE(133) }, .stale = true },
	{ .want = WANT_TPROXY, .rules = { FOREIGN(1337, 133, 32765) }, .routes = { ROUTE(133) } },
	/* of an older install: the same mark, or the one that live rules test */
	{ .want = WANT_TPROXY, .rules = { RULE(1337, 133, 32765), RULE(1337, 99, 32764) }, .routes = { ROUTE(133), ROUTE(99) },
	  .stale = true },
	{ .want = WANT_TPROXY, .live_mark = 77, .rules = { RULE(1337, 133, 32765), RULE(77, 99, 32764) },
	  .routes = { ROUTE(133), ROUTE(99) }, .stale = true },
	{ .want = WANT_TPROXY, .live_mark = 77, .rules = { RULE(1337, 133, 32765), RULE(77, 133, 32765) },
	  .routes = { ROUTE(133) }, .stale = true },
	{ .want = WANT_REDIRECT, .rules = { RULE(1337, 133, 32765) }, .routes = { ROUTE(133) }, .stale = true },
	{ .want = WANT_REDIRECT, .rules = { RULE(1337, 133, 32765) }, .stale = true },
	/* of a run that was killed: whatever its mark, if all else is as we write it */
	{ .want = WANT_REDIRECT, .rules = { RULE(9, 133, 32765) }, .routes = { ROUTE(133) }, .stale = true },
	/* somebody else's: another mark, no such route, or not to be told from a rule that tests more */
	{ .want = WANT_REDIRECT, .rules = { RULE(9, 99, 32765) }, .routes = { ROUTE(99) }, .equal = true },
	{ .want = WANT_REDIRECT, .rules = { RULE(9, 133, 32764) }, .routes = { ROUTE(133) }, .equal = true },
	{ .want = WANT_REDIRECT, .rules = { RULE(9, 133, 32765) }, .routes = { ROUTE(99) }, .equal = true },
	{ .want = WANT_REDIRECT, .rules = { RULE(1337, 99, 32765) }, .equal = true },
	{ .want = WANT_REDIRECT, .rules = { FOREIGN(1337, 133, 32765) }, .routes = { ROUTE(133) }, .equal = true },
	{ .want = WANT_REDIRECT, .rules = { FOREIGN(1337, 133, 32765), RULE(1337, 133, 32765) }, .routes = { ROUTE(133) },
	  .equal = true },
	{ .want = WANT_REDIRECT, .rules = { RULE(1337, 133, 32765), FOREIGN(1337, 133, 32765) }, .routes = { ROUTE(133) },
	  .stale = true },
	{ .want = WANT_REDIRECT, .routes = { ROUTE(133) }, .equal = true },
	/* a clean */
	{ .want = WANT_NOTHING, .stale = true },
	{ .want = WANT_NOTHING, .no_address = true, .lo_down = true, .equal = true },
	{ .want = WANT_NOTHING, .no_address = true, .routes = { ROUTE(133) }, .stale = true },
	{ .want = WANT_NOTHING, .no_address = true, .routes = { ROUTE(99) }, .equal = true },
	{ .want = WANT_NOTHING, .no_address = true, .rules = { RULE(9, 133, 32765) }, .routes = { ROUTE(133) }, .stale = true },
	{ .want = WANT_NOTHING, .no_address = true, .rules = { RULE(9, 133, 100) }, .routes = { ROUTE(133) }, .equal = true },
	{ .want = WANT_NOTHING, .no_address = true, .live_mark = 77, .rules = { RULE(77, 99, 32765) }, .routes = { ROUTE(99) },
	  .stale = true },
};

START_TEST(judgement)
{
	state->want = judgements[_i].want;
	state->lo_up = !judgements[_i].lo_down;
	state->has_inbound6 = !judgements[_i].no_address;
	state->inbound6.prefix.len = 128;
	if (judgements[_i].live_mark)
		plumbing_add_live_mark(state, judgements[_i].live_mark);
	for (unsigned i = 0; i < 3 && judgements[_i].rules[i].table; i++)
		*(struct live_rule *)array_push(&state->rules, &state->n_rules, sizeof(*state->rules)) = judgements[_i].rules[i];
	for (unsigned i = 0; i < 2 && judgements[_i].routes[i].table; i++)
		*(struct live_route *)array_push(&state->routes, &state->n_routes, sizeof(*state->routes)) =
			judgements[_i].routes[i];
	ck_assert_int_eq(plumbing_has_stale(state), judgements[_i].stale);
	ck_assert_int_eq(plumbing_equal(state), judgements[_i].equal);
}
END_TEST

Suite *suite_plumbing(void)
{
	Suite *suite = suite_create("plumbing");
	TCase *tcase = tcase_create("plumbing");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, rule_round_trip, 0, ARRAY_SIZE(rules));
	tcase_add_loop_test(tcase, rule_that_says_more, 0, ARRAY_SIZE(sayings));
	tcase_add_test(tcase, rule_header_that_says_more);
	tcase_add_loop_test(tcase, route_round_trip, 0, ARRAY_SIZE(routes));
	tcase_add_test(tcase, route_that_is_another);
	tcase_add_loop_test(tcase, address_round_trip, 0, ARRAY_SIZE(addresses));
	tcase_add_test(tcase, address_of_another_interface);
	tcase_add_loop_test(tcase, link_to_a_pod, 0, ARRAY_SIZE(links));
	tcase_add_loop_test(tcase, answers_to_a_request, 0, ARRAY_SIZE(datagrams));
	tcase_add_loop_test(tcase, messages_cut_short, 0, 4);
	tcase_add_loop_test(tcase, judgement, 0, ARRAY_SIZE(judgements));
	suite_add_tcase(suite, tcase);
	return suite;
}
