/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules need beside rules, as comment lines of our own text have it (route_text). */
#include <errno.h>
#include <string.h>

#include "saved.h"
#include "util.h"

/* The word, and a number in decimal or 0x... behind it. */
static bool read_number(struct words *words, const char *key, uint32_t *value)
{
	const struct word *word = words_next(words), *number = words_next(words);

	return number && !strcmp(word->text, key) && !mark_parse(number->text, value);
}

/* "fwmark MARK[/MASK] lookup TABLE priority PRIORITY" */
static bool read_rule(struct words *words, struct route_object *rule)
{
	const struct word *key = words_next(words), *mark = words_next(words);
	struct mark value;

	if (!mark || strcmp(key->text, "fwmark") != 0 || !saved_mark_read(mark->text, &value))
		return false;
	rule->kind = ROUTE_RULE;
	rule->mark = value.value;
	rule->mask = value.mask;
	rule->plain = value.mask == UINT32_MAX;
	return read_number(words, "lookup", &rule->table) && read_number(words, "priority", &rule->priority);
}

static bool has_words(struct words *words, const char *const *wanted)
{
	for (; *wanted; wanted++) {
		const struct word *word = words_next(words);

		if (!word || strcmp(word->text, *wanted) != 0)
			return false;
	}
	return true;
}

static bool read_route(struct words *words, struct route_object *route)
{
	static const char *const shape[] = { "local", "default", "dev", "lo", NULL };

	route->kind = ROUTE_ROUTE;
	return has_words(words, shape) && read_number(words, "table", &route->table);
}

static bool read_address(struct words *words, struct route_object *address)
{
	static const char *const device[] = { "dev", "lo", NULL };
	const struct word *word = words_next(words);

	address->kind = ROUTE_ADDRESS;
	if (!word || prefix_parse(word->text, &address->address, NULL) || !has_words(words, device))
		return false;
	address->family = address->address.family;
	word = words_next(words);
	if (word && !strcmp(word->text, "nodad"))
		address->flags = ROUTE_NODAD;
	return !word || address->flags;
}

/* Of addresses only Istio's own, ::6, is compared. */
static void keep(struct saved_rules *saved, const struct route_object *object)
{
	static const uint8_t inbound6[16] = { [15] = 6 };
	struct routes *routes = saved->routes;

	if (object->kind == ROUTE_RULE || object->kind == ROUTE_ROUTE)
		*(struct route_object *)array_push(&routes->objects, &routes->n, sizeof(*object)) = *object;
	if (object->kind != ROUTE_ADDRESS || object->family != IPV6 ||
	    memcmp(object->address.addr, inbound6, sizeof(inbound6)) != 0)
		return;
	saved->inbound6 = *object;
	routes->inbound6 = &saved->inbound6;
}

/* The object after "ip", or "ip -6"; false: it is none of those, and the line a comment like any. */
static bool find_object(struct words *words, enum family *family, const char **name)
{
	static const char *const names[] = { "rule", "route", "address", "link" };
	const struct word *word = words_next(words);

	*family = word && !strcmp(word->text, "-6") ? IPV6 : IPV4;
	if (*family == IPV6)
		word = words_next(words);
	for (unsigned i = 0; word && i < ARRAY_SIZE(names); i++)
		if (!strcmp(word->text, names[i])) {
			*name = names[i];
			return true;
		}
	return false;
}

int saved_route_read(struct saved_rules *saved, struct words *words)
{
	static const char *const up[] = { "set", "lo", "up", NULL }, *const add[] = { "add", NULL };
	struct route_object object = {};
	enum family family;
	const char *name;
	bool read;

	if (!find_object(words, &family, &name))
		return 0;
	object.family = (uint8_t)family;
	object.kind = ROUTE_LO_UP;
	if (!strcmp(name, "link"))
		read = has_words(words, up);
	else if (!has_words(words, add))
		read = false;
	else if (!strcmp(name, "rule"))
		read = read_rule(words, &object);
	else if (!strcmp(name, "route"))
		read = read_route(words, &object);
	else
		read = read_address(words, &object);
	if (!read || words_next(words))
		return words_fail(words, name, "behind \"ip\" what istio-init prints of ip rules, routes and addresses");
	if (!saved->routes) {
		saved->routes = xcalloc(1, sizeof(*saved->routes));
		saved->routes->lo_up = saved->routes->lo_has_ipv4 = saved->routes->has_ipv6 = true;
	}
	keep(saved, &object);
	return 0;
}
