/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netconf.h"

#include <errno.h>
#include <string.h>

#include "../cli/item.h"
#include "../cli/log_options.h"
#include "../pod/annotations.h"
#include "../pod/member.h"

const char *const cni_versions[CNI_VERSIONS] = {
	[CNI_0_3_0] = "0.3.0", [CNI_0_3_1] = "0.3.1", [CNI_0_4_0] = "0.4.0",
	[CNI_1_0_0] = "1.0.0", [CNI_1_1_0] = "1.1.0",
};

static int expected(struct err *err, const char *key, const char *what)
{
	return err_set(err, STATUS_DATA, EINVAL, "%s: expected %s", key, what);
}

/* The bytes of a member's value. */
static void find_span(struct netconf *conf, const char *wanted)
{
	const struct json_node *node = conf->doc.node.children;
	const char *key;
	json_t *value;

	json_object_foreach(conf->doc.root, key, value)
	{
		if (!strcmp(key, wanted) && !json_is_null(value)) {
			conf->prev = conf->doc.text + node->start;
			conf->prev_len = node->end - node->start;
		}
		node++;
	}
}

int netconf_read(struct netconf *conf, struct arena *arena, const char *text, size_t len, struct err *err)
{
	int rc = json_read(&conf->doc, arena, text, len, err);

	conf->version = CNI_VERSIONS;
	if (rc)
		return rc;
	if (!json_is_object(conf->doc.root))
		return err_set(err, STATUS_DATA, EINVAL, "1:1: expected a JSON object");
	conf->version_text = member_text(conf->doc.root, "cniVersion");
	for (unsigned i = 0; conf->version_text && i < CNI_VERSIONS; i++)
		if (!strcmp(cni_versions[i], conf->version_text))
			conf->version = i;
	find_span(conf, "prevResult");
	return 0;
}

static int check_capture(struct netconf *conf, json_t *value, struct err *err)
{
	char path[CONFIG_PATH_MAX];
	struct err inner;

	if (!config_set_captures(&conf->inject, value, path, &inner))
		return 0;
	return err_set(err, STATUS_DATA, EINVAL, "capture%s%s: expected %s", *path ? "." : "", *path ? path + 1 : "",
		       inner.what);
}

static int check_exclude(struct netconf *conf, json_t *value, struct err *err)
{
	json_t *name;
	size_t i;

	conf->exclude_namespaces = value;
	if (!json_is_array(value))
		return expected(err, "excludeNamespaces", "a list of names of namespaces");
	json_array_foreach(value, i, name) if (!text_of(name) ||
					       !*text_of(name)) return expected(err, "excludeNamespaces",
										"a list of names of namespaces");
	return 0;
}

static int check_fail_open(struct netconf *conf, json_t *value, struct err *err)
{
	conf->fail_open = json_is_true(value);
	return json_is_boolean(value) ? 0 : expected(err, "failOpen", "true or false");
}

static int check_log_file(struct netconf *conf, json_t *value, struct err *err)
{
	const char *path = text_of(value);

	conf->log_file = path && *path ? path : NULL;
	return path && (!*path || *path == '/') ? 0 : expected(err, "logFile", "an absolute path");
}

static int check_log_level(struct netconf *conf, json_t *value, struct err *err)
{
	int i = text_of(value) ? choice_find(LOG_LEVELS, text_of(value), false) : -1;

	if (i < 0)
		return expected(err, "logLevel", "one of debug, info, warn, error, fatal, none");
	conf->log_level = (enum log_level)i;
	return 0;
}

/* The annotations that the runtime adds.  null is a pod without any. */
static int check_annotations(struct netconf *conf, struct err *err)
{
	json_t *runtime = member(conf->doc.root, "runtimeConfig");
	json_t *value = json_object_get(runtime, KEY_ANNOTATIONS), *text;
	const char *name;

	if (runtime && !json_is_object(runtime))
		return expected(err, "runtimeConfig", "a JSON object");
	conf->has_annotations = value;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_object(value))
		return expected(err, "runtimeConfig." KEY_ANNOTATIONS, "a JSON object of texts, or null");
	json_object_foreach(value, name, text) if (!json_is_null(text) &&
						   !text_of(text)) return expected(err, "runtimeConfig." KEY_ANNOTATIONS,
										   "a JSON object of texts, or null");
	conf->annotations = value;
	return 0;
}

static json_t *default_exclude(void)
{
	static const char *const names[] = { "kube-system", "kube-public", "kube-node-lease", "istio-system" };
	json_t *list = json_array();

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

int netconf_check(struct netconf *conf, struct arena *arena, struct err *err)
{
	static const struct {
		const char *name;
		int (*check)(struct netconf *conf, json_t *value, struct err *err);
	} keys[] = {
		{ "capture", check_capture },  { "excludeNamespaces", check_exclude }, { "failOpen", check_fail_open },
		{ "logFile", check_log_file }, { "logLevel", check_log_level },
	};

	inject_config_init(&conf->inject, arena);
	conf->log_level = LOG_INFO;
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *value = json_object_get(conf->doc.root, keys[i].name);
		int rc = value ? keys[i].check(conf, value, err) : 0;

		if (rc)
			return rc;
	}
	if (!conf->exclude_namespaces)
		conf->exclude_namespaces = default_exclude();
	return check_annotations(conf, err);
}
