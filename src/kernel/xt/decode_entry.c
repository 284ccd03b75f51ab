/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole entries: the conditions of their head, their chain of matches, the target. */
#include "xt/xt.h"

#include <string.h>

#include "proto.h"
#include "xt/entry.h"

static bool address_get(struct draft *live, const struct xt_fields *f, unsigned side, uint8_t inverse)
{
	struct prefix prefix = { .family = f->addr_len == 4 ? IPV4 : IPV6 };
	bool invert = *f->inverse & inverse;

	while (prefix.len < f->addr_len * 8u && f->mask[side][prefix.len / 8] & 0x80 >> prefix.len % 8)
		prefix.len++;
	for (unsigned i = 0; i < f->addr_len; i++) {
		unsigned bits = prefix.len > i * 8 ? prefix.len - i * 8 : 0;
		uint8_t mask = bits >= 8 ? 0xff : (uint8_t) ~(0xff >> bits);

		if (f->mask[side][i] != mask || f->addr[side][i] & ~mask)
			return false;
	}
	memcpy(prefix.addr, f->addr[side], f->addr_len);
	if (prefix.len || invert)
		draft_add(live, side ? MATCH_DST : MATCH_SRC, invert, &prefix);
	return true;
}

static bool iface_get(struct draft *live, const struct xt_fields *f, unsigned side, uint8_t inverse)
{
	struct iface iface = {};
	bool invert = *f->inverse & inverse;
	unsigned len = 0;

	while (len < IFNAMSIZ && f->iface_mask[side][len] == 0xff)
		len++;
	for (unsigned i = len; i < IFNAMSIZ; i++)
		if (f->iface_mask[side][i])
			return false;
	if (!len)
		return !invert; /* any interface: no test; "not any" is none that we know */
	memcpy(iface.name, f->iface[side], len);
	if (iface.name[len - 1]) {
		if (len > IFNAMSIZ - 2)
			return false;
		iface.name[len++] = '+';
	} else {
		len--;
	}
	if (!len || strnlen(iface.name, len) < len)
		return false;
	draft_add(live, side ? MATCH_OIF : MATCH_IIF, invert, &iface);
	return true;
}

static bool proto_get(struct draft *live, const struct xt_fields *f)
{
	bool invert = *f->inverse & XT_INV_PROTO;
	uint32_t proto = *f->proto;

	if (!proto)
		return !invert && !(*f->flags & f->flag_proto);
	if ((*f->flags & f->flag_proto) != f->flag_proto)
		return false;
	draft_add(live, MATCH_PROTO, invert, &proto);
	return true;
}

static bool head_decode(struct draft *live, const struct xt_fields *f)
{
	const uint8_t inverses = IPT_INV_SRCIP | IPT_INV_DSTIP | IPT_INV_VIA_IN | IPT_INV_VIA_OUT | XT_INV_PROTO;
	bool known = !(*f->flags & ~(f->flag_goto | f->flag_proto)) && !(*f->inverse & ~inverses);

	known &= address_get(live, f, 0, IPT_INV_SRCIP);
	known &= address_get(live, f, 1, IPT_INV_DSTIP);
	known &= iface_get(live, f, 0, IPT_INV_VIA_IN);
	known &= iface_get(live, f, 1, IPT_INV_VIA_OUT);
	return proto_get(live, f) && known;
}

/* The name in a match's or target's header, which need not be ended within its array. */
static const char *head_name(const struct xt_entry_match *head, char name[XT_NAME_SIZE + 1])
{
	memcpy(name, head->u.user.name, XT_NAME_SIZE);
	name[XT_NAME_SIZE] = '\0';
	return name;
}

/* The header of a match or target in the @size bytes at @data, or false if they do not hold all of it. */
static bool head_read(struct xt_entry_match *head, const uint8_t *data, size_t size)
{
	if (size < sizeof(*head))
		return false;
	memcpy(head, data, sizeof(*head));
	return head->u.match_size >= sizeof(*head) && head->u.match_size <= size;
}

static bool matches_decode(struct draft *live, const uint8_t *data, size_t size)
{
	struct xt_entry_match head;
	char name[XT_NAME_SIZE + 1];

	for (; size; size -= head.u.match_size, data += head.u.match_size) {
		if (!head_read(&head, data, size))
			return false;
		xt_match_decode(live, head_name(&head, name), head.u.user.revision, data + sizeof(head),
				head.u.match_size - sizeof(head));
	}
	return true;
}

/* @is_goto: the entry's flag, which means something for jumps only. */
static bool verdict_decode(struct draft *live, const uint8_t *data, size_t size, const char *jump, bool is_goto)
{
	struct target *target = &live->rule.target;
	int verdict;

	if (size != XT_ALIGN(sizeof(struct xt_standard_target)) - sizeof(struct xt_entry_target))
		return false;
	memcpy(&verdict, data, sizeof(verdict));
	if (jump) {
		target->kind = is_goto ? TARGET_GOTO : TARGET_JUMP;
		target->chain = ruleset_strdup(live->rs, jump);
		return true;
	}
	if (verdict == XT_RETURN)
		target->kind = TARGET_RETURN;
	else if (verdict == -NF_ACCEPT - 1)
		target->kind = TARGET_ACCEPT;
	else if (verdict == -NF_DROP - 1)
		target->kind = TARGET_DROP;
	else if (verdict >= 0)
		target->kind = TARGET_NONE; /* to the next rule */
	else
		return false;
	return !is_goto;
}

static bool target_decode(struct draft *live, const struct xt_fields *f, const uint8_t *data, size_t size, const char *jump)
{
	struct xt_entry_match head; /* laid out as struct xt_entry_target */
	char name[XT_NAME_SIZE + 1];
	bool is_goto = *f->flags & f->flag_goto;

	if (!head_read(&head, data, size) || head.u.match_size != size)
		return false;
	data += sizeof(head);
	size -= sizeof(head);
	if (!*head_name(&head, name))
		return verdict_decode(live, data, size, jump, is_goto);
	xt_target_decode(live, name, head.u.user.revision, data, size);
	return !is_goto && !jump;
}

void xt_entry_decode(struct draft *live, const void *entry, size_t size, const char *jump)
{
	enum family family = live->rule.families == FAMILY_BIT(IPV6) ? IPV6 : IPV4;
	const uint8_t *data = entry;
	union xt_head head = {};
	struct xt_fields f = xt_fields_of(&head, family);
	bool known;

	if (size < f.size)
		goto unknown;
	memcpy(&head, entry, f.size);
	live->rule.packets = f.counters->pcnt;
	live->rule.bytes = f.counters->bcnt;
	if (*f.next_offset > size || *f.target_offset < f.size || *f.target_offset > *f.next_offset)
		goto unknown;
	known = head_decode(live, &f);
	known &= matches_decode(live, data + f.size, *f.target_offset - f.size);
	if (!known || !rule_transport_is_known(&live->rule))
		live->rule.unknown |= UNKNOWN_TEST;
	if (target_decode(live, &f, data + *f.target_offset, *f.next_offset - *f.target_offset, jump))
		return;
unknown:
	live->rule.unknown |= UNKNOWN_TEST | UNKNOWN_ACTION;
	if (live->rule.target.kind == TARGET_NONE)
		live->rule.target.kind = TARGET_UNKNOWN;
}
