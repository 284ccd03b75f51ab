/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that grows at its end. */
#ifndef ISTIO_INIT_BUFFER_H
#define ISTIO_INIT_BUFFER_H

#include <stddef.h>

/* All zero: empty.  @data is NULL, or ended by a NUL that does not count. */
struct buffer {
	char *data;
	size_t len, size;
};

void buffer_put(struct buffer *buffer, const char *text, size_t len);
void buffer_puts(struct buffer *buffer, const char *text);
void buffer_putc(struct buffer *buffer, char c);
void buffer_blanks(struct buffer *buffer, size_t n);
void buffer_printf(struct buffer *buffer, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Frees the text; the buffer is empty again. */
void buffer_free(struct buffer *buffer);

#endif
