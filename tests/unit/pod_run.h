/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One injection from texts, and what came of it. */
#ifndef ISTIO_INIT_TEST_POD_RUN_H
#define ISTIO_INIT_TEST_POD_RUN_H

#include <check.h>

#include "pod.h"

struct pod_run {
	struct arena *arena;
	struct inject_config cfg;
	struct pod_request request;
	struct pod_result result;
	struct err err;
	int rc;
};

/*
 * @config: YAML behind "initContainer: {image: i}"; @pod: YAML of the pod, as Pod of the namespace
 * shop.  The run is to be freed.
 */
void pod_run(struct pod_run *run, const char *config, const char *pod);
/* The same, but only decided. */
void pod_run_decide(struct pod_run *run, const char *config, const char *pod, const char *namespace);
void pod_run_free(struct pod_run *run);

/*
 * What came of it, as text: the compact JSON of the new pod's value at a JSON pointer (the text itself of a
 * string, "" where there is none), or "args" (parted by blanks), "warnings", "error", "reason", "overlays",
 * "init" and "containers" (names of the containers in their order), "status", "again" (what differs at the second injection: "" or the new pod).
 */
const char *pod_run_value(struct pod_run *run, const char *what);

/* One row of a table, and the test of it. */
struct pod_case {
	const char *config, *pod, *what, *wanted;
};

void pod_case_check(const struct pod_case *of);

#endif
