/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of rtnetlink: dumps of addresses, rules, routes and links, and what the kernel says of changes. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include "links.h"
#include "routes.h"

#include "route/state.h"

/* What was read of a rule of our kind or a route is asked for and read as the same. */
static void check_again(const struct plumbing_state *state)
{
	struct plumbing_state *again = calloc(1, sizeof(*again));
	struct netlink_answers answers;
	struct nlmsghdr *nlh = (void *)again->rtnl.buf;

	for (unsigned i = 0; i < state->n_rules; i++) {
		if (!state->rules[i].plain)
			continue;
		plumbing_put_rule(&again->rtnl, RTM_NEWRULE, &state->rules[i]);
		again->n_rules = 0;
		answers = rtnl_answers(&again->rtnl, &plumbing_query_rules, again);
		netlink_parse(&answers, nlh, nlh->nlmsg_len);
		FUZZ_CHECK(again->n_rules == 1 && again->rules[0].plain && again->rules[0].mark == state->rules[i].mark &&
			   again->rules[0].table == state->rules[i].table && again->rules[0].family == state->rules[i].family);
	}
	for (unsigned i = 0; i < state->n_routes; i++) {
		plumbing_put_route(&again->rtnl, RTM_NEWROUTE, &state->routes[i]);
		again->n_routes = 0;
		answers = rtnl_answers(&again->rtnl, &plumbing_query_routes, again);
		netlink_parse(&answers, nlh, nlh->nlmsg_len);
		FUZZ_CHECK(again->n_routes == 1 && again->routes[0].table == state->routes[i].table &&
			   again->routes[0].family == state->routes[i].family);
	}
	free(again->rules);
	free(again->routes);
	free(again);
}

static void run_plumbing(const struct plumbing *want)
{
	struct plumbing_state *state = NULL;
	struct err err = { 0 };

	if (!plumbing_open(&state, &err) && !plumbing_plan(state, want, &err)) {
		check_again(state);
		plumbing_add_live_mark(state, 1337);
		if (!plumbing_equal(state) && !plumbing_apply(state, &err))
			plumbing_remove_stale(state, &err);
		plumbing_undo(state, &err);
	}
	plumbing_close(state);
}

/* One datagram to each decoder, in a block of its own, for its bounds; libmnl reads on to the next multiple of 4. */
static void parse_datagram(const uint8_t *data, size_t size)
{
	const struct rtnl_query *queries[] = { NULL, &plumbing_query_lo, &plumbing_query_addresses, &plumbing_query_rules,
					       &plumbing_query_routes, &links_query };
	struct plumbing_state *state = calloc(1, sizeof(*state));
	void *copy = calloc(1, MNL_ALIGN(size) + (size ? 0 : 4));
	bool found;

	memcpy(copy, data, size);
	for (unsigned i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		struct netlink_answers answers =
			rtnl_answers(&state->rtnl, queries[i], queries[i] == &links_query ? (void *)&found : state);

		FUZZ_CHECK(netlink_parse(&answers, copy, size) <= 1);
	}
	free(state->rules);
	free(state->routes);
	free(state);
	free(copy);
}

/* The first byte: 'w' all is wanted, 'l' links are looked for, 'd' a single datagram, others: nothing is wanted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct plumbing all = { .lo_up = true, .inbound6 = true, .tproxy = FAMILY_BOTH, .mark = 1337, .table = 133 };
	static const struct plumbing nothing = { .nothing = true, .mark = 1337, .table = 133 };
	struct err err;

	if (!size)
		return -1;
	fuzz_netlink_begin(data + 1, size - 1);
	if (*data == 'l')
		netns_has_pod_links(&err);
	else if (*data == 'd')
		parse_datagram(data + 1, size - 1);
	else
		run_plumbing(*data == 'w' ? &all : &nothing);
	fuzz_netlink_end();
	return 0;
}
