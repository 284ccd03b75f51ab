/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is live: lo; addresses, ip rules and routes from one dump each (rtnetlink(7), linux/fib_rules.h). */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "route/route.h"
#include "util.h"

#define ATTR_BIT(type) (1ull << (type))
/* Stands for all types from here on: none of them is one that we read. */
#define ATTR_MORE 31

struct attrs {
	const struct nlattr *at[ATTR_MORE + 1];
	uint64_t seen; /* mask of types */
};

static int attr_cb(const struct nlattr *attr, void *data)
{
	uint16_t type = mnl_attr_get_type(attr);
	struct attrs *attrs = data;

	if (type > ATTR_MORE)
		type = ATTR_MORE;
	attrs->at[type] = attr;
	attrs->seen |= ATTR_BIT(type);
	return MNL_CB_OK;
}

static void parse_attrs(const struct nlmsghdr *nlh, size_t header, struct attrs *attrs)
{
	memset(attrs, 0, sizeof(*attrs));
	mnl_attr_parse(nlh, (unsigned)header, attr_cb, attrs);
}

static uint32_t attr_u32(const struct attrs *attrs, uint16_t type, uint32_t absent)
{
	const struct nlattr *attr = attrs->at[type];

	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ? mnl_attr_get_u32(attr) : absent;
}

static uint8_t attr_u8(const struct attrs *attrs, uint16_t type, uint8_t absent)
{
	const struct nlattr *attr = attrs->at[type];

	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint8_t) ? mnl_attr_get_u8(attr) : absent;
}

/* A dump of all families shows also those that are not ours. */
static bool family_from_af(uint8_t af, enum family *family)
{
	*family = af == AF_INET6 ? IPV6 : IPV4;
	return af == AF_INET || af == AF_INET6;
}

static void see_lo(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(nlh);
	struct route_reading *reading = data;

	reading->routes.lo_up = link->ifi_flags & IFF_UP;
}

/* ::1, ::6 */
static bool is_small6(const struct prefix *prefix, uint8_t last)
{
	uint8_t addr[16] = { [15] = last };

	return prefix->family == IPV6 && !memcmp(prefix->addr, addr, sizeof(addr));
}

/* Neither loopback nor link-local (RFC 3927, RFC 4291), nor what we add ourselves. */
static bool is_global(const struct prefix *prefix)
{
	const uint8_t *addr = prefix->addr;

	if (prefix->family == IPV4)
		return addr[0] != 127 && !(addr[0] == 169 && addr[1] == 254);
	return !is_small6(prefix, 1) && !is_small6(prefix, 6) && !(addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80);
}

static void see_lo_address(struct route_reading *reading, const struct route_object *address)
{
	reading->routes.lo_has_ipv4 |= address->family == IPV4;
	reading->lo_has_ipv6 |= address->family == IPV6;
	if (!is_small6(&address->address, 6))
		return;
	reading->inbound6 = *address;
	reading->routes.inbound6 = &reading->inbound6;
}

static void see_address(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct route_object address = { .kind = ROUTE_ADDRESS, .address.len = ifa->ifa_prefixlen };
	struct route_reading *reading = data;
	const struct nlattr *attr;
	struct attrs attrs;
	enum family family;

	parse_attrs(nlh, sizeof(*ifa), &attrs);
	/* IFA_ADDRESS is the peer's where there is one. */
	attr = attrs.at[IFA_LOCAL] ? attrs.at[IFA_LOCAL] : attrs.at[IFA_ADDRESS];
	if (!family_from_af(ifa->ifa_family, &family) || !attr || mnl_attr_get_payload_len(attr) != family_addr_len(family))
		return;
	address.family = address.address.family = (uint8_t)family;
	memcpy(address.address.addr, mnl_attr_get_payload(attr), family_addr_len(family));
	address.flags = attr_u32(&attrs, IFA_FLAGS, ifa->ifa_flags);
	if (ifa->ifa_index == LO_INDEX)
		see_lo_address(reading, &address);
	if (is_global(&address.address))
		reading->routes.global |= FAMILY_BIT(family);
}

static void forget_addresses(void *data)
{
	struct route_reading *reading = data;

	reading->routes.global = 0;
	reading->routes.lo_has_ipv4 = reading->lo_has_ipv6 = false;
	reading->routes.inbound6 = NULL;
}

static void add_object(struct route_reading *reading, const struct route_object *object)
{
	*(struct route_object *)array_push(&reading->routes.objects, &reading->routes.n, sizeof(*object)) = *object;
}

/* Whether a dump of routes is about it. */
static bool is_asked_for(const struct route_reading *reading, enum family family, uint32_t table)
{
	return !reading->table || (table == reading->table && family == reading->family);
}

