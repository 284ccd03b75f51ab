/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check_option.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../cli/item.h"
#include "../cli/values.h"
#include "addr.h"
#include "nearest.h"

bool annotation_refused(struct refusal *refusal, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(refusal->expected, sizeof(refusal->expected), fmt, args);
	va_end(args);
	return false;
}

bool option_check(struct injection *in, const struct annotation *a, const char *text, struct refusal *refusal)
{
	uint32_t port;

	(void)in;
	switch (a->check) {
	case CHECK_OPTION:
		return option_valid(a, text, TEXT_ANNOTATED, refusal);
	case CHECK_MODE:
		return choice_find(MODES, text, false) >= 0 || annotation_refused(refusal, "REDIRECT, TPROXY or NONE");
	case CHECK_PORT:
		return number_parse(text, UINT16_MAX, &port) || annotation_refused(refusal, "a port 0-65535");
	default:
		return true;
	}
}

static int check_one(struct injection *in, const struct annotation *a, const char *name, annotation_checker *check)
{
	const char *text = name ? member_text(in->notes, name) : NULL;
	struct refusal refusal = { "", "" };

	if (!text)
		return 0;
	if (check(in, a, text, &refusal))
		return 0;
	return refuse_annotation(in, name, text, *refusal.item ? refusal.item : text, refusal.expected);
}

static bool is_option_name(const char *name)
{
	return !strncmp(name, OPTION_PREFIX, strlen(OPTION_PREFIX));
}

static int refuse_unknown(struct injection *in, const char *name)
{
	const char *names[ANNOTATIONS], *nearest;

	for (unsigned i = 0; i < ANNOTATIONS; i++)
		names[i] = annotations[i].name && is_option_name(annotations[i].name) ?
				   annotations[i].name + strlen(OPTION_PREFIX) :
				   NULL;
	nearest = nearest_name(name + strlen(OPTION_PREFIX), names, ANNOTATIONS);
	in->result->refusal = REFUSED_ANNOTATION;
	return err_set(in->err, STATUS_DATA, EINVAL, "annotation %s: there is no such option%s%s", quoted(in, name),
		       nearest ? "; the nearest is " OPTION_PREFIX : "", nearest ? nearest : "");
}

/* Names below istio-init/ that no option has. */
static int check_unknown(struct injection *in)
{
	const char *name;
	json_t *value;

	json_object_foreach(in->notes, name, value)
	{
		const struct annotation *a = annotations;

		if (!is_option_name(name))
			continue;
		while (a < annotations + ANNOTATIONS && (!a->name || strcmp(a->name, name) != 0))
			a++;
		if (a == annotations + ANNOTATIONS)
			return refuse_unknown(in, name);
	}
	return 0;
}

int annotations_walk(struct injection *in, annotation_checker *check)
{
	/* most pods have none */
	if (!json_object_size(in->notes))
		return 0;
	for (const struct annotation *a = annotations; a < annotations + ANNOTATIONS; a++) {
		int ret = check_one(in, a, a->name, check);

		if (!ret)
			ret = check_one(in, a, a->second, check);
		if (ret)
			return ret;
	}
	return check_unknown(in);
}
