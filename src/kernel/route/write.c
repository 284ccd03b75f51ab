/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that change lo, an address, an ip rule or a route, and what it means when one fails. */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "route/state.h"
#include "util.h"

void plumbing_put_lo(struct rtnl *rtnl, bool up)
{
	struct ifinfomsg *link;

	rtnl_request(rtnl, RTM_NEWLINK, 0, &link, sizeof(*link));
	link->ifi_index = LO_INDEX;
	link->ifi_change = IFF_UP;
	link->ifi_flags = up ? IFF_UP : 0;
}

/* What a new object has to be: not there yet. */
static uint16_t change_flags(bool add)
{
	return add ? NLM_F_CREATE | NLM_F_EXCL : 0;
}

void plumbing_put_address(struct rtnl *rtnl, uint16_t type, const struct live_address *address)
{
	struct ifaddrmsg *ifa;
	struct nlmsghdr *nlh = rtnl_request(rtnl, type, change_flags(type == RTM_NEWADDR), &ifa, sizeof(*ifa));

	ifa->ifa_family = family_to_af(address->prefix.family);
	ifa->ifa_prefixlen = address->prefix.len;
	ifa->ifa_index = LO_INDEX;
	mnl_attr_put(nlh, IFA_LOCAL, family_addr_len(address->prefix.family), address->prefix.addr);
	mnl_attr_put_u32(nlh, IFA_FLAGS, address->flags);
}

/* Tables above 255 do not fit the header (linux/rtnetlink.h). */
static uint8_t header_table(uint32_t table)
{
	return table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
}

void plumbing_put_rule(struct rtnl *rtnl, uint16_t type, const struct live_rule *rule)
{
	struct fib_rule_hdr *header;
	struct nlmsghdr *nlh = rtnl_request(rtnl, type, change_flags(type == RTM_NEWRULE), &header, sizeof(*header));

	header->family = family_to_af(rule->family);
	header->action = FR_ACT_TO_TBL;
	header->table = header_table(rule->table);
	mnl_attr_put_u32(nlh, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u32(nlh, FRA_FWMARK, rule->mark);
	mnl_attr_put_u32(nlh, FRA_FWMASK, rule->mask);
	mnl_attr_put_u32(nlh, FRA_TABLE, rule->table);
	/* Unspecified is also what the kernel takes if nothing is said; before 4.17 it knows no protocols. */
	if (rule->protocol != RTPROT_UNSPEC)
		mnl_attr_put_u8(nlh, FRA_PROTOCOL, rule->protocol);
}

void plumbing_put_route(struct rtnl *rtnl, uint16_t type, const struct live_route *route)
{
	struct rtmsg *header;
	struct nlmsghdr *nlh = rtnl_request(rtnl, type, change_flags(type == RTM_NEWROUTE), &header, sizeof(*header));

	header->rtm_family = family_to_af(route->family);
	header->rtm_table = header_table(route->table);
	header->rtm_type = RTN_LOCAL;
	header->rtm_protocol = route->protocol;
	header->rtm_scope = route->scope;
	mnl_attr_put_u32(nlh, RTA_TABLE, route->table);
	mnl_attr_put_u32(nlh, RTA_OIF, LO_INDEX);
	if (route->metric)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, route->metric);
}

#define NO_IPV6 "IPv6 is off in this network namespace"
#define NO_IPV6_HINT "set the sysctl net.ipv6.conf.lo.disable_ipv6 to 0, or leave IPv6 out with --ipv6=off"

/* What each step does, what it means if the kernel does not know how to, and the way out. */
static const struct {
	const char *what, *missing, *hint;
} steps[] = {
	[STEP_SOCKET] = { "open a route netlink socket", "this kernel has none, or a seccomp policy forbids it",
			  "allow socket(AF_NETLINK) in the container's seccomp profile" },
	[STEP_READ] = { "read the addresses, ip rules and routes", "this kernel has no such request",
			"see whether ip addr, ip rule and ip route work in this network namespace" },
	[STEP_LINKS] = { "read the links", "this kernel has no such request",
			 "if this is meant to be redirected, say --allow-host-netns" },
	[STEP_LO] = { "bring lo up", "this kernel has no such request",
		      "run ip link set lo up in this network namespace" },
	[STEP_ADDRESS] = { "add ::6/128 to lo", NO_IPV6, NO_IPV6_HINT },
	[STEP_RULE] = { "add the ip rule of TPROXY mode", "this kernel has no policy routing (CONFIG_IP_MULTIPLE_TABLES)",
			"use --istio-inbound-interception-mode=REDIRECT" },
	[STEP_RULE_IPV6] = { "add the ip -6 rule of TPROXY mode",
			     "this kernel has no policy routing for IPv6 (CONFIG_IPV6_MULTIPLE_TABLES)",
			     "use --istio-inbound-interception-mode=REDIRECT, or leave IPv6 out with --ipv6=off" },
	[STEP_ROUTE] = { "add the ip route of TPROXY mode", "this kernel has no such request",
			 "see whether ip route works in this network namespace" },
	[STEP_ROUTE_IPV6] = { "add the ip -6 route of TPROXY mode", NO_IPV6, NO_IPV6_HINT },
	[STEP_REMOVE] = { "remove an address, ip rule or route of an older install", "this kernel has no such request",
			  "look at ip addr, ip rule and ip route show table all in this network namespace" },
	[STEP_UNDO] = { "take back an address, ip rule or route", "this kernel has no such request",
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

int plumbing_fail(enum plumbing_step step, int rc, struct err *err)
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
