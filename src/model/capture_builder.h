/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of capture share: inbound (capture.c) and outbound (capture_output.c). */
#ifndef ISTIO_INIT_CAPTURE_BUILDER_H
#define ISTIO_INIT_CAPTURE_BUILDER_H

#include <netinet/in.h>

#include "capture.h"
#include "util.h"

enum own_chain { INBOUND, REDIRECT, IN_REDIRECT, OUTPUT, OUTPUT_DNS, DROP, DIVERT, TPROXY, OWN_CHAINS };

struct builder {
	const struct config *cfg;
	struct capture_options options;
	struct ruleset *rs;
	struct prefix *loopback; /* of each family */
	bool dns;                /* DNS capture is asked for and has something to capture */
	const char *origin;      /* of the rules that are being added */
};

extern const struct iface builder_lo;
extern const struct prefix builder_inbound_source[FAMILIES];

const char *builder_chain(const struct builder *b, enum own_chain chain);

/* Appends a rule unless one of its lists is empty or its families are off. */
void builder_add(struct builder *b, unsigned families, enum table_id table, const char *chain, struct target target,
		 unsigned n, const struct match *matches);

/* builder_add with the matches as arguments; ADD_ALL: a rule for every packet. */
#define ADD(b, families, table, chain, target, ...) \
	builder_add(b, families, table, chain, target, ARRAY_SIZE(((struct match[]){ __VA_ARGS__ })), \
		    (struct match[]){ __VA_ARGS__ })
#define ADD_ALL(b, table, chain, target) builder_add(b, FAMILY_BOTH, table, chain, target, 0, NULL)

/* Steps 8 to 16. */
void builder_add_output(struct builder *b);
void builder_add_virt_redirects(struct builder *b);

struct match match_ports(struct builder *b, enum match_kind kind, uint16_t first, uint16_t second);

/* Families for which DNS has something to capture. */
unsigned builder_dns_families(const struct builder *b);

/* How many items of a list of @n one rule of an interleaved run takes. */
static inline uint32_t slice(const struct builder *b, uint32_t n)
{
	return b->options.layout == LAYOUT_NATIVE ? n : 1;
}

static inline struct target jump_to(const struct builder *b, enum own_chain chain)
{
	return (struct target){ .kind = TARGET_JUMP, .chain = builder_chain(b, chain) };
}

static inline struct target target_plain(enum target_kind kind)
{
	return (struct target){ .kind = (uint8_t)kind };
}

static inline struct target target_redirect(uint16_t port)
{
	return (struct target){ .kind = TARGET_REDIRECT, .port = port };
}

static inline struct target target_mark(uint32_t value)
{
	return (struct target){ .kind = TARGET_MARK, .mark = { value, UINT32_MAX } };
}

static inline struct match match_prefixes(enum match_kind kind, const struct prefix *items, uint32_t n)
{
	return (struct match){ .kind = (uint8_t)kind, .n = n, .prefixes = items };
}

static inline struct match match_ranges(enum match_kind kind, const struct range *items, uint32_t n)
{
	return (struct match){ .kind = (uint8_t)kind, .n = n, .ranges = items };
}

static inline struct match match_ifaces(enum match_kind kind, const struct iface *items, uint32_t n)
{
	return (struct match){ .kind = (uint8_t)kind, .n = n, .ifaces = items };
}

static inline struct match match_port(struct builder *b, enum match_kind kind, uint16_t port)
{
	return match_ports(b, kind, port, 0);
}

static inline struct match match_proto(uint8_t proto)
{
	return (struct match){ .kind = MATCH_PROTO, .n = 1, .proto = proto };
}

static inline struct match match_tcp(void)
{
	return match_proto(IPPROTO_TCP);
}

static inline struct match match_ctstate(uint32_t states)
{
	return (struct match){ .kind = MATCH_CTSTATE, .n = 1, .ctstates = states };
}

static inline struct match match_mark(enum match_kind kind, uint32_t value)
{
	return (struct match){ .kind = (uint8_t)kind, .n = 1, .mark = { value, UINT32_MAX } };
}

/*
 * With --keep-connections: the first packet of a TCP connection.  What conntrack picks up in the middle, since it or its
 * NAT was not there at the beginning, is then left as it is.  Without: any packet, which no layer has a test for.
 */
static inline struct match match_start(const struct builder *b)
{
	struct mark syn = { TCP_SYN, TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK };

	return (struct match){ .kind = MATCH_TCP_FLAGS, .n = 1, .mark = b->cfg->keep_connections ? syn : (struct mark){} };
}

static inline struct match match_not(struct match m)
{
	m.invert = true;
	return m;
}

#endif
