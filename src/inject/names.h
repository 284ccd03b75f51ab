/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names as Kubernetes allows them. */
#ifndef ISTIO_INJECT_NAMES_H
#define ISTIO_INJECT_NAMES_H

#include "err.h"

enum name_form {
	NAME_LABEL,     /* RFC 1123: a namespace */
	NAME_SERVICE,   /* RFC 1035: the same, but it begins with a letter */
	NAME_SUBDOMAIN, /* labels of RFC 1123 with dots between them, at most 253 bytes */
	NAME_VALUE,     /* what a label can be set to */
};

/* 0, or -EINVAL with @err (STATUS_USAGE), "SOURCE: ...: expected ...". */
int name_check(const char *name, enum name_form form, const char *source, struct err *err);

#endif
