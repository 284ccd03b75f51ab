/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rules, routes and addresses count as Istio's, and what of them is missing or stale. */
#include <check.h>

#include <linux/rtnetlink.h>

#include "route/route.h"
#include "route_cases.h"
#include "util.h"

Suite *suite_plumbing(void);

#define WANT_REDIRECT \
	{ \
		.inbound6 = true, .mark = 1337, .table = 133 \
	}
#define WANT_TPROXY \
	{ \
		.inbound6 = true, .tproxy = FAMILY_BIT(IPV4), .mark = 1337, .table = 133 \
	}
#define WANT_NOTHING \
	{ \
		.nothing = true, .mark = 1337, .table = 133 \
	}
#define RULE(m, t, p) RULE_FIELDS(IPV4, m, UINT32_MAX, t, p, RTPROT_UNSPEC, true)
#define FOREIGN(m, t, p) RULE_FIELDS(IPV4, m, UINT32_MAX, t, p, RTPROT_UNSPEC, false)
#define BY_IP(m, t, p) RULE_FIELDS(IPV4, m, UINT32_MAX, t, p, RTPROT_BOOT, true)
#define ROUTE(t) ROUTE_FIELDS(IPV4, t, 0, RTPROT_BOOT, RT_SCOPE_HOST)

static const struct {
	struct routes_want want;
	uint32_t live_mark;
	struct route_object rules[3];
	struct route_object routes[2];
	bool no_address, lo_down;
	bool equal, stale;
} judgements[] = {
	{ .want = WANT_REDIRECT, .equal = true },
	{ .want = WANT_REDIRECT, .no_address = true },
	{ .want = WANT_REDIRECT, .lo_down = true },
	{ .want = { .mark = 1337, .table = 133 }, .stale = true },
	{ .want = { .mark = 1337, .table = 133 }, .no_address = true, .equal = true },
	{ .want = WANT_TPROXY },
	{ .want = WANT_TPROXY, .rules = { RULE(1337, 133, 32765) } },
	{ .want = WANT_TPROXY, .routes = { ROUTE(133) } },
	{ .want = WANT_TPROXY, .rules = { RULE(1337, 133, 32765) }, .routes = { ROUTE(133) }, .equal = true },
	{ .want = WANT_TPROXY, .rules = { RULE(1337, 133, 100) }, .routes = { ROUTE(133) }, .equal = true },
	{ .want = WANT_TPROXY, .rules = { RULE(1337, 133, 40000) }, .routes = { ROUTE(133) }, .stale = true },
	{ .want = WANT_TPROXY, .rules = { FOREIGN(1337, 133, 32765) }, .routes = { ROUTE(133) } },
	/* of an older install: the same mark, or the one that live rules test */
	{ .want = WANT_TPROXY,
	  .rules = { RULE(1337, 133, 32765), RULE(1337, 99, 32764) },
	  .routes = { ROUTE(133), ROUTE(99) },
	  .stale = true },
	{ .want = WANT_TPROXY,
	  .live_mark = 77,
	  .rules = { RULE(1337, 133, 32765), RULE(77, 99, 32764) },
	  .routes = { ROUTE(133), ROUTE(99) },
	  .stale = true },
	{ .want = WANT_TPROXY,
	  .live_mark = 77,
	  .rules = { RULE(1337, 133, 32765), RULE(77, 133, 32765) },
	  .routes = { ROUTE(133) },
	  .stale = true },
	{ .want = WANT_REDIRECT, .rules = { RULE(1337, 133, 32765) }, .routes = { ROUTE(133) }, .stale = true },
	{ .want = WANT_REDIRECT, .rules = { RULE(1337, 133, 32765) }, .stale = true },
	{ .want = WANT_REDIRECT, .live_mark = 1337, .rules = { RULE(1337, 133, 100) }, .routes = { ROUTE(133) }, .stale = true },
	/* of a run that was killed: whatever its mark, if all else is as we write it */
	{ .want = WANT_REDIRECT, .rules = { RULE(9, 133, 32765) }, .routes = { ROUTE(133) }, .stale = true },
	/* a user's own: no TPROXY install is live or wanted */
	{ .want = WANT_REDIRECT, .rules = { RULE(1337, 133, 100) }, .routes = { ROUTE(133) }, .equal = true },
	{ .want = WANT_REDIRECT, .rules = { BY_IP(1337, 133, 32765) }, .equal = true },
	{ .want = WANT_NOTHING, .no_address = true, .rules = { RULE(1337, 133, 32764) }, .routes = { ROUTE(133) }, .equal = true },
	/* somebody else's: another mark, no such route, or not to be told from a rule that tests more */
	{ .want = WANT_REDIRECT, .rules = { RULE(9, 99, 32765) }, .routes = { ROUTE(99) }, .equal = true },
	{ .want = WANT_REDIRECT, .rules = { RULE(9, 133, 32764) }, .routes = { ROUTE(133) }, .equal = true },
	{ .want = WANT_REDIRECT, .rules = { RULE(9, 133, 32765) }, .routes = { ROUTE(99) }, .equal = true },
	{ .want = WANT_REDIRECT, .rules = { RULE(1337, 99, 32765) }, .equal = true },
	{ .want = WANT_REDIRECT, .rules = { FOREIGN(1337, 133, 32765) }, .routes = { ROUTE(133) }, .equal = true },
	{ .want = WANT_REDIRECT,
	  .rules = { FOREIGN(1337, 133, 32765), RULE(1337, 133, 32765) },
	  .routes = { ROUTE(133) },
	  .equal = true },
	{ .want = WANT_REDIRECT,
	  .rules = { RULE(1337, 133, 32765), FOREIGN(1337, 133, 32765) },
	  .routes = { ROUTE(133) },
	  .stale = true },
	{ .want = WANT_REDIRECT, .routes = { ROUTE(133) }, .equal = true },
	/* a clean */
	{ .want = WANT_NOTHING, .stale = true },
	{ .want = WANT_NOTHING, .no_address = true, .lo_down = true, .equal = true },
	{ .want = WANT_NOTHING, .no_address = true, .routes = { ROUTE(133) }, .stale = true },
	{ .want = WANT_NOTHING, .no_address = true, .routes = { ROUTE(99) }, .equal = true },
	{ .want = WANT_NOTHING, .no_address = true, .rules = { RULE(9, 133, 32765) }, .routes = { ROUTE(133) }, .stale = true },
	{ .want = WANT_NOTHING, .no_address = true, .rules = { RULE(9, 133, 100) }, .routes = { ROUTE(133) }, .equal = true },
	{ .want = WANT_NOTHING,
	  .no_address = true,
	  .live_mark = 77,
	  .rules = { RULE(77, 99, 32765) },
	  .routes = { ROUTE(99) },
	  .stale = true },
};

