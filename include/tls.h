/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS 1.2 and 1.3 over a stream socket, both sides; the library behind it is named nowhere else.
 *
 * Sockets do not block: what cannot go on returns -EAGAIN.  What is written is collected, handshake messages
 * too, and leaves in one send(2) by tls_flush: two small writes would cost a delayed acknowledgement.
 */
#ifndef ISTIO_INIT_TLS_H
#define ISTIO_INIT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* Once, before all else; it reads the CPU's features and keeps nothing open. */
void tls_setup(void);

/* A server's certificate, its chain and its key. */
struct tls_identity;

/*
 * Reads and checks the two PEM files: EC P-256 and P-384, RSA from 2048 bits; the chain may follow the leaf.
 * NULL with @err: STATUS_FAILED for a file that cannot be read, STATUS_USAGE for what is in it.
 */
struct tls_identity *tls_identity_load(const char *cert_path, const char *key_path, struct err *err);
/* Counted: each connection holds its own for as long as it lives.  NULL is nothing. */
struct tls_identity *tls_identity_hold(struct tls_identity *identity);
void tls_identity_release(struct tls_identity *identity);

/* Seconds since 1970; what names the certificate: its serial number in hexadecimal. */
struct tls_validity {
	int64_t not_before, not_after;
	char serial[64];
};
const struct tls_validity *tls_identity_validity(const struct tls_identity *identity);

/* What a client trusts: the certificates of a PEM file.  NULL with @err as above; there has to be one. */
struct tls_trust;
struct tls_trust *tls_trust_load(const char *ca_path, struct err *err);
void tls_trust_free(struct tls_trust *trust);

/* One side of a connection; @fd stays the caller's.  tls_connect borrows @trust and @name. */
struct tls;
struct tls *tls_accept(struct tls_identity *identity, int fd);
struct tls *tls_connect(const struct tls_trust *trust, const char *name, int fd);
void tls_free(struct tls *tls);

/*
 * Each 0, -EAGAIN, or another -errno after which only tls_flush (an alert may be waiting) and tls_free are left:
 * -EPIPE or -ECONNRESET: the peer has gone; -EPROTO: what tls_error says.
 */
int tls_handshake(struct tls *tls);
/* Bytes read, 0 at the peer's end. */
ssize_t tls_read(struct tls *tls, void *data, size_t size);
/* Takes all of it. */
int tls_write(struct tls *tls, const void *data, size_t len);
/* Says goodbye, behind what was written. */
void tls_finish(struct tls *tls);
int tls_flush(struct tls *tls);
/* Whether something waits for tls_flush; whether tls_read has something without the socket. */
bool tls_unsent(const struct tls *tls);
bool tls_unread(const struct tls *tls);

/* What went wrong, a phrase; of a peer that speaks no TLS, whether that is it. */
const char *tls_error(const struct tls *tls);
bool tls_is_foreign(const struct tls *tls);
/* The peer has said that it does not take our certificate. */
bool tls_is_refused(const struct tls *tls);

/* What a client, after its handshake, is to think of the server: the first of these that holds. */
enum tls_verdict { TLS_TRUSTED, TLS_UNKNOWN_CA, TLS_EXPIRED, TLS_NOT_YET_VALID, TLS_OTHER_NAME, TLS_UNFIT };

struct tls_peer {
	const char *version; /* TLSv1.2, TLSv1.3 */
	char subject[256], issuer[256];
	char names[1024]; /* DNS names and addresses, joined by ", "; what does not fit is left out */
	int64_t not_before, not_after;
};
/* The handshake does not depend on the verdict: all can be told also of a server that is not to be trusted. */
enum tls_verdict tls_verify(const struct tls *tls, struct tls_peer *peer);

#endif
