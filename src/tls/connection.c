/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection: the library's state, the socket that it reads, and what waits to be sent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <mbedtls/net_sockets.h>

#include "buffer.h"
#include "util.h"

#include "tls_private.h"

/* RFC 8446, sections 5.1 and 6 */
#define RECORD_HEADER 5
#define RECORD_ALERT 21
#define ALERT_LEN 2
#define RECORD_HANDSHAKE 22

struct tls {
	mbedtls_ssl_context ssl;
	struct tls_identity *identity; /* NULL: the client's side */
	struct buffer out;
	size_t sent; /* of out */
	int fd, error;
	uint8_t alert;    /* that the peer has sent; 0: none */
	uint8_t type;     /* of the record whose header was read last */
	uint8_t begin[2]; /* of what the peer says: type and major version of a record */
	uint8_t n_begin;
	char text[80];
};

static int send_later(void *context, const unsigned char *data, size_t len)
{
	struct tls *tls = context;

	buffer_put(&tls->out, (const char *)data, len);
	return (int)len;
}

static int receive(void *context, unsigned char *data, size_t size)
{
	struct tls *tls = context;
	ssize_t n;

	do
		n = recv(tls->fd, data, size, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_NET_CONN_RESET;
	for (ssize_t i = 0; i < n && tls->n_begin < sizeof(tls->begin); i++)
		tls->begin[tls->n_begin++] = data[i];
	/* OpenSSL's alerts in the handshake of TLS 1.3 are not encrypted, and the library cannot read them. */
	if (n == RECORD_HEADER)
		tls->type = data[0];
	else if (n == ALERT_LEN && tls->type == RECORD_ALERT)
		tls->alert = data[1];
	return (int)n;
}

static struct tls *tls_new(const mbedtls_ssl_config *config, int fd)
{
	struct tls *tls = xcalloc(1, sizeof(*tls));

	tls->fd = fd;
	mbedtls_ssl_init(&tls->ssl);
	if (mbedtls_ssl_setup(&tls->ssl, config))
		xchecked(NULL);
	mbedtls_ssl_set_bio(&tls->ssl, tls, send_later, receive, NULL);
	return tls;
}

struct tls *tls_accept(struct tls_identity *identity, int fd)
{
	struct tls *tls = tls_new(&identity->config, fd);

	tls->identity = tls_identity_hold(identity);
	return tls;
}

struct tls *tls_connect(const struct tls_trust *trust, const char *name, int fd)
{
	struct tls *tls = tls_new(&trust->config, fd);

	if (mbedtls_ssl_set_hostname(&tls->ssl, name))
		xchecked(NULL);
	return tls;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	mbedtls_ssl_free(&tls->ssl);
	tls_identity_release(tls->identity);
	buffer_free(&tls->out);
	free(tls);
}

/* The library's return value as an errno value. */
static int fail(struct tls *tls, int error)
{
	if (error == MBEDTLS_ERR_SSL_WANT_READ || error == MBEDTLS_ERR_SSL_WANT_WRITE)
		return -EAGAIN;
	tls->error = error;
	if (error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
		tls->alert = tls->ssl.MBEDTLS_PRIVATE(in_msg)[1];
	if (error == MBEDTLS_ERR_NET_CONN_RESET)
		return -ECONNRESET;
	return error == MBEDTLS_ERR_SSL_CONN_EOF ? -EPIPE : -EPROTO;
}

int tls_handshake(struct tls *tls)
{
	int rc = mbedtls_ssl_handshake(&tls->ssl);

	return rc ? fail(tls, rc) : 0;
}

ssize_t tls_read(struct tls *tls, void *data, size_t size)
{
	int n = mbedtls_ssl_read(&tls->ssl, data, size);

	if (n > 0)
		return n;
	if (n == 0 || n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || n == MBEDTLS_ERR_SSL_CONN_EOF)
		return 0;
	return fail(tls, n);
}

int tls_write(struct tls *tls, const void *data, size_t len)
{
	const unsigned char *at = data;

	while (len) {
		int n = mbedtls_ssl_write(&tls->ssl, at, len);

		if (n <= 0)
			return fail(tls, n);
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

void tls_finish(struct tls *tls)
{
	if (!tls->error)
		mbedtls_ssl_close_notify(&tls->ssl);
}

int tls_flush(struct tls *tls)
{
	while (tls->sent < tls->out.len) {
		ssize_t n = send(tls->fd, tls->out.data + tls->sent, tls->out.len - tls->sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		tls->sent += n > 0 ? (size_t)n : 0;
	}
	buffer_free(&tls->out);
	tls->sent = 0;
	return 0;
}

bool tls_unsent(const struct tls *tls)
{
	return tls->sent < tls->out.len;
}

bool tls_unread(const struct tls *tls)
{
	return mbedtls_ssl_check_pending(&tls->ssl);
}

bool tls_is_foreign(const struct tls *tls)
{
	return (tls->n_begin && tls->begin[0] != RECORD_ALERT && tls->begin[0] != RECORD_HANDSHAKE) ||
	       (tls->n_begin > 1 && tls->begin[1] != MBEDTLS_SSL_MAJOR_VERSION_3);
}

/* RFC 8446, section 6.2: 42 bad_certificate to 46 certificate_unknown, 48 unknown_ca */
bool tls_is_refused(const struct tls *tls)
{
	return (tls->alert >= MBEDTLS_SSL_ALERT_MSG_BAD_CERT && tls->alert <= MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN) ||
	       tls->alert == MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA;
}

const char *tls_error(const struct tls *tls)
{
	const char *text = tls_error_text(tls->error);
	char *own = ((struct tls *)tls)->text;

	if (tls_is_foreign(tls))
		return "no TLS";
	if (tls->alert)
		snprintf(own, sizeof(tls->text), "the peer refused, alert %u%s", tls->alert,
			 tls_is_refused(tls) ? ": it does not accept the certificate" : "");
	else if (!text)
		snprintf(own, sizeof(tls->text), "error -0x%04x of the library", (unsigned)-tls->error);
	return text && !tls->alert ? text : own;
}

enum tls_verdict tls_verify(const struct tls *tls, struct tls_peer *peer)
{
	const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&tls->ssl);
	uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);

	*peer = (struct tls_peer){ .version = mbedtls_ssl_get_version(&tls->ssl) };
	if (!crt)
		return TLS_UNFIT;
	return tls_certificate_judge(crt, flags, peer);
}
