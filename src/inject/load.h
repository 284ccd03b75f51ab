/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INJECT_LOAD_H
#define ISTIO_INJECT_LOAD_H

#include "inject_config.h"

/*
 * Reads, checks and fills in the whole configuration of the file.  All of it lives in @arena, which
 * jansson must be using.  -errno with @err, "FILE:LINE: key: what was expected".
 */
int config_load(struct inject_config *cfg, const char *path, struct arena *arena, struct err *err);

/* The text of the file, at most 1 MiB; the caller frees it.  -errno with @err. */
int config_read(const char *path, char **text, size_t *len, struct err *err);

/* config_load of a text, which the file of that name holds. */
int config_parse(struct inject_config *cfg, const char *path, const char *text, size_t len, struct arena *arena,
		 struct err *err);

#endif
