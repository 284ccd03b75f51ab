/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "escape.h"

#include <stdint.h>
#include <string.h>

size_t utf8_length(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	if (!len)
		return 0;
	n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static uint32_t utf8_read(const unsigned char *s, size_t n)
{
	uint32_t c = n > 1 ? s[0] & (0x7fu >> n) : s[0];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (s[i] & 0x3f);
	return c;
}

/* Most of Unicode's Cc, Cf, Zs, Zl, Zp. */
static bool is_invisible(uint32_t c)
{
	static const struct {
		uint32_t lo, hi;
	} ranges[] = {
		{ 0x80, 0xa0 },     { 0xad, 0xad },     { 0x61c, 0x61c },   { 0x180e, 0x180e },
		{ 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x3000, 0x3000 },
		{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
	};

	for (unsigned i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		if (c >= ranges[i].lo && c <= ranges[i].hi)
			return true;
	return false;
}

size_t escape_next(const char *text, const char *quoted, bool json, char out[ESCAPE_MAX])
{
	static const char named[] = "\n\t\r", letters[] = "ntr";
	const unsigned char *s = (const unsigned char *)text;
	const char *found = strchr(named, *text);
	size_t n = utf8_length((const char *)s, 4 /* NUL is no continuation */);
	uint32_t c = utf8_read(s, n);

	if (found || strchr(quoted, *text))
		sprintf(out, "\\%c", found ? letters[found - named] : *text);
	else if (n < 2 && (!n || *s < 0x20 || *s == 0x7f))
		sprintf(out, json ? "\\u%04x" : "\\x%02x", *s);
	else if (!is_invisible(c))
		*(char *)mempcpy(out, text, n) = '\0';
	else if (json && c > 0xffff) /* a surrogate pair (RFC 8259) */
		sprintf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10 & 0x3ff), 0xdc00 + ((c - 0x10000) & 0x3ff));
	else
		sprintf(out, "\\u%04x", c);
	return n ? n : 1;
}

void escape_print(FILE *out, const char *text, const char *quoted)
{
	char one[ESCAPE_MAX];

	while (*text) {
		text += escape_next(text, quoted, false, one);
		fputs(one, out);
	}
}

/* Whether it is seen as itself, and as one word. */
static bool is_plain(const char *name, const char *unsafe)
{
	char one[ESCAPE_MAX];

	for (const char *p = name; *p;) {
		size_t n = escape_next(p, "\"\\", false, one);

		if (*p == ' ' || strchr(unsafe, *p) || strlen(one) != n)
			return false;
		p += n;
	}
	return *name;
}

void escape_name(FILE *out, const char *name, const char *unsafe)
{
	if (is_plain(name, unsafe)) {
		fputs(name, out);
		return;
	}
	fputc('"', out);
	escape_print(out, name, "\"\\");
	fputc('"', out);
}
