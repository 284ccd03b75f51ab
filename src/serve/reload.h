/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that the server lives on, and what to do when they change. */
#ifndef ISTIO_INJECT_RELOAD_H
#define ISTIO_INJECT_RELOAD_H

#include <sys/stat.h>

#include "server.h"

struct inject_options;

/* What a file looked like when it was last looked at. */
struct file_mark {
	struct stat st;
	int error;     /* of reading it; 0: none */
	uint64_t hash; /* of what is in it */
	bool fresh;    /* it had changed so shortly before that it may change again without a trace in @st */
};

enum { FILE_CONFIG, FILE_CERT, FILE_KEY, FILES };

struct reload {
	const char *paths[FILES];
	struct file_mark marks[FILES];
};

/* Reads all for the first time; -errno with @err. */
int reload_begin(struct reload *reload, struct server *server, const struct inject_options *options, struct err *err);
/* Reads again what has changed, or, if @all, all.  What is bad is logged and counted, and the old goes on. */
void reload_check(struct reload *reload, struct server *server, bool all);

#endif
