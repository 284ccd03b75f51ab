/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both sides of TLS, face to face: what a client makes of each server. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls.h"
#include "tls_cases.h"

Suite *suite_tls(void);

/* A name under which the text can be read as a file. */
static const char *file_of(const char *text, char path[32])
{
	int fd = memfd_create("pem", 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return path;
}

struct pair {
	int fds[2];
	struct tls_identity *identity;
	struct tls_trust *trust;
	struct tls *server, *client;
};

static void pair_open(struct pair *pair, const char *cert, const char *ca, const char *name)
{
	char paths[3][32];
	struct err err = { 0 };

	tls_setup();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fds), 0);
	pair->identity = tls_identity_load(file_of(cert, paths[0]), file_of(pem_key, paths[1]), &err);
	ck_assert_msg(pair->identity != NULL, "%s", err.what);
	pair->trust = tls_trust_load(file_of(ca, paths[2]), &err);
	ck_assert_msg(pair->trust != NULL, "%s", err.what);
	pair->server = tls_accept(pair->identity, pair->fds[0]);
	pair->client = tls_connect(pair->trust, name, pair->fds[1]);
}

static void pair_close(struct pair *pair)
{
	tls_free(pair->server);
	tls_free(pair->client);
	tls_identity_release(pair->identity);
	tls_trust_free(pair->trust);
	close(pair->fds[0]);
	close(pair->fds[1]);
}

static void shake_hands(struct pair *pair)
{
	int client = -EAGAIN, server = -EAGAIN;

	for (unsigned i = 0; i < 20 && (client || server); i++) {
		client = client ? tls_handshake(pair->client) : 0;
		ck_assert_int_eq(tls_flush(pair->client), 0);
		server = server ? tls_handshake(pair->server) : 0;
		ck_assert_int_eq(tls_flush(pair->server), 0);
	}
	ck_assert_int_eq(client, 0);
	ck_assert_int_eq(server, 0);
}

static const struct {
	const char *cert, *ca, *name;
	enum tls_verdict verdict;
} verdicts[] = {
	{ pem_good, pem_ca, "webhook.ns.svc", TLS_TRUSTED },
	{ pem_good, pem_ca, "192.0.2.1", TLS_TRUSTED },
	{ pem_good, pem_ca, "2001:db8::1", TLS_TRUSTED },
	{ pem_good, pem_ca, "192.0.2.2", TLS_OTHER_NAME },
	{ pem_good, pem_ca, "other.ns.svc", TLS_OTHER_NAME },
	{ pem_good, pem_ca, "ns.svc", TLS_OTHER_NAME },
	{ pem_nameless, pem_ca, "webhook.ns.svc", TLS_OTHER_NAME },
	{ pem_good, pem_other_ca, "webhook.ns.svc", TLS_UNKNOWN_CA },
	{ pem_good, pem_other_ca, "other", TLS_UNKNOWN_CA },
	{ pem_expired, pem_ca, "webhook.ns.svc", TLS_EXPIRED },
	{ pem_expired, pem_other_ca, "webhook.ns.svc", TLS_UNKNOWN_CA },
	{ pem_expired, pem_ca, "other", TLS_EXPIRED },
	{ pem_future, pem_ca, "webhook.ns.svc", TLS_NOT_YET_VALID },
};

START_TEST(the_client_tells_what_is_wrong)
{
	struct tls_peer peer;
	struct pair pair;

	pair_open(&pair, verdicts[_i].cert, verdicts[_i].ca, verdicts[_i].name);
	shake_hands(&pair);
	ck_assert_int_eq(tls_verify(pair.client, &peer), verdicts[_i].verdict);
	ck_assert_str_eq(peer.version, "TLSv1.3");
	ck_assert_str_eq(peer.subject, "CN=webhook.ns.svc");
	ck_assert_str_eq(peer.issuer, "CN=ca");
	if (verdicts[_i].cert == pem_good)
		ck_assert_str_eq(peer.names, "webhook.ns.svc, 192.0.2.1, 2001:db8::1");
	/* date -d 2020-01-01 +%s, 2099-12-31, 2021-01-01, 2090-01-01 */
	ck_assert_int_eq(peer.not_before, verdicts[_i].cert == pem_future ? 3786912000 : 1577836800);
	ck_assert_int_eq(peer.not_after, verdicts[_i].cert == pem_expired ? 1609459200 : 4102358400);
	ck_assert_int_eq(tls_identity_validity(pair.identity)->not_after, peer.not_after);
	pair_close(&pair);
}
END_TEST

