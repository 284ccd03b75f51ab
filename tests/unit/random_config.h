/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options at random. */
#ifndef ISTIO_INIT_RANDOM_CONFIG_H
#define ISTIO_INIT_RANDOM_CONFIG_H

extern const char *const config_lines[];
#define N_CONFIG_LINES 24

/* Some of all options, each with one of its values; caller frees. */
char *random_config(void);

#endif
