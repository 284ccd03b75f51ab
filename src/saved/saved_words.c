/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of a line of saved rules. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "quote.h"
#include "saved.h"
#include "util.h"

/* Encodes a code point of at most 16 bits (RFC 3629). */
static char *put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

static bool read_hex(const char *text, unsigned digits, unsigned *value)
{
	*value = 0;
	for (; digits; digits--, text++) {
		if (!isxdigit((unsigned char)*text))
			return false;
		*value = *value * 16 + (unsigned)(*text <= '9' ? *text - '0' : (*text | 0x20) - 'a' + 10);
	}
	return *value;
}

/* What stands behind a backslash: an escape of escape.h, or the character itself, as iptables-save writes it. */
static char *read_escape(const char **from, char *to)
{
	static const char letters[] = "ntr", meant[] = "\n\t\r";
	const char *p = *from, *letter = *p ? strchr(letters, *p) : NULL;
	unsigned value;

	*from += *p != '\0';
	if (letter) {
		*to++ = meant[letter - letters];
	} else if (*p == 'x' && read_hex(p + 1, 2, &value)) {
		*from += 2;
		*to++ = (char)value;
	} else if (*p == 'u' && read_hex(p + 1, 4, &value)) {
		*from += 4;
		to = put_utf8(to, value);
	} else if (*p) {
		*to++ = *p;
	}
	return to;
}

int words_split(struct words *words, char *line)
{
	const char *from = line;

	words->n = words->next = 0;
	while (*(from += strspn(from, " \t"))) {
		struct word *word = array_push(&words->items, &words->n, sizeof(*word));
		bool quoted = false;
		char *to = line;

		word->text = line;
		word->quoted = *from == '"';
		for (; *from && (quoted || !strchr(" \t", *from));) {
			if (*from == '"') {
				quoted = !quoted;
				from++;
			} else if (quoted && *from == '\\') {
				from++;
				to = read_escape(&from, to);
			} else {
				*to++ = *from++;
			}
		}
		/* The word is never longer than what it was read from: its end is written over a blank, or the line's end. */
		from += *from != '\0';
		*to++ = '\0';
		line = to;
		if (quoted)
			return words_fail(words, word->text, "a quote at its end");
	}
	return 0;
}

struct word *words_next(struct words *words)
{
	return words->next < words->n ? &words->items[words->next++] : NULL;
}

int words_fail(const struct words *words, const char *word, const char *expected)
{
	char name[QUOTE_MAX], quoted[QUOTE_MAX];

	return err_set(words->err, STATUS_USAGE, EINVAL, "--rules: %s in line %u of %s: expected %s",
		       quote(word, quoted), words->line, quote(words->name, name), expected);
}
