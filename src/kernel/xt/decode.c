/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single matches and targets.  The data comes from the kernel, but is trusted no further
 * than its bounds: what the encoder could not have written makes the rule unknown.
 */
#include "xt/xt.h"

#include <string.h>

#include "util.h"
#include "xt/entry.h"

static bool add_port_range(struct draft *live, enum match_kind kind, const uint16_t ports[2], bool invert)
{
	struct range range = { ports[0], ports[1] };

	if (range.lo == 0 && range.hi == UINT16_MAX && !invert)
		return false;
	if (range.lo > range.hi)
		live->rule.unknown |= UNKNOWN_TEST;
	draft_add(live, kind, invert, &range);
	return true;
}

static bool add_tcp_flags(struct draft *live, uint8_t mask, uint8_t value, bool invert)
{
	struct mark flags = { value, mask };

	if (!mask && !value && !invert)
		return false;
	draft_add(live, MATCH_TCP_FLAGS, invert, &flags);
	return true;
}

/*
 * The decoders of match and target extensions: false if the model cannot express
 * the data.  Ports are in host order.
 */
static bool decode_tcp(struct draft *live, const union xt_info *info)
{
	const struct xt_tcp *tcp = &info->tcp;
	bool tested;

	tested = add_port_range(live, MATCH_SPORT, tcp->spts, tcp->invflags & XT_TCP_INV_SRCPT);
	tested |= add_port_range(live, MATCH_DPORT, tcp->dpts, tcp->invflags & XT_TCP_INV_DSTPT);
	tested |= add_tcp_flags(live, tcp->flg_mask, tcp->flg_cmp, tcp->invflags & XT_TCP_INV_FLAGS);
	/* Without ports and flags iptables-save would print "-m tcp" alone. */
	return tested && !tcp->option && !((tcp->flg_mask | tcp->flg_cmp) & ~TCP_FLAGS_ALL) &&
	       !(tcp->invflags & ~(XT_TCP_INV_SRCPT | XT_TCP_INV_DSTPT | XT_TCP_INV_FLAGS));
}

static bool decode_udp(struct draft *live, const union xt_info *info)
{
	const struct xt_udp *udp = &info->udp;
	bool tested;

	if (udp->invflags & ~XT_UDP_INV_MASK)
		return false;
	tested = add_port_range(live, MATCH_SPORT, udp->spts, udp->invflags & XT_UDP_INV_SRCPT);
	tested |= add_port_range(live, MATCH_DPORT, udp->dpts, udp->invflags & XT_UDP_INV_DSTPT);
	return tested;
}

static bool decode_multiport(struct draft *live, const union xt_info *info)
{
	const struct xt_multiport_v1 *multi = &info->multiport;
	struct range ranges[XT_MULTI_PORTS];
	uint32_t n = 0;

	if (multi->count > XT_MULTI_PORTS || multi->flags > XT_MULTIPORT_DESTINATION)
		return false;
	for (unsigned i = 0; i < multi->count; i++) {
		ranges[n].lo = ranges[n].hi = multi->ports[i];
		if (multi->pflags[i]) {
			if (++i == multi->count || multi->ports[i] <= ranges[n].lo)
				return false;
			ranges[n].hi = multi->ports[i];
		}
		n++;
	}
	draft_add_list(live, multi->flags == XT_MULTIPORT_SOURCE ? MATCH_SPORT : MATCH_DPORT, multi->invert, ranges, n);
	return n > 1; /* of one our text makes --dport */
}

static bool decode_owner(struct draft *live, const union xt_info *info)
{
	const struct xt_owner_match_info *owner = &info->owner;
	bool uid = owner->match == XT_OWNER_UID;
	struct range range = { uid ? owner->uid_min : owner->gid_min, uid ? owner->uid_max : owner->gid_max };

	if ((!uid && owner->match != XT_OWNER_GID) || owner->invert & ~owner->match || range.lo > range.hi)
		return false;
	draft_add(live, uid ? MATCH_UID : MATCH_GID, owner->invert, &range);
	return true;
}

