/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An overlay's values for one pod: its variables put in, its conditions decided.  Values stay typed. */
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "injection.h"
#include "json.h"
#include "json_write.h"
#include "reference.h"
#include "validate.h"

struct expansion {
	struct injection *in;
	const char *overlay; /* its name, for errors */
};

static void put_text(struct injection *in, const char *text, size_t len, struct buffer *out);

static void put_reference(struct injection *in, const struct reference *r, struct buffer *out)
{
	const char *text = variable_text(in, r->name, r->name_len);

	if (text)
		buffer_puts(out, text);
	else if (r->otherwise)
		put_text(in, r->otherwise, r->otherwise_len, out);
}

static void put_text(struct injection *in, const char *text, size_t len, struct buffer *out)
{
	struct reference reference;
	const char *start;
	enum piece piece;
	size_t n;

	while ((piece = piece_next(&text, &len, &start, &n, &reference)) != PIECE_END)
		if (piece == PIECE_REFERENCE)
			put_reference(in, &reference, out);
		else
			buffer_put(out, start, n);
}

/* NULL if the text is no value of the type. */
static json_t *convert(enum reference_type type, const char *text)
{
	const char *digits = text + (*text == '-');
	struct err err;
	json_t *value;
	bool boolean;

	switch (type) {
	case REFERENCE_INT:
		if (!*digits || digits[strspn(digits, "0123456789")] || (digits[0] == '0' && digits[1]))
			return NULL;
		return json_parse(text, strlen(text), &value, &err) ? NULL : value;
	case REFERENCE_BOOL:
		return boolean_parse(text, &boolean) ? json_boolean(boolean) : NULL;
	default:
		return json_parse(text, strlen(text), &value, &err) ? NULL : value;
	}
}

static int refuse_value(const struct expansion *e, const struct reference *r, const char *whole, const char *text)
{
	static const char *const expected[] = {
		[REFERENCE_INT] = "a whole number",
		[REFERENCE_BOOL] = "true or false",
		[REFERENCE_JSON] = "JSON",
	};
	static const char prefix[] = "annotation:";
	struct injection *in = e->in;

	if (r->name_len > strlen(prefix) && !strncmp(r->name, prefix, strlen(prefix)) &&
	    variable_text(in, r->name, r->name_len))
		return refuse_annotation(
			in, arena_printf(in->arena, "%.*s", (int)(r->name_len - strlen(prefix)), r->name + strlen(prefix)),
			text, text,
			arena_printf(in->arena, "%s for %s in overlay %s", expected[r->type], whole, e->overlay));
	return refuse_overlay(in, "overlay %s: %s: %s: expected %s", e->overlay, whole, quoted(in, text),
			      expected[r->type]);
}

static int expand_text(const struct expansion *e, const json_t *value, json_t **expanded)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	struct buffer out = { 0 };
	struct reference r;
	int ret = 0;

	if (!strchr(text, '$')) {
		*expanded = (json_t *)value;
		return 0;
	}
	put_text(e->in, text, len, &out);
	if (reference_whole(text, len, &r) && r.type != REFERENCE_TEXT) {
		buffer_free(&out);
		put_reference(e->in, &r, &out);
		*expanded = convert(r.type, out.data ? out.data : "");
		if (!*expanded)
			ret = refuse_value(e, &r, text, out.data ? out.data : "");
	} else {
		*expanded = json_stringn(out.data ? out.data : "", out.len);
	}
	buffer_free(&out);
	return ret;
}

static bool condition_holds(const struct expansion *e, const char *text)
{
	struct condition c;
	const char *value;

	condition_read(text, &c);
	value = variable_text(e->in, c.name, c.name_len);
	if (c.text)
		return !strcmp(value ? value : "", c.text) != c.negated;
	return (value && strcmp(value, "false") != 0 && strcmp(value, "0") != 0) != c.negated;
}

/* One condition, or a list of which all must hold. */
static bool conditions_hold(const struct expansion *e, const json_t *conditions)
{
	size_t i;
	json_t *condition;

	if (json_is_string(conditions))
		return condition_holds(e, json_string_value(conditions));
	json_array_foreach((json_t *)conditions, i,
			   condition) if (!condition_holds(e, json_string_value(condition))) return false;
	return true;
}

static int expand_value(const struct expansion *e, json_t *value, json_t **expanded);

/* @expanded: NULL if the conditions below have left nothing of what was there. */
static int expand_object(const struct expansion *e, json_t *object, json_t **expanded)
{
	const char *key;
	json_t *value, *copy = json_object();
	bool any = false;

	json_object_foreach(object, key, value)
	{
		json_t *part;
		int ret;

		if (!strcmp(key, "$if") || !strcmp(key, "$else"))
			continue;
		any = true;
		ret = expand_value(e, value, &part);
		if (ret)
			return ret;
		if (part)
			json_object_set(copy, key, part);
	}
	*expanded = any && !json_object_size(copy) ? NULL : copy;
	return 0;
}

/* Whether a condition's part stands for several items of the list that it is an item of. */
static bool is_spliced(const json_t *item, const json_t *part)
{
	return json_object_get(item, "$if") && json_is_array(part);
}

static int expand_list(const struct expansion *e, json_t *list, json_t **expanded)
{
	json_t *copy = json_array(), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		json_t *part;
		int ret = expand_value(e, item, &part);

		if (ret)
			return ret;
		if (part && is_spliced(item, part))
			json_array_extend(copy, part);
		else if (part)
			json_array_append(copy, part);
	}
	*expanded = json_array_size(list) && !json_array_size(copy) ? NULL : copy;
	return 0;
}

static int expand_value(const struct expansion *e, json_t *value, json_t **expanded)
{
	const json_t *conditions = json_object_get(value, "$if");

	*expanded = value;
	if (json_is_string(value))
		return json_is_raw_number(value) ? 0 : expand_text(e, value, expanded);
	if (json_is_array(value))
		return expand_list(e, value, expanded);
	if (!json_is_object(value))
		return 0;
	if (!conditions)
		return expand_object(e, value, expanded);
	if (conditions_hold(e, conditions))
		return json_object_get(value, "$value") ? expand_value(e, json_object_get(value, "$value"), expanded) :
							  expand_object(e, value, expanded);
	*expanded = NULL;
	return json_object_get(value, "$else") ? expand_value(e, json_object_get(value, "$else"), expanded) : 0;
}

int expand(struct injection *in, const char *overlay, json_t *value, json_t **expanded)
{
	const struct expansion e = { in, overlay };

	return expand_value(&e, value, expanded);
}
