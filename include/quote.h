/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A user's text in a message: quoted, cut, on one line, and what would not be seen as \xNN or \uNNNN. */
#ifndef ISTIO_INIT_QUOTE_H
#define ISTIO_INIT_QUOTE_H

/* Bytes of the user's text that are shown; a control character takes four, then quotes, dots and the end. */
#define QUOTE_SHOWN 60
#define QUOTE_MAX (QUOTE_SHOWN * 4 + 8)

const char *quote(const char *text, char quoted[QUOTE_MAX]);

#endif
