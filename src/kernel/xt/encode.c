/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xt/xt.h"

#include <errno.h>
#include <string.h>

#include "util.h"
#include "xt/entry.h"

/* @info: the member of union xt_info that @size is of. */
static void blob_set(struct xt_blob *blob, const char *name, uint8_t revision, const void *info, size_t size)
{
	blob->name = name;
	blob->revision = revision;
	blob->size = XT_ALIGN(size);
	memcpy(blob->data, info, size);
	memset(blob->data + size, 0, blob->size - size);
}

/* A list of ports that the tcp and udp matches, which hold one range a direction, cannot take. */
static bool match_is_port_list(const struct match *m)
{
	return m && m->n > 1;
}

/* A range for the tcp or udp match, "any port" if there is no test. */
static void port_range(const struct match *m, uint16_t ports[2], uint8_t *invflags, uint8_t inverted)
{
	bool tested = m && !match_is_port_list(m);

	ports[0] = tested ? (uint16_t)m->ranges->lo : 0;
	ports[1] = tested ? (uint16_t)m->ranges->hi : UINT16_MAX;
	if (tested && m->invert)
		*invflags |= inverted;
}

/*
 * The encoders of match extensions.  Each sets @blob to the @item-th match of its
 * sort that the rule needs: 1; 0 if there are not that many; -errno.
 */
static int encode_transport(const struct rule *rule, unsigned item, struct xt_blob *blob)
{
	const struct match *sport = rule_match(rule, MATCH_SPORT), *dport = rule_match(rule, MATCH_DPORT);
	const struct match *proto = rule_match(rule, MATCH_PROTO);
	const struct match *flags = rule_match(rule, MATCH_TCP_FLAGS);
	union xt_info info = {};

	if (item || (!flags && (!sport || match_is_port_list(sport)) && (!dport || match_is_port_list(dport))))
		return 0;
	if (!proto || proto->invert || (flags && proto->proto != IPPROTO_TCP))
		return -EINVAL;
	if (proto->proto == IPPROTO_TCP) {
		if (flags) {
			info.tcp.flg_mask = (uint8_t)flags->mark.mask;
			info.tcp.flg_cmp = (uint8_t)flags->mark.value;
			info.tcp.invflags = flags->invert ? XT_TCP_INV_FLAGS : 0;
		}
		port_range(sport, info.tcp.spts, &info.tcp.invflags, XT_TCP_INV_SRCPT);
		port_range(dport, info.tcp.dpts, &info.tcp.invflags, XT_TCP_INV_DSTPT);
		blob_set(blob, "tcp", 0, &info.tcp, sizeof(info.tcp));
	} else {
		port_range(sport, info.udp.spts, &info.udp.invflags, XT_UDP_INV_SRCPT);
		port_range(dport, info.udp.dpts, &info.udp.invflags, XT_UDP_INV_DSTPT);
		blob_set(blob, "udp", 0, &info.udp, sizeof(info.udp));
	}
	return 1;
}

static int multiport_set(const struct match *m, uint8_t direction, struct xt_blob *blob)
{
	union xt_info info = {};
	struct xt_multiport_v1 *multi = &info.multiport;
	unsigned n = 0;

	for (uint32_t i = 0; i < m->n; i++) {
		bool range = m->ranges[i].lo != m->ranges[i].hi;

		if (n + range >= XT_MULTI_PORTS)
			return -E2BIG;
		multi->ports[n] = (uint16_t)m->ranges[i].lo;
		multi->pflags[n++] = range;
		if (range)
			multi->ports[n++] = (uint16_t)m->ranges[i].hi;
	}
	multi->flags = direction;
	multi->count = (uint8_t)n;
	multi->invert = m->invert;
	blob_set(blob, "multiport", 1, multi, sizeof(*multi));
	return 1;
}

static int encode_multiport(const struct rule *rule, unsigned item, struct xt_blob *blob)
{
	const struct match *sport = rule_match(rule, MATCH_SPORT), *dport = rule_match(rule, MATCH_DPORT);

	if (match_is_port_list(sport) && item-- == 0)
		return multiport_set(sport, XT_MULTIPORT_SOURCE, blob);
	if (match_is_port_list(dport) && item == 0)
		return multiport_set(dport, XT_MULTIPORT_DESTINATION, blob);
	return 0;
}

