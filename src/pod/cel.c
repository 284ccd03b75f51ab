/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expressions: literals, what is folded of them, and an overlay's values. */
#include "cel.h"

#include <string.h>

#include "buffer.h"
#include "injection.h"
#include "json.h"
#include "json_write.h"
#include "reference.h"

void cel_refuse(struct cel *cel, const char *key, const char *what)
{
	list_add(cel->refused, cel_printf(cel, "%s: %s", key, what));
}

bool cel_is(const char *expression, const char *constant)
{
	return !strcmp(expression, constant);
}

const char *cel_literal(struct cel *cel, const char *text, size_t len)
{
	struct buffer out = { 0 };
	const char *literal;

	buffer_putc(&out, '\'');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\\' || c == '\'')
			buffer_printf(&out, "\\%c", c);
		else if (c == '\n')
			buffer_puts(&out, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buffer_printf(&out, "\\u%04x", c);
		else
			buffer_putc(&out, (char)c);
	}
	buffer_putc(&out, '\'');
	literal = cel_printf(cel, "%s", out.data);
	buffer_free(&out);
	return literal;
}

const char *cel_quote(struct cel *cel, const char *text)
{
	return cel_literal(cel, text, strlen(text));
}

const char *cel_pointer(struct cel *cel, const char *token)
{
	struct buffer out = { 0 };
	const char *escaped;

	buffer_puts(&out, "");
	for (; *token; token++)
		buffer_put(&out,
			   *token == '/' ? "~1" :
			   *token == '~' ? "~0" :
					   token,
			   *token == '/' || *token == '~' ? 2 : 1);
	escaped = cel_printf(cel, "%s", out.data);
	buffer_free(&out);
	return escaped;
}

const char *cel_and(struct cel *cel, const char *a, const char *b)
{
	if (cel_is(a, "true") || cel_is(b, "false"))
		return b;
	if (cel_is(b, "true") || cel_is(a, "false"))
		return a;
	return cel_printf(cel, "(%s && %s)", a, b);
}

const char *cel_or(struct cel *cel, const char *a, const char *b)
{
	if (cel_is(a, "false") || cel_is(b, "true"))
		return b;
	if (cel_is(b, "false") || cel_is(a, "true"))
		return a;
	return cel_printf(cel, "(%s || %s)", a, b);
}

const char *cel_not(struct cel *cel, const char *a)
{
	if (cel_is(a, "true"))
		return "false";
	return cel_is(a, "false") ? "true" : cel_printf(cel, "!%s", a);
}

const char *cel_if(struct cel *cel, const char *when, const char *a, const char *b)
{
	if (cel_is(when, "true") || cel_is(a, b))
		return a;
	return cel_is(when, "false") ? b : cel_printf(cel, "(%s ? %s : %s)", when, a, b);
}

const char *cel_plus(struct cel *cel, const char *a, const char *b)
{
	if (cel_is(a, "[]"))
		return b;
	return cel_is(b, "[]") ? a : cel_printf(cel, "%s\n+ %s", a, b);
}

static const char *reference_text(struct cel *cel, const struct reference *r)
{
	const char *text = cel_variable(cel, r->name, r->name_len), *otherwise;

	if (!r->otherwise)
		return text;
	otherwise = cel_text(cel, r->otherwise, r->otherwise_len);
	if (cel_is(text, "''"))
		return otherwise;
	return *text == '\'' ? text : cel_printf(cel, "(%s != '' ? %s : %s)", text, text, otherwise);
}

const char *cel_text(struct cel *cel, const char *text, size_t len)
{
	const char *all = NULL, *start, *part;
	struct reference r;
	enum piece piece;
	size_t n;

	while ((piece = piece_next(&text, &len, &start, &n, &r)) != PIECE_END) {
		part = piece == PIECE_REFERENCE ? reference_text(cel, &r) : cel_literal(cel, start, n);
		all = all ? cel_printf(cel, "%s + %s", all, part) : part;
	}
	return all ? strchr(all, '+') ? cel_printf(cel, "(%s)", all) : all : "''";
}

static const char *condition(struct cel *cel, const char *text)
{
	struct condition c;
	const char *value, *holds;

	condition_read(text, &c);
	value = cel_variable(cel, c.name, c.name_len);
	if (*value == '\'')
		holds = !c.text ? cel_is(value, "''") || cel_is(value, "'0'") || cel_is(value, "'false'") ? "false" :
													    "true" :
			cel_is(value, cel_quote(cel, c.text)) ? "true" :
								"false";
	else if (c.text)
		holds = cel_printf(cel, "(%s == %s)", value, cel_quote(cel, c.text));
	else
		holds = cel_printf(cel, "!(%s in ['', 'false', '0'])", value);
	return c.negated ? cel_not(cel, holds) : holds;
}

const char *cel_conditions(struct cel *cel, const json_t *conditions)
{
	const char *all = "true";
	json_t *one;
	size_t i;

	if (json_is_string(conditions))
		return condition(cel, json_string_value(conditions));
	json_array_foreach((json_t *)conditions, i, one) all = cel_and(cel, all, condition(cel, json_string_value(one)));
	return all;
}

static struct cel_value text_value(struct cel *cel, const json_t *value)
{
	const char *text = json_string_value(value), *made;
	size_t len = json_string_length(value);
	struct reference r;

