/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pod.h"

#include <errno.h>
#include <string.h>

#include "../pod/check_option.h"
#include "../pod/options.h"
#include "addr.h"
#include "cli.h"

/* What an agent and its proxy listen on for others than the mesh; Istio's own plugin leaves out the same. */
static const char *const proxy_ports[] = { "15020", "15021", "15090" };

/* A status that is no JSON object names nothing. */
static bool has_init_container(const char *status)
{
	json_t *value = NULL;
	struct err err;

	return !json_parse(status, strlen(status), &value, &err) && list_holds(member(value, "initContainers"), NAME_INIT);
}

int pod_judge(const struct netconf *conf, const struct request *request, const char **why, struct err *err)
{
	struct injection in = { .notes = conf->annotations };
	const char *inject = member_text(in.notes, LABEL_INJECT), *mode = note(&in, ANNOTATION_MODE);

	*why = NULL;
	if (request->namespace && list_holds(conf->exclude_namespaces, request->namespace)) {
		*why = "its namespace is in excludeNamespaces";
		return 0;
	}
	if (!conf->has_annotations)
		return err_set(err, STATUS_DATA, EINVAL,
			       "no runtimeConfig." KEY_ANNOTATIONS ": this plugin's entry has to have the capability, and "
			       "the runtime has to be containerd from 1.5 or CRI-O from 1.29");
	if (!member_text(in.notes, ANNOTATION_STATUS)) {
		*why = "it has no annotation " ANNOTATION_STATUS;
		return 0;
	}
	if (has_init_container(member_text(in.notes, ANNOTATION_STATUS)))
		*why = "it has an istio-init container";
	else if (inject && !strcmp(inject, "false"))
		*why = "its annotation " LABEL_INJECT " is false";
	else if (mode && !strcmp(mode, "NONE"))
		*why = "its interception mode is NONE";
	return 0;
}

static const char *excluded_ports(const struct injection *in)
{
	const struct capture_value *configured = &in->cfg->capture->of[ANNOTATION_LOCAL_EXCLUDE_PORTS];
	const char *list = note(in, ANNOTATION_LOCAL_EXCLUDE_PORTS), *port = note(in, ANNOTATION_STATUS_PORT);
	uint32_t number;

	if (!list && configured->configured)
		list = configured->text;
	if (!list)
		list = port && number_parse(port, UINT16_MAX, &number) && number ? port : "";
	/* Beside a list of ports that are captured it has no effect: only whoever has asked for it is told so. */
	if (strcmp(in->options[ANNOTATION_INBOUND_PORTS].text, "*") != 0)
		return list;
	return list_with(in->arena, list, proxy_ports, ARRAY_SIZE(proxy_ports));
}

/* Where a plugin knows more, or less, than an init container. */
static void adapt(struct injection *in)
{
	const char *dns = in->options[ANNOTATION_REDIRECT_DNS].text;

	in->options[ANNOTATION_LOCAL_EXCLUDE_PORTS].text = excluded_ports(in);
	if (!in->options[ANNOTATION_PROXY_GID].text)
		in->options[ANNOTATION_PROXY_GID].text = "1337";
	/* The pod has no resolv.conf yet. */
	in->options[ANNOTATION_CAPTURE_ALL_DNS].text = dns && !strcmp(dns, "true") ? "true" : NULL;
	in->options[ANNOTATION_RECONCILE].text = "true";
}

/* The texts, which are only written to for the blanks behind them, without the first word. */
static char **list_arguments(json_t *args, struct arena *arena)
{
	size_t n = json_array_size(args);
	char **argv = arena_alloc(arena, n * sizeof(*argv));

	for (size_t i = 1; i < n; i++)
		argv[i - 1] = (char *)json_string_value(json_array_get(args, i));
	return argv;
}

static int read_options(struct config *cfg, enum command command, const struct netconf *conf, json_t *notes,
			struct arena *arena, struct err *err)
{
	struct pod_result result = { .refusal = REFUSED_NOT };
	struct injection in = {
		.cfg = &conf->inject,
		.arena = arena,
		.result = &result,
		.err = err,
		.notes = notes,
	};
	int rc = annotations_walk(&in, option_check);

	if (rc)
		return rc;
	in.mode = note(&in, ANNOTATION_MODE);
	if (!in.mode)
		in.mode = conf->inject.capture->of[ANNOTATION_MODE].text;
	options_read(&in, NULL);
	adapt(&in);
	return cli_parse_args(cfg, command, list_arguments(options_args(&in, true), arena), err);
}

int pod_options(struct config *cfg, enum command command, const struct netconf *conf, struct arena *arena, struct err *err)
{
	return read_options(cfg, command, conf, conf->annotations, arena, err);
}

int pod_check_capture(const struct netconf *conf, struct arena *arena, struct err *err)
{
	struct config cfg;
	int rc = read_options(&cfg, COMMAND_APPLY, conf, NULL, arena, err);

	config_free(&cfg);
	return rc;
}