/* One match an owner: an inverted list is met if each of them is. */
static int encode_owner(const struct rule *rule, unsigned item, struct xt_blob *blob)
{
	const struct match *uid = rule_match(rule, MATCH_UID), *gid = rule_match(rule, MATCH_GID);
	union xt_info info = {};

	if (uid && item < uid->n) {
		info.owner.uid_min = uid->ranges[item].lo;
		info.owner.uid_max = uid->ranges[item].hi;
		info.owner.match = XT_OWNER_UID;
		info.owner.invert = uid->invert ? XT_OWNER_UID : 0;
	} else {
		item -= uid ? uid->n : 0;
		if (!gid || item >= gid->n)
			return 0;
		info.owner.gid_min = gid->ranges[item].lo;
		info.owner.gid_max = gid->ranges[item].hi;
		info.owner.match = XT_OWNER_GID;
		info.owner.invert = gid->invert ? XT_OWNER_GID : 0;
	}
	blob_set(blob, "owner", 1, &info.owner, sizeof(info.owner));
	return 1;
}

/* The model's state bits are the kernel's (XT_CONNTRACK_STATE_*). */
static int encode_conntrack(const struct rule *rule, unsigned item, struct xt_blob *blob)
{
	const struct match *m = rule_match(rule, MATCH_CTSTATE);
	union xt_info info = {};

	if (!m || item)
		return 0;
	info.conntrack.match_flags = XT_CONNTRACK_STATE;
	info.conntrack.invert_flags = m->invert ? XT_CONNTRACK_STATE : 0;
	info.conntrack.state_mask = (uint16_t)m->ctstates;
	blob_set(blob, "conntrack", 3, &info.conntrack, sizeof(info.conntrack));
	return 1;
}

static int encode_mark(const struct rule *rule, unsigned item, struct xt_blob *blob)
{
	const struct match *m = rule_match(rule, MATCH_MARK);
	union xt_info info = {};

	if (!m || item)
		return 0;
	info.mark.mark = m->mark.value;
	info.mark.mask = m->mark.mask;
	info.mark.invert = m->invert;
	blob_set(blob, "mark", 1, &info.mark, sizeof(info.mark));
	return 1;
}

static int encode_connmark(const struct rule *rule, unsigned item, struct xt_blob *blob)
{
	const struct match *m = rule_match(rule, MATCH_CONNMARK);
	union xt_info info = {};

	if (!m || item)
		return 0;
	info.connmark.mark = m->mark.value;
	info.connmark.mask = m->mark.mask;
	info.connmark.invert = m->invert;
	blob_set(blob, "connmark", 1, &info.connmark, sizeof(info.connmark));
	return 1;
}

static int encode_comment(const struct rule *rule, unsigned item, struct xt_blob *blob)
{
	union xt_info info = {};

	if (!rule->comment || item)
		return 0;
	if (strlen(rule->comment) >= sizeof(info.comment.comment))
		return -E2BIG;
	strcpy(info.comment.comment, rule->comment);
	blob_set(blob, "comment", 0, &info.comment, sizeof(info.comment));
	return 1;
}

#define KIND_BIT(kind) (1u << (kind))
#define COMMENT_BIT (1u << 31)

/* Each with the conditions that it is for. */
static const struct {
	int (*encode)(const struct rule *rule, unsigned item, struct xt_blob *blob);
	uint32_t kinds;
} encoders[] = {
	{ encode_transport, KIND_BIT(MATCH_SPORT) | KIND_BIT(MATCH_DPORT) | KIND_BIT(MATCH_TCP_FLAGS) },
	{ encode_multiport, KIND_BIT(MATCH_SPORT) | KIND_BIT(MATCH_DPORT) },
	{ encode_owner, KIND_BIT(MATCH_UID) | KIND_BIT(MATCH_GID) },
	{ encode_conntrack, KIND_BIT(MATCH_CTSTATE) },
	{ encode_mark, KIND_BIT(MATCH_MARK) },
	{ encode_connmark, KIND_BIT(MATCH_CONNMARK) },
	{ encode_comment, COMMENT_BIT },
};

void xt_match_iter_init(struct xt_match_iter *it, const struct rule *rule)
{
	it->rule = rule;
	it->step = it->item = 0;
	it->kinds = rule->comment ? COMMENT_BIT : 0;
	for (unsigned i = 0; i < rule->n_matches; i++)
		it->kinds |= KIND_BIT(rule->matches[i].kind);
}

int xt_match_next(struct xt_match_iter *it, struct xt_blob *blob)
{
	for (; it->step < ARRAY_SIZE(encoders); it->step++, it->item = 0) {
		int rc = it->kinds & encoders[it->step].kinds ? encoders[it->step].encode(it->rule, it->item, blob) : 0;

		if (rc) {
			it->item++;
			return rc;
		}
	}
	return 0;
}

