/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Route netlink messages built and read back, answers taken apart. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "links.h"
#include "route/route.h"
#include "route_cases.h"
#include "util.h"

Suite *suite_routes(void);

static struct rtnl *rtnl;
static struct route_reading *reading;

static void set_up(void)
{
	rtnl = xcalloc(1, sizeof(*rtnl));
	reading = xcalloc(1, sizeof(*reading));
}

static void tear_down(void)
{
	route_reading_free(reading);
	free(reading);
	free(rtnl);
}

/* Shows the request in the buffer to the decoder, as one object of a dump. */
static int see(const struct rtnl_query *query)
{
	struct netlink_answers answers = rtnl_answers(rtnl, query, reading);
	struct nlmsghdr *nlh = (void *)rtnl->buf;

	nlh->nlmsg_flags = NLM_F_MULTI;
	return netlink_parse(&answers, nlh, nlh->nlmsg_len);
}

static const struct route_object rules[] = {
	RULE_FIELDS(IPV4, 1337, UINT32_MAX, 133, 32765, RTPROT_UNSPEC, true),
	RULE_FIELDS(IPV6, 0xfffffffe, UINT32_MAX, 0xffffffff, 0, RTPROT_BOOT, true),
	RULE_FIELDS(IPV6, 1, UINT32_MAX, 252, 32764, RTPROT_STATIC, true),
	RULE_FIELDS(IPV4, 0x111, 0xfff, 100, 32764, RTPROT_UNSPEC, false),
};

START_TEST(rule_round_trip)
{
	const struct route_object *rule = &rules[_i], *read;

	route_put(rtnl, rule, true);
	ck_assert_int_eq(see(&route_query_rules), 1);
	ck_assert_uint_eq(reading->routes.n, 1);
	read = reading->routes.objects;
	ck_assert_int_eq(read->kind, ROUTE_RULE);
	ck_assert_int_eq(read->family, rule->family);
	ck_assert_uint_eq(read->mark, rule->mark);
	ck_assert_uint_eq(read->mask, rule->mask);
	ck_assert_uint_eq(read->table, rule->table);
	ck_assert_uint_eq(read->priority, rule->priority);
	ck_assert_uint_eq(read->protocol, rule->protocol);
	ck_assert_int_eq(read->plain, rule->plain);
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
	route_put(rtnl, &rules[0], true);
	mnl_attr_put_u32((void *)rtnl->buf, sayings[_i].type, sayings[_i].value);
	see(&route_query_rules);
	ck_assert_uint_eq(reading->routes.n, 1);
	ck_assert_int_eq(reading->routes.objects->plain, sayings[_i].plain);
}
END_TEST

START_TEST(rule_header_that_says_more)
{
	struct fib_rule_hdr *header = mnl_nlmsg_get_payload((void *)rtnl->buf);

	route_put(rtnl, &rules[0], true);
	header->flags = FIB_RULE_INVERT;
	see(&route_query_rules);
	header->flags = 0;
	header->src_len = 8;
	see(&route_query_rules);
	header->src_len = 0;
	header->tos = 16;
	see(&route_query_rules);
	ck_assert_uint_eq(reading->routes.n, 3);
	for (unsigned i = 0; i < reading->routes.n; i++)
		ck_assert(!reading->routes.objects[i].plain);
	/* of no interest at all */
	header->tos = 0;
	header->action = FR_ACT_BLACKHOLE;
	see(&route_query_rules);
	header->action = FR_ACT_TO_TBL;
	header->family = 128; /* RTNL_FAMILY_IPMR */
	see(&route_query_rules);
	ck_assert_uint_eq(reading->routes.n, 3);
}
END_TEST

static const struct route_object routes[] = {
	ROUTE_FIELDS(IPV4, 133, 0, RTPROT_BOOT, RT_SCOPE_HOST),
	ROUTE_FIELDS(IPV6, 70000, 1024, RTPROT_STATIC, RT_SCOPE_UNIVERSE),
};

START_TEST(route_round_trip)
{
	const struct route_object *route = &routes[_i];

	route_put(rtnl, route, true);
	ck_assert_int_eq(see(&route_query_routes), 1);
	ck_assert_uint_eq(reading->routes.n, 1);
	ck_assert_int_eq(reading->routes.objects->family, route->family);
	ck_assert_uint_eq(reading->routes.objects->table, route->table);
	ck_assert_uint_eq(reading->routes.objects->priority, route->priority);
	ck_assert_uint_eq(reading->routes.objects->protocol, route->protocol);
	ck_assert_uint_eq(reading->routes.objects->scope, route->scope);
}
END_TEST

START_TEST(route_that_is_another)
{
	struct rtmsg *header = mnl_nlmsg_get_payload((void *)rtnl->buf);

	route_put(rtnl, &routes[0], true);
	header->rtm_type = RTN_UNICAST;
	see(&route_query_routes);
	header->rtm_type = RTN_LOCAL;
	header->rtm_dst_len = 8;
	see(&route_query_routes);
	header->rtm_dst_len = 0;
	header->rtm_family = AF_MPLS;
	see(&route_query_routes);
	header->rtm_family = AF_INET;
	mnl_attr_put_u32((void *)rtnl->buf, RTA_PREFSRC, 1);
	see(&route_query_routes);
	route_put(rtnl, &routes[0], true);
	mnl_attr_put_u32((void *)rtnl->buf, RTA_OIF, 2);
	see(&route_query_routes);
	ck_assert_uint_eq(reading->routes.n, 0);
}
END_TEST

