/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every annotation of the table is checked before anything is built. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../cli/item.h"
#include "../cli/values.h"
#include "addr.h"
#include "injection.h"
#include "json.h"
#include "nearest.h"
#include "validate.h"

/* One annotation's value; @expected is filled if it is refused, @item if that is not the whole value. */
typedef bool checker(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal);

static bool refused(struct refusal *refusal, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool refused(struct refusal *refusal, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(refusal->expected, sizeof(refusal->expected), fmt, args);
	va_end(args);
	return false;
}

static bool check_option(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	(void)in;
	return option_valid(a, text, TEXT_ANNOTATED, refusal);
}

static bool check_mode(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	(void)in;
	(void)a;
	return choice_find(MODES, text, false) >= 0 || refused(refusal, "REDIRECT, TPROXY or NONE");
}

static bool check_port(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	uint32_t port;

	(void)in;
	(void)a;
	return number_parse(text, UINT16_MAX, &port) || refused(refusal, "a port 0-65535");
}

static bool check_number(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	uint32_t number;

	(void)in;
	(void)a;
	return number_parse(text, UINT32_MAX, &number) || refused(refusal, "a number 0-4294967295");
}

static bool check_boolean(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	bool value;

	(void)in;
	(void)a;
	return boolean_parse(text, &value) || refused(refusal, "true or false");
}

static bool check_quantity(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	(void)in;
	(void)a;
	return quantity_valid(text) || refused(refusal, "a quantity such as 100m or 128Mi");
}

static bool check_proxy_config(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	char path[CONFIG_PATH_MAX];
	struct err err;
	json_t *value;

	(void)in;
	(void)a;
	if (yaml_parse(text, strlen(text), &value, &err))
		return refused(refusal, "YAML (%s)", err.what);
	if (json_is_null(value) || !config_check_proxy_config(value, path, &err))
		return true;
	return refused(refusal, "%s%s%s", *path ? path + 1 : "", *path ? ": " : "", err.what);
}

static json_t *read_object(const char *text, struct refusal *refusal)
{
	struct err err;
	json_t *value;

	if (json_parse(text, strlen(text), &value, &err)) {
		refused(refusal, "JSON (%s)", err.what);
		return NULL;
	}
	if (!json_is_object(value))
		refused(refusal, "a JSON object");
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
			return refused(refusal, "%s", shape);
		json_array_foreach(list, i, item) if (!member_text(item, "name")) return refused(refusal, "%s", shape);
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
			return refused(refusal, "names of overlays or aliases of the configuration");
		}
	return n || refused(refusal, "names of overlays or aliases of the configuration");
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
		return refused(refusal, "a JSON object of objects by name");
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
	return !config_parse_order(text, &order, &name, &err) || refused(refusal, "%s", err.what);
}

static checker *const checkers[CHECKS] = {
	[CHECK_OPTION] = check_option,
	[CHECK_MODE] = check_mode,
	[CHECK_PORT] = check_port,
	[CHECK_NUMBER] = check_number,
	[CHECK_BOOLEAN] = check_boolean,
	[CHECK_QUANTITY] = check_quantity,
	[CHECK_PROXY_CONFIG] = check_proxy_config,
	[CHECK_OVERRIDES] = check_overrides,
	[CHECK_TEMPLATES] = check_templates,
	[CHECK_VOLUMES] = check_volumes,
	[CHECK_ORDER] = check_order,
};

static int check_one(struct injection *in, const struct annotation *a, const char *name)
{
	const char *text = name ? member_text(in->notes, name) : NULL;
	struct refusal refusal = { "", "" };

	if (!text || checkers[a->check](in, a, text, &refusal))
		return 0;
	return refuse_annotation(in, name, text, *refusal.item ? refusal.item : text, refusal.expected);
}

static bool is_option_name(const char *name)
{
	return !strncmp(name, OPTION_PREFIX, strlen(OPTION_PREFIX));
}

static int refuse_unknown(struct injection *in, const char *name)
{
	const char *names[ANNOTATIONS], *nearest;

	for (unsigned i = 0; i < ANNOTATIONS; i++)
		names[i] = annotations[i].name && is_option_name(annotations[i].name) ?
				   annotations[i].name + strlen(OPTION_PREFIX) :
				   NULL;
	nearest = nearest_name(name + strlen(OPTION_PREFIX), names, ANNOTATIONS);
	in->result->refusal = REFUSED_ANNOTATION;
	return err_set(in->err, STATUS_DATA, EINVAL, "annotation %s: there is no such option%s%s", quoted(in, name),
		       nearest ? "; the nearest is " OPTION_PREFIX : "", nearest ? nearest : "");
}

/* Names below istio-init/ that no option has. */
static int check_unknown(struct injection *in)
{
	const char *name;
	json_t *value;

	json_object_foreach(in->notes, name, value)
	{
		const struct annotation *a = annotations;

		if (!is_option_name(name))
			continue;
		while (a < annotations + ANNOTATIONS && (!a->name || strcmp(a->name, name) != 0))
			a++;
		if (a == annotations + ANNOTATIONS)
			return refuse_unknown(in, name);
	}
	return 0;
}

int annotations_check(struct injection *in)
{
	for (const struct annotation *a = annotations; a < annotations + ANNOTATIONS; a++) {
		int ret = check_one(in, a, a->name);

		if (!ret)
			ret = check_one(in, a, a->second);
		if (ret)
			return ret;
	}
	return check_unknown(in);
}
