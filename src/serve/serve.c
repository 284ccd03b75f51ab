/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve: the webhook. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "confine.h"
#include "listen.h"
#include "log.h"
#include "loop.h"
#include "respond.h"
#include "tls.h"

#include "../inject/inject.h"

/* Probes and metrics: a scraper or two, and the kubelet. */
#define PLAIN_CONNECTIONS 32
/* Descriptors beside connections. */
#define OTHER_FDS 32

static int bind_ports(struct server *server, const struct inject_options *options, struct err *err)
{
	server->ports[PORT_TLS] = (struct port){
		.routes = routes_webhook,
		.fd = listen_bind("--listen", options->listen, err),
		.tls = true,
		.max = options->max_connections,
	};
	server->ports[PORT_PLAIN] = (struct port){ .routes = routes_plain, .fd = -1, .max = PLAIN_CONNECTIONS };
	if (server->ports[PORT_TLS].fd < 0)
		return server->ports[PORT_TLS].fd;
	if (!*options->http)
		return 0;
	server->ports[PORT_PLAIN].fd = listen_bind("--http", options->http, err);
	return server->ports[PORT_PLAIN].fd < 0 ? server->ports[PORT_PLAIN].fd : 0;
}

static int begin_ports(const struct server *server, const struct inject_options *options, struct err *err)
{
	int rc = listen_begin(server->ports[PORT_TLS].fd, "--listen", options->listen, err);

	if (!rc && server->ports[PORT_PLAIN].fd >= 0)
		rc = listen_begin(server->ports[PORT_PLAIN].fd, "--http", options->http, err);
	return rc;
}

static void raise_limit(unsigned connections)
{
	rlim_t need = connections + PLAIN_CONNECTIONS + OTHER_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= need)
		return;
	limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < need)
		log_warn("--max-connections: %u need %llu descriptors, the limit is %llu", connections,
			 (unsigned long long)need, (unsigned long long)limit.rlim_max);
}

static void close_all(struct server *server)
{
	conn_dismiss(server);
	conn_bury(server);
	tls_identity_release(server->identity);
	arena_free(server->arena);
	for (unsigned i = 0; i < PORTS; i++)
		if (server->ports[i].fd >= 0)
			close(server->ports[i].fd);
}

int verb_serve(const struct inject_options *options, struct buffer *out, struct err *err)
{
	static struct server server;
	struct reload reload;
	int rc = bind_ports(&server, options, err);

	(void)out;
	if (!rc) {
		raise_limit(options->max_connections);
		confine_privileges();
		tls_setup();
		rc = reload_begin(&reload, &server, options, err);
	}
	rc = rc ? rc : begin_ports(&server, options, err);
	rc = rc ? rc : loop_open(&server, err);
	if (!rc) {
		log_info("serves %s%s%s", options->listen, *options->http ? ", plain HTTP at " : "", options->http);
		confine_calls();
		rc = loop_run(&server, &reload, (uint64_t)options->drain_ms * 1000);
	}
	close_all(&server);
	return rc;
}
