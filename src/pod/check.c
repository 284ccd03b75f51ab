/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every annotation of the table is checked before anything is built. */
#include <stdio.h>
#include <string.h>

#include "../cli/item.h"
#include "addr.h"
#include "check_option.h"
#include "json.h"

static bool check_number(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	uint32_t number;

	(void)in;
	(void)a;
	return number_parse(text, UINT32_MAX, &number) || annotation_refused(refusal, "a number 0-4294967295");
}

static bool check_boolean(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	bool value;

	(void)in;
	(void)a;
	return boolean_parse(text, &value) || annotation_refused(refusal, "true or false");
}

static bool check_quantity(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	(void)in;
	(void)a;
	return quantity_valid(text) || annotation_refused(refusal, "a quantity such as 100m or 128Mi");
}

static bool check_proxy_config(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	char path[CONFIG_PATH_MAX];
	struct err err;
	json_t *value;

	(void)in;
	(void)a;
	if (yaml_parse(text, strlen(text), &value, &err))
		return annotation_refused(refusal, "YAML (%s)", err.what);
	if (json_is_null(value) || !config_check_proxy_config(value, path, &err))
		return true;
	return annotation_refused(refusal, "%s%s%s", *path ? path + 1 : "", *path ? ": " : "", err.what);
}

static json_t *read_object(const char *text, struct refusal *refusal)
{
	struct err err;
	json_t *value;

	if (json_parse(text, strlen(text), &value, &err)) {
		annotation_refused(refusal, "JSON (%s)", err.what);
		return NULL;
	}
	if (!json_is_object(value))
		annotation_refused(refusal, "a JSON object");
	return json_is_object(value) ? value : NULL;
}

static bool check_overrides(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	static const char shape[] = "{\"containers\":[...],\"initContainers\":[...]} with containers that have names";
	json_t *object = read_object(text, refusal), *list, *item;
	const char *key;
	size_t i;

	(void)in;
	(void)a;
	json_object_foreach(object, key, list)
	{
		if ((strcmp(key, "containers") != 0 && strcmp(key, "initContainers") != 0) || !json_is_array(list))
			return annotation_refused(refusal, "%s", shape);
		json_array_foreach(list, i, item) if (!member_text(item, "name")) return annotation_refused(refusal,
													    "%s", shape);
	}
	return object;
}

static bool check_templates(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	auto_free char *copy = xstrdup(text);
	char *rest = copy, *name;
	unsigned n = 0;

	(void)a;
	for (; (name = item_next(&rest, ",")); n++)
		if (!json_object_get(in->cfg->overlays, name) && !json_object_get(in->cfg->aliases, name)) {
			snprintf(refusal->item, sizeof(refusal->item), "%s", name);
			return annotation_refused(refusal, "names of overlays or aliases of the configuration");
		}
	return n || annotation_refused(refusal, "names of overlays or aliases of the configuration");
}

static bool check_volumes(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	json_t *object = read_object(text, refusal), *value;
	const char *key;

	(void)in;
	(void)a;
	json_object_foreach(object, key, value) if (!json_is_object(value))
	{
		snprintf(refusal->item, sizeof(refusal->item), "%s", key);
		return annotation_refused(refusal, "a JSON object of objects by name");
	}
	return object;
}

static bool check_order(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	enum pod_order order;
	const char *name;
	struct err err;

	(void)in;
	(void)a;
	return !config_parse_order(text, &order, &name, &err) || annotation_refused(refusal, "%s", err.what);
}

/* Those that are missing are of options. */
static annotation_checker *const checkers[CHECKS] = {
	[CHECK_NUMBER] = check_number,       [CHECK_BOOLEAN] = check_boolean,
	[CHECK_QUANTITY] = check_quantity,   [CHECK_PROXY_CONFIG] = check_proxy_config,
	[CHECK_OVERRIDES] = check_overrides, [CHECK_TEMPLATES] = check_templates,
	[CHECK_VOLUMES] = check_volumes,     [CHECK_ORDER] = check_order,
};

static bool check_any(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	return checkers[a->check] ? checkers[a->check](in, a, text, refusal) : option_check(in, a, text, refusal);
}

int annotations_check(struct injection *in)
{
	return annotations_walk(in, check_any);
}