/*
 * Of both revisions by the layout of the later: what we look at lies in the same bytes (xt_conntrack.h).
 *
 *   revision 2   ... match_flags invert_flags state_mask status_mask
 *   revision 3   ... match_flags invert_flags state_mask status_mask origsrc_port_high ...
 */
static bool decode_conntrack(struct draft *live, const union xt_info *info)
{
	const struct xt_conntrack_mtinfo3 *ct = &info->conntrack;
	uint32_t states = ct->state_mask;

	if (ct->match_flags != XT_CONNTRACK_STATE || ct->invert_flags & ~XT_CONNTRACK_STATE || !states ||
	    states & ~(CTSTATE_INVALID | CTSTATE_ESTABLISHED | CTSTATE_RELATED | CTSTATE_NEW))
		return false;
	draft_add(live, MATCH_CTSTATE, ct->invert_flags, &states);
	return true;
}

static bool decode_mark(struct draft *live, const union xt_info *info)
{
	struct mark mark = { info->mark.mark, info->mark.mask };

	draft_add(live, MATCH_MARK, info->mark.invert, &mark);
	return true;
}

static bool decode_connmark(struct draft *live, const union xt_info *info)
{
	struct mark mark = { info->connmark.mark, info->connmark.mask };

	draft_add(live, MATCH_CONNMARK, info->connmark.invert, &mark);
	return true;
}

static bool decode_comment(struct draft *live, const union xt_info *info)
{
	const char *text = info->comment.comment;

	if (live->rule.comment || strnlen(text, sizeof(info->comment)) == sizeof(info->comment))
		return false;
	live->rule.comment = ruleset_strdup(live->rs, text);
	return true;
}

/* "REDIRECT --to-ports PORT" and nothing else. */
static bool redirect_port(struct draft *live, unsigned flags, uint16_t min, uint16_t max)
{
	live->rule.target.kind = TARGET_REDIRECT;
	live->rule.target.port = ntohs(min);
	return flags == NF_NAT_RANGE_PROTO_SPECIFIED && min == max;
}

static bool decode_redirect4(struct draft *live, const union xt_info *info)
{
	const struct nf_nat_ipv4_range *range = info->redirect4.range;

	return redirect_port(live, range->flags, range->min.all, range->max.all) && info->redirect4.rangesize == 1;
}

static bool decode_redirect6(struct draft *live, const union xt_info *info)
{
	const struct nf_nat_range *range = &info->redirect6;

	return redirect_port(live, range->flags, range->min_proto.all, range->max_proto.all);
}

/* "--to-destination ADDRESS:PORT" (SNAT: --to-source), or one of the two, and nothing else. */
static bool translate_to(struct draft *live, unsigned flags, const void *min, const void *max, size_t size,
			 uint16_t port, uint16_t last_port)
{
	struct target *target = &live->rule.target;

	if (flags & NF_NAT_RANGE_MAP_IPS)
		target->addr = memcpy(ruleset_alloc(live->rs, size), min, size);
	if (flags & NF_NAT_RANGE_PROTO_SPECIFIED)
		target->port = ntohs(port);
	return (target->addr || target->port) && !(flags & ~(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)) &&
	       (!target->addr || !memcmp(min, max, size)) && (!target->port || port == last_port);
}

static bool translate4(struct draft *live, const union xt_info *info)
{
	const struct nf_nat_ipv4_range *range = info->redirect4.range;

	return translate_to(live, range->flags, &range->min_ip, &range->max_ip, sizeof(range->min_ip), range->min.all,
			    range->max.all) &&
	       info->redirect4.rangesize == 1;
}

/* Of revision 2 what stands behind revision 1's struct is for flags that we do not take. */
static bool translate(struct draft *live, const union xt_info *info)
{
	const struct nf_nat_range2 *range = &info->translate;
	size_t size = family_addr_len(live->rule.families == FAMILY_BIT(IPV6) ? IPV6 : IPV4);

	return translate_to(live, range->flags, &range->min_addr, &range->max_addr, size, range->min_proto.all,
			    range->max_proto.all);
}

