/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON and YAML documents as jansson's values, with where each stood and how it was written.
 *
 * A number that is no integer of 64 bits in its plain spelling (0.10, 1e3, thirty digits) is kept as it
 * was written: as a string of jansson's whose first byte is NUL, which no string of a document can
 * hold.  So copies and comparisons of values keep it, and as a C string it is empty.
 */
#ifndef ISTIO_INIT_JSON_H
#define ISTIO_INIT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "util.h"

/* Limits of a document: what is above is an error. */
#define JSON_DEPTH_MAX 100
#define JSON_NODES_MAX 1000000
#define JSON_LEN_MAX (64u << 20)

/* From now on all of jansson's memory comes from @arena, and goes with it. */
void json_use_arena(struct arena *arena);

/* Line and column (in characters), both from 1. */
struct json_place {
	uint32_t line, column;
};

/* One value as it stood in the text; the children in the order of the json_t's members or items. */
struct json_node {
	union {
		struct { /* JSON: bytes from the text's beginning */
			uint32_t key_start, start, end;
		};
		struct { /* YAML */
			struct json_place place, key_place;
			const char *plain, *plain_key; /* the user's text of a plain scalar, else NULL */
		};
	};
	struct json_node *children;
	uint32_t n;
};

struct document {
	const char *text; /* what it was read from; not owned */
	json_t *root;
	struct json_node node;
	bool yaml;
	bool comments; /* YAML: there are some outside of scalars */
};

/* A JSON text with one value after another.  Begin with text and len set, line 1, the rest 0. */
struct json_reader {
	const char *text;
	size_t len, at;
	struct arena *arena;
};

/*
 * The next value; 1, or 0 at the end of the text, or -errno with @err, whose line
 * begins with "LINE:COLUMN: ".
 */
int json_read_next(struct json_reader *reader, struct document *doc, struct err *err);

/* One value and nothing else; 0 or -errno as above. */
int json_read(struct document *doc, struct arena *arena, const char *text, size_t len, struct err *err);

/*
 * One YAML document, which begins in line @line of its file; without any the root is NULL.
 * Scalars mean what they mean to kubectl: YAML 1.1, but sexagesimals and dates are strings.
 */
int yaml_read(struct document *doc, struct arena *arena, const char *text, size_t len, uint32_t line, struct err *err);

/* The same two for a value alone, in the arena of json_use_arena; of an empty YAML text it is null. */
int json_parse(const char *text, size_t len, json_t **value, struct err *err);
int yaml_parse(const char *text, size_t len, json_t **value, struct err *err);

/* Whether a plain scalar of this text is something other than a string to YAML 1.1 or 1.2. */
bool yaml_is_special(const char *text, size_t len);
/* What the plain scalar @text means to kubectl; NULL for a number that JSON does not have (.inf, .nan). */
json_t *yaml_scalar(const char *text, size_t len);

/* The value that a JSON pointer (RFC 6901) names; NULL if there is none. */
json_t *json_at(json_t *root, const char *pointer);
/* Where it stands: the key, if it is a member; of one that is not there, the nearest above. */
struct json_place document_place(const struct document *doc, const char *pointer);

/* The number of that spelling, which must be JSON's. */
json_t *json_number(const char *text, size_t len);
/* A number that is kept as it was written, and its text. */
const char *json_raw_text(const json_t *value);
static inline bool json_is_raw_number(const json_t *value)
{
	return json_is_string(value) && json_string_length(value) && !*json_string_value(value);
}

/* Equal, a number by its spelling, whatever the order of members. */
bool json_same(const json_t *a, const json_t *b);

#endif