	if (!reference_whole(text, len, &r) || r.type == REFERENCE_TEXT)
		return (struct cel_value){ cel_printf(cel, "dyn(%s)", cel_text(cel, text, len)), "true" };
	if (r.type == REFERENCE_JSON) {
		if (r.name_len == strlen("resources") && !strncmp(r.name, "resources", r.name_len))
			return (struct cel_value){ "dyn(variables.resources)", "true" };
		cel_refuse(cel, cel->key, cel_printf(cel, "CEL cannot read JSON, as %s has it", text));
	}
	made = reference_text(cel, &r);
	return (struct cel_value){ cel_printf(cel, "dyn(%s(%s))", r.type == REFERENCE_INT ? "int" : "bool", made), "true" };
}

/* Whether anything of it is there, in @any, unless it was empty to begin with. */
static struct cel_value map_value(struct cel *cel, const json_t *object)
{
	const char *key, *all = "", *any = "false";
	json_t *value;
	unsigned n = 0;

	json_object_foreach((json_t *)object, key, value)
	{
		struct cel_value v;
		const char *name = cel_quote(cel, key);

		if (!strcmp(key, "$if") || !strcmp(key, "$else"))
			continue;
		n += !json_is_null(value);
		v = cel_value(cel, value);
		if (cel_is(v.when, "false"))
			continue;
		any = cel_or(cel, any, v.when);
		if (cel_is(v.when, "true"))
			all = cel_printf(cel, "%s%s%s: %s", all, *all ? ", " : "", name, v.text);
		else
			all = cel_printf(cel, "%s%s?%s: (%s ? optional.of(%s) : optional.none())", all,
					 *all ? ", " : "", name, v.when, v.text);
	}
	return (struct cel_value){ cel_printf(cel, "dyn({%s})", all), n ? any : "true" };
}

static struct cel_value list_value(struct cel *cel, const json_t *list)
{
	const char *all = "[]", *any = json_array_size(list) ? "false" : "true";
	json_t *item;
	size_t i;

	json_array_foreach((json_t *)list, i, item)
	{
		struct cel_value v = cel_value(cel, item);
		const json_t *part = json_object_get(item, "$value"), *otherwise = json_object_get(item, "$else");
		bool spliced = json_object_get(item, "$if") && (json_is_array(part) || json_is_array(otherwise));
		const char *text = spliced ? cel_printf(cel, "%s", v.text) : cel_printf(cel, "[%s]", v.text);

		if (cel_is(v.when, "false"))
			continue;
		if (spliced && part && otherwise && json_is_array(part) != json_is_array(otherwise))
			cel_refuse(cel, cel->key, "a condition with a list on one side alone");
		any = cel_or(cel, any, v.when);
		all = cel_plus(cel, all, cel_if(cel, v.when, text, "[]"));
	}
	return (struct cel_value){ cel_printf(cel, "dyn(%s)", all), any };
}

static struct cel_value condition_value(struct cel *cel, const json_t *object)
{
	const char *when = cel_conditions(cel, json_object_get(object, "$if"));
	const json_t *part = json_object_get(object, "$value"), *otherwise = json_object_get(object, "$else");
	struct cel_value a = part ? cel_value(cel, part) : map_value(cel, object);
	struct cel_value b = otherwise ? cel_value(cel, otherwise) : (struct cel_value){ NULL, "false" };

	if (cel_is(b.when, "false"))
		return (struct cel_value){ a.text, cel_and(cel, when, a.when) };
	if (cel_is(a.when, "false"))
		return (struct cel_value){ b.text, cel_and(cel, cel_not(cel, when), b.when) };
	return (struct cel_value){ cel_if(cel, when, a.text, b.text), cel_if(cel, when, a.when, b.when) };
}

struct cel_value cel_value(struct cel *cel, const json_t *template)
{
	const char *text = member_text(template, CEL_TEXT);

	if (text)
		return (struct cel_value){ text, member_text(template, CEL_WHEN) };
	if (json_object_get(template, "$if"))
		return condition_value(cel, template);
	if (json_is_object(template))
		return map_value(cel, template);
	if (json_is_array(template))
		return list_value(cel, template);
	if (json_is_null(template))
		return (struct cel_value){ "null", "false" };
	if (json_is_string(template) && !json_is_raw_number(template))
		return text_value(cel, template);
	return (struct cel_value){ cel_printf(cel, "dyn(%s)", json_text(template)), "true" };
}

json_t *template_cel(const char *text, const char *when)
{
	return json_pack("{s:s, s:s}", CEL_TEXT, text, CEL_WHEN, when);
}

/* A condition's part without what makes it one. */
static json_t *part_of(json_t *object)
{
	json_t *part = json_object_get(object, "$value");

	return part ? part : without_member(without_member(object, "$if"), "$else");
}

static json_t *merge_condition(struct cel *cel, json_t *base, json_t *over)
{
	json_t *otherwise = json_object_get(over, "$else"), *made = json_object(), *kept = base;

	if (otherwise)
		kept = template_merge(cel, base, otherwise);
	json_object_set(made, "$if", json_object_get(over, "$if"));
	json_object_set(made, "$value", template_merge(cel, base, part_of(over)));
	if (kept)
		json_object_set(made, "$else", kept);
	return made;
}

json_t *template_merge(struct cel *cel, json_t *base, json_t *over)
{
	const char *key;
	json_t *value, *made;

	if (json_object_get(over, "$if"))
		return merge_condition(cel, base, over);
	if (!json_is_object(over) || !json_is_object(base) || json_object_get(base, CEL_TEXT))
		return over;
	made = json_copy(base);
	json_object_foreach(over, key, value)
	{
		json_t *was = json_object_get(base, key);

		if (json_is_null(value))
			json_object_del(made, key);
		else
			json_object_set(made, key, was ? template_merge(cel, was, value) : value);
	}
	return made;
}