START_TEST(bytes_go_both_ways)
{
	static char data[100000], back[sizeof(data)];
	struct pair pair;
	size_t got = 0;

	pair_open(&pair, pem_good, pem_ca, "webhook.ns.svc");
	shake_hands(&pair);
	memset(data, 'x', sizeof(data));
	ck_assert_int_eq(tls_write(pair.client, data, sizeof(data)), 0);
	ck_assert(tls_unsent(pair.client));
	while (got < sizeof(data)) {
		int sent = tls_flush(pair.client);
		ssize_t n = tls_read(pair.server, back + got, sizeof(back) - got);

		ck_assert(sent == 0 || sent == -EAGAIN);
		ck_assert(n > 0 || n == -EAGAIN);
		got += n > 0 ? (size_t)n : 0;
	}
	ck_assert_mem_eq(data, back, sizeof(data));
	ck_assert(!tls_unsent(pair.client));
	ck_assert_int_eq(tls_read(pair.server, back, 1), -EAGAIN);
	tls_finish(pair.client);
	ck_assert_int_eq(tls_flush(pair.client), 0);
	ck_assert_int_eq(tls_read(pair.server, back, 1), 0);
	pair_close(&pair);
}
END_TEST

/* An HTTP server at the port, and one that hangs up. */
START_TEST(a_peer_without_tls)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	struct pair pair;

	pair_open(&pair, pem_good, pem_ca, "webhook.ns.svc");
	ck_assert_int_eq(tls_handshake(pair.client), -EAGAIN);
	ck_assert_int_eq(tls_flush(pair.client), 0);
	if (!_i)
		ck_assert_int_eq(write(pair.fds[0], answer, strlen(answer)), (ssize_t)strlen(answer));
	shutdown(pair.fds[0], SHUT_WR);
	ck_assert_int_eq(tls_handshake(pair.client), _i ? -EPIPE : -EPROTO);
	ck_assert_int_eq(tls_is_foreign(pair.client), !_i);
	ck_assert_str_eq(tls_error(pair.client), _i ? "the connection ended" : "no TLS");
	pair_close(&pair);
}
END_TEST

START_TEST(files_that_are_wrong)
{
	char cert[32], key[32];
	struct err err = { 0 };

	tls_setup();
	ck_assert_ptr_null(tls_trust_load(file_of(pem_key, cert), &err));
	ck_assert_int_eq(err.status, STATUS_USAGE);
	ck_assert_ptr_null(tls_trust_load("/nowhere", &err));
	ck_assert_int_eq(err.status, STATUS_FAILED);
	ck_assert_ptr_null(tls_identity_load(file_of(pem_ca, cert), file_of(pem_key, key), &err));
	ck_assert_int_eq(err.status, STATUS_USAGE);
	ck_assert_ptr_nonnull(strstr(err.what, "is not that of the certificate"));
}
END_TEST

Suite *suite_tls(void)
{
	Suite *suite = suite_create("tls");
	TCase *tcase = tcase_create("tls");

	tcase_add_loop_test(tcase, the_client_tells_what_is_wrong, 0, sizeof(verdicts) / sizeof(verdicts[0]));
	tcase_add_test(tcase, bytes_go_both_ways);
	tcase_add_loop_test(tcase, a_peer_without_tls, 0, 2);
	tcase_add_test(tcase, files_that_are_wrong);
	suite_add_tcase(suite, tcase);
	return suite;
}
