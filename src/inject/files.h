/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of documents, in YAML or JSON. */
#ifndef ISTIO_INJECT_FILES_H
#define ISTIO_INJECT_FILES_H

#include "inject.h"
#include "json.h"
#include "json_write.h"

/* One document and all of the text up to the next. */
struct chunk {
	const char *text;
	size_t len;
	uint32_t line;       /* YAML: in its file, from 1 */
	struct document doc; /* root NULL: blanks and comments only */
	json_t *changed;     /* what it has become; NULL: nothing has changed */
	bool marked, ended;  /* YAML: it begins with a line "---"; it ends with "..." */
};

struct file {
	const char *name;
	char *text;
	size_t len;
	bool yaml;
	struct chunk *chunks;
	unsigned n;
};

/*
 * Reads and parses the file of that name, "-" for standard input.  What is read lives in @arena, but
 * for what file_free frees.  -errno with @err, which names file, line and column.
 */
int file_read(struct file *file, const char *name, struct arena *arena, struct err *err);
void file_free(struct file *file);

/* The same of file->text, which is there already. */
int file_parse(struct file *file, struct arena *arena, struct err *err);

/*
 * Prints all documents of the file in that form, OUTPUT_SAME as they are, behind those of the file
 * @before (NULL: it is the first) in @out.
 */
void file_print(const struct file *file, const struct file *before, enum inject_output form, struct buffer *out);

/* The document before or after its change, emitted the same way in both cases. */
void chunk_print_plain(const struct chunk *chunk, bool after, struct buffer *out);

#endif
