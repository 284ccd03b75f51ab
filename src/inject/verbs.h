/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers of the commands, and the bits of those that an option goes with. */
#ifndef ISTIO_INJECT_VERBS_H
#define ISTIO_INJECT_VERBS_H

enum {
#define VERB(name, ...) VERB_##name,
#include "verbs.def"
#undef VERB
	INJECT_VERBS
};

enum {
	FOR_INJECT = 1 << VERB_inject,
	FOR_SERVE = 1 << VERB_serve,
	FOR_CHECK = 1 << VERB_check,
	FOR_MANIFESTS = 1 << VERB_manifests,
	FOR_POLICY = 1 << VERB_policy,
	FOR_CERT = 1 << VERB_cert,
	FOR_ALL = (1 << INJECT_VERBS) - 1
};

#endif
