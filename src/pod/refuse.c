/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said about a pod: warnings, and the one line that refuses it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "injection.h"

/* Bytes of a value between the quotes. */
#define SHOWN 100

const char *quoted(const struct injection *in, const char *text)
{
	static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	char *start = arena_alloc(in->arena, SHOWN + 6), *to = start, *end = start + 1 + SHOWN;

	*to++ = '"';
	for (; *text && to < end; text++) {
		unsigned char c = (unsigned char)*text;
		const char *found = strchr(named, c);
		char shown[8];
		int n = found                 ? snprintf(shown, sizeof(shown), "\\%c", letters[found - named]) :
			c < 0x20 || c == 0x7f ? snprintf(shown, sizeof(shown), "\\u%04x", c) :
						snprintf(shown, sizeof(shown), "%c", c);

		if (n > end - to)
			break;
		memcpy(to, shown, (size_t)n);
		to += n;
	}
	/* not in the middle of a UTF-8 sequence */
	if (((unsigned char)*text & 0xc0) == 0x80) {
		while (((unsigned char)to[-1] & 0xc0) == 0x80)
			to--;
		to--;
	}
	strcpy(to, *text ? "\"..." : "\"");
	return start;
}

void warn(struct injection *in, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	list_add(in->result->warnings, line);
}

int refuse_annotation(struct injection *in, const char *name, const char *value, const char *item, const char *expected)
{
	in->result->refusal = REFUSED_ANNOTATION;
	return err_set(in->err, STATUS_DATA, EINVAL, "annotation %s: %s: item %s: expected %s", name, quoted(in, value),
		       quoted(in, item), expected);
}

int refuse_overlay(struct injection *in, const char *fmt, ...)
{
	char line[sizeof(in->err->what)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	in->result->refusal = REFUSED_OVERLAY;
	return err_set(in->err, STATUS_DATA, EINVAL, "%s", line);
}

int refuse_object(struct injection *in, const char *fmt, ...)
{
	char line[sizeof(in->err->what)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	in->result->refusal = REFUSED_OBJECT;
	return err_set(in->err, STATUS_DATA, EINVAL, "%s", line);
}
