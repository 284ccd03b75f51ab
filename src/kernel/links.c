/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telling a node with pods from a machine of its own. */
#include <errno.h>
#include <string.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "rtnl.h"
#include "system.h"

struct link_attrs {
	bool veth, peer_elsewhere;
};

static int info_cb(const struct nlattr *attr, void *data)
{
	struct link_attrs *link = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND && !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
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

static int link_cb(const struct nlmsghdr *nlh, void *data)
{
	struct link_attrs link = { false, false };

	mnl_attr_parse(nlh, sizeof(struct ifinfomsg), attr_cb, &link);
	if (link.veth && link.peer_elsewhere)
		*(bool *)data = true;
	return MNL_CB_OK;
}

int netns_has_pod_links(struct err *err)
{
	struct rtnl rtnl = { 0 };
	struct ifinfomsg *link;
	bool found;
	int rc = rtnl_open(&rtnl);

	if (!rc)
		do {
			found = false;
			rtnl_request(&rtnl, RTM_GETLINK, NLM_F_DUMP, &link, sizeof(*link));
			rc = rtnl_get(&rtnl, link_cb, &found);
		} while (rc == -EINTR);
	rtnl_close(&rtnl);
	if (rc)
		return err_set(err, STATUS_FAILED, -rc, "cannot read the links of this network namespace: %s", strerror(-rc));
	return found;
}
