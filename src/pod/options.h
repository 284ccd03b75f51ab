/* SPDX-License-Identifier: GPL-2.0-or-later */
/* istio-init's options for one pod. */
#ifndef ISTIO_INIT_POD_OPTIONS_H
#define ISTIO_INIT_POD_OPTIONS_H

#include "injection.h"

/* Fills in->options; @proxy: the proxy container after the merge, or NULL. */
void options_read(struct injection *in, const json_t *proxy);

/* Whether an option with this text, NULL: none, is given to istio-init. */
bool option_is_given(enum annotation_id id, const char *text, bool annotated);

/* That istio-init takes them together; -EINVAL: the line that refuses the pod. */
int options_check(struct injection *in);
/* The items of a list, and those of @more (at most 64) that are not among them, joined by commas. */
const char *list_with(struct arena *arena, const char *list, const char *const *more, unsigned n);

/* The arguments of the container that makes (rules) or proves the rules; fills result.options, too. */
json_t *options_args(struct injection *in, bool rules);

/* The annotations that tell the CNI plugin the same, added to @notes (changed in place). */
void options_annotate(struct injection *in, json_t *notes, const json_t *proxy);

/* The proxy's UID and GID as one number each, for who runs as the proxy. */
unsigned proxy_uid_of(const struct injection *in);
unsigned proxy_gid_of(const struct injection *in, const json_t *proxy);

/* What the proxy's own settings (proxyMetadata) say where no option does; whether the value of @key says so. */
#define METADATA_OPTIONS 3
extern const struct metadata_option {
	enum annotation_id id;
	const char *key;
} metadata_options[METADATA_OPTIONS];
bool metadata_is_true(const json_t *metadata, const char *key);

#endif
