/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of links, addresses, ip rules and routes (rtnetlink(7), linux/fib_rules.h). */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "plumbing_state.h"
#include "util.h"

static const uint8_t address_families[FAMILIES] = { [IPV4] = AF_INET, [IPV6] = AF_INET6 };

/* A dump of one family: a kernel without it answers with another's. */
struct dump {
	struct plumbing_state *state;
	enum family family;
};

struct attrs {
	const struct nlattr **attr;
	unsigned max;
};

static int attr_cb(const struct nlattr *attr, void *data)
{
	struct attrs *attrs = data;

	if (mnl_attr_get_type(attr) <= attrs->max)
		attrs->attr[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static void parse_attrs(const struct nlmsghdr *nlh, size_t header, const struct nlattr **attr, unsigned max)
{
	struct attrs attrs = { attr, max };

	mnl_attr_parse(nlh, (unsigned)header, attr_cb, &attrs);
}

static uint32_t attr_u32(const struct nlattr *attr, uint32_t absent)
{
	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ? mnl_attr_get_u32(attr) : absent;
}

static int link_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(nlh);
	struct plumbing_state *state = data;

	state->lo_up = link->ifi_flags & IFF_UP;
	return MNL_CB_OK;
}

static bool is_last_byte(const uint8_t *addr, uint8_t byte)
{
	uint8_t wanted[16] = { [15] = byte };

	return !memcmp(addr, wanted, sizeof(wanted));
}

static void see_address(struct plumbing_state *state, enum family family, const uint8_t *addr, int index)
{
	if (family == IPV4) {
		/* neither 127.0.0.0/8 nor 169.254.0.0/16 (RFC 3927) */
		if (addr[0] != 127 && !(addr[0] == 169 && addr[1] == 254))
			state->global |= FAMILY_BIT(IPV4);
	} else if (is_last_byte(addr, 1)) {
		state->loopback6 = true;
	} else if (is_last_byte(addr, 6) && index == LO_INDEX) {
		state->inbound6 = true;
	} else if (!(addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80)) { /* fe80::/10 (RFC 4291) */
		state->global |= FAMILY_BIT(IPV6);
	}
}

static int address_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr[IFA_LOCAL + 1] = { NULL }, *addr;
	enum family family = ifa->ifa_family == AF_INET6 ? IPV6 : IPV4;

	parse_attrs(nlh, sizeof(*ifa), attr, IFA_LOCAL);
	addr = attr[IFA_LOCAL] ? attr[IFA_LOCAL] : attr[IFA_ADDRESS];
	if (ifa->ifa_family == address_families[family] && addr &&
	    mnl_attr_get_payload_len(addr) == family_addr_len(family))
		see_address(data, family, mnl_attr_get_payload(addr), (int)ifa->ifa_index);
	return MNL_CB_OK;
}

int plumbing_read_lo(struct plumbing_state *state)
{
	struct ifinfomsg *link;
	struct ifaddrmsg *ifa;
	int rc;

	rtnl_request(&state->rtnl, RTM_GETLINK, 0, &link, sizeof(*link));
	link->ifi_index = LO_INDEX;
	rc = rtnl_get(&state->rtnl, link_cb, state);
	if (rc)
		return rc;
	do {
		state->global = 0;
		state->inbound6 = state->loopback6 = false;
		rtnl_request(&state->rtnl, RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof(*ifa));
		rc = rtnl_get(&state->rtnl, address_cb, state);
	} while (rc == -EINTR);
	return rc;
}

/* Only rules that test nothing but the whole mark can be Istio's. */
static int rule_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr[FRA_DPORT_RANGE + 1] = { NULL };
	const struct dump *dump = data;
	struct plumbing_state *state = dump->state;

	parse_attrs(nlh, sizeof(*rule), attr, FRA_DPORT_RANGE);
	if (rule->family != address_families[dump->family] || rule->action != FR_ACT_TO_TBL || rule->src_len || rule->dst_len || rule->tos || rule->flags & FIB_RULE_INVERT ||
	    !attr[FRA_FWMARK] || attr_u32(attr[FRA_FWMASK], UINT32_MAX) != UINT32_MAX || attr[FRA_IIFNAME] ||
	    attr[FRA_OIFNAME] || attr[FRA_UID_RANGE] || attr[FRA_IP_PROTO] || attr[FRA_SPORT_RANGE] || attr[FRA_DPORT_RANGE])
		return MNL_CB_OK;
	*(struct live_rule *)array_push(&state->rules, &state->n_rules, sizeof(*state->rules)) = (struct live_rule){
		.family = dump->family,
		.mark = mnl_attr_get_u32(attr[FRA_FWMARK]),
		.table = attr_u32(attr[FRA_TABLE], rule->table),
		.priority = attr_u32(attr[FRA_PRIORITY], 0),
	};
	return MNL_CB_OK;
}

static int route_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr[RTA_TABLE + 1] = { NULL };
	const struct dump *dump = data;
	struct plumbing_state *state = dump->state;

	parse_attrs(nlh, sizeof(*route), attr, RTA_TABLE);
	if (route->rtm_family == address_families[dump->family] && route->rtm_type == RTN_LOCAL && route->rtm_dst_len == 0 && attr_u32(attr[RTA_OIF], 0) == LO_INDEX)
		*(struct live_route *)array_push(&state->routes, &state->n_routes, sizeof(*state->routes)) =
			(struct live_route){ .family = dump->family,
					     .table = attr_u32(attr[RTA_TABLE], route->rtm_table) };
	return MNL_CB_OK;
}

static int dump_rules(struct plumbing_state *state, enum family family)
{
	struct dump dump = { state, family };
	unsigned before = state->n_rules;
	struct fib_rule_hdr *rule;
	int rc;

	do {
		state->n_rules = before;
		rtnl_request(&state->rtnl, RTM_GETRULE, NLM_F_DUMP, &rule, sizeof(*rule));
		rule->family = address_families[family];
		rc = rtnl_get(&state->rtnl, rule_cb, &dump);
	} while (rc == -EINTR);
	/* A kernel without policy routing, or without the family, has no rules. */
	return rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP ? 0 : rc;
}

static int dump_routes(struct plumbing_state *state, enum family family)
{
	struct dump dump = { state, family };
	unsigned before = state->n_routes;
	struct rtmsg *route;
	int rc;

	do {
		state->n_routes = before;
		rtnl_request(&state->rtnl, RTM_GETROUTE, NLM_F_DUMP, &route, sizeof(*route));
		route->rtm_family = address_families[family];
		rc = rtnl_get(&state->rtnl, route_cb, &dump);
	} while (rc == -EINTR);
	return rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP ? 0 : rc;
}

int plumbing_read_rules(struct plumbing_state *state)
{
	int rc = 0;

	state->n_rules = state->n_routes = 0;
	for (enum family f = 0; f < FAMILIES && !rc; f++) {
		unsigned before = state->n_rules;

		rc = dump_rules(state, f);
		/* Without a rule that leads to it a route means nothing. */
		if (!rc && (state->n_rules > before || state->want.nothing || state->want.tproxy & FAMILY_BIT(f)))
			rc = dump_routes(state, f);
	}
	return rc;
}
