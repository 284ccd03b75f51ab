/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pod_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/inject/load.h"
#include "json.h"
#include "json_write.h"

static void prepare(struct pod_run *run, const char *config, const char *pod, const char *namespace)
{
	char text[8192];
	json_t *value;
	int n = snprintf(text, sizeof(text), "initContainer: {image: i}\n%s", config);

	ck_assert_int_lt(n, (int)sizeof(text));
	memset(run, 0, sizeof(*run));
	run->arena = arena_new();
	json_use_arena(run->arena);
	/* a configuration of its own initContainer, too */
	if (strstr(config, "initContainer:"))
		memset(text, ' ', strlen("initContainer: {image: i}"));
	if (config_parse(&run->cfg, "config", text, strlen(text), run->arena, &run->err))
		ck_abort_msg("%s: %s", config, run->err.what);
	if (yaml_parse(pod, strlen(pod), &value, &run->err))
		ck_abort_msg("%s: %s", pod, run->err.what);
	run->request = (struct pod_request){
		.cfg = &run->cfg,
		.pod = value,
		.namespace = namespace,
		.from_file = true,
		.arena = run->arena,
	};
}

void pod_run(struct pod_run *run, const char *config, const char *pod)
{
	prepare(run, config, pod, "shop");
	run->rc = pod_inject(&run->request, &run->result, &run->err);
}

void pod_run_decide(struct pod_run *run, const char *config, const char *pod, const char *namespace)
{
	prepare(run, config, pod, namespace);
	run->rc = pod_decide(&run->request, &run->result, &run->err);
}

void pod_run_free(struct pod_run *run)
{
	arena_free(run->arena);
}

static const char *value_text(const json_t *value)
{
	if (!value)
		return "";
	return json_is_string(value) && !json_is_raw_number(value) ? json_string_value(value) : json_text(value);
}

static const char *words(struct pod_run *run, const json_t *list)
{
	size_t i, size = 1;
	json_t *item;
	char *text;

	json_array_foreach((json_t *)list, i, item) size += json_string_length(item) + 1;
	text = arena_alloc(run->arena, size);
	json_array_foreach((json_t *)list, i, item) strcat(strcat(text, i ? " " : ""), json_string_value(item));
	return text;
}

static const char *names(struct pod_run *run, const char *list)
{
	json_t *of = json_array(), *container;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(run->result.pod, "spec"), list), i, container)
		json_array_append(of, json_object_get(container, "name"));
	return words(run, of);
}

static const char *again(struct pod_run *run)
{
	struct pod_result second;
	struct pod_request request = run->request;
	struct err err;

	request.pod = run->result.pod;
	ck_assert_int_eq(pod_inject(&request, &second, &err), 0);
	return json_same(second.pod, run->result.pod) ? "" : json_text(second.pod);
}

const char *pod_run_value(struct pod_run *run, const char *what)
{
	if (!strcmp(what, "error"))
		return run->rc ? run->err.what : "";
	ck_assert_msg(!run->rc, "%s", run->err.what);
	if (!strcmp(what, "args"))
		return words(run, run->result.args);
	if (!strcmp(what, "warnings"))
		return words(run, run->result.warnings);
	if (!strcmp(what, "overlays"))
		return words(run, run->result.overlays);
	if (!strcmp(what, "reason"))
		return pod_reason_word(run->result.reason);
	if (!strcmp(what, "init"))
		return names(run, "initContainers");
	if (!strcmp(what, "containers"))
		return names(run, "containers");
	if (!strcmp(what, "status"))
		what = "/metadata/annotations/sidecar.istio.io~1status";
	if (!strcmp(what, "again"))
		return again(run);
	return value_text(json_at(run->result.pod, what));
}

void pod_case_check(const struct pod_case *of)
{
	struct pod_run run;
	const char *value;

	pod_run(&run, of->config, of->pod);
	value = pod_run_value(&run, of->what);
	ck_assert_msg(!strcmp(value, of->wanted), "%s\n%s\n%s:\n is %s\nnot %s", of->config, of->pod, of->what, value,
		      of->wanted);
	pod_run_free(&run);
}
