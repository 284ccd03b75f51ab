/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The typed parsing of one option's text. */
#include "values.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "duration.h"
#include "quote.h"

int value_error(const struct parse *p, const char *item, const char *where, const char *expected, struct err *err)
{
	char names[OPTION_NAMES_MAX], quoted[QUOTE_MAX];

	if (p->refused) {
		snprintf(p->refused->item, sizeof(p->refused->item), "%s", item);
		p->refused->expected = expected;
	}
	return err_set(err, STATUS_USAGE, EINVAL, "%s: %s%s: expected %s", option_source(p, p->option, names),
		       quote(item, quoted), where ? where : "", expected);
}

int choice_find(const char *words, const char *word, bool any_case)
{
	size_t n = strlen(word);

	for (int i = 0; words; i++) {
		size_t len = strcspn(words, "|");

		if (len == n && !(any_case ? strncasecmp(words, word, n) : strncmp(words, word, n)))
			return i;
		words = words[len] ? words + len + 1 : NULL;
	}
	return -1;
}

static int bool_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	/* The odd ones are true. */
	static const char words[] = "false|true|0|1|f|t|F|T|FALSE|TRUE|False|True";
	int i = choice_find(words, text, false);

	if (i < 0)
		return value_error(p, text, NULL, "true or false", err);
	*(bool *)field = i % 2;
	return 0;
}

static int one_port_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	uint32_t port;

	if (!number_parse(text, UINT16_MAX, &port) || !port)
		return value_error(p, text, NULL, "a port 1-65535", err);
	*(uint16_t *)field = (uint16_t)port;
	return 0;
}

static int tproxy_mark_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	uint32_t *mark = field;
	const char *expected = mark_parse(text, mark);

	if (!expected && !*mark)
		expected = "a mark other than 0, which would route every packet";
	else if (!expected && *mark == OUTBOUND_MARK)
		expected = "a mark other than 1338, the mark of the proxy's own outbound packets";
	return expected ? value_error(p, text, NULL, expected, err) : 0;
}

static int tproxy_table_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	uint32_t *table = field;

	/* <linux/rtnetlink.h>: RT_TABLE_UNSPEC, RT_TABLE_DEFAULT, RT_TABLE_MAIN, RT_TABLE_LOCAL */
	if (!number_parse(text, UINT32_MAX, table) || !*table || (*table >= 253 && *table <= 255))
		return value_error(p, text, NULL, "a routing table 1-4294967295 other than 253, 254 and 255", err);
	return 0;
}

static int bypass_mark_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	struct mark *mark = field;
	char value[32] = "";
	size_t n = strcspn(text, "/");
	const char *expected;

	if (!*text)
		return 0;
	memcpy(value, text, n < sizeof(value) ? n : 0);
	mark->mask = UINT32_MAX;
	expected = mark_parse(value, &mark->value);
	if (!expected && text[n])
		expected = mark_parse(text + n + 1, &mark->mask);
	if (expected)
		expected = "MARK or MARK/MASK, numbers 0-4294967295, decimal or 0x...";
	else if (!mark->value)
		expected = "a mark other than 0, which packets have that nobody marked";
	else if (mark->value & ~mark->mask)
		expected = "a mark that lies in its mask (no packet could have this one)";
	if (expected)
		return value_error(p, text, NULL, expected, err);
	p->settings.cfg.has_bypass_mark = true;
	return 0;
}

static int loopback_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	static const struct prefix loopback = { .family = IPV4, .len = 8, .addr = { 127 } };
	struct prefix *prefix = field;

	if (prefix_parse(text, prefix, NULL) || !prefix_contains(&loopback, prefix))
		return value_error(p, text, NULL, "an IPv4 CIDR within 127.0.0.0/8", err);
	return 0;
}

static int wait_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	if (!duration_parse(text, field))
		return value_error(p, text, NULL, "a duration such as 5s, 1m30s or 500ms, at most 1193h", err);
	return 0;
}

static int timeout_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	uint32_t *ms = field;
	int ret = wait_parse(p, text, field, err);

	return ret || *ms ? ret : value_error(p, text, NULL, "a duration above 0", err);
}

static int text_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	(void)p;
	(void)err;
	*(const char **)field = text;
	return 0;
}

/* Enums: the words stand in the order of the values. */
static int choice_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	int i = choice_find(p->option->metavar, text, false);

	if (i < 0)
		return value_error(p, text, NULL, p->option->metavar, err);
	*(unsigned *)field = (unsigned)i;
	return 0;
}

/* The value 0 is for an empty text. */
static int choice_or_none_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	int ret = 0;

	if (!*text)
		return 0;
	ret = choice_parse(p, text, field, err);
	*(unsigned *)field += !ret;
	return ret;
}

static int mode_parse(struct parse *p, const char *text, void *field, struct err *err)
{
	int i = *text ? choice_find(p->option->metavar, text, true) : MODE_REDIRECT;

	if (i < 0)
		return value_error(p, text, NULL, "REDIRECT or TPROXY", err);
	*(enum mode *)field = (enum mode)i;
	return 0;
}

/* Those of lists stand in lists.c. */
static int (*const parsers[TYPES])(struct parse *p, const char *text, void *field, struct err *err) = {
	[TYPE_BOOL] = bool_parse,
	[TYPE_PORT] = one_port_parse,
	[TYPE_PORT_OWNERS] = port_owners_parse,
	[TYPE_TPROXY_MARK] = tproxy_mark_parse,
	[TYPE_TPROXY_TABLE] = tproxy_table_parse,
	[TYPE_BYPASS_MARK] = bypass_mark_parse,
	[TYPE_LOOPBACK] = loopback_parse,
	[TYPE_DURATION] = wait_parse,
	[TYPE_TIMEOUT] = timeout_parse,
	[TYPE_TEXT] = text_parse,
	[TYPE_MODE] = mode_parse,
	[TYPE_CHOICE] = choice_parse,
	[TYPE_CHOICE_OR_NONE] = choice_or_none_parse,
	[TYPE_LOG_LEVEL] = log_level_parse,
	[TYPE_LOG_TARGET] = log_target_parse,
};

int value_parse(struct parse *p, enum option_id id, struct err *err)
{
	const struct option *option = &options[id];
	const char *text = p->given[id].text ? p->given[id].text : option->text;
	void *field = (char *)&p->settings + option->field;

	p->option = option;
	if (!parsers[option->type])
		return list_parse(p, option->type, text, field, err);
	return parsers[option->type](p, text, field, err);
}
