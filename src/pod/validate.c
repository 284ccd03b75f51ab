/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one place where src/pod calls istio-init's own parsers: each value is parsed as
 * istio-init would parse it when it starts, but without a file: neither @PATH nor passwd.
 */
#include "validate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/checks.h"
#include "../cli/item.h"
#include "../cli/options.h"
#include "../cli/values.h"
#include "util.h"

/* Between the items of all kinds of lists. */
#define SEPARATORS ",;:"

static void refuse(struct refusal *refusal, const char *item, const char *expected)
{
	snprintf(refusal->item, sizeof(refusal->item), "%s", item);
	snprintf(refusal->expected, sizeof(refusal->expected), "%s", expected);
}

/* As the validators say it, but for the names of users and groups, and for what the contract words itself. */
static const char *worded(const char *expected)
{
	static const struct {
		const char *theirs, *ours;
	} texts[] = {
		{ "a port 1-65535 or a range a-b", "a port (1-65535) or a range a-b" },
		{ "a UID 0-4294967294 or a user of /etc/passwd", "a UID 0-4294967294 (a name would be another machine's)" },
		{ "a GID 0-4294967294 or a group of /etc/group", "a GID 0-4294967294 (a name would be another machine's)" },
		{ "a UID 0-4294967294, a range a-b or a user of /etc/passwd",
		  "a UID 0-4294967294 or a range a-b (a name would be another machine's)" },
		{ "a GID 0-4294967294, a range a-b or a group of /etc/group",
		  "a GID 0-4294967294 or a range a-b (a name would be another machine's)" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(expected, texts[i].theirs))
			return texts[i].ours;
	return expected;
}

/* The first item that stands for a file, copied into @item. */
static bool has_file_item(const char *text, char *item, size_t size)
{
	auto_free char *copy = xstrdup(text);
	char *rest = copy, *word;

	while ((word = item_next(&rest, SEPARATORS)))
		if (*word == '@') {
			snprintf(item, size, "%s", word);
			return true;
		}
	return false;
}

/* @text without its @PATH items. */
static char *without_file_items(const char *text)
{
	auto_free char *copy = xstrdup(text);
	char *rest = copy, *word, *kept = xcalloc(strlen(text) + 2, 1), *end = kept;

	while ((word = item_next(&rest, ",")))
		if (*word != '@')
			end += sprintf(end, "%s,", word);
	if (end > kept)
		end[-1] = '\0';
	return kept;
}

/* Parses @text as the option's; of a boolean option what it is goes to @boolean, unless that is NULL. */
static bool parse_as(enum option_id id, const char *text, struct refusal *refusal, bool *boolean)
{
	static char nobody[] = "";
	struct value_refused refused = { .expected = "" };
	struct parse p = { .owners = { .passwd = nobody, .group = nobody }, .refused = &refused };
	struct err err;
	int ret;

	p.given[id] = (struct given){ text, SOURCE_OPTION };
	ret = value_parse(&p, id, &err);
	if (ret)
		refuse(refusal, refused.item, worded(refused.expected));
	if (boolean)
		*boolean = *(const bool *)((const char *)&p.settings + options[id].field);
	free(p.uid_groups.items);
	config_free(&p.settings.cfg);
	return !ret;
}

bool option_valid(const struct annotation *option, const char *text, enum text_source source, struct refusal *refusal)
{
	enum option_id id = option->like;
	auto_free char *kept = NULL;
	char item[sizeof(refusal->item)];

	if (options[id].type == TYPE_TEXT || !has_file_item(text, item, sizeof(item)))
		return parse_as(id, text, refusal, NULL);
	if (source == TEXT_ANNOTATED) {
		refuse(refusal, item, "no @FILE (the file would be another machine's)");
		return false;
	}
	if (options[id].type == TYPE_PORT_OWNERS)
		return true;
	kept = without_file_items(text);
	return parse_as(id, kept, refusal, NULL);
}

/* The text without its @PATH items, in *@kept if it had some; NULL if nothing is left that could be parsed. */
static const char *text_here(enum option_id id, const char *text, char **kept)
{
	char item[sizeof(((struct refusal *)0)->item)];

	if (options[id].type == TYPE_TEXT || !has_file_item(text, item, sizeof(item)))
		return text;
	if (options[id].type == TYPE_PORT_OWNERS)
		return NULL;
	return *kept = without_file_items(text);
}

/* The row of istio-init's option. */
static enum annotation_id row_of(enum option_id id)
{
	enum annotation_id row = 0;

	while (row < ANNOTATIONS && !(annotations[row].option && annotations[row].like == id))
		row++;
	return row;
}

bool options_agree(const char *const texts[ANNOTATIONS], struct conflict *conflict)
{
	static char nobody[] = "";
	struct value_refused refused = { .expected = "" };
	struct parse p = {
		.settings.cfg.command = COMMAND_APPLY,
		.owners = { .passwd = nobody, .group = nobody },
		.refused = &refused,
		.between = { OPTIONS, OPTIONS },
	};
	char *kept[ANNOTATIONS] = { NULL };
	struct err err = { 0 };
	int ret = 0;

	for (enum annotation_id row = 0; row < ANNOTATIONS && !ret; row++) {
		enum option_id id = annotations[row].like;
		const char *text = texts[row] ? text_here(id, texts[row], &kept[row]) : NULL;

		if (!annotations[row].option)
			continue;
		if (text)
			p.given[id] = (struct given){ text, SOURCE_OPTION };
		ret = value_parse(&p, id, &err);
		if (ret)
			p.between[0] = id;
	}
	if (!ret)
		ret = checks_conflicts(&p, &err);
	for (unsigned i = 0; i < ARRAY_SIZE(conflict->between); i++)
		conflict->between[i] = row_of(p.between[i]);
	snprintf(conflict->why, sizeof(conflict->why), "%s", err.what);
	for (unsigned row = 0; row < ANNOTATIONS; row++)
		free(kept[row]);
	free(p.uid_groups.items);
	config_free(&p.settings.cfg);
	return !ret;
}

bool boolean_parse(const char *text, bool *value)
{
	struct refusal refusal = { "", "" };

	return parse_as(OPTION_COMMENTS, text, &refusal, value);
}

/* A quantity is mantissa * 2^twos * 5^fives, and the mantissa has neither factor: one form for each number. */
struct quantity {
	uint64_t mantissa;
	int twos, fives;
	bool negative, exact;
};

static const char *digits_read(const char *c, struct quantity *q, int *fraction)
{
	unsigned digits = 0, dots = 0;

	*fraction = 0;
	for (; isdigit((unsigned char)*c) || *c == '.'; c++) {
		if (*c == '.') {
			dots++;
			continue;
		}
		digits++;
		*fraction += dots != 0;
		if (q->mantissa > UINT64_MAX / 10 - 1)
			q->exact = false;
		else
			q->mantissa = q->mantissa * 10 + (uint64_t)(*c - '0');
	}
	return digits && dots <= 1 ? c : NULL;
}

/* <https://pkg.go.dev/k8s.io/apimachinery/pkg/api/resource#Quantity> */
static bool suffix_read(const char *c, struct quantity *q)
{
	static const char *const decimal[] = { "n", "u", "m", "", "k", "M", "G", "T", "P", "E" };
	static const char *const binary[] = { "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
	char *end;
	long exponent;

	for (unsigned i = 0; i < ARRAY_SIZE(decimal); i++)
		if (!strcmp(c, decimal[i])) {
			q->twos += 3 * ((int)i - 3);
			q->fives += 3 * ((int)i - 3);
			return true;
		}
	for (unsigned i = 0; i < ARRAY_SIZE(binary); i++)
		if (!strcmp(c, binary[i])) {
			q->twos += 10 * ((int)i + 1);
			return true;
		}
	if ((*c != 'e' && *c != 'E') || !(isdigit((unsigned char)c[1]) || c[1] == '-' || c[1] == '+'))
		return false;
	exponent = strtol(c + 1, &end, 10);
	if (*end || !isdigit((unsigned char)end[-1]) || exponent > 1000 || exponent < -1000)
		return false;
	q->twos += (int)exponent;
	q->fives += (int)exponent;
	return true;
}

static bool quantity_read(const char *text, struct quantity *q)
{
	int fraction;

	*q = (struct quantity){ .exact = true, .negative = *text == '-' };
	text = digits_read(text + (*text == '-' || *text == '+'), q, &fraction);
	if (!text || !suffix_read(text, q))
		return false;
	q->twos -= fraction;
	q->fives -= fraction;
	for (; q->mantissa && q->mantissa % 2 == 0; q->mantissa /= 2)
		q->twos++;
	for (; q->mantissa && q->mantissa % 5 == 0; q->mantissa /= 5)
		q->fives++;
	if (!q->mantissa)
		q->twos = q->fives = 0, q->negative = false;
	return true;
}

bool quantity_valid(const char *text)
{
	struct quantity q;

	return quantity_read(text, &q);
}

bool quantity_equal(const char *a, const char *b)
{
	struct quantity x, y;

	return quantity_read(a, &x) && quantity_read(b, &y) && x.exact && y.exact && x.mantissa == y.mantissa &&
	       x.twos == y.twos && x.fives == y.fives && x.negative == y.negative;
}
