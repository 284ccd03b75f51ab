/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of a network's configuration, with and without the plugin's entry. */
#ifndef ISTIO_INIT_CNI_CONFLIST_H
#define ISTIO_INIT_CNI_CONFLIST_H

#include "buffer.h"
#include "json.h"

/* What came of it. */
enum conflist_change { CONFLIST_SAME, CONFLIST_CHANGED };

/*
 * @text, a list, with @entry as the one of our type in `plugins`: where one stands, else at the end; every byte that
 * is not of it stays.  -EINVAL with @err: it is no list of plugins (STATUS_DATA), as when it is half written.
 */
int conflist_add(struct buffer *out, struct arena *arena, const char *text, size_t len, const json_t *entry,
		 struct err *err);

/* The same without any entry of our type. */
int conflist_remove(struct buffer *out, struct arena *arena, const char *text, size_t len, struct err *err);

/* A list of its own, of the one plugin that @text configures (a .conf file), and @entry. */
int conflist_make(struct buffer *out, struct arena *arena, const char *text, size_t len, const json_t *entry,
		  struct err *err);

#endif
