/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "quote.h"

#include <stdio.h>
#include <string.h>

#include "escape.h"

const char *quote(const char *text, char quoted[QUOTE_MAX])
{
	size_t n = strnlen(text, QUOTE_SHOWN + 1);
	const char *more = n > QUOTE_SHOWN ? "..." : "";
	char *to = quoted, one[ESCAPE_MAX];

	if (*more) {
		n = QUOTE_SHOWN;
		/* not in the middle of a UTF-8 sequence */
		while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	*to++ = '"';
	for (const char *end = text + n; text < end; to = stpcpy(to, one))
		text += escape_next(text, "\"\\", false, one);
	sprintf(to, "\"%s", more);
	return quoted;
}
