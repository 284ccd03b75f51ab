/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The application's metrics go through the agent: who scrapes asks that, and that asks the application. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "../cli/item.h"
#include "../cli/values.h"
#include "addr.h"
#include "json.h"
#include "json_write.h"
#include "probes.h"
#include "settings.h"
#include "validate.h"

#define VARIABLE "ISTIO_PROMETHEUS_ANNOTATIONS"

enum name { SCRAPE, PATH, PORT, TARGETS, NAMES };

/* As Prometheus sees the names: everything but letters, digits and _ is a _. */
static const char *const seen_names[NAMES] = {
	[SCRAPE] = "prometheus_io_scrape",
	[PATH] = "prometheus_io_path",
	[PORT] = "prometheus_io_port",
	[TARGETS] = "prometheus_istio_io_scrape_targets",
};

struct found {
	const char *key[NAMES], *text[NAMES];
};

/* Which of the names it is; NAMES if it is none. */
static enum name name_find(const char *key)
{
	for (enum name n = SCRAPE; n < NAMES; n++) {
		const char *a = seen_names[n], *b = key;

		while (*a && *b && *a == (isalnum((unsigned char)*b) ? *b : '_')) {
			a++;
			b++;
		}
		if (!*a && !*b)
			return n;
	}
	return NAMES;
}

static void find(struct found *found, json_t *notes)
{
	const char *key;
	json_t *value;

	*found = (struct found){ 0 };
	json_object_foreach(notes, key, value)
	{
		enum name n = name_find(key);

		if (n == NAMES || found->key[n] || !text_of(value))
			continue;
		found->key[n] = key;
		found->text[n] = text_of(value);
	}
}

static bool is_taken(const struct injection *in, uint32_t port)
{
	static const uint16_t taken[] = { 15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090 };

	for (unsigned i = 0; i < ARRAY_SIZE(taken); i++)
		if (port == taken[i])
			return true;
	return port == metrics_port(in);
}

static int check_port(struct injection *in, const char *key, const char *value, const char *item)
{
	uint32_t port;

	if (!number_parse(item, UINT16_MAX, &port) || !port)
		return refuse_annotation(in, key, value, item, "a port 1-65535");
	return is_taken(in, port) ? refuse_annotation(in, key, value, item, "a port that is not the proxy's") : 0;
}

static void set(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

/* "port:path,..."; the first one's go to @port and @path. */
static int read_targets(struct injection *in, const struct found *found, json_t *targets, const char **path,
			const char **port)
{
	auto_free char *copy = xstrdup(found->text[TARGETS]);
	char *rest = copy, *item;

	while ((item = item_next(&rest, ","))) {
		json_t *target = json_object();
		char *colon = strchr(item, ':');
		const char *of_path = arena_printf(in->arena, "%s", colon && colon[1] ? colon + 1 : "/metrics");
		const char *of_port =
			arena_printf(in->arena, "%.*s", colon ? (int)(colon - item) : (int)strlen(item), item);
		int ret = check_port(in, found->key[TARGETS], found->text[TARGETS], of_port);

		if (ret)
			return ret;
		set(target, "port", of_port);
		set(target, "path", of_path);
		if (!json_array_size(targets)) {
			*port = of_port;
			*path = of_path;
		}
		json_array_append(targets, target);
	}
	return 0;
}

/* What the application had said, as JSON for the agent; NULL if that was nothing. */
static int configuration_text(struct injection *in, const struct found *found, const char **text)
{
	const char *path = found->text[PATH], *port = found->text[PORT];
	json_t *targets = json_array(), *configuration = json_object();
	int ret = 0;

	*text = NULL;
	if (port)
		ret = check_port(in, found->key[PORT], port, port);
	if (!ret && found->text[TARGETS])
		ret = read_targets(in, found, targets, &path, &port);
	if (ret || (!found->text[SCRAPE] && !path && !port))
		return ret;
	set(configuration, "scrape", found->text[SCRAPE] ? found->text[SCRAPE] : "");
	set(configuration, "path", path ? path : "");
	set(configuration, "port", port ? port : "");
	if (json_array_size(targets))
		json_object_set(configuration, "targets", targets);
	*text = json_text(configuration);
	return 0;
}

/* The annotations with those of the application taken out, and the agent's put in. */
static json_t *with_agent(const struct injection *in, json_t *notes)
{
	static const char scrape[] = "prometheus.io/scrape", path[] = "prometheus.io/path", port[] = "prometheus.io/port";
	json_t *copy = json_object(), *value;
	const char *key;

	json_object_foreach(notes, key, value) if (name_find(key) == NAMES || !strcmp(key, scrape) || !strcmp(key, path) ||
						   !strcmp(key, port)) json_object_set(copy, key, value);
	set(copy, port, arena_printf(in->arena, "%u", metrics_port(in)));
	set(copy, path, "/stats/prometheus");
	set(copy, scrape, "true");
	return copy;
}

int prometheus_merge(struct injection *in, json_t **pod)
{
	json_t *notes = member(member(*pod, "metadata"), "annotations");
	const char *text, *agent = arena_printf(in->arena, "%u", metrics_port(in));
	struct found found;
	bool scrape = true;
	int ret;

	if (!note_boolean(in, ANNOTATION_MERGE_PROMETHEUS, in->cfg->merge_prometheus) || !metrics_port(in) ||
	    !proxy_find(in, *pod))
		return 0;
	find(&found, notes);
	if (found.text[SCRAPE] && boolean_parse(found.text[SCRAPE], &scrape) && !scrape)
		return 0;
	if (found.text[PORT] && !strcmp(found.text[PORT], agent))
		return 0;
	ret = configuration_text(in, &found, &text);
	if (ret)
		return ret;
	if (text)
		*pod = proxy_with_env(in, *pod, VARIABLE, text);
	*pod = pod_with(*pod, "metadata", "annotations", with_agent(in, notes));
	return 0;
}
