/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "traffic_holds.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto.h"
#include "util.h"

static bool iface_holds(const char *pattern, const char *name)
{
	size_t n = strlen(pattern);

	return n && pattern[n - 1] == '+' ? !strncmp(pattern, name, n - 1) : !strcmp(pattern, name);
}

static bool prefix_holds(const struct prefix *prefix, const uint8_t *addr)
{
	for (unsigned bit = 0; bit < prefix->len; bit++)
		if ((prefix->addr[bit / 8] ^ addr[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

static bool range_holds(const struct range *range, uint32_t value)
{
	return range->lo <= value && value <= range->hi;
}

static bool item_holds(const struct traffic_item *item, enum traffic_key key, const struct packet *p)
{
	switch (key) {
	case TRAFFIC_PROTO:
		return range_holds(&item->range, p->proto);
	case TRAFFIC_SRC:
		return item->prefix.family == p->family && prefix_holds(&item->prefix, p->src);
	case TRAFFIC_DST:
		return item->prefix.family == p->family && prefix_holds(&item->prefix, p->dst);
	case TRAFFIC_SPORT:
		return range_holds(&item->range, p->sport);
	case TRAFFIC_DPORT:
		return range_holds(&item->range, p->dport);
	case TRAFFIC_UID:
		return p->has_owner && range_holds(&item->range, p->uid);
	case TRAFFIC_GID:
		return p->has_owner && range_holds(&item->range, p->gid);
	case TRAFFIC_IIF:
		return iface_holds(item->iface.name, p->iif.name);
	case TRAFFIC_OIF:
		return iface_holds(item->iface.name, p->oif.name);
	case TRAFFIC_MARK:
		return (p->mark & item->mark.mask) == item->mark.value;
	case TRAFFIC_KEYS:
		break;
	}
	return false;
}

static bool list_holds(const struct traffic_list *list, enum traffic_key key, const struct packet *p)
{
	bool in = list->none && !p->has_owner && (key == TRAFFIC_UID || key == TRAFFIC_GID);

	for (unsigned i = 0; i < list->n; i++)
		in |= item_holds(&list->items[i], key, p);
	for (unsigned i = 0; i < list->n_except; i++)
		in &= !item_holds(&list->except[i], key, p);
	return list->any || in != list->not ;
}

bool class_holds(const struct traffic_class *class, const struct packet *packet)
{
	if (class->hook != packet->hook || !(class->families & FAMILY_BIT(packet->family)))
		return false;
	for (enum traffic_key key = 0; key < TRAFFIC_KEYS; key++)
		if (!list_holds(&class->keys[key], key, packet))
			return false;
	return true;
}

/* An item of some class's list of the key, or NULL. */
static const struct traffic_item *random_item(const struct traffic *traffic, enum traffic_key key, enum family family)
{
	for (unsigned tries = 0; tries < 30 && traffic->n; tries++) {
		const struct traffic_class *class = &traffic->classes[(unsigned)rand() % traffic->n];
		const struct traffic_list *list = &class->keys[key];
		const struct traffic_item *item = list->n ? &list->items[(unsigned)rand() % list->n] : NULL;

		if (item && ((key != TRAFFIC_SRC && key != TRAFFIC_DST) || item->prefix.family == family))
			return item;
	}
	return NULL;
}

/* A bound of the item, or one beside it; @usual without an item. */
static uint32_t near_range(const struct traffic_item *item, uint32_t usual, uint32_t max)
{
	uint32_t value = item ? (rand() % 2 ? item->range.lo : item->range.hi) : usual;

	value += (uint32_t)(rand() % 3) - 1;
	return value > max ? (rand() % 2 ? max : 1) : value;
}

/* The first or last address of the block, or one beside it. */
static void near_addr(uint8_t addr[16], const struct traffic_item *item, enum family family)
{
	unsigned len = family_addr_len(family), bits = item ? item->prefix.len : 0;
	bool last = rand() % 2;
	int step = rand() % 3 - 1;

	memset(addr, 0, 16);
	for (unsigned i = 0; i < len; i++)
		addr[i] = item ? item->prefix.addr[i] : (uint8_t)rand();
	for (unsigned bit = bits; item && last && bit < len * 8; bit++)
		addr[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	for (unsigned i = len; step && i-- > 0;) {
		addr[i] = (uint8_t)(addr[i] + step);
		if (addr[i] != (step > 0 ? 0 : 0xff))
			break;
	}
}

static void near_iface(struct iface *iface, const struct traffic_item *item)
{
	static const char *const usual[] = { "lo", "eth0", "l", "lo0", "net1", "vm0" };
	size_t n;

	memset(iface, 0, sizeof(*iface));
	strcpy(iface->name, item && rand() % 3 ? item->iface.name : usual[rand() % 6]);
	n = strlen(iface->name);
	if (n && iface->name[n - 1] == '+')
		iface->name[n - 1] = "\0a+z"[rand() % 4];
	else if (!(rand() % 8) && n < sizeof(iface->name) - 1)
		iface->name[n] = 'x';
	if (!*iface->name)
		strcpy(iface->name, "eth0");
}

void random_packet(struct packet *packet, const struct traffic *traffic)
{
	static const uint8_t protos[] = { IPPROTO_TCP,  IPPROTO_TCP,    IPPROTO_TCP,  IPPROTO_UDP,
					  IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_SCTP, 47 };
	enum family family = rand() % 2 ? IPV4 : IPV6;
	bool out = rand() % 3;
	const struct traffic_item *mark = random_item(traffic, TRAFFIC_MARK, family);

	*packet = (struct packet){
		.hook = out ? HOOK_OUTPUT : HOOK_PREROUTING,
		.family = family,
		.proto = protos[rand() % 8],
		.sport = (uint16_t)near_range(random_item(traffic, TRAFFIC_SPORT, family), 40000, 65535),
		.dport = (uint16_t)near_range(random_item(traffic, TRAFFIC_DPORT, family), 80, 65535),
		.has_owner = out && rand() % 8,
		.ctstate = CTSTATE_NEW,
	};
	packet->tcp_flags = packet_usual_flags(packet);
	if (packet->has_owner) {
		packet->uid = near_range(random_item(traffic, TRAFFIC_UID, family), 1000, UINT32_MAX - 1);
		packet->gid = near_range(random_item(traffic, TRAFFIC_GID, family), 1000, UINT32_MAX - 1);
	}
	near_addr(packet->src, rand() % 4 ? random_item(traffic, TRAFFIC_SRC, family) : NULL, family);
	near_addr(packet->dst, rand() % 4 ? random_item(traffic, TRAFFIC_DST, family) : NULL, family);
	near_iface(out ? &packet->oif : &packet->iif, random_item(traffic, out ? TRAFFIC_OIF : TRAFFIC_IIF, family));
	if (mark && rand() % 2)
		packet->mark = (mark->mark.value | (rand() % 2 ? 0 : ~mark->mark.mask)) ^ (rand() % 4 ? 0 : 1);
}

const char *packet_words(const struct packet *p)
{
	static char text[512];
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX], number[PROTO_TEXT_MAX];

	snprintf(text, sizeof(text), "%s proto=%s src=%s dst=%s sport=%u dport=%u owner=%d uid=%u gid=%u %s=%s mark=0x%x",
		 p->hook == HOOK_OUTPUT ? "out" : "in", proto_name(p->proto, number), addr_text(p->family, p->src, src),
		 addr_text(p->family, p->dst, dst), p->sport, p->dport, p->has_owner, p->uid, p->gid,
		 p->hook == HOOK_OUTPUT ? "oif" : "iif", p->hook == HOOK_OUTPUT ? p->oif.name : p->iif.name, p->mark);
	return text;
}