static void count(const struct route_object *object, void *data)
{
	(void)object;
	++*(unsigned *)data;
}

static void count_none(const struct route_object *object, void *data)
{
	(void)object;
	(void)data;
}

START_TEST(judgement)
{
	struct routes_want want = judgements[_i].want;
	struct route_object inbound6 = ADDRESS(IPV6, 128, 0, { [15] = 6 }), objects[5];
	struct routes live = {
		.lo_up = !judgements[_i].lo_down,
		.inbound6 = judgements[_i].no_address ? NULL : &inbound6,
		.objects = objects,
	};
	unsigned missing = 0, stale = 0;
	uint32_t marks[2];

	if (judgements[_i].live_mark)
		marks[want.n_marks++] = judgements[_i].live_mark;
	if (want.tproxy)
		marks[want.n_marks++] = want.mark;
	want.marks = marks;
	for (unsigned i = 0; i < 3 && judgements[_i].rules[i].table; i++)
		objects[live.n++] = judgements[_i].rules[i];
	for (unsigned i = 0; i < 2 && judgements[_i].routes[i].table; i++)
		objects[live.n++] = judgements[_i].routes[i];
	routes_compare(&live, &want, count, count_none, &missing);
	routes_compare(&live, &want, count_none, count, &stale);
	ck_assert_int_eq(stale > 0, judgements[_i].stale);
	ck_assert_int_eq(!missing && !stale, judgements[_i].equal);
}
END_TEST

Suite *suite_plumbing(void)
{
	Suite *suite = suite_create("plumbing");
	TCase *tcase = tcase_create("plumbing");

	tcase_add_loop_test(tcase, judgement, 0, ARRAY_SIZE(judgements));
	suite_add_tcase(suite, tcase);
	return suite;
}
