/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules, routes and addresses of the kernel's, a line each. */
#ifndef ISTIO_INIT_ROUTE_CASES_H
#define ISTIO_INIT_ROUTE_CASES_H

#define RULE_FIELDS(f, m, k, t, p, o, l) \
	{ \
		.kind = ROUTE_RULE, .family = f, .mark = m, .mask = k, .table = t, .priority = p, .protocol = o, \
		.plain = l \
	}
#define ROUTE_FIELDS(f, t, m, o, c) \
	{ \
		.kind = ROUTE_ROUTE, .family = f, .table = t, .priority = m, .protocol = o, .scope = c \
	}

/* The last is the address: braces would end an argument of a macro. */
#define ADDRESS(f, l, g, ...) \
	{ \
		.kind = ROUTE_ADDRESS, .family = f, .address = { f, l, __VA_ARGS__ }, .flags = g \
	}

#endif
