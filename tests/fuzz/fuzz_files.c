/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first line says what the rest is: "resolv.conf", "passwd" (or group), or a list for the option of that name. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "util.h"

#include "../../src/cli/values.h"
#include "../../src/cli/resolv.h"

static void read_resolv_conf(void)
{
	struct cidr_list servers = { .all = false };
	struct err err = { 0 };

	FUZZ_CHECK(!resolv_read("resolv.conf", &servers, &err));
	for (enum family f = 0; f < FAMILIES; f++) {
		for (uint32_t i = 0; i < servers.of[f].n; i++) {
			const struct prefix *server = &servers.of[f].items[i];

			FUZZ_CHECK(server->family == f && server->len == 8 * family_addr_len(f));
			for (uint32_t k = 0; k < i; k++)
				FUZZ_CHECK(!prefix_equal(server, &servers.of[f].items[k]));
		}
		free(servers.of[f].items);
	}
}

/* Every first field of the file is asked for. */
static void find_owners(const uint8_t *data, size_t size)
{
	struct owners owners = { .passwd_path = "passwd", .group_path = "group" };
	char *copy = xcalloc(size + 1, 1);
	uint32_t uid, gid;

	memcpy(copy, data, size);
	for (char *line = copy, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line[strcspn(line, ":")] = '\0';
		if (owners_find_user(&owners, line, &uid, &gid))
			FUZZ_CHECK(uid <= OWNER_ID_MAX && gid <= OWNER_ID_MAX);
		if (owners_find_group(&owners, line, &gid))
			FUZZ_CHECK(gid <= OWNER_ID_MAX);
	}
	FUZZ_CHECK(!owners_find_user(&owners, "", &uid, &gid));
	owners_free(&owners);
	free(copy);
}

static void read_list(const struct option *option)
{
	enum option_id id = (enum option_id)(option - options);
	struct parse p = { .owners = { .passwd_path = "passwd", .group_path = "group" } };
	struct err err = { 0 };

	p.given[id].text = "@list";
	p.given[id].source = SOURCE_OPTION;
	if (value_parse(&p, id, &err))
		FUZZ_CHECK(err.status == STATUS_USAGE && err.what[0] && !strchr(err.what, '\n'));
	owners_free(&p.owners);
	free(p.uid_groups.items);
	config_free(&p.settings.cfg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	const struct option *option;
	char name[64] = "";
	size_t n;

	if (!end || (size_t)(end - data) >= sizeof(name))
		return -1;
	n = (size_t)(end++ - data);
	memcpy(name, data, n);
	size -= n + 1;
	option = fuzz_option(name);
	fuzz_files_begin((const char *)end, size);
	if (!strcmp(name, "resolv.conf"))
		read_resolv_conf();
	else if (!strcmp(name, "passwd"))
		find_owners(end, size);
	else if (option)
		read_list(option);
	fuzz_files_end();
	return 0;
}
