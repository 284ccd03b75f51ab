/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network configuration that a runtime gives to the plugin on standard input. */
#ifndef ISTIO_INIT_CNI_NETCONF_H
#define ISTIO_INIT_CNI_NETCONF_H

#include "inject_config.h"
#include "json.h"
#include "log.h"

#define PLUGIN_NAME "istio-init-cni"
#define KEY_ANNOTATIONS "io.kubernetes.cri.pod-annotations"

/* In the order of versions. */
enum cni_version { CNI_0_3_0, CNI_0_3_1, CNI_0_4_0, CNI_1_0_0, CNI_1_1_0, CNI_VERSIONS };
extern const char *const cni_versions[CNI_VERSIONS];

/* Texts and values are those of the document, which lives in the arena. */
struct netconf {
	struct document doc;
	const char *version_text; /* NULL: none */
	enum cni_version version; /* CNI_VERSIONS: one that is not supported */
	const char *prev;         /* prevResult, @prev_len bytes as they came; NULL: none */
	size_t prev_len;
	json_t *annotations;  /* of the pod; NULL: none */
	bool has_annotations; /* whether the runtime passes any */

	/* ours */
	struct inject_config inject; /* of it capture */
	json_t *exclude_namespaces;
	bool fail_open;
	const char *log_file; /* NULL: none */
	enum log_level log_level;
};

/* Reads the text, which must stay, and what is not ours in it.  -EINVAL with @err: it is no JSON object. */
int netconf_read(struct netconf *conf, struct arena *arena, const char *text, size_t len, struct err *err);

/* Reads our own keys out of it; of all others nothing is asked.  -EINVAL with @err, which names the key. */
int netconf_check(struct netconf *conf, struct arena *arena, struct err *err);

#endif
