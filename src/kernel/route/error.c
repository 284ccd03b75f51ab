/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "route/route.h"
#include "util.h"

#define NO_IPV6 "IPv6 is off in this network namespace"
#define NO_IPV6_HINT "set the sysctl net.ipv6.conf.lo.disable_ipv6 to 0, or leave IPv6 out with --ipv6=off"

/* What each step does, what it means if the kernel does not know how to, and the way out. */
static const struct {
	const char *what, *missing, *hint;
} steps[] = {
	[ROUTE_STEP_SOCKET] = { "open a route netlink socket", "this kernel has none, or a seccomp policy forbids it",
				"allow socket(AF_NETLINK) in the container's seccomp profile" },
	[ROUTE_STEP_READ] = { "read the addresses, ip rules and routes", "this kernel has no such request",
			      "see whether ip addr, ip rule and ip route work in this network namespace" },
	[ROUTE_STEP_LINKS] = { "read the links", "this kernel has no such request",
			       "if this is meant to be redirected, say --allow-host-netns" },
	[ROUTE_STEP_LO] = { "bring lo up", "this kernel has no such request",
			    "run ip link set lo up in this network namespace" },
	[ROUTE_STEP_ADDRESS] = { "add ::6/128 to lo", NO_IPV6, NO_IPV6_HINT },
	[ROUTE_STEP_RULE] = { "add the ip rule of TPROXY mode",
			      "this kernel has no policy routing (CONFIG_IP_MULTIPLE_TABLES)",
			      "use --istio-inbound-interception-mode=REDIRECT" },
	[ROUTE_STEP_RULE_IPV6] = { "add the ip -6 rule of TPROXY mode",
				   "this kernel has no policy routing for IPv6 (CONFIG_IPV6_MULTIPLE_TABLES)",
				   "use --istio-inbound-interception-mode=REDIRECT, or leave IPv6 out with --ipv6=off" },
	[ROUTE_STEP_ROUTE] = { "add the ip route of TPROXY mode", "this kernel has no such request",
			       "see whether ip route works in this network namespace" },
	[ROUTE_STEP_ROUTE_IPV6] = { "add the ip -6 route of TPROXY mode", NO_IPV6, NO_IPV6_HINT },
	[ROUTE_STEP_REMOVE] = { "remove an address, ip rule or route of an older install", "this kernel has no such request",
				"look at ip addr, ip rule and ip route show table all in this network namespace" },
};

static bool is_missing(int error)
{
	static const int errors[] = { EOPNOTSUPP, EAFNOSUPPORT, EPROTONOSUPPORT, EACCES, EADDRNOTAVAIL };

	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++)
		if (error == errors[i])
			return true;
	return false;
}

int route_fail(enum route_step step, int rc, struct err *err)
{
	const char *what = steps[step].what;

	if (rc == -EPERM) {
		err_set(err, STATUS_NOPERM, EPERM, "cannot %s: the kernel refuses access to this network namespace", what);
		err_hint(err, HINT_DENIED);
	} else if (rc == -EINTR) {
		err_set(err, STATUS_BUSY, EINTR, "cannot %s: they change again and again under way", what);
		err_hint(err, "find out what changes addresses, ip rules or routes in this network namespace");
	} else if (is_missing(-rc)) {
		err_set(err, STATUS_UNSUPPORTED, -rc, "cannot %s: %s", what, steps[step].missing);
		err_hint(err, "%s", steps[step].hint);
	} else {
		err_set(err, STATUS_FAILED, -rc, "cannot %s: %s", what, strerror(-rc));
		err_hint(err, "look at ip addr, ip rule and ip route show table all in this network namespace");
	}
	return rc;
}
