/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "selector.h"

#include <string.h>

#include "inject_config.h"
#include "member.h"
#include "path.h"

enum operator{ IN, NOT_IN, EXISTS, DOES_NOT_EXIST, OPERATORS };

static const char *const operators[OPERATORS] = { "In", "NotIn", "Exists", "DoesNotExist" };

static enum operator operator_find(const char *word)
{
	enum operator op = IN;

	while (op < OPERATORS && (!word || strcmp(word, operators[op]) != 0))
		op++;
	return op;
}

/* As <https://pkg.go.dev/k8s.io/apimachinery/pkg/labels#Requirement.Matches>: NotIn is true without the label. */
static bool expression_matches(const json_t *expression, const json_t *labels)
{
	const char *label = member_text(labels, member_text(expression, "key"));
	const json_t *values = member(expression, "values");

	switch (operator_find(member_text(expression, "operator"))) {
	case IN:
		return label && list_holds(values, label);
	case NOT_IN:
		return !label || !list_holds(values, label);
	case EXISTS:
		return label;
	default:
		return !label;
	}
}

bool selector_matches(const json_t *selector, const json_t *labels)
{
	json_t *match_labels = member(selector, "matchLabels"), *expressions = member(selector, "matchExpressions"), *item;
	const char *key;
	size_t i;

	if (!json_object_size(match_labels) && !json_array_size(expressions))
		return false;
	json_object_foreach(match_labels, key, item)
	{
		const char *label = member_text(labels, key);

		if (!label || strcmp(label, text_of(item)) != 0)
			return false;
	}
	json_array_foreach(expressions, i, item) if (!expression_matches(item, labels)) return false;
	return true;
}

static int check_labels(json_t *labels, char path[CONFIG_PATH_MAX], struct err *err)
{
	const char *key;
	json_t *value;

	if (labels && !json_is_object(labels))
		return path_expected(err, "a mapping of labels");
	json_object_foreach(labels, key, value)
	{
		if (text_of(value))
			continue;
		path_push(path, key);
		return path_expected(err, "a string");
	}
	return 0;
}

static int check_expression(const json_t *expression, char path[CONFIG_PATH_MAX], struct err *err)
{
	static const char *const keys[] = { "key", "operator", "values", NULL };
	enum operator op = operator_find(member_text(expression, "operator"));
	json_t *values = member(expression, "values"), *value;
	size_t i;
	int ret = path_check_keys(expression, keys, path, err);

	if (ret)
		return ret;
	if (!member_text(expression, "key"))
		return path_expected(err, "a mapping with key, operator and, for In and NotIn, values");
	if (op == OPERATORS) {
		path_push(path, "operator");
		return path_expected(err, "an operator In, NotIn, Exists or DoesNotExist");
	}
	path_push(path, "values");
	if (op <= NOT_IN ? !json_array_size(values) : json_array_size(values) > 0)
		return path_expected(err, op <= NOT_IN ? "a list of at least one value" : "no values");
	json_array_foreach(values, i, value) if (!text_of(value))
	{
		path_push_index(path, i);
		return path_expected(err, "a string");
	}
	path_pop(path);
	return 0;
}

static int check_selector(const json_t *selector, char path[CONFIG_PATH_MAX], struct err *err)
{
	static const char *const keys[] = { "matchLabels", "matchExpressions", NULL };
	json_t *expressions = member(selector, "matchExpressions"), *expression;
	size_t i;
	int ret = path_check_keys(selector, keys, path, err);

	if (ret)
		return ret;
	path_push(path, "matchLabels");
	ret = check_labels(member(selector, "matchLabels"), path, err);
	if (ret)
		return ret;
	path_pop(path);
	path_push(path, "matchExpressions");
	if (expressions && !json_is_array(expressions))
		return path_expected(err, "a list of expressions");
	json_array_foreach(expressions, i, expression)
	{
		path_push_index(path, i);
		ret = check_expression(expression, path, err);
		if (ret)
			return ret;
		path_pop(path);
	}
	path_pop(path);
	return 0;
}

int config_check_selectors(const json_t *selectors, char path[CONFIG_PATH_MAX], struct err *err)
{
	json_t *selector;
	size_t i;
	int ret = 0;

	*path = '\0';
	if (!json_is_array(selectors))
		return path_expected(err, "a list of label selectors");
	json_array_foreach((json_t *)selectors, i, selector)
	{
		path_push_index(path, i);
		ret = check_selector(selector, path, err);
		if (ret)
			return ret;
		path_pop(path);
	}
	return 0;
}
