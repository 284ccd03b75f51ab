/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: telling a node with pods from a machine of its own; interfaces without an address. */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "plumbing_state.h"
#include "system.h"
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

const struct rtnl_query links_query = { RTM_GETLINK, sizeof(struct ifinfomsg), see_link, forget_links };

int netns_has_pod_links(struct err *err)
{
	struct rtnl rtnl = { 0 };
	bool found = false;
	int rc = rtnl_open(&rtnl);

	if (rc)
		return plumbing_fail(STEP_SOCKET, rc, err);
	rc = rtnl_dump(&rtnl, &links_query, &found);
	rtnl_close(&rtnl);
	return rc ? plumbing_fail(STEP_LINKS, rc, err) : found;
}

bool netns_link_lacks_ipv4(const char *name)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	return fd >= 0 && ioctl(fd, SIOCGIFADDR, &request) && errno == EADDRNOTAVAIL;
}
