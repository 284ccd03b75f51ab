/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of annotations and of istio-init's options, and what the configuration says of the latter. */
#ifndef ISTIO_INIT_POD_ANNOTATIONS_H
#define ISTIO_INIT_POD_ANNOTATIONS_H

#include <stdint.h>

#include "inject_config.h"

enum annotation_id {
#define ANNOTATION(id, ...) ANNOTATION_##id,
#include "annotations.def"
#undef ANNOTATION
	ANNOTATIONS
};

enum annotation_check {
	CHECK_OPTION,
	CHECK_MODE,
	CHECK_PORT,
	CHECK_NUMBER,
	CHECK_BOOLEAN,
	CHECK_QUANTITY,
	CHECK_PROXY_CONFIG,
	CHECK_OVERRIDES,
	CHECK_TEMPLATES,
	CHECK_VOLUMES,
	CHECK_ORDER,
	CHECKS
};

enum option_given { GIVEN_NEVER, GIVEN_ALWAYS, GIVEN_FILLED, GIVEN_IF_TRUE, GIVEN_SET };
enum option_to { TO_BOTH, TO_RULES };

struct annotation {
	const char *name, *second, *option, *start, *help;
	uint8_t check, like, given, to;
	char letter;
};

extern const struct annotation annotations[ANNOTATIONS];

/* One option's text, as istio-init would be given it; of a boolean "true" or "false". */
struct capture_value {
	const char *text; /* NULL: not given */
	bool configured;  /* by the file; else it is the start value */
};

struct capture_values {
	struct capture_value of[ANNOTATIONS];
};

/* What istio-init's own names of annotations begin with. */
#define OPTION_PREFIX "istio-init/"

#endif
