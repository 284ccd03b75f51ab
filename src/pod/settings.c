/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What holds for this pod: its annotations where it has them, else proxyConfig, else the configuration. */
#include <string.h>

#include "../cli/item.h"
#include "../cli/values.h"
#include "addr.h"
#include "injection.h"
#include "json.h"
#include "merge.h"
#include "settings.h"
#include "validate.h"

bool note_boolean(const struct injection *in, enum annotation_id id, bool otherwise)
{
	const char *text = note(in, id);
	bool value;

	return text && boolean_parse(text, &value) ? value : otherwise;
}

/* Adds the overlays that @name stands for. */
static void choose(struct injection *in, const char *name)
{
	json_t *names = json_object_get(in->cfg->overlays, name) ? NULL : json_object_get(in->cfg->aliases, name), *of;
	size_t i;

	if (!names)
		list_add(in->result->overlays, name);
	json_array_foreach(names, i, of) list_add(in->result->overlays, text_of(of));
}

static void choose_overlays(struct injection *in)
{
	const char *names = note(in, ANNOTATION_TEMPLATES), *key;
	auto_free char *copy = names ? xstrdup(names) : NULL;
	char *rest = copy, *name;
	json_t *overlay;
	size_t i;

	if (names)
		while ((name = item_next(&rest, ",")))
			choose(in, name);
	else if (in->cfg->default_overlays)
		json_array_foreach(in->cfg->default_overlays, i, overlay) list_add(in->result->overlays, text_of(overlay));
	else
		json_object_foreach(in->cfg->overlays, key, overlay) list_add(in->result->overlays, key);
	in->sidecar = true;
	json_array_foreach(in->result->overlays, i, overlay) in->sidecar &=
		!json_is_false(json_object_get(json_object_get(in->cfg->overlays, text_of(overlay)), "sidecar"));
}

static void read_proxy_config(struct injection *in)
{
	const char *text = note(in, ANNOTATION_PROXY_CONFIG);
	json_t *value = NULL;
	struct err err;

	in->proxy_config = in->cfg->proxy_config;
	if (text && !yaml_parse(text, strlen(text), &value, &err) && json_is_object(value))
		in->proxy_config = merge(in->proxy_config, value, MERGE_PLAIN | MERGE_NULLS, NULL);
}

static json_t *amount(const struct injection *in, enum annotation_id cpu, enum annotation_id memory)
{
	const char *of_cpu = note(in, cpu), *of_memory = note(in, memory);
	json_t *amounts = json_object();

	if (of_cpu)
		json_object_set_new(amounts, "cpu", json_string(of_cpu));
	if (of_memory)
		json_object_set_new(amounts, "memory", json_string(of_memory));
	return amounts;
}

static void read_resources(struct injection *in)
{
	json_t *requests = amount(in, ANNOTATION_PROXY_CPU, ANNOTATION_PROXY_MEMORY);
	json_t *limits = amount(in, ANNOTATION_PROXY_CPU_LIMIT, ANNOTATION_PROXY_MEMORY_LIMIT);

	in->resources = without_nulls(in->cfg->resources);
	if (!json_object_size(requests) && !json_object_size(limits))
		return;
	in->resources = json_object();
	if (json_object_size(requests))
		json_object_set(in->resources, "requests", requests);
	if (json_object_size(limits))
		json_object_set(in->resources, "limits", limits);
}

unsigned metrics_port(const struct injection *in)
{
	json_t *port = member(in->proxy_config, "statusPort");

	return port ? (unsigned)json_integer_value(port) : in->cfg->status_port;
}

static void read_order(struct injection *in)
{
	const char *text = note(in, ANNOTATION_ORDER);
	struct err err;

	in->order = in->cfg->order;
	in->order_name = in->cfg->order_name;
	if (text)
		config_parse_order(text, &in->order, &in->order_name, &err);
}

const char *mode_word(const char *text)
{
	static const char *const modes[] = { "REDIRECT", "TPROXY", "NONE" };
	/* istio-init takes any case, and nothing for REDIRECT */
	int i = choice_find(MODES, text, true);

	return modes[i < 0 ? 0 : i];
}

static const char *find_mode(const struct injection *in)
{
	const char *text = note(in, ANNOTATION_MODE);

	/* The plugin takes every pod that has a status, but for this mode (options_annotate). */
	if (!in->sidecar && in->cfg->init == INIT_CNI)
		return "NONE";
	if (!text)
		text = member_text(in->proxy_config, "interceptionMode");
	if (!text)
		text = in->cfg->capture->of[ANNOTATION_MODE].text;
	return mode_word(text);
}

void settings_read(struct injection *in)
{
	const char *port = note(in, ANNOTATION_STATUS_PORT);
	uint32_t number;

	choose_overlays(in);
	read_proxy_config(in);
	read_resources(in);
	read_order(in);
	in->status_port = port && number_parse(port, UINT16_MAX, &number) ? number : metrics_port(in);
	in->mode = find_mode(in);
	in->result->mode = in->mode;
	in->native = in->sidecar && note_boolean(in, ANNOTATION_NATIVE, in->cfg->native);
	in->hold = !in->native &&
		   (in->cfg->hold || json_is_true(member(in->proxy_config, "holdApplicationUntilProxyStarts")));
}
