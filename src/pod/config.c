/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration: its defaults, and what its values must be. */
#include <string.h>

#include "../cli/item.h"
#include "../cli/options.h"
#include "../cli/values.h"
#include "injection.h"
#include "json.h"
#include "json_write.h"
#include "options.h"
#include "path.h"
#include "validate.h"

static json_t *texts(const char *const *items)
{
	json_t *list = json_array();

	for (; *items; items++)
		json_array_append_new(list, json_string(*items));
	return list;
}

void inject_config_init(struct inject_config *cfg, struct arena *arena)
{
	static const char *const ignored[] = { "kube-system", "kube-public", "kube-node-lease", "local-path-storage", NULL };

	*cfg = (struct inject_config){
		.ignored_namespaces = texts(ignored),
		.never_inject = json_array(),
		.always_inject = json_array(),
		.revision = "default",
		.proxy = "istio-proxy",
		.init = INIT_CONTAINER,
		.validation = true,
		.native = true,
		.status_port = 15020,
		.proxy_ports = "15090,15021",
		.capture = arena_alloc(arena, sizeof(*cfg->capture)),
		.resources = json_object(),
		.proxy_config = json_object(),
		.overlays = json_object(),
		.aliases = json_object(),
	};
	for (unsigned i = 0; i < ANNOTATIONS; i++)
		cfg->capture->of[i].text = annotations[i].start;
}

static bool is_boolean(const struct annotation *option)
{
	return option->check == CHECK_OPTION && options[option->like].type == TYPE_BOOL;
}

int config_set_capture(struct inject_config *cfg, const char *option, const char *text, struct err *err)
{
	const struct annotation *a = annotations;
	struct refusal refusal = { "", "" };
	bool value;

	while (a < annotations + ANNOTATIONS && (!a->option || strcmp(a->option, option) != 0))
		a++;
	if (a == annotations + ANNOTATIONS)
		return path_expected(err, option_find(option, strlen(option)) ?
						  "an option other than those that say what one run does" :
						  "an option of istio-init without its dashes");
	if (!option_valid(a, text, TEXT_CONFIGURED, &refusal))
		return path_expected(err, "%s instead of \"%.60s\"", refusal.expected, refusal.item);
	if (is_boolean(a) && boolean_parse(text, &value))
		text = value ? "true" : "false";
	cfg->capture->of[a - annotations] = (struct capture_value){ text, true };
	return 0;
}

int config_set_captures(struct inject_config *cfg, const json_t *values, char path[CONFIG_PATH_MAX], struct err *err)
{
	const char *option;
	json_t *value;

	*path = '\0';
	if (!json_is_object(values))
		return path_expected(err, "a mapping of options of istio-init, without dashes, to their values");
	json_object_foreach((json_t *)values, option, value)
	{
		const char *text = text_of(value);
		int ret;

		path_push(path, option);
		if (json_is_object(value) || json_is_array(value) || json_is_null(value))
			return path_expected(err, "a text, a number, true or false");
		ret = config_set_capture(cfg, option, text ? text : json_text(value), err);
		if (ret)
			return ret;
		*path = '\0';
	}
	return 0;
}

int config_check_ports(const char *text, struct err *err)
{
	struct refusal refusal;

	if (!option_valid(&annotations[ANNOTATION_LOCAL_EXCLUDE_PORTS], text, TEXT_ANNOTATED, &refusal))
		return path_expected(err, "%s", refusal.expected);
	return 0;
}

int config_parse_order(const char *text, enum pod_order *order, const char **name, struct err *err)
{
	static const char after[] = "after:";
	int i = choice_find("auto|first|last", text, false);

	*name = NULL;
	*order = i < 0 ? ORDER_AFTER : (enum pod_order)i;
	if (i >= 0)
		return 0;
	if (strncmp(text, after, strlen(after)) != 0 || !text[strlen(after)])
		return path_expected(err, "auto, first, last or after:NAME");
	*name = text + strlen(after);
	return 0;
}

/* limits and requests: a mapping of quantities, as strings or numbers. */
static int check_quantities(const json_t *quantities, char path[CONFIG_PATH_MAX], struct err *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(quantities))
		return path_expected(err, "a mapping of quantities");
	json_object_foreach((json_t *)quantities, key, value)
	{
		const char *text = json_is_integer(value) || json_is_raw_number(value) ? json_text(value) : text_of(value);

		if (json_is_null(value) || (text && quantity_valid(text)))
			continue;
		path_push(path, key);
		return path_expected(err, "a quantity such as 100m or 128Mi");
	}
	return 0;
}