/* Verdicts and jumps are all of one size: libiptc writes a verdict into whatever it is given. */
static int verdict_set(struct xt_blob *blob, const char *name)
{
	if (strlen(name) >= XT_NAME_SIZE)
		return -EINVAL;
	blob->name = name;
	blob->revision = 0;
	blob->size = XT_ALIGN(sizeof(struct xt_standard_target)) - sizeof(struct xt_entry_target);
	memset(blob->data, 0, blob->size);
	return 0;
}

static void redirect_set(struct xt_blob *blob, enum family family, uint16_t port)
{
	union xt_info info = {};

	if (family == IPV6) {
		info.redirect6.flags = NF_NAT_RANGE_PROTO_SPECIFIED;
		info.redirect6.min_proto.all = info.redirect6.max_proto.all = htons(port);
		blob_set(blob, "REDIRECT", 0, &info.redirect6, sizeof(info.redirect6));
		return;
	}
	info.redirect4.rangesize = 1;
	info.redirect4.range[0].flags = NF_NAT_RANGE_PROTO_SPECIFIED;
	info.redirect4.range[0].min.all = info.redirect4.range[0].max.all = htons(port);
	blob_set(blob, "REDIRECT", 0, &info.redirect4, sizeof(info.redirect4));
}

int xt_target_encode(const struct rule *rule, enum family family, struct xt_blob *blob)
{
	static const char *const verdicts[] = {
		[TARGET_RETURN] = "RETURN",
		[TARGET_ACCEPT] = "ACCEPT",
		[TARGET_DROP] = "DROP",
		[TARGET_NONE] = "",
	};
	const struct target *target = &rule->target;
	union xt_info info = {};

	switch (target->kind) {
	case TARGET_RETURN:
	case TARGET_ACCEPT:
	case TARGET_DROP:
	case TARGET_NONE:
		return verdict_set(blob, verdicts[target->kind]);
	case TARGET_JUMP:
	case TARGET_GOTO:
		return verdict_set(blob, target->chain);
	case TARGET_REDIRECT:
		redirect_set(blob, family, target->port);
		return 0;
	case TARGET_TPROXY:
		info.tproxy.mark_mask = target->mark.mask;
		info.tproxy.mark_value = target->mark.value;
		info.tproxy.lport = htons(target->port);
		blob_set(blob, "TPROXY", 1, &info.tproxy, sizeof(info.tproxy));
		return 0;
	case TARGET_MARK:
		info.set_mark.mark = target->mark.value;
		info.set_mark.mask = target->mark.mask;
		blob_set(blob, "MARK", 2, &info.set_mark, sizeof(info.set_mark));
		return 0;
	case TARGET_CONNMARK_SAVE:
	case TARGET_CONNMARK_RESTORE:
		info.set_connmark.ctmask = info.set_connmark.nfmask = UINT32_MAX;
		info.set_connmark.mode = target->kind == TARGET_CONNMARK_SAVE ? XT_CONNMARK_SAVE : XT_CONNMARK_RESTORE;
		blob_set(blob, "CONNMARK", 2, &info.set_connmark, sizeof(info.set_connmark));
		return 0;
	case TARGET_CT_ZONE:
		info.ct.zone = target->zone;
		blob_set(blob, "CT", 2, &info.ct, sizeof(info.ct));
		return 0;
	default:
		return -EINVAL;
	}
}

static void address_set(const struct xt_fields *f, const struct match *m, unsigned side, uint8_t inverse)
{
	unsigned bytes = m->prefixes->len / 8, bits = m->prefixes->len % 8;

	memcpy(f->addr[side], m->prefixes->addr, f->addr_len);
	memset(f->mask[side], 0xff, bytes);
	if (bits)
		f->mask[side][bytes] = (uint8_t)(0xff00 >> bits);
	*f->inverse |= m->invert ? inverse : 0;
}

/* As iptables: the mask of a whole name covers its NUL, that of a wildcard leaves the '+' out. */
static void iface_set(const struct xt_fields *f, const struct match *m, unsigned side, uint8_t inverse)
{
	const char *name = m->ifaces->name;
	size_t len = strlen(name);
	bool wildcard = len && name[len - 1] == '+';

	memcpy(f->iface[side], name, len);
	memset(f->iface_mask[side], 0xff, wildcard ? len - 1 : len + 1);
	*f->inverse |= m->invert ? inverse : 0;
}

