/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes, changed one by one, so that each can be taken back. */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "route/route.h"
#include "util.h"

struct engine {
	struct rtnl rtnl;
	struct route_reading reading;
	const struct plan *plan;
	struct {
		unsigned first, end;
	} stages[2]; /* steps that are prepared: before the rules, behind them */
	unsigned n_stages, next;
	const struct step **done; /* all steps that were carried out and changed something, the oldest first */
	unsigned n_done;
};

static int routes_read(struct engine **engine, struct live *live, struct err *err)
{
	struct engine *e = xcalloc(1, sizeof(*e));
	int rc = rtnl_open(&e->rtnl);

	*engine = e;
	if (rc)
		return route_fail(ROUTE_STEP_SOCKET, rc, err);
	rc = route_read_lo(&e->rtnl, &e->reading);
	rc = rc ? rc : route_read_rules(&e->rtnl, &e->reading);
	rc = rc ? rc : route_read_routes(&e->rtnl, &e->reading, live->table);
	if (rc)
		return route_fail(ROUTE_STEP_READ, rc, err);
	live->routes = &e->reading.routes;
	return 0;
}

static int routes_prepare(struct engine *e, const struct plan *plan, unsigned first, unsigned n, struct err *err)
{
	(void)err;
	if (!e->done)
		e->done = xcalloc(plan->n, sizeof(*e->done));
	e->plan = plan;
	e->stages[e->n_stages].first = first;
	e->stages[e->n_stages++].end = first + n;
	return 0;
}

static int change(struct engine *e, const struct route_object *object, bool add)
{
	route_put(&e->rtnl, object, add);
	return rtnl_do(&e->rtnl);
}

/* The kernel says that the table has a default route: a rival's, which is ours as well, or somebody else's. */
static int check_route(struct engine *e, const struct route_object *route, struct err *err)
{
	int rc = route_read_routes(&e->rtnl, &e->reading, route->table);

	if (rc)
		return route_fail(ROUTE_STEP_READ, rc, err);
	for (unsigned i = 0; i < e->reading.routes.n; i++) {
		const struct route_object *other = &e->reading.routes.objects[i];

		if (other->kind == ROUTE_ROUTE && other->family == route->family && other->table == route->table)
			return 0;
	}
	rc = err_set(err, STATUS_FAILED, EEXIST, "routing table %u has another %s default route already", route->table,
		     family_name(route->family));
	err_hint(err, "name a table that is not in use with --istio-inbound-tproxy-route-table");
	return rc;
}

static enum route_step step_to_add(const struct route_object *object)
{
	static const enum route_step steps[] = {
		[ROUTE_LO_UP] = ROUTE_STEP_LO,
		[ROUTE_ADDRESS] = ROUTE_STEP_ADDRESS,
		[ROUTE_RULE] = ROUTE_STEP_RULE,
		[ROUTE_ROUTE] = ROUTE_STEP_ROUTE,
	};

	return steps[object->kind] + (object->kind >= ROUTE_RULE ? object->family : 0);
}

static bool is_gone(int rc)
{
	return rc == -ENOENT || rc == -ESRCH || rc == -EADDRNOTAVAIL;
}

static int carry_out(struct engine *e, const struct step *step, struct err *err)
{
	bool add = step->action == STEP_ADD;
	int rc = change(e, step->route, add);

	/* Without an answer it may have happened. */
	if (!rc || (e->rtnl.sent && !e->rtnl.answered))
		e->done[e->n_done++] = step;
	if (!rc)
		return 0;
	/* A rival was faster. */
	if (add && rc == -EEXIST)
		return step->route->kind == ROUTE_ROUTE ? check_route(e, step->route, err) : 0;
	if (!add && is_gone(rc))
		return 0;
	return route_fail(add ? step_to_add(step->route) : ROUTE_STEP_REMOVE, rc, err);
}

static int routes_commit(struct engine *e, struct err *err)
{
	unsigned at = e->next++;
	int rc = 0;

	for (unsigned i = e->stages[at].first; i < e->stages[at].end && !rc; i++)
		rc = carry_out(e, &e->plan->steps[i], err);
	return rc;
}

/* What the kernel adds by itself to a lo that comes up without an IPv4 address, and does not take back. */
static int remove_loopback(struct engine *e)
{
	static const struct route_object loopback4 = { .kind = ROUTE_ADDRESS, .address = { IPV4, 8, { 127, 0, 0, 1 } } };

	return e->reading.routes.lo_has_ipv4 ? 0 : change(e, &loopback4, false);
}

static void routes_undo(struct engine *e)
{
	while (e->n_done > 0) {
		const struct step *step = e->done[--e->n_done];
		bool add = step->action == STEP_DELETE;
		char text[ROUTE_TEXT_MAX];
		int rc = change(e, step->route, add);

		if (!rc && step->route->kind == ROUTE_LO_UP)
			rc = remove_loopback(e);
		if (rc && !(add ? rc == -EEXIST : is_gone(rc)))
			log_error("cannot undo: %s: %s", route_text(step->route, add ? " add" : " del", text),
				  strerror(-rc));
	}
}

static void routes_close(struct engine *e)
{
	if (!e)
		return;
	rtnl_close(&e->rtnl);
	route_reading_free(&e->reading);
	free(e->done);
	free(e);
}

const struct engine_ops engine_routes = {
	.read = routes_read,
	.prepare = routes_prepare,
	.commit = routes_commit,
	.undo = routes_undo,
	.close = routes_close,
};
