/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists: split, trimmed, read from @PATH, parsed item by item, freed of duplicates. */
#include "lists.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "item.h"
#include "quote.h"
#include "unique.h"
#include "util.h"

/* A list of a million CIDRs is some 20 MB. */
#define LIST_FILE_MAX (64u << 20)

/* Parses @word and adds it to the list; returns what was expected instead, or NULL. */
typedef const char *item_adder(struct parse *p, const char *word, void *list);

struct list_reader {
	struct parse *p;
	item_adder *add;
	void *list;
	bool *all;   /* set by '*'; NULL: the list does not know it */
	bool others; /* there is an item that is not '*' */
	const char *path;
	unsigned line;
};

static void range_push(struct range_list *list, struct range range)
{
	*(struct range *)array_push(&list->items, &list->n, sizeof(*list->items)) = range;
}

static const char *port_add(struct parse *p, const char *word, void *list)
{
	struct range port;
	const char *expected = port_parse(word, &port);

	(void)p;
	if (!expected)
		range_push(list, port);
	return expected;
}

/* Injectors let 0 pass, and leaving it out lets nothing pass that was to be captured or not. */
static const char *excluded_port_add(struct parse *p, const char *word, void *list)
{
	char names[OPTION_NAMES_MAX];
	uint32_t port;

	if (!number_parse(word, 0, &port))
		return port_add(p, word, list);
	if (!p->refused)
		log_warn("%s: 0 is no port: ignored", option_source(p, p->option, names));
	return NULL;
}

static const char *cidr_add(struct parse *p, const char *word, void *field)
{
	struct cidr_list *list = field;
	struct prefix prefix = { 0 };
	struct prefix_list *of;
	bool loopback = false;
	const char *expected = strcmp(word, "*") ? prefix_parse(word, &prefix, &loopback) :
						   "CIDRs ('*' is only for what is to be captured)";

	(void)p;
	if (expected)
		return expected;
	of = &list->of[prefix.family];
	*(struct prefix *)array_push(&of->items, &of->n, sizeof(*of->items)) = prefix;
	list->loopback |= loopback;
	return NULL;
}

static const char *iface_add(struct parse *p, const char *word, void *field)
{
	struct iface_list *list = field;
	struct iface iface;
	const char *expected = strcmp(word, "*") ? iface_parse(word, &iface) :
						   "interface names ('+' stands for all of them)";
	char names[OPTION_NAMES_MAX], quoted[QUOTE_MAX];

	if (expected)
		return expected;
	/* The kernel has such names, but hardly anybody does. */
	if (strchr(word, '@') && !p->refused)
		log_warn("%s: %s: if ip printed it so, the interface's name ends before the '@'",
			 option_source(p, p->option, names), quote(word, quoted));
	*(struct iface *)array_push(&list->items, &list->n, sizeof(*list->items)) = iface;
	return NULL;
}

static const char *proxy_uid_add(struct parse *p, const char *word, void *list)
{
	uint32_t uid, gid;

	if (number_parse(word, OWNER_ID_MAX, &uid))
		gid = uid;
	else if (!owners_find_user(&p->owners, word, &uid, &gid))
		return "a UID 0-4294967294 or a user of /etc/passwd";
	else
		owners_find_group(&p->owners, word, &gid);
	range_push(list, (struct range){ uid, uid });
	range_push(&p->uid_groups, (struct range){ gid, gid });
	return NULL;
}

static const char *gid_add(struct parse *p, const char *word, void *list)
{
	uint32_t gid;

	if (!number_parse(word, OWNER_ID_MAX, &gid) && !owners_find_group(&p->owners, word, &gid))
		return "a GID 0-4294967294 or a group of /etc/group";
	range_push(list, (struct range){ gid, gid });
	return NULL;
}

/* "a-b"; -1 if the word is not of that form, else whether it is a range. */
static int id_range_parse(const char *word, struct range *range)
{
	char text[24];
	char *dash;

	if (strlen(word) >= sizeof(text))
		return -1;
	strcpy(text, word);
	dash = strchr(text, '-');
	if (!dash)
		return -1;
	*dash = '\0';
	if (!number_parse(text, OWNER_ID_MAX, &range->lo) || !number_parse(dash + 1, OWNER_ID_MAX, &range->hi))
		return -1;
	return range->lo <= range->hi;
}

static const char *id_range_add(struct parse *p, const char *word, struct range_list *list, bool groups)
{
	struct range range;
	uint32_t own_gid;
	int form = id_range_parse(word, &range);

	if (form == 0)
		return "a range a-b with a not above b";
	if (form < 0) {
		if (!number_parse(word, OWNER_ID_MAX, &range.lo) &&
		    !(groups ? owners_find_group(&p->owners, word, &range.lo) :
			       owners_find_user(&p->owners, word, &range.lo, &own_gid)))
			return groups ? "a GID 0-4294967294, a range a-b or a group of /etc/group" :
					"a UID 0-4294967294, a range a-b or a user of /etc/passwd";
		range.hi = range.lo;
	}
	range_push(list, range);
	return NULL;
}

static const char *uid_range_add(struct parse *p, const char *word, void *list)
{
	return id_range_add(p, word, list, false);
}

static const char *gid_range_add(struct parse *p, const char *word, void *list)
{
	return id_range_add(p, word, list, true);
}

static int read_item(struct list_reader *r, const char *item, struct err *err)
{
	char where[QUOTE_MAX + 32] = "", quoted[QUOTE_MAX];
	const char *expected;

	if (r->all && !strcmp(item, "*")) {
		*r->all = true;
		return 0;
	}
	r->others = true;
	expected = r->path && *item == '@' ? "no @PATH inside a file" : r->add(r->p, item, r->list);
	if (!expected)
		return 0;
	if (r->path)
		snprintf(where, sizeof(where), " in line %u of %s", r->line, quote(r->path, quoted));
	return value_error(r->p, item, where, expected, err);
}

