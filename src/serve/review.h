/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An AdmissionReview (admission.k8s.io/v1) in, the answer out.  Pure but for what it takes from @arena. */
#ifndef ISTIO_INJECT_REVIEW_H
#define ISTIO_INJECT_REVIEW_H

#include "buffer.h"
#include "pod.h"

/* What is counted and logged; texts live in the arena. */
struct review {
	const char *namespace, *name;
	struct pod_result result;
	bool refused;
	const char *message; /* of a refusal */
	size_t patch_len;    /* bytes, before base64; 0: there is nothing to change */
};

/*
 * Appends the answer to @out.  0; or -EINVAL with @err: this is no review, and there is no answer.  The
 * review's memory, jansson's too, is @arena from now on.
 */
int review_answer(struct review *review, const struct inject_config *cfg, const char *text, size_t len,
		  struct arena *arena, struct buffer *out, struct err *err);

#endif
