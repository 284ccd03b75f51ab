/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Injection: a pod in, the pod with istio-init and the proxy out.  Pure: no I/O, no
 * clock, no globals; the same input gives the same output.
 *
 * Values that a function does not change are shared between its input and its output: who compares the two can take
 * pointers first.  No input is ever written to.  What is made lives in jansson's allocator and in @arena, and is never
 * released one by one.
 */
#ifndef ISTIO_INIT_POD_H
#define ISTIO_INIT_POD_H

#include <stdbool.h>
#include <jansson.h>

#include "err.h"
#include "inject_config.h"
#include "util.h"

/* The words of logs, metrics and `check`, in the order in which they are tried. */
#define POD_REASONS \
	REASON(NOT_A_POD, "not-a-pod") \
	REASON(NOT_ASKED, "not-asked") \
	REASON(HOST_NETWORK, "host-network") \
	REASON(NOT_LINUX, "not-linux") \
	REASON(IGNORED_NAMESPACE, "ignored-namespace") \
	REASON(LABEL, "label") \
	REASON(ANNOTATION, "annotation") \
	REASON(NEVER_INJECT, "never-inject") \
	REASON(ALWAYS_INJECT, "always-inject") \
	REASON(POLICY, "policy")

enum pod_reason {
#define REASON(id, word) REASON_##id,
	POD_REASONS
#undef REASON
		REASONS
};

const char *pod_reason_word(enum pod_reason reason);
/* Whose pod it is. */
struct workload {
	const char *name, *kind; /* kind as it is written: Deployment */
	const char *api_version; /* empty if unknown */
};

/* Where the pod of a document is. */
struct pod_place {
	json_t *pod;              /* the object with metadata and spec */
	const char *pointer;      /* JSON pointer of it: "" for a Pod, else "/spec/template" ... */
	struct workload workload; /* of a Pod: name NULL, pod_inject finds the owner itself */
};

/* Finds the pod in a document: 1 with @place; 0: of no such kind; -EINVAL with @err: what leads to the pod is wrong. */
int pod_find(json_t *document, struct pod_place *place, struct err *err);

struct pod_request {
	const struct inject_config *cfg;
	const json_t *pod;
	const char *namespace;    /* the object's, else the request's, else -n */
	struct workload workload; /* name NULL: of the pod's owners */
	bool from_file;           /* else from the API server */
	struct arena *arena;
};

/* One option of istio-init for this pod, for `check`. */
struct pod_option {
	const char *name, *value; /* long name without dashes; the text */
	const char *from;         /* annotation, configuration, default */
	const char *annotation;   /* its name if from one, else NULL */
};

/* What refuses a pod, as metrics count it. */
enum pod_refusal { REFUSED_NOT, REFUSED_ANNOTATION, REFUSED_OVERLAY, REFUSED_OBJECT };

struct pod_result {
	bool injected;
	enum pod_reason reason;
	const char *detail;         /* what of the reason: "istio-injection=disabled", a value; may be empty */
	json_t *pod;                /* the new pod; the request's own if it is not injected */
	json_t *warnings;           /* list of strings, one line each */
	json_t *overlays;           /* list of the chosen overlays' names */
	json_t *args;               /* of the container that makes or proves the rules; [] without one */
	struct pod_option *options; /* in the order of the arguments */
	unsigned n_options;
	struct workload workload; /* whose pod it is */
	const char *mode;         /* REDIRECT, TPROXY or NONE */
	enum pod_refusal refusal; /* after an error */
};

/*
 * Whether it is injected, and why: fills injected, reason, detail, warnings, pod.  -EINVAL with @err (STATUS_DATA) if
 * it is not what a Pod is.
 */
int pod_decide(const struct pod_request *request, struct pod_result *result, struct err *err);

/*
 * pod_decide, then the injection.  -EINVAL: err->what ("annotation NAME: ...") refuses the pod; decision and warnings hold.
 */
int pod_inject(const struct pod_request *request, struct pod_result *result, struct err *err);

#endif
