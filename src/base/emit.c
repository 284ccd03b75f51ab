/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "escape.h"
#include "util.h"

static void put_string(FILE *out, const char *text)
{
	char one[ESCAPE_MAX];

	fputc('"', out);
	while (*text) {
		text += escape_next(text, "\"\\", true, one);
		fputs(one, out);
	}
	fputc('"', out);
}

static void put_newline(struct emit *e)
{
	fprintf(e->out, "\n%*s", (int)e->depth * 2, "");
}

/* All that stands before a value. */
static void put_head(struct emit *e, const char *key)
{
	if (e->more)
		fputc(',', e->out);
	if (!e->row)
		put_newline(e);
	else if (e->more)
		fputc(' ', e->out);
	if (key) {
		put_string(e->out, key);
		fputs(": ", e->out);
	}
	e->more = true;
}

static void open_value(struct emit *e, const char *key, bool array, bool row)
{
	uint32_t bit;

	put_head(e, key);
	fputc(array ? '[' : '{', e->out);
	bit = UINT32_C(1) << e->depth++;
	e->arrays = array ? e->arrays | bit : e->arrays & ~bit;
	if (row && !e->row)
		e->row = e->depth;
	e->more = false;
}

void emit_begin(struct emit *e, FILE *out)
{
	*e = (struct emit){ .out = out, .depth = 1 };
	fputc('{', out);
	emit_number(e, "version", 1);
}

void emit_finish(struct emit *e)
{
	emit_end(e);
	fputc('\n', e->out);
	if (e->print)
		fclose(e->print);
	free(e->text);
}

void emit_object(struct emit *e, const char *key)
{
	open_value(e, key, false, false);
}

void emit_row(struct emit *e, const char *key)
{
	open_value(e, key, false, true);
}

void emit_array(struct emit *e, const char *key)
{
	open_value(e, key, true, false);
}

void emit_list(struct emit *e, const char *key)
{
	open_value(e, key, true, true);
}

void emit_end(struct emit *e)
{
	bool array = e->arrays & UINT32_C(1) << --e->depth;

	if (e->more && !e->row)
		put_newline(e);
	fputc(array ? ']' : '}', e->out);
	if (e->row > e->depth)
		e->row = 0;
	e->more = true;
}

void emit_string(struct emit *e, const char *key, const char *text)
{
	if (!text)
		return;
	put_head(e, key);
	put_string(e->out, text);
}

void emit_number(struct emit *e, const char *key, uint64_t number)
{
	put_head(e, key);
	fprintf(e->out, "%" PRIu64, number);
}

void emit_bool(struct emit *e, const char *key, bool value)
{
	put_head(e, key);
	fputs(value ? "true" : "false", e->out);
}

void emit_null(struct emit *e, const char *key)
{
	put_head(e, key);
	fputs("null", e->out);
}

FILE *emit_print(struct emit *e)
{
	if (!e->print)
		e->print = xchecked(open_memstream(&e->text, &e->len));
	rewind(e->print);
	return e->print;
}

void emit_printed(struct emit *e, const char *key)
{
	/* A stream that was rewound keeps what was longer behind its place. */
	fputc('\0', e->print);
	fflush(e->print);
	emit_string(e, key, e->text);
}
