/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "resolv.h"

#include <arpa/inet.h>
#include <string.h>

#include "log.h"
#include "quote.h"
#include "unique.h"
#include "util.h"

#define BLANKS " \t\r"
#define RESOLV_CONF_MAX (1u << 20)

/* An address as resolvers take it: with a zone if it is IPv6, IPv4 also as IPv4-mapped IPv6. */
static bool server_parse(char *word, struct prefix *server)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char *zone = strchr(word, '%');
	uint8_t addr[16];

	*server = (struct prefix){ .family = IPV4, .len = 32 };
	if (!zone && inet_pton(AF_INET, word, server->addr) == 1)
		return true;
	if (zone)
		*zone = '\0';
	if (inet_pton(AF_INET6, word, addr) != 1)
		return false;
	if (!memcmp(addr, mapped, sizeof(mapped))) {
		memcpy(server->addr, addr + sizeof(mapped), 4);
		return true;
	}
	*server = (struct prefix){ .family = IPV6, .len = 128 };
	memcpy(server->addr, addr, sizeof(addr));
	return true;
}

static void add_server(char *word, struct cidr_list *servers)
{
	char quoted[QUOTE_MAX];
	struct prefix server;
	struct prefix_list *of;

	quote(word, quoted);
	if (!server_parse(word, &server)) {
		log_warn("the nameserver %s is no IP address: DNS to it is not captured", quoted);
		return;
	}
	of = &servers->of[server.family];
	*(struct prefix *)array_push(&of->items, &of->n, sizeof(*of->items)) = server;
}

int resolv_read(const char *path, struct cidr_list *servers, struct err *err)
{
	auto_free char *text = NULL;
	char quoted[QUOTE_MAX];
	size_t len;
	int rc = read_file(path, RESOLV_CONF_MAX, &text, &len);

	if (rc < 0) {
		err_set(err, STATUS_FAILED, -rc, "cannot read the DNS servers from %s: %s", quote(path, quoted),
			strerror(-rc));
		err_hint(err, "name the file with --resolv-conf, or capture all of port 53 with --capture-all-dns");
		return rc;
	}
	for (char *line = text, *next; line; line = next) {
		char *word, *rest;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		word = strtok_r(line, BLANKS, &rest);
		if (word && !strcmp(word, "nameserver") && (word = strtok_r(NULL, BLANKS, &rest)))
			add_server(word, servers);
	}
	for (enum family f = 0; f < FAMILIES; f++)
		servers->of[f].n = items_unique(servers->of[f].items, servers->of[f].n, sizeof(struct prefix));
	return 0;
}