/* A dump that begins anew: of what it does not show, what is there stays. */
static void forget_kind(struct route_reading *reading, enum route_kind kind)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < reading->routes.n; i++) {
		const struct route_object *object = &reading->routes.objects[i];

		if (object->kind != kind || (kind == ROUTE_ROUTE && !is_asked_for(reading, object->family, object->table)))
			reading->routes.objects[kept++] = *object;
	}
	reading->routes.n = kept;
}

/* "fwmark 0x111/0xfff lookup 100" and that table's route (cni/pkg/config/config.go of Istio). */
#define AMBIENT_MARK 0x111
#define AMBIENT_MASK 0xfff
#define AMBIENT_TABLE 100

/* Whatever else a rule says makes it somebody else's.  The kernel says FRA_SUPPRESS_PREFIXLEN of every rule. */
static bool rule_is_plain(const struct fib_rule_hdr *rule, const struct attrs *attrs)
{
	const uint64_t plain = ATTR_BIT(FRA_PRIORITY) | ATTR_BIT(FRA_FWMARK) | ATTR_BIT(FRA_FWMASK) |
			       ATTR_BIT(FRA_TABLE) | ATTR_BIT(FRA_PROTOCOL) | ATTR_BIT(FRA_SUPPRESS_PREFIXLEN);

	return !rule->src_len && !rule->dst_len && !rule->tos && !rule->flags && !(attrs->seen & ~plain) &&
	       attr_u32(attrs, FRA_FWMARK, 0) && attr_u32(attrs, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX) == UINT32_MAX;
}

static void see_rule(const struct nlmsghdr *nlh, void *data)
{
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(nlh);
	struct route_reading *reading = data;
	struct attrs attrs;
	enum family family;
	uint32_t table, mark, mask;
	bool plain;

	parse_attrs(nlh, sizeof(*rule), &attrs);
	table = attr_u32(&attrs, FRA_TABLE, rule->table);
	mark = attr_u32(&attrs, FRA_FWMARK, 0);
	mask = attr_u32(&attrs, FRA_FWMASK, UINT32_MAX);
	plain = rule_is_plain(rule, &attrs);
	if (!family_from_af(rule->family, &family) || rule->action != FR_ACT_TO_TBL || table == RT_TABLE_UNSPEC ||
	    table == RT_TABLE_LOCAL || table == RT_TABLE_MAIN || table == RT_TABLE_DEFAULT)
		return;
	add_object(reading,
		   &(struct route_object){
			   .kind = ROUTE_RULE,
			   .family = (uint8_t)family,
			   .mark = mark,
			   .mask = mask,
			   .table = table,
			   .priority = attr_u32(&attrs, FRA_PRIORITY, 0),
			   .protocol = attr_u8(&attrs, FRA_PROTOCOL, RTPROT_UNSPEC),
			   .plain = plain && mask == UINT32_MAX,
			   .ambient = plain && mask == AMBIENT_MASK && mark == AMBIENT_MARK && table == AMBIENT_TABLE,
		   });
}

static void forget_rules(void *data)
{
	forget_kind(data, ROUTE_RULE);
}

/* The kernel says RTA_PRIORITY, RTA_CACHEINFO and RTA_PREF of every IPv6 route. */
static bool route_is_plain(const struct rtmsg *route, const struct attrs *attrs)
{
	const uint64_t plain = ATTR_BIT(RTA_TABLE) | ATTR_BIT(RTA_OIF) | ATTR_BIT(RTA_PRIORITY) |
			       ATTR_BIT(RTA_CACHEINFO) | ATTR_BIT(RTA_PREF);

	return route->rtm_type == RTN_LOCAL && !route->rtm_dst_len && !route->rtm_src_len && !route->rtm_tos &&
	       !(attrs->seen & ~plain) && attr_u32(attrs, RTA_OIF, 0) == LO_INDEX;
}

static void see_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(nlh);
	struct route_reading *reading = data;
	struct attrs attrs;
	enum family family;
	uint32_t table;

	parse_attrs(nlh, sizeof(*route), &attrs);
	table = attr_u32(&attrs, RTA_TABLE, route->rtm_table);
	if (!family_from_af(route->rtm_family, &family) || !is_asked_for(reading, family, table) ||
	    !route_is_plain(route, &attrs))
		return;
	add_object(reading, &(struct route_object){
				    .kind = ROUTE_ROUTE,
				    .family = (uint8_t)family,
				    .table = table,
				    .priority = attr_u32(&attrs, RTA_PRIORITY, 0),
				    .protocol = route->rtm_protocol,
				    .scope = route->rtm_scope,
				    .ambient = table == AMBIENT_TABLE,
			    });
}

static void forget_routes(void *data)
{
	forget_kind(data, ROUTE_ROUTE);
}

