/* SPDX-License-Identifier: GPL-2.0-or-later */
/* istio-init's options for one pod, as arguments and as annotations for the CNI plugin. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/item.h"
#include "../cli/options.h"
#include "../cli/values.h"
#include "buffer.h"
#include "validate.h"

#define DEFAULT_PROXY_ID "1337"

static struct option_value configured(const struct injection *in, enum annotation_id id)
{
	const struct capture_value *value = &in->cfg->capture->of[id];

	return (struct option_value){ value->text, value->configured ? FROM_CONFIGURATION : FROM_DEFAULT, NULL };
}

static struct option_value annotated(const char *text, const char *name)
{
	return (struct option_value){ text, FROM_ANNOTATION, name };
}

static bool is_boolean(const struct annotation *a)
{
	return a->check == CHECK_OPTION && options[a->like].type == TYPE_BOOL;
}

static struct option_value read_option(const struct injection *in, enum annotation_id id)
{
	const struct annotation *a = &annotations[id];
	const char *names[] = { a->name, a->second };

	for (unsigned i = 0; i < ARRAY_SIZE(names) && json_object_size(in->notes); i++) {
		const char *text = names[i] ? member_text(in->notes, names[i]) : NULL;
		bool value;

		if (text && is_boolean(a))
			text = boolean_parse(text, &value) && value ? "true" : "false";
		if (text)
			return annotated(text, names[i]);
	}
	return configured(in, id);
}

static struct option_value read_mode(const struct injection *in)
{
	struct option_value value = read_option(in, ANNOTATION_MODE);

	if (value.from != FROM_ANNOTATION && member(in->proxy_config, "interceptionMode")) {
		value.from = FROM_CONFIGURATION;
		if (note(in, ANNOTATION_PROXY_CONFIG))
			value = annotated(NULL, annotations[ANNOTATION_PROXY_CONFIG].name);
	}
	value.text = in->mode;
	return value;
}

/* A number of the proxy container's securityContext as text; NULL if it is not set, or 0. */
static const char *run_as(const struct injection *in, const json_t *proxy, const char *key)
{
	const json_t *value = member(member(proxy, "securityContext"), key);

	return json_is_integer(value) && json_integer_value(value) > 0 ?
		       arena_printf(in->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) :
		       NULL;
}

static struct option_value read_uid(const struct injection *in, const json_t *proxy)
{
	struct option_value value = read_option(in, ANNOTATION_PROXY_UID);
	const char *user = run_as(in, proxy, "runAsUser");

	if (value.from == FROM_ANNOTATION && *value.text)
		return value;
	return user ? (struct option_value){ user, FROM_CONFIGURATION, NULL } : configured(in, ANNOTATION_PROXY_UID);
}

/* In TPROXY mode the proxy is root, and told apart by its group. */
static struct option_value read_gid(const struct injection *in, const json_t *proxy)
{
	struct option_value value = read_option(in, ANNOTATION_PROXY_GID);
	const char *group = run_as(in, proxy, "runAsGroup");

	if (!value.text && group && !strcmp(in->mode, "TPROXY") &&
	    strcmp(group, in->options[ANNOTATION_PROXY_UID].text) != 0)
		value = (struct option_value){ group, FROM_CONFIGURATION, NULL };
	return value;
}

const char *list_with(struct arena *arena, const char *list, const char *const *more, unsigned n)
{
	auto_free char *copy = xstrdup(list);
	char *rest = copy, *item, *joined, *end;
	size_t size = strlen(list) + 1;
	uint64_t there = 0;

	for (unsigned i = 0; i < n; i++)
		size += strlen(more[i]) + 1;
	joined = end = arena_alloc(arena, size);
	while ((item = item_next(&rest, ","))) {
		for (unsigned i = 0; i < n; i++)
			there |= (uint64_t)!strcmp(item, more[i]) << i;
		end += sprintf(end, "%s%s", end > joined ? "," : "", item);
	}
	for (unsigned i = 0; i < n; i++)
		if (!(there >> i & 1))
			end += sprintf(end, "%s%s", end > joined ? "," : "", more[i]);
	return joined;
}

static const char *with_status_port(const struct injection *in, const char *list)
{
	const char *port = arena_printf(in->arena, "%u", in->status_port);

	return list_with(in->arena, list, &port, in->status_port ? 1 : 0);
}

static struct option_value read_exclude_ports(const struct injection *in)
{
	const char *port_name = annotations[ANNOTATION_STATUS_PORT].name, *ports = in->cfg->proxy_ports;
	struct option_value value = read_option(in, ANNOTATION_LOCAL_EXCLUDE_PORTS);
	const char *rest = with_status_port(in, value.text);

