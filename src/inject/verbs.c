/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inject.h"

const struct inject_verb inject_verbs[INJECT_VERBS] = {
#define VERB(name, usage, summary, ...) { #name, usage, summary, verb_##name, { __VA_ARGS__ } },
#include "verbs.def"
#undef VERB
};
