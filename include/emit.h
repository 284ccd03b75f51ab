/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One JSON document, written to a stream as it is made.  In an object each value has a key, in an array it has none (NULL).
 * Indented by two blanks a level, but for rows, which are one line each: a change shows as a line in a diff.
 *
 *   emit_begin(&e, stdout);
 *   emit_string(&e, "backend", "nftables");
 *   emit_array(&e, "rules");
 *   ... emit_row(&e, NULL); emit_number(&e, "packets", 7); emit_end(&e);
 *   emit_end(&e);
 *   emit_finish(&e);
 */
#ifndef ISTIO_INIT_EMIT_H
#define ISTIO_INIT_EMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct emit {
	FILE *out;
	unsigned depth;  /* objects and arrays that are open; at most 32 */
	uint32_t arrays; /* a bit for each depth: it is an array */
	unsigned row;    /* from this depth on all is in one line; 0: nothing is */
	bool more;       /* something stands before in what is open */
	/* of emit_text */
	FILE *print;
	char *text;
	size_t len;
};

/* Opens the document, an object, with its "version"; emit_finish closes it, and frees what the writer holds. */
void emit_begin(struct emit *e, FILE *out);
void emit_finish(struct emit *e);

/* Until emit_end: an object, an object in one line, an array, an array in one line. */
void emit_object(struct emit *e, const char *key);
void emit_row(struct emit *e, const char *key);
void emit_array(struct emit *e, const char *key);
void emit_list(struct emit *e, const char *key);
void emit_end(struct emit *e);

void emit_string(struct emit *e, const char *key, const char *text); /* nothing at all for NULL */
void emit_number(struct emit *e, const char *key, uint64_t number);
void emit_bool(struct emit *e, const char *key, bool value);
void emit_null(struct emit *e, const char *key);

/* A stream for the text of a string, which emit_printed then writes; one string at a time. */
FILE *emit_print(struct emit *e);
void emit_printed(struct emit *e, const char *key);

#endif