static bool decode_dnat4(struct draft *live, const union xt_info *info)
{
	live->rule.target.kind = TARGET_DNAT;
	return translate4(live, info);
}

static bool decode_dnat(struct draft *live, const union xt_info *info)
{
	live->rule.target.kind = TARGET_DNAT;
	return translate(live, info);
}

static bool decode_snat4(struct draft *live, const union xt_info *info)
{
	live->rule.target.kind = TARGET_SNAT;
	return translate4(live, info);
}

static bool decode_snat(struct draft *live, const union xt_info *info)
{
	live->rule.target.kind = TARGET_SNAT;
	return translate(live, info);
}

static bool decode_tproxy0(struct draft *live, const union xt_info *info)
{
	live->rule.target.kind = TARGET_TPROXY;
	live->rule.target.port = ntohs(info->tproxy0.lport);
	live->rule.target.mark = (struct mark){ info->tproxy0.mark_value, info->tproxy0.mark_mask };
	return !info->tproxy0.laddr;
}

static bool decode_tproxy(struct draft *live, const union xt_info *info)
{
	static const union nf_inet_addr any;

	live->rule.target.kind = TARGET_TPROXY;
	live->rule.target.port = ntohs(info->tproxy.lport);
	live->rule.target.mark = (struct mark){ info->tproxy.mark_value, info->tproxy.mark_mask };
	return !memcmp(&info->tproxy.laddr, &any, sizeof(any));
}

static bool decode_set_mark(struct draft *live, const union xt_info *info)
{
	live->rule.target.kind = TARGET_MARK;
	live->rule.target.mark = (struct mark){ info->set_mark.mark, info->set_mark.mask };
	return true;
}

static bool connmark_mode(struct draft *live, uint32_t ctmask, uint32_t nfmask, uint8_t mode)
{
	live->rule.target.kind = mode == XT_CONNMARK_SAVE ? TARGET_CONNMARK_SAVE : TARGET_CONNMARK_RESTORE;
	return (mode == XT_CONNMARK_SAVE || mode == XT_CONNMARK_RESTORE) && ctmask == UINT32_MAX && nfmask == UINT32_MAX;
}

static bool decode_connmark1(struct draft *live, const union xt_info *info)
{
	const struct xt_connmark_tginfo1 *set = &info->set_connmark1;

	return connmark_mode(live, set->ctmask, set->nfmask, set->mode);
}

static bool decode_connmark2(struct draft *live, const union xt_info *info)
{
	const struct xt_connmark_tginfo2 *set = &info->set_connmark;

	return connmark_mode(live, set->ctmask, set->nfmask, set->mode) && !set->shift_bits;
}

static bool ct_zone(struct draft *live, uint16_t flags, uint16_t zone, uint32_t events, const char *helper)
{
	live->rule.target.kind = TARGET_CT_ZONE;
	live->rule.target.zone = zone;
	return !flags && !events && !*helper;
}

static bool decode_ct0(struct draft *live, const union xt_info *info)
{
	const struct xt_ct_target_info *ct = &info->ct0;

	return ct_zone(live, ct->flags, ct->zone, ct->ct_events | ct->exp_events, ct->helper);
}

/* Revision 2 has more flags than 1, and the same struct. */
static bool decode_ct(struct draft *live, const union xt_info *info)
{
	const struct xt_ct_target_info_v1 *ct = &info->ct;

	return ct_zone(live, ct->flags, ct->zone, ct->ct_events | ct->exp_events, ct->helper) && !*ct->timeout;
}

#define REV(n) (1u << (n))

