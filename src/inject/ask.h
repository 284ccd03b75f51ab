/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A running server, asked as the API server asks it. */
#ifndef ISTIO_INJECT_ASK_H
#define ISTIO_INJECT_ASK_H

#include "inject.h"

/*
 * check --webhook: what is found of the certificate and the answer goes to @out, also where it is wrong.  An exit
 * status, or -errno with @err; STATUS_UNSUPPORTED: err->what says in one line what is wrong.
 */
int ask_webhook_server(const struct inject_options *options, struct buffer *out, struct err *err);

#endif
