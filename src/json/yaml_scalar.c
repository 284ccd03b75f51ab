/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a plain scalar means: the table and the order of tests of kubectl's YAML library
 * (sigs.k8s.io/yaml, goyaml.v2's resolve.go), which is YAML 1.1 without sexagesimals; it reads dates as strings.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

/* Longer than any number that means one. */
#define NUMBER_MAX 512

enum meaning { MEANING_NONE, MEANING_TRUE, MEANING_FALSE, MEANING_NULL, MEANING_NO_NUMBER };

/* Of each row all begin with the same letter, so that most texts are compared with none. */
static const struct {
	const char *words; /* parted by blanks */
	enum meaning meaning;
} words[] = {
	{ "y yes", MEANING_TRUE },
	{ "Y Yes YES", MEANING_TRUE },
	{ "true", MEANING_TRUE },
	{ "True TRUE", MEANING_TRUE },
	{ "on", MEANING_TRUE },
	{ "On ON", MEANING_TRUE },
	{ "n no", MEANING_FALSE },
	{ "N No NO", MEANING_FALSE },
	{ "false", MEANING_FALSE },
	{ "False FALSE", MEANING_FALSE },
	{ "off", MEANING_FALSE },
	{ "Off OFF", MEANING_FALSE },
	{ "~", MEANING_NULL },
	{ "null", MEANING_NULL },
	{ "Null NULL", MEANING_NULL },
	{ ".nan .NaN .NAN .inf .Inf .INF", MEANING_NO_NUMBER },
	{ "+.inf +.Inf +.INF", MEANING_NO_NUMBER },
	{ "-.inf -.Inf -.INF", MEANING_NO_NUMBER },
};

static bool is_word(const char *list, const char *text, size_t len)
{
	while (*list) {
		size_t n = 0;

		while (list[n] && list[n] != ' ')
			n++;
		if (n == len && !memcmp(list, text, n))
			return true;
		list += n + (list[n] == ' ');
	}
	return false;
}

static enum meaning find_meaning(const char *text, size_t len)
{
	if (!len)
		return MEANING_NULL;
	for (unsigned i = 0; len <= 5 && i < ARRAY_SIZE(words); i++)
		if (*words[i].words == *text && is_word(words[i].words, text, len))
			return words[i].meaning;
	return MEANING_NONE;
}

static bool begins_number(char c)
{
	return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

/* As Go's strconv.ParseInt and, without a sign, ParseUint in base 0; NULL if it is neither. */
static json_t *integer_parse(const char *text)
{
	bool negative = *text == '-', sign = negative || *text == '+';
	const char *digits = text + sign;
	char kind = *digits == '0' ? (char)(digits[1] | 0x20) : 0, *end, decimal[32];
	int base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : *digits == '0' ? 8 : 10;
	unsigned long long value, limit = sign ? (unsigned long long)INT64_MAX + negative : UINT64_MAX;

	digits += kind == 'x' || kind == 'o' || kind == 'b' ? 2 : 0;
	/* strtoull would take signs, blanks and a second 0x */
	if (strspn(digits, "0123456789abcdefABCDEF") != strlen(digits) || !*digits)
		return NULL;
	errno = 0;
	value = strtoull(digits, &end, base);
	if (*end || errno || value > limit)
		return NULL;
	snprintf(decimal, sizeof(decimal), "%s%llu", negative && value ? "-" : "", value);
	return json_number(decimal, strlen(decimal));
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *text)
{
	static const char digits[] = "0123456789";
	const char *at = text + (*text == '-' || *text == '+');
	size_t before = strspn(at, digits), after = 0, n;

	at += before;
	if (*at == '.') {
		after = strspn(at + 1, digits);
		at += 1 + after;
	}
	if (!before && !after)
		return false;
	if (*at == 'e' || *at == 'E') {
		at++;
		at += *at == '-' || *at == '+';
		n = strspn(at, digits);
		if (!n)
			return false;
		at += n;
	}
	return !*at;
}

/* The number as JSON spells it: no plus, no leading zeros, digits on both sides of the point. */
static json_t *float_value(const char *text)
{
	char spelt[NUMBER_MAX + 4], *to = spelt;
	const char *digits;

	if (*text == '-')
		*to++ = '-';
	text += *text == '-' || *text == '+';
	digits = text;
	while (*text == '0' && text[1] >= '0' && text[1] <= '9')
		text++;
	if (*text == '.')
		*to++ = '0';
	for (; *text; text++) {
		bool bare_point = *text == '.' && (text[1] < '0' || text[1] > '9');

		if (!bare_point)
			*to++ = *text;
	}
	*to = '\0';
	return isinf(strtod(digits, NULL)) ? NULL : json_number(spelt, strlen(spelt));
}

/* Underscores mean nothing; behind a leading point only those between digits. */
static bool is_separator(const char *text, size_t i)
{
	return text[i] == '_' &&
	       (*text != '.' || (strchr("0123456789", text[i - 1]) && text[i + 1] >= '0' && text[i + 1] <= '9'));
}

static json_t *number_parse_yaml(const char *text, size_t len)
{
	char plain[NUMBER_MAX + 1];
	size_t n = 0;
	json_t *value;

	if (len > NUMBER_MAX || !begins_number(*text))
		return NULL;
	for (size_t i = 0; i < len; i++)
		if (!is_separator(text, i))
			plain[n++] = text[i];
	plain[n] = '\0';
	value = *text == '.' ? NULL : integer_parse(plain);
	if (!value && is_float(plain))
		value = float_value(plain);
	return value;
}

json_t *yaml_scalar(const char *text, size_t len)
{
	json_t *number;

	switch (find_meaning(text, len)) {
	case MEANING_TRUE:
		return json_true();
	case MEANING_FALSE:
		return json_false();
	case MEANING_NULL:
		return json_null();
	case MEANING_NO_NUMBER:
		return NULL;
	case MEANING_NONE:
		break;
	}
	number = number_parse_yaml(text, len);
	return number ? number : json_stringn_nocheck(text, len);
}

/*
 * Numbers of either version, sexagesimals and dates need no exact test: whatever is made of
 * their letters only, and holds a digit, counts.
 */
static bool is_like_number(const char *text, size_t len)
{
	static const char letters[] = "0123456789abcdefABCDEFxXoOTZtz_.,:+- ";
	bool digit = false;

	if (!len || !begins_number(*text))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!text[i] || !strchr(letters, text[i]))
			return false;
		digit |= text[i] >= '0' && text[i] <= '9';
	}
	return digit;
}

bool yaml_is_special(const char *text, size_t len)
{
	return find_meaning(text, len) != MEANING_NONE || is_like_number(text, len) ||
	       (len <= 2 && is_word("= <<", text, len));
}
