/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of rtnetlink: dumps of addresses, rules, routes and links, and what the kernel says of changes. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include "links.h"

#include "route/route.h"

/* What was read of a rule of our kind or a route is asked for and read as the same. */
static void check_again(const struct routes *routes)
{
	struct rtnl *rtnl = calloc(1, sizeof(*rtnl));
	const struct nlmsghdr *nlh = (const void *)rtnl->buf;

	for (unsigned i = 0; i < routes->n; i++) {
		const struct route_object *object = &routes->objects[i], *read;
		bool rule = object->kind == ROUTE_RULE;
		struct route_reading again = { .routes = { 0 } };
		struct netlink_answers answers;

		if (rule && !object->plain)
			continue;
		route_put(rtnl, object, true);
		answers = rtnl_answers(rtnl, rule ? &route_query_rules : &route_query_routes, &again);
		netlink_parse(&answers, nlh, nlh->nlmsg_len);
		read = again.routes.objects;
		FUZZ_CHECK(again.routes.n == 1 && read->kind == object->kind && read->family == object->family &&
			   read->table == object->table && (!rule || (read->plain && read->mark == object->mark)));
		route_reading_free(&again);
	}
	free(rtnl);
}

static void run_routes(const struct routes_want *routes)
{
	struct engine *engine = NULL;
	struct live live = { .table = routes->nothing ? routes->table : 0 };
	struct plan_want want = { .backend = BACKENDS, .routes = *routes };
	struct err err = { 0 };
	struct plan plan;

	if (!engine_routes.read(&engine, &live, &err)) {
		check_again(live.routes);
		plan_make(&plan, &live, &want);
		if (plan.n && !engine_routes.prepare(engine, &plan, 0, plan.n, &err))
			engine_routes.commit(engine, &err);
		engine_routes.undo(engine);
		plan_free(&plan);
	}
	engine_routes.close(engine);
}

/* One datagram to each decoder, in a block of its own, for its bounds; libmnl reads on to the next multiple of 4. */
static void parse_datagram(const uint8_t *data, size_t size)
{
	const struct rtnl_query *queries[] = {
		NULL, &route_query_lo, &route_query_addresses, &route_query_rules, &route_query_routes, &links_query
	};
	struct rtnl *rtnl = calloc(1, sizeof(*rtnl));
	struct route_reading reading = { .routes = { 0 } };
	void *copy = calloc(1, MNL_ALIGN(size) + (size ? 0 : 4));
	bool found;

	memcpy(copy, data, size);
	for (unsigned i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		struct netlink_answers answers =
			rtnl_answers(rtnl, queries[i], queries[i] == &links_query ? (void *)&found : &reading);

		FUZZ_CHECK(netlink_parse(&answers, copy, size) <= 1);
	}
	route_reading_free(&reading);
	free(rtnl);
	free(copy);
}

/* The first byte: 'w' all is wanted, 'l' links are looked for, 'd' a single datagram, others: nothing is wanted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct routes_want all = { .inbound6 = true, .tproxy = FAMILY_BOTH, .mark = 1337, .table = 133 };
	static const struct routes_want nothing = { .nothing = true, .mark = 1337, .table = 133 };
	struct err err;

	if (!size)
		return -1;
	fuzz_netlink_begin(data + 1, size - 1);
	if (*data == 'l')
		netns_has_pod_links(&err);
	else if (*data == 'd')
		parse_datagram(data + 1, size - 1);
	else
		run_routes(*data == 'w' ? &all : &nothing);
	fuzz_netlink_end();
	return 0;
}
