/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two queries to one server that is captured:
 *
 *   the proxy's        -> the server itself (where all servers are captured: 127.0.0.1 or ::1, for which we answer)
 *   an application's   -> 127.0.0.1 or ::1, the agent's port, at which we answer
 *
 * The proxy's is sent first: where it is captured, it arrives at the agent's port before the other.
 */
#include "probe.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define DNS_PORT 53
/* A server far away may be down; its answer is worth that much time. */
#define ANSWER_WAIT_US 1000000
/* Datagrams get lost, the first one to a new neighbour above all. */
#define RESEND_US 100000

/* RFC 1035: recursion desired, one question: the name servers of the root. */
#define QUERY \
	{ \
		0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1 \
	}
#define QUERY_ID_BYTE 1
#define QUERY_FLAGS_BYTE 2
#define QUERY_RESPONSE 0x80

enum { AGENT, SERVER, PROXY, APP, SOCKETS };

struct dns {
	const struct probe *probe;
	int fds[SOCKETS]; /* -1: none */
	union address server;
	socklen_t len;
	bool arrived;           /* the application's query, at the agent's port */
	bool answered[SOCKETS]; /* PROXY: or refused, so that none will come */
};

static const char *server_text(const struct dns *d, char text[ADDR_TEXT_MAX])
{
	const void *addr = d->probe->family == IPV4 ? (const void *)&d->server.v4.sin_addr : &d->server.v6.sin6_addr;

	return addr_text(d->probe->family, addr, text);
}

static int fail_dns(const struct dns *d, unsigned who, const char *seen)
{
	const struct validation *v = d->probe->v;
	char text[ADDR_TEXT_MAX];
	int rc = err_set(d->probe->err, STATUS_INVALID, EIO, "validation, %s: the DNS query of UID %u to %s port %u %s",
			 family_title(d->probe->family), who == PROXY ? v->proxy.uid : v->app.uid, server_text(d, text),
			 DNS_PORT, seen);

	err_hint(d->probe->err, "look at what is live with istio-init show, and for rules of others that take port 53 "
				"(iptables-save, nft list ruleset)");
	return rc;
}

/* Which server to ask: the first that there is a route to; false: none. */
static bool find_server(struct dns *d)
{
	const struct probe *p = d->probe;
	const struct prefix_list *servers = p->v->servers[p->family];
	auto_close int fd = probe_socket(p, SOCK_DGRAM, &p->v->proxy);

	if (!servers) {
		d->len = probe_loopback(&d->server, p->family, 1, DNS_PORT);
		/* Only who may bind such a port, and where nobody else has it. */
		d->fds[SERVER] = probe_socket(p, SOCK_DGRAM, &p->v->proxy);
		if (bind(d->fds[SERVER], &d->server.any, d->len)) {
			util_cleanup_close(&d->fds[SERVER]);
			d->fds[SERVER] = -1;
		}
		return true;
	}
	for (uint32_t i = 0; i < servers->n; i++) {
		d->len = probe_address(&d->server, p->family, servers->items[i].addr, DNS_PORT);
		if (!connect(fd, &d->server.any, d->len))
			return true;
	}
	return false;
}

static int send_query(const struct dns *d, unsigned who)
{
	uint8_t query[] = QUERY;

	query[QUERY_ID_BYTE] = (uint8_t)who;
	/* ECONNREFUSED: of the one before. */
	return send(d->fds[who], query, sizeof(query), 0) < 0 && errno != ECONNREFUSED ?
		       fail_dns(d, who, strerror(errno)) :
		       0;
}

static int start_query(struct dns *d, unsigned who)
{
	const struct validation *v = d->probe->v;

	d->fds[who] = probe_socket(d->probe, SOCK_DGRAM, who == PROXY ? &v->proxy : &v->app);
	if (d->fds[who] < 0 || connect(d->fds[who], &d->server.any, d->len))
		return fail_dns(d, who, strerror(errno));
	return send_query(d, who);
}

/* What came to the agent's or the server's port: whose query; SOCKETS: something else. */
static unsigned take_query(const struct dns *d, unsigned at)
{
	uint8_t query[] = QUERY, got[sizeof(query)];
	union address from;
	socklen_t len = sizeof(from);
	unsigned who;

	if (recvfrom(d->fds[at], got, sizeof(got), MSG_TRUNC, &from.any, &len) != sizeof(got))
		return SOCKETS;
	who = query[QUERY_ID_BYTE] = got[QUERY_ID_BYTE];
	if ((who != PROXY && who != APP) || memcmp(got, query, sizeof(got)))
		return SOCKETS;
	got[QUERY_FLAGS_BYTE] |= QUERY_RESPONSE;
	return sendto(d->fds[at], got, sizeof(got), 0, &from.any, len) < 0 ? SOCKETS : who;
}

