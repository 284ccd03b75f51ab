/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "OPTION=TEXT".  What was taken is in range, and its own text says the same again. */
#include "fuzz.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "cli.h"
#include "log.h"
#include "util.h"

#include "../../src/cli/values.h"

static void put_ranges(FILE *out, const struct range_list *list, uint32_t lowest, uint32_t highest)
{
	FUZZ_CHECK(!list->all || !list->n);
	if (list->all)
		fputs("*", out);
	for (uint32_t i = 0; i < list->n; i++) {
		const struct range *r = &list->items[i];

		FUZZ_CHECK(lowest <= r->lo && r->lo <= r->hi && r->hi <= highest);
		fprintf(out, r->lo == r->hi ? "%s%u" : "%s%u-%u", i ? "," : "", r->lo, r->hi);
	}
}

static void put_cidrs(FILE *out, const struct cidr_list *list)
{
	char text[PREFIX_TEXT_MAX];

	if (list->all)
		fputs("*", out);
	for (enum family f = 0; f < FAMILIES; f++)
		for (uint32_t i = 0; i < list->of[f].n; i++) {
			const struct prefix *prefix = &list->of[f].items[i];

			FUZZ_CHECK(prefix->family == f && prefix->len <= 8 * family_addr_len(f) &&
				   prefix_contains(prefix, prefix));
			fprintf(out, "%s,", prefix_text(prefix, text));
		}
}

static void put_port_owners(FILE *out, const struct port_owner_list *list)
{
	for (uint32_t i = 0; i < list->n; i++) {
		FUZZ_CHECK(list->items[i].ports.n && list->items[i].uids.n);
		fputs(list->items[i].proto == IPPROTO_TCP ? "tcp:" : "udp:", out);
		put_ranges(out, &list->items[i].ports, 1, UINT16_MAX);
		fputs(":", out);
		put_ranges(out, &list->items[i].uids, 0, OWNER_ID_MAX);
		fputs(";", out);
	}
}

/* The value in a spelling that the option takes; false for those that are words. */
static bool put_value(FILE *out, const struct parse *p)
{
	const void *field = (const char *)&p->settings + p->option->field;
	const struct mark *mark = &p->settings.cfg.bypass_mark;
	char text[PREFIX_TEXT_MAX];

	switch ((enum option_type)p->option->type) {
	case TYPE_PORT:
		FUZZ_CHECK(*(const uint16_t *)field);
		return fprintf(out, "%u", *(const uint16_t *)field) > 0;
	case TYPE_PORTS:
	case TYPE_PORTS_OR_ALL:
	case TYPE_PORTS_EXCLUDED:
		put_ranges(out, field, 1, UINT16_MAX);
		return true;
	case TYPE_PROXY_UIDS:
	case TYPE_GIDS:
	case TYPE_GIDS_OR_ALL:
	case TYPE_UID_RANGES:
	case TYPE_GID_RANGES:
		put_ranges(out, field, 0, OWNER_ID_MAX);
		return true;
	case TYPE_CIDRS:
	case TYPE_CIDRS_OR_ALL:
		put_cidrs(out, field);
		return true;
	case TYPE_IFACES:
		for (uint32_t i = 0; i < ((const struct iface_list *)field)->n; i++)
			fprintf(out, "%s,", ((const struct iface_list *)field)->items[i].name);
		return true;
	case TYPE_PORT_OWNERS:
		put_port_owners(out, field);
		return true;
	case TYPE_TPROXY_MARK:
	case TYPE_TPROXY_TABLE:
		FUZZ_CHECK(*(const uint32_t *)field);
		return fprintf(out, "%u", *(const uint32_t *)field) > 0;
	case TYPE_BYPASS_MARK:
		FUZZ_CHECK(!p->settings.cfg.has_bypass_mark || (mark->value && !(mark->value & ~mark->mask)));
		if (p->settings.cfg.has_bypass_mark)
			fprintf(out, "%u/0x%x", mark->value, mark->mask);
		return true;
	case TYPE_LOOPBACK:
		FUZZ_CHECK(((const struct prefix *)field)->addr[0] == 127);
		return fputs(prefix_text(field, text), out) > 0;
	case TYPE_TIMEOUT:
		FUZZ_CHECK(*(const uint32_t *)field);
		return fprintf(out, "%ums", *(const uint32_t *)field) > 0;
	case TYPE_DURATION:
		return fprintf(out, "%ums", *(const uint32_t *)field) > 0;
	default:
		return false;
	}
}

/* Parses @text; the value's own text in *@own, caller frees; NULL if it was refused or is a word. */
static bool take(enum option_id id, const char *text, char **own)
{
	struct parse p = { .owners = { .passwd_path = "passwd", .group_path = "group" } };
	struct err err = { 0 };
	size_t size;
	FILE *out;
	bool ok;
	int rc;

	p.given[id].text = text;
	p.given[id].source = SOURCE_OPTION;
	rc = value_parse(&p, id, &err);
	*own = NULL;
	FUZZ_CHECK(rc <= 0);
	if (rc)
		FUZZ_CHECK(err.status == STATUS_USAGE && err.what[0] && !strchr(err.what, '\n'));
	if (!rc) {
		out = open_memstream(own, &size);
		ok = put_value(out, &p);
		fclose(out);
		if (!ok) {
			free(*own);
			*own = NULL;
		}
	}
	if (options[id].type == TYPE_LOG_TARGET && p.settings.cfg.log.fd > STDERR_FILENO)
		close(p.settings.cfg.log.fd);
	owners_free(&p.owners);
	free(p.uid_groups.items);
	config_free(&p.settings.cfg);
	return !rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char owners[] = "root:x:0:0:root:/root:/bin/sh\nproxy:x:1337:1338::/:\n";
	char *copy = xcalloc(size + 1, 1), *text, *own = NULL, *again;
	const struct option *option;
	enum option_id id;

	memcpy(copy, data, size);
	text = strchr(copy, '=');
	if (text)
		*text++ = '\0';
	option = text ? fuzz_option(copy) : NULL;
	if (!option) {
		free(copy);
		return -1;
	}
	id = (enum option_id)(option - options);
	fuzz_files_begin(owners, sizeof(owners) - 1);
	if (take(id, text, &own) && own) {
		FUZZ_CHECK(take(id, own, &again));
		FUZZ_CHECK(again && !strcmp(own, again));
		free(again);
	}
	fuzz_files_end();
	free(own);
	free(copy);
	return 0;
}
