/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text of others (the kernel's names and comments, a user's values) where it is printed: it can neither end a line nor
 * move a cursor, nor look like another text.  What would not be seen as itself becomes an escape:
 *
 *   \n \t \r    these       \xNN    other control characters, and bytes that are no UTF-8
 *   \uNNNN      what looks like nothing or like a blank, or turns the text around
 */
#ifndef ISTIO_INIT_ESCAPE_H
#define ISTIO_INIT_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define ESCAPE_MAX 16

/* The length of the well-formed UTF-8 sequence of @len bytes at most (RFC 3629); 0 if there is none. */
size_t utf8_length(const char *text, size_t len);

/*
 * The first character of @text, which is not empty, or its escape, into @out, ended by a NUL; returns its length in
 * @text.  @quoted: those that get a backslash.  @json: only escapes that JSON knows.
 */
size_t escape_next(const char *text, const char *quoted, bool json, char out[ESCAPE_MAX]);

/* The whole text. */
void escape_print(FILE *out, const char *text, const char *quoted);

/* A name among other words: as it is, or in quotes if a blank, an escape or a character of @unsafe is in it. */
void escape_name(FILE *out, const char *name, const char *unsafe);

#endif
