/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static void buffer_reserve(struct buffer *buffer, size_t more)
{
	size_t need = buffer->len + more + 1;

	if (need <= buffer->size)
		return;
	buffer->size = need < buffer->size * 2 ? buffer->size * 2 : need < 256 ? 256 : need;
	buffer->data = xreallocarray(buffer->data, buffer->size, 1);
}

void buffer_put(struct buffer *buffer, const char *text, size_t len)
{
	buffer_reserve(buffer, len);
	if (len)
		memcpy(buffer->data + buffer->len, text, len);
	buffer->len += len;
	buffer->data[buffer->len] = '\0';
}

void buffer_puts(struct buffer *buffer, const char *text)
{
	buffer_put(buffer, text, strlen(text));
}

void buffer_putc(struct buffer *buffer, char c)
{
	buffer_put(buffer, &c, 1);
}

void buffer_blanks(struct buffer *buffer, size_t n)
{
	buffer_reserve(buffer, n);
	memset(buffer->data + buffer->len, ' ', n);
	buffer->len += n;
	buffer->data[buffer->len] = '\0';
}

void buffer_printf(struct buffer *buffer, const char *fmt, ...)
{
	va_list args, again;
	size_t room;
	int n;

	buffer_reserve(buffer, 64);
	room = buffer->size - buffer->len;
	va_start(args, fmt);
	va_copy(again, args);
	n = vsnprintf(buffer->data + buffer->len, room, fmt, args);
	va_end(args);
	if (n > 0 && (size_t)n >= room) {
		buffer_reserve(buffer, (size_t)n);
		vsnprintf(buffer->data + buffer->len, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	buffer->len += n > 0 ? (size_t)n : 0;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}