	if (value.from != FROM_ANNOTATION && note(in, ANNOTATION_STATUS_PORT))
		value = annotated(NULL, port_name);
	value.text = arena_printf(in->arena, "%s%s%s", ports, *ports && *rest ? "," : "", rest);
	return value;
}

void options_read(struct injection *in, const json_t *proxy)
{
	for (unsigned id = 0; id < ANNOTATIONS; id++)
		if (annotations[id].option)
			in->options[id] = read_option(in, id);
	in->options[ANNOTATION_MODE] = read_mode(in);
	in->options[ANNOTATION_PROXY_UID] = read_uid(in, proxy);
	in->options[ANNOTATION_PROXY_GID] = read_gid(in, proxy);
	in->options[ANNOTATION_LOCAL_EXCLUDE_PORTS] = read_exclude_ports(in);
}

bool option_is_given(enum annotation_id id, const char *text, bool annotated)
{
	switch (annotations[id].given) {
	case GIVEN_ALWAYS:
		return true;
	case GIVEN_FILLED:
		return annotated || *text;
	case GIVEN_IF_TRUE:
		return text && !strcmp(text, "true");
	case GIVEN_SET:
		return text;
	default:
		return false;
	}
}

static bool is_given(const struct injection *in, enum annotation_id id)
{
	return option_is_given(id, in->options[id].text, in->options[id].from == FROM_ANNOTATION);
}

/* Where an option's value comes from, for an error. */
static const char *source_of(const struct injection *in, enum annotation_id id)
{
	const struct option_value *value = &in->options[id];

	if (value->from == FROM_ANNOTATION)
		return arena_printf(in->arena, "annotation %s", value->annotation);
	return arena_printf(in->arena, value->from == FROM_DEFAULT ? "the default of %s" : "the configuration's %s",
			    annotations[id].option);
}

static int refuse_conflict(struct injection *in, const struct conflict *conflict)
{
	enum annotation_id one = conflict->between[0], other = conflict->between[1];
	const char *sources;

	if (one == ANNOTATIONS)
		return refuse_overlay(in, "istio-init's options: %s", conflict->why);
	/* the annotation first, as it is what the pod's owner can change */
	if (other < ANNOTATIONS && in->options[other].from > in->options[one].from) {
		one = conflict->between[1];
		other = conflict->between[0];
	}
	sources = source_of(in, one);
	if (other < ANNOTATIONS)
		sources = arena_printf(in->arena, "%s and %s", sources, source_of(in, other));
	if (in->options[one].from != FROM_ANNOTATION)
		return refuse_overlay(in, "%s: %s", sources, conflict->why);
	in->result->refusal = REFUSED_ANNOTATION;
	return err_set(in->err, STATUS_DATA, EINVAL, "%s: %s", sources, conflict->why);
}

int options_check(struct injection *in)
{
	const char *texts[ANNOTATIONS];
	struct conflict conflict;

	for (unsigned id = 0; id < ANNOTATIONS; id++)
		texts[id] = annotations[id].option && is_given(in, id) ? in->options[id].text : NULL;
	return options_agree(texts, &conflict) ? 0 : refuse_conflict(in, &conflict);
}

static void add_arg(json_t *args, const char *text)
{
	json_array_append_new(args, json_string(text));
}

static void add_option(struct injection *in, json_t *args, enum annotation_id id)
{
	const struct annotation *a = &annotations[id];
	const char *text = in->options[id].text;

	if (a->letter) {
		add_arg(args, (char[]){ '-', a->letter, '\0' });
		add_arg(args, text);
	} else if (is_boolean(a) && !strcmp(text, "true")) {
		add_arg(args, arena_printf(in->arena, "--%s", a->option));
	} else {
		add_arg(args, arena_printf(in->arena, "--%s=%s", a->option, text));
	}
}

/* For `check`: what of is_given is known to whoever makes the rules. */
static void list_options(struct injection *in)
{
	static const char *const from[] = { "default", "configuration", "annotation" };
	struct pod_option *list = arena_alloc(in->arena, ANNOTATIONS * sizeof(*list));

	in->result->options = list;
	for (unsigned id = 0; id < ANNOTATIONS; id++)
		if (is_given(in, id))
			list[in->result->n_options++] = (struct pod_option){
				annotations[id].option,
				in->options[id].text,
				from[in->options[id].from],
				in->options[id].annotation,
			};
}

