/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of packets by what a rule tests. */
#include "sets.h"

#include <netinet/in.h>
#include <string.h>

#include "proto.h"
#include "traffic_ifaces.h"
#include "util.h"

uint32_t iface_set(struct diagram *d, enum field field, const char *pattern)
{
	char name[sizeof(struct iface)] = { 0 };
	size_t n = strlen(pattern);
	bool open = n && pattern[n - 1] == '+';

	memcpy(name, pattern, n);
	return diagram_block(d, field, (uint8_t *)name, (unsigned)(open ? n - 1 : sizeof(name)) * 8);
}

/* Of item @i, whatever m->invert says. */
static uint32_t item_set(struct diagram *d, const struct match *m, uint32_t i, enum family family)
{
	switch ((enum match_kind)m->kind) {
	case MATCH_SRC:
	case MATCH_DST:
		if (m->prefixes[i].family != family)
			return NOTHING;
		return diagram_block(d, m->kind == MATCH_SRC ? FIELD_SRC : FIELD_DST, m->prefixes[i].addr,
				     m->prefixes[i].len);
	case MATCH_IIF:
		return iface_set(d, FIELD_IIF, m->ifaces[i].name);
	case MATCH_OIF:
		return iface_set(d, FIELD_OIF, m->ifaces[i].name);
	case MATCH_SPORT:
		return diagram_range(d, FIELD_SPORT, m->ranges[i].lo, m->ranges[i].hi);
	case MATCH_DPORT:
		return diagram_range(d, FIELD_DPORT, m->ranges[i].lo, m->ranges[i].hi);
	case MATCH_UID:
		return diagram_range(d, FIELD_UID, m->ranges[i].lo, m->ranges[i].hi);
	case MATCH_GID:
		return diagram_range(d, FIELD_GID, m->ranges[i].lo, m->ranges[i].hi);
	case MATCH_NFPROTO:
	case MATCH_PROTO:
	case MATCH_TCP_FLAGS:
	case MATCH_CTSTATE:
	case MATCH_MARK:
	case MATCH_CONNMARK:
		break; /* no lists */
	}
	return NOTHING;
}

/* In halves: of 10,000 items each meets 14 sets, and not all that came before. */
static uint32_t list_set(struct diagram *d, const struct match *m, uint32_t from, uint32_t to, enum family family)
{
	uint32_t middle = from + (to - from) / 2, left, right;

	if (from == to)
		return NOTHING;
	if (to - from == 1)
		return item_set(d, m, from, family);
	left = list_set(d, m, from, middle, family);
	right = list_set(d, m, middle, to, family);
	return diagram_or(d, left, right);
}

static uint32_t mark_set(struct diagram *d, const struct mark *mark, bool connmark)
{
	uint32_t node = EVERYTHING;

	if (mark->value & ~mark->mask)
		return NOTHING;
	for (unsigned i = 32; i-- > 0;) {
		uint32_t bit = 0x80000000u >> i;
		bool high = mark->value & bit;

		if (mark->mask & bit)
			node = diagram_bit(d, field_variables[FIELD_MARK].first + i * 2 + connmark,
					   high ? NOTHING : node, high ? node : NOTHING);
	}
	return node;
}

static uint32_t flags_set(struct diagram *d, const struct mark *mark)
{
	uint32_t set = NOTHING;

	for (uint32_t flags = 0; flags <= TCP_FLAGS_ALL; flags++)
		if ((flags & mark->mask) == mark->value)
			set = diagram_or(d, set, diagram_range(d, FIELD_FLAGS, flags, flags));
	return set;
}

static uint32_t ctstate_set(struct diagram *d, uint32_t states)
{
	uint32_t set = NOTHING;

	for (unsigned i = 0; i < 1u << field_variables[FIELD_CTSTATE].bits; i++)
		if (states & 1u << i)
			set = diagram_or(d, set, diagram_range(d, FIELD_CTSTATE, i, i));
	return set;
}

static uint32_t with_ports(struct diagram *d)
{
	uint32_t set = NOTHING;

	for (uint32_t proto = 0; proto < 256; proto++)
		if (proto_has_ports(proto))
			set = diagram_or(d, set, diagram_range(d, FIELD_PROTO, proto, proto));
	return set;
}

static uint32_t plain_set(struct diagram *d, const struct match *m, enum family family)
{
	switch ((enum match_kind)m->kind) {
	case MATCH_NFPROTO:
		return family == m->proto ? EVERYTHING : NOTHING;
	case MATCH_PROTO:
		return diagram_range(d, FIELD_PROTO, m->proto, m->proto);
	case MATCH_CTSTATE:
		return ctstate_set(d, m->ctstates);
	case MATCH_MARK:
	case MATCH_CONNMARK:
		return mark_set(d, &m->mark, m->kind == MATCH_CONNMARK);
	case MATCH_TCP_FLAGS:
		return flags_set(d, &m->mark);
	case MATCH_SRC:
	case MATCH_DST:
	case MATCH_IIF:
	case MATCH_OIF:
	case MATCH_SPORT:
	case MATCH_DPORT:
	case MATCH_UID:
	case MATCH_GID:
		return list_set(d, m, 0, m->n, family);
	}
	return NOTHING;
}

uint32_t match_set(struct diagram *d, const struct match *m, enum family family, enum layout layout)
{
	uint32_t set = plain_set(d, m, family), none;

	if (m->invert)
		set = diagram_not(d, set);
	if (m->kind == MATCH_SPORT || m->kind == MATCH_DPORT)
		return diagram_or(d, set, diagram_not(d, with_ports(d)));
	if (m->kind == MATCH_TCP_FLAGS)
		return diagram_or(d, set, diagram_not(d, diagram_range(d, FIELD_PROTO, IPPROTO_TCP, IPPROTO_TCP)));
	if (m->kind != MATCH_UID && m->kind != MATCH_GID)
		return set;
	none = diagram_range(d, m->kind == MATCH_UID ? FIELD_UID : FIELD_GID, NO_SOCKET, NO_SOCKET);
	if (m->invert && layout == LAYOUT_IPTABLES)
		return diagram_or(d, set, none);
	return diagram_and(d, diagram_not(d, none), set);
}

uint32_t lo_set(struct diagram *d, enum field field)
{
	return diagram_block(d, field, (const uint8_t[16]){ "lo" }, 128);
}
