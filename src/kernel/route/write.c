/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that change lo, an address, an ip rule or a route. */
#include <net/if.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "route/route.h"

static void put_lo(struct rtnl *rtnl, bool up)
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

static void put_address(struct rtnl *rtnl, const struct route_object *address, bool add)
{
	struct ifaddrmsg *ifa;
	struct nlmsghdr *nlh = rtnl_request(rtnl, add ? RTM_NEWADDR : RTM_DELADDR, change_flags(add), &ifa, sizeof(*ifa));

	ifa->ifa_family = family_af(address->family);
	ifa->ifa_prefixlen = address->address.len;
	ifa->ifa_index = LO_INDEX;
	mnl_attr_put(nlh, IFA_LOCAL, family_addr_len(address->family), address->address.addr);
	mnl_attr_put_u32(nlh, IFA_FLAGS, address->flags);
}

/* Tables above 255 do not fit the header (linux/rtnetlink.h). */
static uint8_t header_table(uint32_t table)
{
	return table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
}

static void put_rule(struct rtnl *rtnl, const struct route_object *rule, bool add)
{
	struct fib_rule_hdr *header;
	struct nlmsghdr *nlh =
		rtnl_request(rtnl, add ? RTM_NEWRULE : RTM_DELRULE, change_flags(add), &header, sizeof(*header));

	header->family = family_af(rule->family);
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

static void put_route(struct rtnl *rtnl, const struct route_object *route, bool add)
{
	struct rtmsg *header;
	struct nlmsghdr *nlh =
		rtnl_request(rtnl, add ? RTM_NEWROUTE : RTM_DELROUTE, change_flags(add), &header, sizeof(*header));

	header->rtm_family = family_af(route->family);
	header->rtm_table = header_table(route->table);
	header->rtm_type = RTN_LOCAL;
	header->rtm_protocol = route->protocol;
	header->rtm_scope = route->scope;
	mnl_attr_put_u32(nlh, RTA_TABLE, route->table);
	mnl_attr_put_u32(nlh, RTA_OIF, LO_INDEX);
	if (route->priority)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, route->priority);
}

void route_put(struct rtnl *rtnl, const struct route_object *object, bool add)
{
	switch ((enum route_kind)object->kind) {
	case ROUTE_LO_UP:
		put_lo(rtnl, add);
		break;
	case ROUTE_ADDRESS:
		put_address(rtnl, object, add);
		break;
	case ROUTE_RULE:
		put_rule(rtnl, object, add);
		break;
	case ROUTE_ROUTE:
		put_route(rtnl, object, add);
		break;
	}
}