/* The conditions that are part of the entry itself. */
static int head_set(const struct xt_fields *f, const struct rule *rule)
{
	for (unsigned i = 0; i < rule->n_matches; i++) {
		const struct match *m = &rule->matches[i];

		switch (m->kind) {
		case MATCH_NFPROTO:
			return -EINVAL;
		case MATCH_SRC:
			address_set(f, m, 0, IPT_INV_SRCIP);
			break;
		case MATCH_DST:
			address_set(f, m, 1, IPT_INV_DSTIP);
			break;
		case MATCH_IIF:
			iface_set(f, m, 0, IPT_INV_VIA_IN);
			break;
		case MATCH_OIF:
			iface_set(f, m, 1, IPT_INV_VIA_OUT);
			break;
		case MATCH_PROTO:
			*f->proto = (uint16_t)m->proto;
			*f->flags |= f->flag_proto;
			*f->inverse |= m->invert ? XT_INV_PROTO : 0;
			break;
		default:
			break;
		}
		/* Only a list of ports, or an inverted one of owners, is one rule. */
		if (m->n != 1 && m->kind != MATCH_SPORT && m->kind != MATCH_DPORT &&
		    (!m->invert || (m->kind != MATCH_UID && m->kind != MATCH_GID)))
			return -EINVAL;
	}
	if (rule->target.kind == TARGET_GOTO)
		*f->flags |= f->flag_goto;
	f->counters->pcnt = rule->packets;
	f->counters->bcnt = rule->bytes;
	return 0;
}

/* Appends a match or target; the two headers are laid out alike. */
static bool blob_append(const struct xt_blob *blob, uint8_t *buf, size_t size, size_t *len)
{
	struct xt_entry_match head = {};
	size_t total = sizeof(head) + blob->size;

	if (size - *len < total)
		return false;
	head.u.user.match_size = (uint16_t)total;
	head.u.user.revision = blob->revision;
	strcpy(head.u.user.name, blob->name);
	memcpy(buf + *len, &head, sizeof(head));
	memcpy(buf + *len + sizeof(head), blob->data, blob->size);
	*len += total;
	return true;
}

int xt_entry_encode(const struct rule *rule, enum family family, void *buf, size_t size)
{
	union xt_head head = {};
	struct xt_fields f = xt_fields_of(&head, family);
	struct xt_match_iter it;
	struct xt_blob blob;
	size_t len = f.size;
	int rc;

	if (size > XT_ENTRY_MAX)
		size = XT_ENTRY_MAX;
	if (size < len)
		return -E2BIG;
	rc = head_set(&f, rule);
	if (rc < 0)
		return rc;
	xt_match_iter_init(&it, rule);
	while ((rc = xt_match_next(&it, &blob)) > 0)
		if (!blob_append(&blob, buf, size, &len))
			return -E2BIG;
	if (rc < 0)
		return rc;
	*f.target_offset = (uint16_t)len;
	rc = xt_target_encode(rule, family, &blob);
	if (rc < 0)
		return rc;
	if (!blob_append(&blob, buf, size, &len))
		return -E2BIG;
	*f.next_offset = (uint16_t)len;
	memcpy(buf, &head, f.size);
	return (int)len;
}

const struct xt_extension *xt_extension_find(const char *name, bool target)
{
	static const struct xt_extension extensions[] = {
		{ "tcp", false, "xt_tcpudp", "CONFIG_NETFILTER_XTABLES" },
		{ "udp", false, "xt_tcpudp", "CONFIG_NETFILTER_XTABLES" },
		{ "multiport", false, "xt_multiport", "CONFIG_NETFILTER_XT_MATCH_MULTIPORT" },
		{ "owner", false, "xt_owner", "CONFIG_NETFILTER_XT_MATCH_OWNER" },
		{ "conntrack", false, "xt_conntrack", "CONFIG_NETFILTER_XT_MATCH_CONNTRACK" },
		{ "mark", false, "xt_mark", "CONFIG_NETFILTER_XT_MARK" },
		{ "connmark", false, "xt_connmark", "CONFIG_NETFILTER_XT_CONNMARK" },
		{ "comment", false, "xt_comment", "CONFIG_NETFILTER_XT_MATCH_COMMENT" },
		{ "REDIRECT", true, "xt_REDIRECT", "CONFIG_NETFILTER_XT_TARGET_REDIRECT" },
		{ "TPROXY", true, "xt_TPROXY", "CONFIG_NETFILTER_XT_TARGET_TPROXY" },
		{ "MARK", true, "xt_mark", "CONFIG_NETFILTER_XT_MARK" },
		{ "CONNMARK", true, "xt_connmark", "CONFIG_NETFILTER_XT_CONNMARK" },
		{ "CT", true, "xt_CT", "CONFIG_NETFILTER_XT_TARGET_CT" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(extensions); i++)
		if (extensions[i].target == target && !strcmp(extensions[i].name, name))
			return &extensions[i];
	return NULL;
}
