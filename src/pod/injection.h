/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One injection: what is known of the pod while it is worked on; the stages in the order in which they run. */
#ifndef ISTIO_INIT_POD_INJECTION_H
#define ISTIO_INIT_POD_INJECTION_H

#include "annotations.h"
#include "member.h"
#include "pod.h"

#define LABEL_INJECT "sidecar.istio.io/inject"
#define LABEL_REVISION "istio.io/rev"
#define ANNOTATION_STATUS "sidecar.istio.io/status"
#define NAME_INIT "istio-init"
#define NAME_VALIDATION "istio-validation"
#define MODES "REDIRECT|TPROXY|NONE"

/* The value of one option for this pod. */
struct option_value {
	const char *text; /* NULL: not given */
	enum { FROM_DEFAULT, FROM_CONFIGURATION, FROM_ANNOTATION } from;
	const char *annotation; /* FROM_ANNOTATION */
};

struct injection {
	const struct pod_request *request;
	const struct inject_config *cfg;
	struct arena *arena;
	struct pod_result *result;
	struct err *err;

	/* The pod as it came; NULL: absent */
	json_t *pod, *labels, *notes /* annotations */, *spec;
	/* What an earlier injection wrote: names it lists, and the user's parts. Objects, maybe empty. */
	json_t *status, *overrides;

	struct workload workload;
	json_t *proxy_config, *resources;
	json_t *chosen; /* overlays, expanded and merged: metadata, spec */
	unsigned status_port;
	const char *mode;
	bool native, hold, sidecar;
	enum pod_order order;
	const char *order_name;

	struct option_value options[ANNOTATIONS];
};

/* The annotation's text; NULL if the pod does not have it. */
const char *note(const struct injection *in, enum annotation_id id);

/* Adds one line to the result's warnings. */
void warn(struct injection *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* @text as a JSON string of at most 100 bytes between the quotes, dots behind it if it was longer. */
const char *quoted(const struct injection *in, const char *text);

/* Errors: -EINVAL, with err->what as the line that refuses the pod. */
int refuse_annotation(struct injection *in, const char *name, const char *value, const char *item, const char *expected);
int refuse_overlay(struct injection *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int refuse_object(struct injection *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Whether status lists the container, in either list. */
bool is_listed(const struct injection *in, const char *container);

/* decide.c: begins an injection, and decides. */
int injection_decide(struct injection *in, const struct pod_request *request, struct pod_result *result, struct err *err);
/* object.c: the pod is what a Pod is, as far as it is read here. */
int object_check_head(struct injection *in);
int object_check(struct injection *in);
/* check.c: every annotation of the table. */
int annotations_check(struct injection *in);
/* workload.c */
void workload_find(struct injection *in);
/* variables.c: the variable's text; NULL if it is unset.  @name is @len bytes. */
const char *variable_text(struct injection *in, const char *name, size_t len);
bool variable_is_known(const char *name, size_t len);
/* expand.c: @value with its variables and conditions; NULL where a condition leaves nothing. */
int expand(struct injection *in, const char *overlay, json_t *value, json_t **expanded);

#endif
