/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an overlay must be, checked once when the configuration is loaded. */
#include <string.h>

#include "injection.h"
#include "json.h"
#include "path.h"
#include "reference.h"

#define DEFAULTS_MAX 16 /* how deep a default's defaults go */

static int check_text(const char *text, size_t len, bool whole, unsigned depth, struct err *err)
{
	struct reference r;
	const char *start;
	enum piece piece;
	size_t n;

	whole = whole && reference_whole(text, len, &r);
	while ((piece = piece_next(&text, &len, &start, &n, &r)) != PIECE_END) {
		int ret = 0;

		if (piece == PIECE_BROKEN)
			return path_expected(err, "a closing brace for \"%.*s\"", (int)(n < 60 ? n : 60), start);
		if (piece != PIECE_REFERENCE)
			continue;
		if (!variable_is_known(r.name, r.name_len))
			return path_expected(err, "a known variable instead of \"%.*s\"",
					     (int)(r.name_len < 60 ? r.name_len : 60), r.name);
		if (r.type != REFERENCE_TEXT && !whole)
			return path_expected(err, "${int:...}, ${bool:...} or ${json:...} alone, not inside other text");
		if (depth > DEFAULTS_MAX)
			return path_expected(err, "defaults that are not nested as deep");
		if (r.otherwise)
			ret = check_text(r.otherwise, r.otherwise_len, false, depth + 1, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int check_condition(const json_t *value, struct err *err)
{
	const char *text = text_of(value);
	struct condition c;

	if (!text)
		return path_expected(err, "a condition: NAME, !NAME, NAME=TEXT, NAME!=TEXT, or a list of them");
	condition_read(text, &c);
	if (!c.text && strchr(text, '='))
		return path_expected(err, "NAME!=TEXT instead of !NAME=TEXT");
	if (!variable_is_known(c.name, c.name_len))
		return path_expected(err, "a condition on a known variable instead of \"%.*s\"",
				     (int)(c.name_len < 60 ? c.name_len : 60), c.name);
	return 0;
}

static int check_conditions(const json_t *conditions, char path[CONFIG_PATH_MAX], struct err *err)
{
	json_t *condition;
	size_t i;

	if (!json_is_array(conditions))
		return check_condition(conditions, err);
	if (!json_array_size(conditions))
		return path_expected(err, "at least one condition");
	json_array_foreach((json_t *)conditions, i, condition)
	{
		int ret;

		path_push_index(path, i);
		ret = check_condition(condition, err);
		if (ret)
			return ret;
		path_pop(path);
	}
	return 0;
}

/* The keys of ours in a mapping: $if with, maybe, $value and $else; a $value stands alone. */
static int check_part(const json_t *object, char path[CONFIG_PATH_MAX], struct err *err)
{
	const json_t *conditions = json_object_get(object, "$if");
	bool has_value = json_object_get(object, "$value");
	const char *key;
	json_t *value;
	int ret = 0;

	json_object_foreach((json_t *)object, key, value)
	{
		bool ours = !strcmp(key, "$if") || !strcmp(key, "$else") || !strcmp(key, "$value");

		if (ours ? conditions != NULL : !has_value && *key != '$')
			continue;
		path_push(path, key);
		if (ours)
			return path_expected(err, "$if beside it, or no such key");
		return path_expected(err, *key == '$' ? "$if, $value or $else" : "no other key beside $value");
	}
	if (conditions) {
		path_push(path, "$if");
		ret = check_conditions(conditions, path, err);
		if (!ret)
			path_pop(path);
	}
	return ret;
}

/* Variables and conditions, at any depth. */
static int check_value(const json_t *value, char path[CONFIG_PATH_MAX], struct err *err)
{
	const char *key;
	json_t *part;
	size_t i;
	int ret = 0;

	if (json_is_string(value) && !json_is_raw_number(value))
		return check_text(json_string_value(value), json_string_length(value), true, 0, err);
	if (json_is_object(value))
		ret = check_part(value, path, err);
	json_object_foreach((json_t *)value, key, part)
	{
		if (ret)
			return ret;
		if (!strcmp(key, "$if"))
			continue;
		path_push(path, key);
		ret = check_value(part, path, err);
		if (!ret)
			path_pop(path);
	}
	json_array_foreach((json_t *)value, i, part)
	{
		if (ret)
			return ret;
		path_push_index(path, i);
		ret = check_value(part, path, err);
		if (!ret)
			path_pop(path);
	}
	return ret;
}

typedef int checker(const json_t *value, char path[CONFIG_PATH_MAX], struct err *err);

/* @check for what a value can come to: itself, or the parts of its condition. */
static int check_each(const json_t *value, checker *check, char path[CONFIG_PATH_MAX], struct err *err)
{
	static const char *const parts[] = { "$value", "$else" };
	int ret = 0;

	if (!json_object_get(value, "$value")) {
		ret = check(value, path, err);
		if (ret)
			return ret;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		const json_t *part = json_object_get(value, parts[i]);

		if (!part)
			continue;
		path_push(path, parts[i]);
		ret = check_each(part, check, path, err);
		if (ret)
			return ret;
		path_pop(path);
	}
	return 0;
}

/* An item of a list of containers or volumes; a conditional part may be a list of them. */
static int check_named(const json_t *item, char path[CONFIG_PATH_MAX], struct err *err)
{
	json_t *inner;
	size_t i;

	if (!json_is_array(item)) {
		if (!json_is_object(item))
			return path_expected(err, "a mapping with name");
		return member_text(item, "name") && *member_text(item, "name") ? 0 : path_expected(err, "a name");
	}
	json_array_foreach((json_t *)item, i, inner)
	{
		int ret;

		path_push_index(path, i);
		ret = check_each(inner, check_named, path, err);
		if (ret)
			return ret;
		path_pop(path);
	}
	return 0;
}

static int check_list(const json_t *list, char path[CONFIG_PATH_MAX], struct err *err)
{
	if (json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return path_expected(err, "a list");
	return check_named(list, path, err);
}

static int check_member(const json_t *object, const char *key, checker *check, char path[CONFIG_PATH_MAX], struct err *err)
{
	const json_t *value = json_object_get(object, key);
	int ret;

	if (!value)
		return 0;
	path_push(path, key);
	ret = check_each(value, check, path, err);
	if (!ret)
		path_pop(path);
	return ret;
}

static int check_spec(const json_t *spec, char path[CONFIG_PATH_MAX], struct err *err)
{
	static const char *const lists[] = { "containers", "initContainers", "volumes" };
	int ret = 0;

	if (!json_is_object(spec))
		return path_expected(err, "a mapping, a partial PodSpec");
	for (unsigned i = 0; i < ARRAY_SIZE(lists) && !ret; i++)
		ret = check_member(spec, lists[i], check_list, path, err);
	return ret;
}

static int check_text_item(const json_t *value, char path[CONFIG_PATH_MAX], struct err *err)
{
	struct reference r;

	(void)path;
	if (json_is_null(value))
		return 0;
	if (!text_of(value))
		return path_expected(err, "a string");
	if (reference_whole(text_of(value), strlen(text_of(value)), &r) && r.type != REFERENCE_TEXT)
		return path_expected(err, "a string, not ${int:...}, ${bool:...} or ${json:...}");
	return 0;
}

/* Labels, annotations. */
static int check_texts(const json_t *object, char path[CONFIG_PATH_MAX], struct err *err)
{
	const char *key;
	json_t *value;
	int ret;

	if (!json_is_object(object))
		return path_expected(err, "a mapping of strings");
	json_object_foreach((json_t *)object, key,
			    value) if (*key != '$' &&
				       (ret = check_member(object, key, check_text_item, path, err))) return ret;
	return 0;
}

static int check_metadata(const json_t *metadata, char path[CONFIG_PATH_MAX], struct err *err)
{
	static const char *const keys[] = { "labels", "annotations", "$if", "$else", NULL };
	int ret = path_check_keys(metadata, keys, path, err);

	if (!ret)
		ret = check_member(metadata, "labels", check_texts, path, err);
	return ret ? ret : check_member(metadata, "annotations", check_texts, path, err);
}

int config_check_overlay(const json_t *overlay, char path[CONFIG_PATH_MAX], struct err *err)
{
	static const char *const keys[] = { "metadata", "spec", "sidecar", NULL };
	const json_t *sidecar = json_object_get(overlay, "sidecar");
	int ret;

	*path = '\0';
	ret = path_check_keys(overlay, keys, path, err);
	if (!ret && sidecar && !json_is_boolean(sidecar)) {
		path_push(path, "sidecar");
		ret = path_expected(err, "true or false");
	}
	if (!ret)
		ret = check_value(overlay, path, err);
	if (!ret)
		ret = check_member(overlay, "metadata", check_metadata, path, err);
	return ret ? ret : check_member(overlay, "spec", check_spec, path, err);
}

int config_check_init_container(const json_t *container, char path[CONFIG_PATH_MAX], struct err *err)
{
	static const char *const not_allowed[] = { "name", "args" };
	int ret;

	*path = '\0';
	if (!json_is_object(container))
		return path_expected(err, "a mapping, a partial Container with image");
	for (unsigned i = 0; i < ARRAY_SIZE(not_allowed); i++)
		if (json_object_get(container, not_allowed[i])) {
			path_push(path, not_allowed[i]);
			return path_expected(err, "no %s, which is fixed", not_allowed[i]);
		}
	ret = check_value(container, path, err);
	if (!ret && !json_is_string(json_object_get(container, "image")))
		ret = path_expected(err, "a partial Container with image");
	return ret;
}
