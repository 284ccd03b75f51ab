/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "quote.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

/* The character at @text and its length in bytes; 0 for one byte, or bytes that are no UTF-8. */
static uint32_t read_character(const unsigned char *text, size_t *len)
{
	size_t n = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc2 ? 2 : 1;
	uint32_t c = text[0] & (0x7fu >> n);

	*len = 1;
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text[i] & 0x3f);
	}
	*len = n;
	return n > 1 ? c : 0;
}

/* What looks like nothing or like a blank, or turns the text around: most of Unicode's Cc, Cf, Zs, Zl, Zp. */
static bool is_invisible(uint32_t c)
{
	static const struct {
		uint32_t lo, hi;
	} ranges[] = {
		{ 0x80, 0xa0 },     { 0xad, 0xad },     { 0x61c, 0x61c },   { 0x180e, 0x180e },
		{ 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x3000, 0x3000 },
		{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++)
		if (c >= ranges[i].lo && c <= ranges[i].hi)
			return true;
	return false;
}

/* The escape of the character at @text, or itself; moves *@text behind it. */
static char *put_escaped(char *to, const unsigned char **text)
{
	static const char named[] = "\"\\\n\t\r", letters[] = "\"\\ntr";
	const char *found = strchr(named, **text);
	size_t len;
	uint32_t c = read_character(*text, &len);

	if (found)
		to += sprintf(to, "\\%c", letters[found - named]);
	else if (is_invisible(c))
		to += sprintf(to, "\\u%04x", c);
	else if (**text < 0x20 || **text == 0x7f || (len == 1 && **text >= 0x80))
		to += sprintf(to, "\\x%02x", **text);
	else
		to = mempcpy(to, *text, len);
	*text += len;
	return to;
}

const char *quote(const char *text, char quoted[QUOTE_MAX])
{
	const unsigned char *from = (const unsigned char *)text, *end;
	size_t n = strnlen(text, QUOTE_SHOWN + 1);
	const char *more = n > QUOTE_SHOWN ? "..." : "";
	char *to = quoted;

	if (*more) {
		n = QUOTE_SHOWN;
		/* not in the middle of a UTF-8 sequence */
		while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	*to++ = '"';
	for (end = from + n; from < end;)
		to = put_escaped(to, &from);
	sprintf(to, "\"%s", more);
	return quoted;
}
