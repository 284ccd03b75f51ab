/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The effective configuration, as the debug level shows it. */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "duration.h"
#include "log_options.h"
#include "options.h"

/* A value's text; a long list ends in dots. */
struct text {
	char data[300];
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *text, const char *fmt, ...)
{
	static const char dots[] = "...";
	size_t room = sizeof(text->data) - sizeof(dots);
	va_list args;
	int n;

	if (text->len >= room)
		return;
	va_start(args, fmt);
	n = vsnprintf(text->data + text->len, room - text->len, fmt, args);
	va_end(args);
	text->len += n > 0 ? (size_t)n : 0;
	if (text->len >= room) {
		text->len = room;
		strcpy(text->data + room - 1, dots);
	}
}

static const char *separator(const struct text *text)
{
	return text->len ? "," : "";
}

static void put_ranges(struct text *text, const struct range_list *list)
{
	if (list->all)
		put(text, "*");
	for (uint32_t i = 0; i < list->n; i++) {
		const struct range *r = &list->items[i];

		if (r->lo == r->hi)
			put(text, "%s%u", i ? "," : "", r->lo);
		else
			put(text, "%s%u-%u", i ? "," : "", r->lo, r->hi);
	}
}

static void put_cidrs(struct text *text, const struct cidr_list *list)
{
	char cidr[PREFIX_TEXT_MAX];

	if (list->all)
		put(text, "*");
	for (enum family f = 0; f < FAMILIES; f++)
		for (uint32_t i = 0; i < list->of[f].n; i++)
			put(text, "%s%s", separator(text), prefix_text(&list->of[f].items[i], cidr));
}

static void put_ifaces(struct text *text, const struct iface_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		put(text, "%s%s", separator(text), list->items[i].name);
}

static void put_port_owners(struct text *text, const struct port_owner_list *list)
{
	for (uint32_t i = 0; i < list->n; i++) {
		put(text, "%s%s:", i ? ";" : "", list->items[i].proto == IPPROTO_TCP ? "tcp" : "udp");
		put_ranges(text, &list->items[i].ports);
		put(text, ":");
		put_ranges(text, &list->items[i].uids);
	}
}

/* The word of a choice; @words are parted by '|'. */
static void put_choice(struct text *text, const char *words, unsigned index)
{
	for (; index && *words; index--) {
		words += strcspn(words, "|");
		words += *words == '|';
	}
	put(text, "%.*s", (int)strcspn(words, "|"), words);
}

static void put_value(struct text *text, const struct option *option, const struct config *cfg)
{
	const void *field = (const char *)cfg + option->field;
	char cidr[PREFIX_TEXT_MAX];

	switch ((enum option_type)option->type) {
	case TYPE_BOOL:
		put(text, "%s", *(const bool *)field ? "true" : "false");
		break;
	case TYPE_PORT:
		put(text, "%u", *(const uint16_t *)field);
		break;
	case TYPE_PORTS:
	case TYPE_PORTS_OR_ALL:
	case TYPE_PORTS_EXCLUDED:
	case TYPE_PROXY_UIDS:
	case TYPE_GIDS:
	case TYPE_GIDS_OR_ALL:
	case TYPE_UID_RANGES:
	case TYPE_GID_RANGES:
		put_ranges(text, field);
		break;
	case TYPE_CIDRS:
	case TYPE_CIDRS_OR_ALL:
		put_cidrs(text, field);
		break;
	case TYPE_IFACES:
		put_ifaces(text, field);
		break;
	case TYPE_PORT_OWNERS:
		put_port_owners(text, field);
		break;
	case TYPE_TPROXY_MARK:
	case TYPE_TPROXY_TABLE:
		put(text, "%u", *(const uint32_t *)field);
		break;
	case TYPE_BYPASS_MARK:
		if (cfg->has_bypass_mark)
			put(text, "0x%x/0x%x", cfg->bypass_mark.value, cfg->bypass_mark.mask);
		break;
	case TYPE_LOOPBACK:
		put(text, "%s", prefix_text(field, cidr));
		break;
	case TYPE_DURATION:
	case TYPE_TIMEOUT:
		put(text, "%ums", *(const uint32_t *)field);
		break;
	case TYPE_TEXT:
		put(text, "%s", *(const char *const *)field);
		break;
	case TYPE_MODE:
	case TYPE_CHOICE:
		put_choice(text, option->metavar, *(const unsigned *)field);
		break;
	case TYPE_CHOICE_OR_NONE:
		if (*(const unsigned *)field)
			put_choice(text, option->metavar, *(const unsigned *)field - 1);
		break;
	case TYPE_LOG_LEVEL:
		put_choice(text, LOG_LEVELS, *(const unsigned *)field);
		break;
	case TYPE_LOG_TARGET:
		put(text, "descriptor %d", *(const int *)field);
		break;
	case TYPES:
		break;
	}
}

/* Durations are shown in another unit than the defaults, and stderr as a number. */
static bool is_default(const struct option *option, const struct config *cfg, const char *shown)
{
	const void *field = (const char *)cfg + option->field;
	uint32_t ms;

	if (option->type == TYPE_DURATION || option->type == TYPE_TIMEOUT)
		return duration_parse(option->text, &ms) && ms == *(const uint32_t *)field;
	if (option->type == TYPE_LOG_TARGET)
		return cfg->log.fd == STDERR_FILENO;
	return !strcmp(shown, option->text);
}

void cli_log_config(const struct config *cfg)
{
	if (!log_enabled(LOG_DEBUG))
		return;
	for (const struct option *o = options; o < options + OPTIONS; o++) {
		struct text text = { .data = "" };

		/* the others only decided what is in the configuration */
		if (o->field >= sizeof(*cfg))
			continue;
		put_value(&text, o, cfg);
		if (is_default(o, cfg, text.data))
			continue;
		log_debug("%s=%s", o->name ? o->name : o->variable, text.data);
	}
}
