/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: telling a node with pods from a machine of its own; interfaces without an address; routes. */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "links.h"
#include "route/route.h"
#include "util.h"

struct link_attrs {
	bool veth, peer_elsewhere;
};

static int info_cb(const struct nlattr *attr, void *data)
{
	struct link_attrs *link = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		link->veth = !strcmp(mnl_attr_get_str(attr), "veth");
	return MNL_CB_OK;
}

static int attr_cb(const struct nlattr *attr, void *data)
{
	struct link_attrs *link = data;

	if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
		mnl_attr_parse_nested(attr, info_cb, link);
	/* Only a peer in another netns has the id of one. */
	if (mnl_attr_get_type(attr) == IFLA_LINK_NETNSID)
		link->peer_elsewhere = true;
	return MNL_CB_OK;
}

static void see_link(const struct nlmsghdr *nlh, void *data)
{
	struct link_attrs link = { false, false };

	mnl_attr_parse(nlh, sizeof(struct ifinfomsg), attr_cb, &link);
	if (link.veth && link.peer_elsewhere)
		*(bool *)data = true;
}

static void forget_links(void *data)
{
	*(bool *)data = false;
}

const struct rtnl_query links_query = { RTM_GETLINK, sizeof(struct ifinfomsg), see_link, forget_links, NULL };

int netns_has_pod_links(struct err *err)
{
	struct rtnl rtnl = { 0 };
	bool found = false;
	int rc = rtnl_open(&rtnl);

	if (rc)
		return route_fail(ROUTE_STEP_SOCKET, rc, err);
	rc = rtnl_dump(&rtnl, &links_query, &found);
	rtnl_close(&rtnl);
	return rc ? route_fail(ROUTE_STEP_LINKS, rc, err) : found;
}

bool netns_link_lacks_ipv4(const char *name)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	return fd >= 0 && ioctl(fd, SIOCGIFADDR, &request) && errno == EADDRNOTAVAIL;
}

bool netns_link_is_missing(const char *name)
{
	return !if_nametoindex(name) && errno == ENODEV;
}

static int route_cb(const struct nlattr *attr, void *data)
{
	struct netns_route *route = data;
	uint16_t len = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) == RTA_OIF && len == sizeof(uint32_t) && !route->oif[0] &&
	    !if_indextoname(mnl_attr_get_u32(attr), route->oif))
		route->oif[0] = '\0';
	if (mnl_attr_get_type(attr) == RTA_PREFSRC && len <= sizeof(route->src)) {
		memcpy(route->src, mnl_attr_get_payload(attr), len);
		route->has_src = true;
	}
	return MNL_CB_OK;
}

static void see_type(const struct nlmsghdr *nlh, void *data)
{
	*(bool *)data = ((const struct rtmsg *)mnl_nlmsg_get_payload(nlh))->rtm_type == RTN_LOCAL;
}

/* @iif: 0 for a packet that is sent.  The errors of blackhole and its like, and of no route at all, are answers. */
static int ask_type(const struct netns_flow *flow, unsigned iif)
{
	static const struct rtnl_query query = { RTM_NEWROUTE, sizeof(struct rtmsg), see_type, NULL, NULL };
	size_t len = family_addr_len(flow->family);
	struct rtnl rtnl = { 0 };
	struct rtmsg *header;
	struct nlmsghdr *nlh;
	bool local = false;
	int rc = rtnl_open(&rtnl);

	if (rc)
		return rc;
	nlh = rtnl_request(&rtnl, RTM_GETROUTE, 0, &header, sizeof(*header));
	header->rtm_family = family_af(flow->family);
	header->rtm_dst_len = (uint8_t)(len * 8);
	mnl_attr_put(nlh, RTA_DST, len, flow->dst);
	mnl_attr_put_u32(nlh, RTA_MARK, flow->mark);
	if (iif) {
		header->rtm_src_len = (uint8_t)(len * 8);
		mnl_attr_put(nlh, RTA_SRC, len, flow->src);
		mnl_attr_put_u32(nlh, RTA_IIF, iif);
	}
	rc = rtnl_get(&rtnl, &query, &local);
	if (rc && rtnl.answered && !iif)
		rc = 0;
	rtnl_close(&rtnl);
	return rc ? rc : local;
}

int netns_delivers(const struct netns_flow *flow)
{
	unsigned iif = flow->iif ? if_nametoindex(flow->iif) : 0;
	int rc = iif ? ask_type(flow, iif) : -ENODEV;

	/* A source that the kernel takes for forged may only be a default of ours. */
	return rc < 0 ? ask_type(flow, 0) : rc;
}

static void see_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(nlh);
	struct netns_route *route = data;

	/* IPv6 names the link that has the address, but what is sent to it goes over lo. */
	if (header->rtm_type == RTN_LOCAL)
		strcpy(route->oif, "lo");
	mnl_attr_parse(nlh, sizeof(*header), route_cb, route);
}

bool netns_find_route(struct netns_route *route, enum family family, const uint8_t *dst, uint32_t mark)
{
	static const struct rtnl_query query = { RTM_NEWROUTE, sizeof(struct rtmsg), see_route, NULL, NULL };
	struct rtnl rtnl = { 0 };
	struct rtmsg *header;
	struct nlmsghdr *nlh;
	int rc = rtnl_open(&rtnl);

	memset(route, 0, sizeof(*route));
	if (rc)
		return false;
	nlh = rtnl_request(&rtnl, RTM_GETROUTE, 0, &header, sizeof(*header));
	header->rtm_family = family_af(family);
	header->rtm_dst_len = (uint8_t)(family_addr_len(family) * 8);
	mnl_attr_put(nlh, RTA_DST, family_addr_len(family), dst);
	mnl_attr_put_u32(nlh, RTA_MARK, mark);
	rc = rtnl_get(&rtnl, &query, route);
	rtnl_close(&rtnl);
	return !rc && route->oif[0];
}
