/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of a folder, replaced as a whole, by one program at a time. */
#ifndef ISTIO_INIT_CNI_FOLDER_H
#define ISTIO_INIT_CNI_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "err.h"

/*
 * Opens the folder and locks it (flock) for as long as the descriptor is open, waiting for others of us until @wait_ms have
 * gone.  What a run that was killed has left in it is removed.  A descriptor, or -errno with @err; STATUS_BUSY: the
 * folder is not there yet, or locked.
 */
int folder_lock(const char *path, uint32_t wait_ms, struct err *err);

/* The names that end with @suffix, sorted by byte, ended by NULL; the caller frees with folder_names_free. */
char **folder_names(const char *path, const char *suffix);
void folder_names_free(char **names);

/*
 * Puts @data into the file, which is seen before or after, never in between; a symbolic link is replaced itself.  Mode and
 * owner are those of @like, of which only these count.  -errno with @err; -EAGAIN: @unchanged, if there is one, has said no when
 * all but the replacing was done.
 */
int file_replace(const char *path, const void *data, size_t len, const struct stat *like,
		 bool (*unchanged)(const void *arg), const void *arg, struct err *err);

#endif
