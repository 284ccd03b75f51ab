/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <string.h>

#include "packet.h"
#include "proto.h"
#include "util.h"

#define APPLICATION_ID 1000
#define CLIENT_PORT 40000

struct parsing {
	struct packet *packet;
	struct prefix src, dst;
	bool has_src, has_dst, has_gid, has_iface, has_flags, no_owner;
	uint32_t seen; /* mask of keys, by index */
};

/* Each setter returns NULL or what was expected. */
static const char *set_proto(struct parsing *p, const char *value)
{
	return proto_find(value, &p->packet->proto) ? NULL :
						      "tcp, udp, sctp, icmp, ipv6-icmp, udplite, dccp, esp, ah or gre";
}

static const char *set_addr(struct prefix *addr, bool *has, const char *value)
{
	const char *expected = strchr(value, '/') ? "an address" : prefix_parse(value, addr, NULL);

	*has = true;
	return expected ? "an IPv4 or IPv6 address" : NULL;
}

static const char *set_src(struct parsing *p, const char *value)
{
	return set_addr(&p->src, &p->has_src, value);
}

static const char *set_dst(struct parsing *p, const char *value)
{
	return set_addr(&p->dst, &p->has_dst, value);
}

static const char *set_port(uint16_t *port, const char *value)
{
	uint32_t n;

	if (!number_parse(value, 65535, &n) || !n)
		return "a port 1-65535";
	*port = (uint16_t)n;
	return NULL;
}

static const char *set_sport(struct parsing *p, const char *value)
{
	return set_port(&p->packet->sport, value);
}

static const char *set_dport(struct parsing *p, const char *value)
{
	return set_port(&p->packet->dport, value);
}

/* Netfilter knows the owner of what a socket here sends, and of nothing else. */
static const char *set_uid(struct parsing *p, const char *value)
{
	if (p->packet->hook != HOOK_OUTPUT)
		return "no owner of an inbound packet";
	p->no_owner = !strcmp(value, "none");
	return p->no_owner || number_parse(value, UINT32_MAX - 1, &p->packet->uid) ? NULL : "a numeric UID, or none";
}

static const char *set_gid(struct parsing *p, const char *value)
{
	if (p->packet->hook != HOOK_OUTPUT)
		return "no owner of an inbound packet";
	p->has_gid = true;
	return number_parse(value, UINT32_MAX - 1, &p->packet->gid) ? NULL : "a numeric GID";
}

static const char *set_iif(struct parsing *p, const char *value)
{
	p->has_iface = true;
	return p->packet->hook == HOOK_PREROUTING ? iface_parse(value, &p->packet->iif) : "oif for an outbound packet";
}

static const char *set_oif(struct parsing *p, const char *value)
{
	p->has_iface = true;
	return p->packet->hook == HOOK_OUTPUT ? iface_parse(value, &p->packet->oif) : "iif for an inbound packet";
}

static const char *set_mark(struct parsing *p, const char *value)
{
	return mark_parse(value, &p->packet->mark);
}

static const char *set_ctstate(struct parsing *p, const char *value)
{
	static const struct {
		const char *name;
		uint32_t state;
	} states[] = { { "new", CTSTATE_NEW },
		       { "established", CTSTATE_ESTABLISHED },
		       { "related", CTSTATE_RELATED },
		       { "invalid", CTSTATE_INVALID } };

	for (unsigned i = 0; i < ARRAY_SIZE(states); i++)
		if (!strcasecmp(value, states[i].name)) {
			p->packet->ctstate = states[i].state;
			return NULL;
		}
	return "new, established, related or invalid";
}

static const char *set_flags(struct parsing *p, const char *value)
{
	const char *expected = "flags of TCP, fin, syn, rst, psh, ack or urg, with commas between";

	p->has_flags = true;
	p->packet->tcp_flags = 0;
	for (size_t n; *value; value += n + (value[n] == ',')) {
		unsigned i = 0;

		n = strcspn(value, ",");
		while (i < TCP_FLAG_NAMES && (strlen(tcp_flag_names[i]) != n || strncasecmp(value, tcp_flag_names[i], n)))
			i++;
		if (i == TCP_FLAG_NAMES)
			return expected;
		p->packet->tcp_flags |= (uint8_t)(1u << i);
	}
	return p->packet->tcp_flags ? NULL : expected;
}

static const struct {
	const char *name;
	const char *(*set)(struct parsing *p, const char *value);
} keys[] = {
	{ "proto", set_proto }, { "src", set_src },   { "dst", set_dst },         { "sport", set_sport },
	{ "dport", set_dport }, { "uid", set_uid },   { "gid", set_gid },         { "iif", set_iif },
	{ "oif", set_oif },     { "mark", set_mark }, { "ctstate", set_ctstate }, { "flags", set_flags },
};