int config_check_resources(const json_t *resources, char path[CONFIG_PATH_MAX], struct err *err)
{
	static const char *const keys[] = { "requests", "limits", "claims", NULL };
	int ret;

	*path = '\0';
	ret = path_check_keys(resources, keys, path, err);
	for (unsigned i = 0; i < 2 && !ret; i++)
		if (member(resources, keys[i])) {
			path_push(path, keys[i]);
			ret = check_quantities(member(resources, keys[i]), path, err);
			if (!ret)
				path_pop(path);
		}
	return ret;
}

static int check_metadata(const json_t *metadata, char path[CONFIG_PATH_MAX], struct err *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(metadata))
		return path_expected(err, "a mapping of texts");
	json_object_foreach((json_t *)metadata, key, value) if (json_is_object(value) || json_is_array(value))
	{
		path_push(path, key);
		return path_expected(err, "a text");
	}
	return 0;
}

int config_check_proxy_config(const json_t *proxy_config, char path[CONFIG_PATH_MAX], struct err *err)
{
	const json_t *metadata = member(proxy_config, "proxyMetadata"), *mode = member(proxy_config, "interceptionMode");
	const json_t *hold = member(proxy_config, "holdApplicationUntilProxyStarts");
	const json_t *port = member(proxy_config, "statusPort");

	*path = '\0';
	if (!json_is_object(proxy_config))
		return path_expected(err, "a mapping");
	if (metadata) {
		int ret;

		path_push(path, "proxyMetadata");
		ret = check_metadata(metadata, path, err);
		if (ret)
			return ret;
		path_pop(path);
	}
	if (mode && (!text_of(mode) || choice_find(MODES, text_of(mode), false) < 0)) {
		path_push(path, "interceptionMode");
		return path_expected(err, "REDIRECT, TPROXY or NONE");
	}
	if (hold && !json_is_boolean(hold)) {
		path_push(path, "holdApplicationUntilProxyStarts");
		return path_expected(err, "true or false");
	}
	if (port && (!json_is_integer(port) || json_integer_value(port) < 0 || json_integer_value(port) > UINT16_MAX)) {
		path_push(path, "statusPort");
		return path_expected(err, "a port 0-65535");
	}
	return 0;
}

static int check_names(const struct inject_config *cfg, const json_t *names, char path[CONFIG_PATH_MAX], struct err *err)
{
	size_t i;
	json_t *name;

	json_array_foreach((json_t *)names, i, name)
	{
		if (text_of(name) && json_object_get(cfg->overlays, text_of(name)))
			continue;
		path_push_index(path, i);
		return path_expected(err, "the name of an overlay");
	}
	return 0;
}

/* That the options go together as they are given to a pod without annotations. */
static int check_capture(const struct inject_config *cfg, struct err *err)
{
	const char *texts[ANNOTATIONS] = { NULL }, *mode = text_of(member(cfg->proxy_config, "interceptionMode"));
	struct conflict conflict;

	for (unsigned id = 0; id < ANNOTATIONS; id++) {
		const char *text = cfg->capture->of[id].text;

		if (annotations[id].option && option_is_given(id, text, false))
			texts[id] = text;
	}
	texts[ANNOTATION_MODE] = mode ? mode : texts[ANNOTATION_MODE];
	if (cfg->init == INIT_NONE || !strcmp(texts[ANNOTATION_MODE], "NONE") || options_agree(texts, &conflict))
		return 0;
	return path_expected(err, "options that istio-init takes together: %s", conflict.why);
}

int config_check_whole(const struct inject_config *cfg, char path[CONFIG_PATH_MAX], struct err *err)
{
	const char *alias;
	json_t *names;
	int ret;

	strcpy(path, "/capture");
	ret = check_capture(cfg, err);
	if (ret)
		return ret;
	strcpy(path, "/initContainer");
	if (cfg->init != INIT_NONE && !member(cfg->init_container, "image"))
		return path_expected(err, "a partial Container with image, as init is not none");
	strcpy(path, "/default");
	ret = check_names(cfg, cfg->default_overlays, path, err);
	json_object_foreach(cfg->aliases, alias, names)
	{
		if (ret)
			break;
		strcpy(path, "/aliases");
		path_push(path, alias);
		ret = json_is_array(names) ? check_names(cfg, names, path, err) :
					     path_expected(err, "a list of names of overlays");
	}
	return ret;
}