json_t *options_args(struct injection *in, bool rules)
{
	json_t *args = json_array();

	list_options(in);
	add_arg(args, "istio-iptables");
	for (unsigned id = 0; id < ANNOTATIONS; id++) {
		if (id == ANNOTATION_FORCE_APPLY && !rules) {
			add_arg(args, "--run-validation");
			add_arg(args, "--skip-rule-apply");
		}
		if (is_given(in, id) && (rules || annotations[id].to == TO_BOTH))
			add_option(in, args, id);
	}
	return args;
}

/* Whether the plugin can be told: an annotation cannot name a file. */
static bool can_annotate(enum annotation_id id, const char *text)
{
	struct refusal refusal;

	return id == ANNOTATION_MODE || option_valid(&annotations[id], text, TEXT_ANNOTATED, &refusal);
}

static void annotate(json_t *notes, enum annotation_id id, const char *text)
{
	const struct annotation *a = &annotations[id];
	const char *old = member_text(notes, a->name);

	if (can_annotate(id, text) && !(old && !strcmp(old, text)))
		json_object_set_new(notes, a->name, json_string(text));
}

/* Whether the plugin has to be told, where the pod's annotations do not say it already. */
static bool is_told(const struct injection *in, enum annotation_id id)
{
	const struct annotation *a = &annotations[id];
	const char *text = in->options[id].text;

	if (!a->name || !a->option || note(in, id))
		return false;
	switch (id) {
	case ANNOTATION_MODE:
	case ANNOTATION_INBOUND_PORTS:
		return true;
	case ANNOTATION_SERVICE_CIDR:
	case ANNOTATION_SERVICE_EXCLUDE_CIDR:
		return *text;
	case ANNOTATION_PROXY_UID:
		return strcmp(text, DEFAULT_PROXY_ID) != 0;
	case ANNOTATION_PROXY_GID:
	case ANNOTATION_LOCAL_EXCLUDE_PORTS:
	case ANNOTATION_LOG_OUTPUT_LEVEL:
		return false;
	default:
		return is_given(in, id);
	}
}

const struct metadata_option metadata_options[METADATA_OPTIONS] = {
	{ ANNOTATION_REDIRECT_DNS, "ISTIO_META_DNS_CAPTURE" },
	{ ANNOTATION_DROP_INVALID, "INVALID_DROP" },
	{ ANNOTATION_DUAL_STACK, "ISTIO_DUAL_STACK" },
};

bool metadata_is_true(const json_t *metadata, const char *key)
{
	const json_t *set = member(metadata, key);
	const char *text = text_of(set);
	bool value = json_is_true(set);

	return (!text || boolean_parse(text, &value)) && value;
}

static void annotate_metadata(const struct injection *in, json_t *notes)
{
	const json_t *metadata = member(in->proxy_config, "proxyMetadata");

	for (unsigned i = 0; i < METADATA_OPTIONS; i++)
		if (!in->options[metadata_options[i].id].text && metadata_is_true(metadata, metadata_options[i].key))
			annotate(notes, metadata_options[i].id, "true");
}

void options_annotate(struct injection *in, json_t *notes, const json_t *proxy)
{
	const char *gid = in->options[ANNOTATION_PROXY_GID].text;

	if (!in->sidecar) {
		annotate(notes, ANNOTATION_MODE, in->mode);
		return;
	}
	if (!gid)
		gid = run_as(in, proxy, "runAsGroup");
	for (unsigned id = 0; id < ANNOTATIONS; id++) {
		if (is_told(in, id))
			annotate(notes, id, in->options[id].text);
		else if (id == ANNOTATION_LOCAL_EXCLUDE_PORTS)
			annotate(notes, id, with_status_port(in, read_option(in, id).text));
		else if (id == ANNOTATION_PROXY_GID && gid && strcmp(gid, DEFAULT_PROXY_ID) != 0)
			annotate(notes, id, gid);
	}
	annotate_metadata(in, notes);
}

/* The first of a list of IDs, which was checked. */
static unsigned first_id(const char *list)
{
	return list ? (unsigned)strtoul(list + strspn(list, ", \t"), NULL, 10) : 0;
}

unsigned proxy_uid_of(const struct injection *in)
{
	return first_id(strcmp(in->mode, "TPROXY") ? in->options[ANNOTATION_PROXY_UID].text : DEFAULT_PROXY_ID);
}

unsigned proxy_gid_of(const struct injection *in, const json_t *proxy)
{
	const char *group = run_as(in, proxy, "runAsGroup"), *option = in->options[ANNOTATION_PROXY_GID].text;

	if (!strcmp(in->mode, "TPROXY"))
		return first_id(DEFAULT_PROXY_ID);
	return group ? first_id(group) : option && *option ? first_id(option) : proxy_uid_of(in);
}