static int fail_word(struct err *err, const char *word, const char *expected)
{
	int rc = err_set(err, STATUS_USAGE, 0, "explain: \"%.60s\": expected %s", word, expected);

	err_hint(err, "for example: istio-init explain --sidecar out proto=tcp dst=10.0.0.5 dport=443 uid=1000");
	return rc;
}

static int parse_word(struct parsing *p, const char *word, struct err *err)
{
	const char *value = strchr(word, '='), *expected;

	for (unsigned i = 0; value && i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == (size_t)(value - word) && !strncmp(word, keys[i].name, (size_t)(value - word))) {
			expected = p->seen & 1u << i ? "each key once" : keys[i].set(p, value + 1);
			p->seen |= 1u << i;
			return expected ? fail_word(err, word, expected) : 0;
		}
	return fail_word(err, word,
			 "in or out, then KEY=VALUE with a KEY of proto, src, dst, sport, dport, uid, gid, iif, "
			 "oif, mark, ctstate or flags");
}

/* Addresses that are not given: TEST-NET and documentation prefixes (RFC 5737, RFC 3849). */
static void default_addr(struct prefix *p, enum family family, bool loopback, uint8_t last)
{
	static const char *const texts[FAMILIES][2] = { { "192.0.2.0", "127.0.0.0" }, { "2001:db8::", "::" } };

	prefix_parse(texts[family][loopback], p, NULL);
	p->addr[family_addr_len(family) - 1] = loopback ? 1 : last;
}

uint8_t packet_usual_flags(const struct packet *packet)
{
	if (packet->proto != IPPROTO_TCP)
		return 0;
	return packet->ctstate == CTSTATE_NEW || packet->ctstate == CTSTATE_RELATED ? TCP_SYN : TCP_ACK;
}

static int complete(struct parsing *p, struct err *err)
{
	struct packet *packet = p->packet;
	bool icmp6 = packet->proto == IPPROTO_ICMPV6;
	enum family family = p->has_dst ? p->dst.family : p->has_src ? p->src.family : icmp6 ? IPV6 : IPV4;
	struct iface *iface = packet->hook == HOOK_OUTPUT ? &packet->oif : &packet->iif;
	bool loopback;

	if (p->has_src && p->src.family != family)
		return fail_word(err, "src", "an address of the same family as dst");
	if (icmp6 && family != IPV6)
		return fail_word(err, "proto=ipv6-icmp", "IPv6 addresses beside it");
	if (p->has_flags && packet->proto != IPPROTO_TCP)
		return fail_word(err, "flags", "none of them without proto=tcp");
	if (p->no_owner && p->has_gid)
		return fail_word(err, "gid", "none of it with uid=none");
	if (!p->has_dst)
		default_addr(&p->dst, family, false, packet->hook == HOOK_OUTPUT ? 80 : 1);
	loopback = prefix_is_loopback(&p->dst);
	if (!p->has_src)
		default_addr(&p->src, family, loopback, packet->hook == HOOK_OUTPUT ? 1 : 80);
	if (!p->has_iface)
		strcpy(iface->name, loopback ? "lo" : "eth0");
	packet->guessed_src = !p->has_src;
	packet->guessed_iface = !p->has_iface;
	packet->family = family;
	memcpy(packet->src, p->src.addr, sizeof(packet->src));
	memcpy(packet->dst, p->dst.addr, sizeof(packet->dst));
	packet->has_owner = packet->hook == HOOK_OUTPUT && !p->no_owner;
	if (!p->has_gid)
		packet->gid = packet->uid;
	if (!p->has_flags)
		packet->tcp_flags = packet_usual_flags(packet);
	return 0;
}

int packet_parse(struct packet *packet, char *const *words, struct err *err)
{
	struct parsing p = { .packet = packet };

	*packet = (struct packet){
		.proto = IPPROTO_TCP, .sport = CLIENT_PORT, .dport = 80, .uid = APPLICATION_ID, .ctstate = CTSTATE_NEW
	};
	if (!words || !words[0] || (strcmp(words[0], "in") != 0 && strcmp(words[0], "out") != 0))
		return fail_word(err, words && words[0] ? words[0] : "", "in or out");
	packet->hook = !strcmp(words[0], "in") ? HOOK_PREROUTING : HOOK_OUTPUT;
	for (unsigned i = 1; words[i]; i++) {
		int rc = parse_word(&p, words[i], err);

		if (rc)
			return rc;
	}
	return complete(&p, err);
}

bool packet_is_first(const struct packet *packet)
{
	bool icmp = packet->proto == IPPROTO_ICMP || packet->proto == IPPROTO_ICMPV6;

	return packet->ctstate == CTSTATE_NEW || (packet->ctstate == CTSTATE_RELATED && !icmp);
}
