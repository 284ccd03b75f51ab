/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

static bool has_cidrs(const struct cidr_list *list)
{
	return list->all || list->of[IPV4].n || list->of[IPV6].n;
}

bool config_captures(const struct config *cfg)
{
	bool dns = cfg->redirect_dns && (cfg->capture_all_dns || has_cidrs(&cfg->dns_servers));

	return cfg->inbound_ports.all || cfg->inbound_ports.n || has_cidrs(&cfg->outbound_cidrs) ||
	       cfg->outbound_ports.n || dns;
}

static void cidrs_free(struct cidr_list *list)
{
	for (enum family f = 0; f < FAMILIES; f++)
		free(list->of[f].items);
}

void config_free(struct config *cfg)
{
	struct range_list *ranges[] = {
		&cfg->proxy_uids,     &cfg->proxy_gids,
		&cfg->inbound_ports,  &cfg->inbound_ports_exclude,
		&cfg->outbound_ports, &cfg->outbound_ports_exclude,
		&cfg->owner_groups,   &cfg->owner_groups_exclude,
		&cfg->exclude_uids,   &cfg->exclude_gids,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++)
		free(ranges[i]->items);
	cidrs_free(&cfg->outbound_cidrs);
	cidrs_free(&cfg->outbound_cidrs_exclude);
	cidrs_free(&cfg->exclude_inbound_cidrs);
	cidrs_free(&cfg->dns_servers);
	free(cfg->exclude_ifaces.items);
	free(cfg->virt_ifaces.items);
	free(cfg->inner_ifaces.items);
	for (uint32_t i = 0; i < cfg->exclude_ports_for_uids.n; i++) {
		free(cfg->exclude_ports_for_uids.items[i].ports.items);
		free(cfg->exclude_ports_for_uids.items[i].uids.items);
	}
	free(cfg->exclude_ports_for_uids.items);
	free(cfg->words);
	memset(cfg, 0, sizeof(*cfg));
}
