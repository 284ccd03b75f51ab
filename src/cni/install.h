/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One look at a node's folders, and what is missing put in. */
#ifndef ISTIO_INIT_CNI_INSTALL_H
#define ISTIO_INIT_CNI_INSTALL_H

#include "config.h"
#include "json.h"

/* What is put in: read once. */
struct installation {
	const struct config *cfg;
	struct arena *arena; /* of @entry */
	json_t *entry;
	char *program; /* this program's own bytes */
	size_t program_len;
};

/* -errno with @err (STATUS_USAGE: --conf is no entry for this plugin). */
int installation_open(struct installation *in, const struct config *cfg, struct err *err);
void installation_close(struct installation *in);

/* Program, then entry; what is there already is left.  -errno with @err; STATUS_BUSY: no list yet. */
int installation_run(const struct installation *in, struct err *err);

/* Runs it again whenever something in the folders has changed, until SIGTERM or SIGINT: STATUS_DONE, or -errno with @err. */
int installation_watch(const struct installation *in, struct err *err);

#endif
