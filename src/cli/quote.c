/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "quote.h"

#include <stdio.h>
#include <string.h>

static char *put_escaped(char *to, unsigned char c)
{
	static const char named[] = "\"\\\n\t\r", letters[] = "\"\\ntr";
	const char *found = c ? strchr(named, c) : NULL;

	if (found) {
		*to++ = '\\';
		*to++ = letters[found - named];
	} else if (c < 0x20 || c == 0x7f) {
		to += sprintf(to, "\\x%02x", c);
	} else {
		*to++ = (char)c;
	}
	return to;
}

const char *quote(const char *text, char quoted[QUOTE_MAX])
{
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
	for (size_t i = 0; i < n; i++)
		to = put_escaped(to, (unsigned char)text[i]);
	sprintf(to, "\"%s", more);
	return quoted;
}