static const struct decoder {
	const char *name;
	bool target;
	uint8_t families;
	uint8_t revisions; /* mask of REV */
	uint16_t size;
	bool (*decode)(struct draft *live, const union xt_info *info);
} decoders[] = {
	{ "tcp", false, FAMILY_BOTH, REV(0), sizeof(struct xt_tcp), decode_tcp },
	{ "udp", false, FAMILY_BOTH, REV(0), sizeof(struct xt_udp), decode_udp },
	{ "multiport", false, FAMILY_BOTH, REV(1), sizeof(struct xt_multiport_v1), decode_multiport },
	{ "owner", false, FAMILY_BOTH, REV(1), sizeof(struct xt_owner_match_info), decode_owner },
	{ "conntrack", false, FAMILY_BOTH, REV(2), sizeof(struct xt_conntrack_mtinfo2), decode_conntrack },
	{ "conntrack", false, FAMILY_BOTH, REV(3), sizeof(struct xt_conntrack_mtinfo3), decode_conntrack },
	{ "mark", false, FAMILY_BOTH, REV(1), sizeof(struct xt_mark_mtinfo1), decode_mark },
	{ "connmark", false, FAMILY_BOTH, REV(1), sizeof(struct xt_connmark_mtinfo1), decode_connmark },
	{ "comment", false, FAMILY_BOTH, REV(0), sizeof(struct xt_comment_info), decode_comment },
	{ "REDIRECT", true, FAMILY_BIT(IPV4), REV(0), sizeof(struct nf_nat_ipv4_multi_range_compat), decode_redirect4 },
	{ "REDIRECT", true, FAMILY_BIT(IPV6), REV(0), sizeof(struct nf_nat_range), decode_redirect6 },
	{ "DNAT", true, FAMILY_BIT(IPV4), REV(0), sizeof(struct nf_nat_ipv4_multi_range_compat), decode_dnat4 },
	{ "DNAT", true, FAMILY_BOTH, REV(1), sizeof(struct nf_nat_range), decode_dnat },
	{ "DNAT", true, FAMILY_BOTH, REV(2), sizeof(struct nf_nat_range2), decode_dnat },
	{ "SNAT", true, FAMILY_BIT(IPV4), REV(0), sizeof(struct nf_nat_ipv4_multi_range_compat), decode_snat4 },
	{ "SNAT", true, FAMILY_BOTH, REV(1), sizeof(struct nf_nat_range), decode_snat },
	{ "SNAT", true, FAMILY_BOTH, REV(2), sizeof(struct nf_nat_range2), decode_snat },
	{ "TPROXY", true, FAMILY_BIT(IPV4), REV(0), sizeof(struct xt_tproxy_target_info), decode_tproxy0 },
	{ "TPROXY", true, FAMILY_BOTH, REV(1), sizeof(struct xt_tproxy_target_info_v1), decode_tproxy },
	{ "MARK", true, FAMILY_BOTH, REV(2), sizeof(struct xt_mark_tginfo2), decode_set_mark },
	{ "CONNMARK", true, FAMILY_BOTH, REV(1), sizeof(struct xt_connmark_tginfo1), decode_connmark1 },
	{ "CONNMARK", true, FAMILY_BOTH, REV(2), sizeof(struct xt_connmark_tginfo2), decode_connmark2 },
	{ "CT", true, FAMILY_BOTH, REV(0), sizeof(struct xt_ct_target_info), decode_ct0 },
	{ "CT", true, FAMILY_BOTH, REV(1) | REV(2), sizeof(struct xt_ct_target_info_v1), decode_ct },
};

static bool extension_decode(struct draft *live, bool target, const char *name, uint8_t revision, const void *data,
			     size_t size)
{
	union xt_info info = {};

	for (unsigned i = 0; i < ARRAY_SIZE(decoders); i++) {
		const struct decoder *d = &decoders[i];

		if (d->target != target || !(d->families & live->rule.families) || revision > 7 ||
		    !(d->revisions & REV(revision)) || size != (size_t)XT_ALIGN(d->size) || strcmp(d->name, name))
			continue;
		memcpy(&info, data, d->size);
		return d->decode(live, &info);
	}
	return false;
}

void xt_match_decode(struct draft *live, const char *name, uint8_t revision, const void *data, size_t size)
{
	if (extension_decode(live, false, name, revision, data, size))
		return;
	live->rule.unknown |= UNKNOWN_TEST;
	rule_note_unread(live->rs, &live->rule, name);
}

void xt_target_decode(struct draft *live, const char *name, uint8_t revision, const void *data, size_t size)
{
	if (extension_decode(live, true, name, revision, data, size))
		return;
	draft_set_unread_target(live, name);
}