static const struct {
	struct route_object address;
	unsigned global;
	bool inbound6, lo_has_ipv4, lo_has_ipv6;
} addresses[] = {
	{ ADDRESS(IPV4, 8, 0, { 127, 0, 0, 1 }), 0, false, true, false },
	{ ADDRESS(IPV4, 16, 0, { 169, 254, 1, 1 }), 0, false, true, false },
	{ ADDRESS(IPV4, 16, 0, { 169, 253, 1, 1 }), FAMILY_BIT(IPV4), false, true, false },
	{ ADDRESS(IPV4, 32, 0, { 10, 0, 0, 2 }), FAMILY_BIT(IPV4), false, true, false },
	{ ADDRESS(IPV6, 128, IFA_F_PERMANENT, { [15] = 1 }), 0, false, false, true },
	{ ADDRESS(IPV6, 128, IFA_F_NODAD, { [15] = 6 }), 0, true, false, true },
	{ ADDRESS(IPV6, 64, IFA_F_NOPREFIXROUTE, { [15] = 6 }), 0, true, false, true },
	{ ADDRESS(IPV6, 128, 0, { [15] = 7 }), FAMILY_BIT(IPV6), false, false, true },
	{ ADDRESS(IPV6, 64, 0, { 0xfe, 0x80, [15] = 1 }), 0, false, false, true },
	{ ADDRESS(IPV6, 64, 0, { 0xfe, 0xbf, [15] = 1 }), 0, false, false, true },
	{ ADDRESS(IPV6, 64, 0, { 0xfe, 0xc0, [15] = 1 }), FAMILY_BIT(IPV6), false, false, true },
	{ ADDRESS(IPV6, 64, 0, { 0xfd, [15] = 1 }), FAMILY_BIT(IPV6), false, false, true },
};

START_TEST(address_round_trip)
{
	const struct routes *read = &reading->routes;

	route_put(rtnl, &addresses[_i].address, true);
	ck_assert_int_eq(see(&route_query_addresses), 1);
	ck_assert_uint_eq(read->global, addresses[_i].global);
	ck_assert_int_eq(read->inbound6 != NULL, addresses[_i].inbound6);
	ck_assert_int_eq(read->lo_has_ipv4, addresses[_i].lo_has_ipv4);
	ck_assert_int_eq(reading->lo_has_ipv6, addresses[_i].lo_has_ipv6);
	if (read->inbound6) {
		ck_assert_uint_eq(read->inbound6->address.len, addresses[_i].address.address.len);
		ck_assert_uint_eq(read->inbound6->flags, addresses[_i].address.flags);
	}
}
END_TEST

START_TEST(address_of_another_interface)
{
	struct ifaddrmsg *header = mnl_nlmsg_get_payload((void *)rtnl->buf);

	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
		route_put(rtnl, &addresses[i].address, true);
		header->ifa_index = LO_INDEX + 1;
		reading->routes.global = 0;
		see(&route_query_addresses);
		ck_assert_uint_eq(reading->routes.global, addresses[i].global);
	}
	ck_assert(!reading->routes.inbound6 && !reading->routes.lo_has_ipv4 && !reading->lo_has_ipv6);
}
END_TEST

/* The kind and the peer of a link, and whether it leads to a pod. */
static const struct {
	const char *kind;
	bool peer_elsewhere, pod;
} links[] = {
	{ "veth", true, true },
	{ "veth", false, false },
	{ "macvlan", true, false },
	{ NULL, true, false },
};

START_TEST(link_to_a_pod)
{
	struct ifinfomsg *header;
	struct nlmsghdr *nlh = rtnl_request(rtnl, RTM_NEWLINK, 0, &header, sizeof(*header));
	bool found = false;
	struct netlink_answers answers = rtnl_answers(rtnl, &links_query, &found);

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
	const struct rtnl_query *queries[] = { &route_query_lo, &route_query_addresses, &route_query_rules,
					       &route_query_routes };
	const struct nlmsghdr *nlh = (const void *)rtnl->buf;

	route_put(rtnl, &rules[1], true);
	for (uint32_t len = 0; len < nlh->nlmsg_len; len++) {
		/* libmnl reads on to the next multiple of 4, which any buffer of the kernel's has. */
		char *copy = xcalloc(1, MNL_ALIGN(len));
		struct netlink_answers answers = rtnl_answers(rtnl, queries[_i], reading);

		memcpy(copy, nlh, len);
		if (len >= MNL_NLMSG_HDRLEN)
			((struct nlmsghdr *)copy)->nlmsg_len = len;
		netlink_parse(&answers, copy, len);
		if (len >= MNL_NLMSG_HDRLEN)
			((struct nlmsghdr *)copy)->nlmsg_len = UINT32_MAX - len;
		netlink_parse(&answers, copy, len);
		free(copy);
	}
	for (unsigned i = 0; i < reading->routes.n; i++)
		ck_assert(!reading->routes.objects[i].plain || reading->routes.objects[i].mark == rules[1].mark);
}
END_TEST

Suite *suite_routes(void)
{
	Suite *suite = suite_create("routes");
	TCase *tcase = tcase_create("routes");

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
	suite_add_tcase(suite, tcase);
	return suite;
}