/* One or more items a line, parted by commas or blanks; '#' starts a comment. */
static int read_list_file(struct list_reader *r, const char *path, struct err *err)
{
	auto_free char *text = NULL;
	char names[OPTION_NAMES_MAX], quoted[QUOTE_MAX];
	size_t len;
	int rc = read_file(path, LIST_FILE_MAX, &text, &len);

	if (rc < 0)
		return err_set(err, STATUS_USAGE, -rc, "%s: cannot read the list file %s: %s",
			       option_source(r->p, r->p->option, names), quote(path, quoted), strerror(-rc));
	if (strlen(text) != len)
		return err_set(err, STATUS_USAGE, EINVAL, "%s: the list file %s is not text",
			       option_source(r->p, r->p->option, names), quote(path, quoted));
	r->path = path;
	r->line = 0;
	for (char *line = text, *next; line && !rc; line = next) {
		char *item, *comment;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		comment = strchr(line, '#');
		if (comment)
			*comment = '\0';
		r->line++;
		while (!rc && (item = item_next(&line, "," BLANKS)))
			rc = read_item(r, item, err);
	}
	r->path = NULL;
	return rc;
}

static void ranges_unique(void *field)
{
	struct range_list *list = field;

	list->n = items_unique(list->items, list->n, sizeof(*list->items));
}

static void cidrs_unique(void *field)
{
	struct cidr_list *list = field;

	for (enum family f = 0; f < FAMILIES; f++)
		list->of[f].n = items_unique(list->of[f].items, list->of[f].n, sizeof(*list->of[f].items));
}

static void ifaces_unique(void *field)
{
	struct iface_list *list = field;

	list->n = items_unique(list->items, list->n, sizeof(*list->items));
}

static const struct {
	item_adder *add;
	void (*unique)(void *list);
} list_types[TYPES] = {
	[TYPE_PORTS] = { port_add, ranges_unique },
	[TYPE_PORTS_OR_ALL] = { port_add, ranges_unique },
	[TYPE_PORTS_EXCLUDED] = { excluded_port_add, ranges_unique },
	[TYPE_CIDRS] = { cidr_add, cidrs_unique },
	[TYPE_CIDRS_OR_ALL] = { cidr_add, cidrs_unique },
	[TYPE_IFACES] = { iface_add, ifaces_unique },
	[TYPE_PROXY_UIDS] = { proxy_uid_add, ranges_unique },
	[TYPE_GIDS] = { gid_add, ranges_unique },
	[TYPE_GIDS_OR_ALL] = { gid_add, ranges_unique },
	[TYPE_UID_RANGES] = { uid_range_add, ranges_unique },
	[TYPE_GID_RANGES] = { gid_range_add, ranges_unique },
};

int list_parse(struct parse *p, enum option_type type, const char *text, void *list, struct err *err)
{
	struct list_reader r = { .p = p, .add = list_types[type].add, .list = list };
	auto_free char *copy = NULL;
	char *rest, *item;
	int rc = 0;

	if (!*text)
		return 0;
	if (type == TYPE_CIDRS_OR_ALL)
		r.all = &((struct cidr_list *)list)->all;
	else if (type == TYPE_PORTS_OR_ALL || type == TYPE_GIDS_OR_ALL)
		r.all = &((struct range_list *)list)->all;
	rest = copy = xstrdup(text);
	while (!rc && (item = item_next(&rest, ",")))
		rc = *item == '@' ? read_list_file(&r, item + 1, err) : read_item(&r, item, err);
	if (!rc && r.all && *r.all && r.others)
		rc = value_error(p, text, NULL, "'*' alone, or a list without it", err);
	if (!rc)
		list_types[type].unique(list);
	return rc;
}

/* PROTO:PORTS:UIDS */
static int port_owner_parse(struct parse *p, char *text, struct port_owner_list *list, struct err *err)
{
	static const char expected[] = "PROTO:PORTS:UIDS, such as tcp:3306,8000-8100:1000-1005";
	struct port_owner *owner;
	char *ports = strchr(text, ':'), *uids = ports ? strchr(ports + 1, ':') : NULL;
	int proto, rc;

	if (!uids || strchr(uids + 1, ':'))
		return value_error(p, text, NULL, expected, err);
	*ports++ = '\0';
	*uids++ = '\0';
	proto = choice_find("tcp|udp", text, false);
	if (proto < 0)
		return value_error(p, text, NULL, "tcp or udp", err);
	owner = array_push(&list->items, &list->n, sizeof(*owner));
	*owner = (struct port_owner){ .proto = proto ? IPPROTO_UDP : IPPROTO_TCP };
	rc = list_parse(p, TYPE_PORTS_EXCLUDED, ports, &owner->ports, err);
	if (!rc)
		rc = list_parse(p, TYPE_UID_RANGES, uids, &owner->uids, err);
	if (!rc && (!owner->ports.n || !owner->uids.n))
		rc = value_error(p, owner->ports.n ? uids : ports, NULL, expected, err);
	return rc;
}

int port_owners_parse(struct parse *p, const char *text, void *list, struct err *err)
{
	static const char separators[] = { REPEAT_SEPARATOR, '\0' };
	auto_free char *copy = xstrdup(text);
	char *rest = copy, *item;
	int rc = 0;

	while (!rc && (item = item_next(&rest, separators)))
		rc = port_owner_parse(p, item, list, err);
	return rc;
}