static void narrow_routes(struct nlmsghdr *nlh, void *header, const void *data)
{
	const struct route_reading *reading = data;
	struct rtmsg *route = header;

	if (!reading->table)
		return;
	route->rtm_family = family_af(reading->family);
	route->rtm_type = RTN_LOCAL;
	mnl_attr_put_u32(nlh, RTA_TABLE, reading->table);
}

const struct rtnl_query route_query_lo = { RTM_GETLINK, sizeof(struct ifinfomsg), see_lo, NULL, NULL };
const struct rtnl_query route_query_addresses = { RTM_GETADDR, sizeof(struct ifaddrmsg), see_address, forget_addresses,
						  NULL };
const struct rtnl_query route_query_rules = { RTM_GETRULE, sizeof(struct fib_rule_hdr), see_rule, forget_rules, NULL };
const struct rtnl_query route_query_routes = { RTM_GETROUTE, sizeof(struct rtmsg), see_route, forget_routes, narrow_routes };

static int read_lo_flags(struct rtnl *rtnl, struct route_reading *reading)
{
	struct ifreq request = { .ifr_name = "lo" };
	struct ifinfomsg *link;

	/* netdevice(7): any socket will do, and the kernel need not describe the whole link. */
	if (!ioctl(netlink_fd(&rtnl->link), SIOCGIFFLAGS, &request)) {
		reading->routes.lo_up = request.ifr_flags & IFF_UP;
		return 0;
	}
	rtnl_request(rtnl, RTM_GETLINK, 0, &link, sizeof(*link));
	link->ifi_index = LO_INDEX;
	return rtnl_get(rtnl, &route_query_lo, reading);
}

/* The kernel lets no device have an IPv6 address while sysctl shuts it off; without one (lo may be down) ask sysctl. */
static bool has_ipv6(const struct route_reading *reading)
{
	auto_free char *text = NULL;
	size_t len;

	if (reading->lo_has_ipv6)
		return true;
	return !read_file("/proc/sys/net/ipv6/conf/lo/disable_ipv6", 16, &text, &len) && text[0] == '0';
}

int route_read_lo(struct rtnl *rtnl, struct route_reading *reading)
{
	int rc = read_lo_flags(rtnl, reading);

	rc = rc ? rc : rtnl_dump(rtnl, &route_query_addresses, reading);
	if (!rc)
		reading->routes.has_ipv6 = has_ipv6(reading);
	return rc;
}

int route_read_rules(struct rtnl *rtnl, struct route_reading *reading)
{
	int rc = rtnl_dump(rtnl, &route_query_rules, reading);

	/* A kernel without policy routing has no rules. */
	return rtnl->answered && (rc == -EOPNOTSUPP || rc == -EAFNOSUPPORT) ? 0 : rc;
}

/* @table: 0 for all of all families. */
static int read_table(struct rtnl *rtnl, struct route_reading *reading, enum family family, uint32_t table)
{
	int rc;

	reading->family = family;
	reading->table = table;
	rc = rtnl_dump(rtnl, &route_query_routes, reading);
	/* There is no such table, or no such family. */
	return rtnl->answered && (rc == -ENOENT || rc == -EOPNOTSUPP || rc == -EAFNOSUPPORT) ? 0 : rc;
}

static bool is_plain_rule(const struct route_object *object)
{
	return object->kind == ROUTE_RULE && (object->plain || object->ambient);
}

/* Whether one of the @n first rules leads where this one does. */
static bool is_led_to(const struct routes *routes, unsigned n, const struct route_object *rule)
{
	for (unsigned i = 0; i < n; i++)
		if (is_plain_rule(&routes->objects[i]) && routes->objects[i].family == rule->family &&
		    routes->objects[i].table == rule->table)
			return true;
	return false;
}

/* Without a rule that leads to it a route means nothing, but to who wants it, and to a clean after a run that was killed. */
int route_read_routes(struct rtnl *rtnl, struct route_reading *reading, uint32_t table)
{
	const struct routes *routes = &reading->routes;
	unsigned n = routes->n;
	bool any = table;
	int rc = 0;

	for (unsigned i = 0; i < n && !any; i++)
		any = is_plain_rule(&routes->objects[i]);
	if (!any)
		return 0;
	if (!rtnl_narrow(rtnl))
		return read_table(rtnl, reading, IPV4, 0);
	for (enum family f = 0; f < FAMILIES && table && !rc; f++)
		rc = read_table(rtnl, reading, f, table);
	for (unsigned i = 0; i < n && !rc; i++) {
		const struct route_object rule = routes->objects[i]; /* they move while routes are added */

		if (is_plain_rule(&rule) && rule.table != table && !is_led_to(routes, i, &rule))
			rc = read_table(rtnl, reading, rule.family, rule.table);
	}
	return rc;
}

void route_reading_free(struct route_reading *reading)
{
	free(reading->routes.objects);
}
