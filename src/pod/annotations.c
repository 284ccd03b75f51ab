/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "annotations.h"

#include "../cli/options.h"
#include "injection.h"

const struct annotation annotations[ANNOTATIONS] = {
/* The parameters' names must not be those of the fields. */
#define ANNOTATION(id, name_, second_, option_, letter_, check_, like_, given_, to_, start_, help_) \
	[ANNOTATION_##id] = { \
		.name = name_, \
		.second = second_, \
		.option = option_, \
		.start = start_, \
		.check = CHECK_##check_, \
		.like = OPTION_##like_, \
		.given = GIVEN_##given_, \
		.to = TO_##to_, \
		.letter = letter_, \
	},
#include "annotations.def"
#undef ANNOTATION
};

const char *note(const struct injection *in, enum annotation_id id)
{
	const char *text = member_text(in->notes, annotations[id].name);

	return text || !annotations[id].second ? text : member_text(in->notes, annotations[id].second);
}
