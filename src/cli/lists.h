/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_LISTS_H
#define ISTIO_INIT_LISTS_H

#include "parse.h"

/* A list type (TYPE_PORTS ... TYPE_GID_RANGES) into its list; @text is not kept. */
int list_parse(struct parse *p, enum option_type type, const char *text, void *list, struct err *err);

/* TYPE_PORT_OWNERS */
int port_owners_parse(struct parse *p, const char *text, void *list, struct err *err);

#endif
