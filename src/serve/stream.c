/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t stream_read(struct stream *stream, void *data, size_t size)
{
	ssize_t n;

	if (stream->tls)
		return tls_read(stream->tls, data, size);
	do
		n = recv(stream->fd, data, size, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int stream_write(struct stream *stream, const void *data, size_t len)
{
	if (stream->tls)
		return tls_write(stream->tls, data, len);
	buffer_put(&stream->out, data, len);
	return 0;
}

int stream_flush(struct stream *stream)
{
	if (stream->tls)
		return tls_flush(stream->tls);
	while (stream->sent < stream->out.len) {
		ssize_t n = send(stream->fd, stream->out.data + stream->sent, stream->out.len - stream->sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		stream->sent += n > 0 ? (size_t)n : 0;
	}
	buffer_free(&stream->out);
	stream->sent = 0;
	return 0;
}

bool stream_unsent(const struct stream *stream)
{
	return stream->tls ? tls_unsent(stream->tls) : stream->sent < stream->out.len;
}

bool stream_unread(const struct stream *stream)
{
	return stream->tls && tls_unread(stream->tls);
}

void stream_finish(struct stream *stream)
{
	shutdown(stream->fd, SHUT_WR);
}

int stream_discard(struct stream *stream)
{
	char data[4096];
	ssize_t n = recv(stream->fd, data, sizeof(data), 0);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n ? -EAGAIN : 0;
}

void stream_close(struct stream *stream)
{
	tls_free(stream->tls);
	buffer_free(&stream->out);
	close(stream->fd);
}