static int see_agent(struct dns *d)
{
	unsigned who = take_query(d, AGENT);

	d->arrived |= who == APP;
	return who == PROXY ? fail_dns(d, PROXY, "was captured like an application's: the agent would ask itself") : 0;
}

static int see_server(struct dns *d)
{
	return take_query(d, SERVER) == APP ? fail_dns(d, APP, "was not captured: it reached the server") : 0;
}

static int see_answer(struct dns *d, unsigned who)
{
	uint8_t got[512];
	ssize_t n = recv(d->fds[who], got, sizeof(got), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (who == APP && (n < 0 || !d->arrived))
		return fail_dns(d, APP,
				n < 0 ? "was not captured: it was refused, as without rules" :
					"was not captured: the server answered it");
	d->answered[who] |=
		n < 0 || (n > QUERY_FLAGS_BYTE && got[QUERY_ID_BYTE] == who && got[QUERY_FLAGS_BYTE] & QUERY_RESPONSE);
	return 0;
}

static int see(struct dns *d, unsigned at)
{
	return at == AGENT ? see_agent(d) : at == SERVER ? see_server(d) : see_answer(d, at);
}

/* Until both have their answers, or no time is left. */
static int await_answers(struct dns *d, uint64_t deadline)
{
	struct pollfd fds[SOCKETS];
	uint64_t now, wait;
	int n, rc = 0;

	for (unsigned i = 0; i < SOCKETS; i++)
		fds[i] = (struct pollfd){ .fd = d->fds[i], .events = POLLIN };
	while (!rc && !(d->answered[PROXY] && d->answered[APP]) && (now = clock_us()) < deadline) {
		if (d->answered[APP] && d->fds[SERVER] < 0 && deadline > now + ANSWER_WAIT_US)
			deadline = now + ANSWER_WAIT_US;
		wait = deadline - now < RESEND_US ? deadline - now : RESEND_US;
		n = poll(fds, SOCKETS, (int)((wait + 999) / 1000));
		if (n < 0 && errno != EINTR)
			return fail_dns(d, PROXY, strerror(errno));
		if (n == 0 && !d->answered[PROXY])
			rc = send_query(d, PROXY);
		for (unsigned i = 0; i < SOCKETS && !rc; i++)
			rc = n > 0 && fds[i].revents ? see(d, i) : 0;
	}
	return rc;
}

static int judge(const struct dns *d)
{
	char text[ADDR_TEXT_MAX];

	if (!d->answered[APP])
		return fail_dns(d, APP,
				d->arrived ? "was captured, but the answer did not come back" :
					     "did not arrive at the agent's port in time");
	if (d->answered[PROXY])
		return 0;
	if (d->fds[SERVER] >= 0)
		return fail_dns(d, PROXY, "got no answer");
	log_warn("validation, %s: the nameserver %s did not answer the proxy's own query in time",
		 family_title(d->probe->family), server_text(d, text));
	return 0;
}

int probe_dns(struct probe *p)
{
	struct dns d = { .probe = p, .fds = { -1, -1, -1, -1 }, .answered = { [APP] = !p->v->has_app } };
	uint64_t start;
	int rc = 0;

	/* Whoever has it is alone, at the server's address, too. */
	d.fds[AGENT] = rc = probe_listen(p, SOCK_DGRAM, p->v->dns_port);
	if (rc >= 0 && !find_server(&d)) {
		log_warn("validation, %s: there is no route to a nameserver: that DNS is captured was not proved",
			 family_title(p->family));
	} else if (rc >= 0) {
		start = clock_us();
		rc = start_query(&d, PROXY);
		rc = rc || !p->v->has_app ? rc : start_query(&d, APP);
		rc = rc ? rc : await_answers(&d, start + (uint64_t)p->v->timeout_ms * 1000);
		rc = rc ? rc : judge(&d);
	}
	for (unsigned i = 0; i < SOCKETS; i++)
		util_cleanup_close(&d.fds[i]);
	return rc < 0 ? rc : 0;
}
