/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes in and out of a connection, with TLS or without. */
#ifndef ISTIO_INJECT_STREAM_H
#define ISTIO_INJECT_STREAM_H

#include <stdbool.h>

#include "buffer.h"
#include "tls.h"

struct stream {
	int fd;
	struct tls *tls; /* NULL: plain */
	struct buffer out;
	size_t sent; /* of out */
};

/* As tls_read, tls_write (which takes all), tls_flush, tls_unsent and tls_unread. */
ssize_t stream_read(struct stream *stream, void *data, size_t size);
int stream_write(struct stream *stream, const void *data, size_t len);
int stream_flush(struct stream *stream);
bool stream_unsent(const struct stream *stream);
bool stream_unread(const struct stream *stream);

/* Ends what is sent, once all of it is, so that the peer can read it to its end. */
void stream_finish(struct stream *stream);
/* Throws away what comes; 0 at the end, -EAGAIN, or another -errno. */
int stream_discard(struct stream *stream);
void stream_close(struct stream *stream);

#endif
