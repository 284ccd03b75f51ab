/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of jansson's as JSON and YAML text. */
#ifndef ISTIO_INIT_JSON_WRITE_H
#define ISTIO_INIT_JSON_WRITE_H

#include "buffer.h"
#include "json.h"

/* JSON without a blank, members in their order. */
void json_write(struct buffer *out, const json_t *value);
/* The same in the arena of json_use_arena. */
char *json_text(const json_t *value);
/* Indented by two blanks a level; the first line is not, and no newline ends the last. */
void json_write_pretty(struct buffer *out, const json_t *value);
/* A JSON string of the bytes. */
void json_write_string(struct buffer *out, const char *text, size_t len);

/* @value, changed from @doc's root: the text of @doc with the new parts put in. */
void json_splice(struct buffer *out, const struct document *doc, const json_t *value);

/*
 * @value in block style, lines ended by @newline.  Scalars that are in @node's tree, too, keep the
 * user's text; @node is NULL, or how @old, from which @value was changed, was written.
 */
void yaml_write(struct buffer *out, const json_t *value, const json_t *old, const struct json_node *node,
		const char *newline);

#endif
