/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "resolv.h"

#include <string.h>

#include "log.h"
#include "quote.h"
#include "unique.h"
#include "util.h"

#define BLANKS " \t\r"
#define RESOLV_CONF_MAX (1u << 20)

static void add_server(const char *word, struct cidr_list *servers)
{
	char quoted[QUOTE_MAX];
	struct prefix prefix = { 0 };
	struct prefix_list *of;
	bool loopback;

	if (strchr(word, '%')) {
		log_warn("the nameserver %s is link-local with a zone: DNS to it is not captured", quote(word, quoted));
		return;
	}
	if (strchr(word, '/') || prefix_parse(word, &prefix, &loopback)) {
		log_warn("the nameserver %s is no IP address: DNS to it is not captured", quote(word, quoted));
		return;
	}
	of = &servers->of[prefix.family];
	*(struct prefix *)array_push(&of->items, &of->n, sizeof(*of->items)) = prefix;
}

int resolv_read(const char *path, struct cidr_list *servers, struct err *err)
{
	auto_free char *text = NULL;
	char quoted[QUOTE_MAX];
	size_t len;
	int ret = read_file(path, RESOLV_CONF_MAX, &text, &len);

	if (ret < 0) {
		err_set(err, STATUS_FAILED, -ret, "cannot read the DNS servers from %s: %s", quote(path, quoted),
			strerror(-ret));
		err_hint(err, "name the file with --resolv-conf, or capture all of port 53 with --capture-all-dns");
		return ret;
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
