/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the encoder and the decoder of xtables entries share. */
#ifndef ISTIO_INIT_XT_ENTRY_H
#define ISTIO_INIT_XT_ENTRY_H

#include <net/if.h> /* before any <linux/netfilter...> header, or IFNAMSIZ and friends clash */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_CONNMARK.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_MARK.h>
#include <linux/netfilter/xt_TPROXY.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_owner.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "xt/xt.h"

/* The data of every match and target that we know. */
union xt_info {
	struct xt_tcp tcp;
	struct xt_udp udp;
	struct xt_multiport_v1 multiport;
	struct xt_owner_match_info owner;
	struct xt_conntrack_mtinfo2 conntrack2;
	struct xt_conntrack_mtinfo3 conntrack;
	struct xt_mark_mtinfo1 mark;
	struct xt_connmark_mtinfo1 connmark;
	struct xt_comment_info comment;
	struct nf_nat_ipv4_multi_range_compat redirect4;
	struct nf_nat_range redirect6;
	struct nf_nat_range2 translate;
	struct xt_tproxy_target_info tproxy0;
	struct xt_tproxy_target_info_v1 tproxy;
	struct xt_mark_tginfo2 set_mark;
	struct xt_connmark_tginfo1 set_connmark1;
	struct xt_connmark_tginfo2 set_connmark;
	struct xt_ct_target_info ct0;
	struct xt_ct_target_info_v1 ct;
	int verdict;
};

_Static_assert(sizeof(union xt_info) <= XT_DATA_MAX, "a blob holds any extension");
_Static_assert(XT_NAME_SIZE == XT_EXTENSION_MAXNAMELEN, "names of the kernel's size");

/* The head of an entry of either family, and where its fields are: the structs differ, the meaning does not. */
union xt_head {
	struct ipt_entry ip4;
	struct ip6t_entry ip6;
};

struct xt_fields {
	uint8_t *addr[2], *mask[2]; /* source, destination */
	char *iface[2];             /* in, out */
	uint8_t *iface_mask[2];
	uint16_t *proto;
	uint8_t *flags, *inverse; /* IPT_F_*, IP6T_F_*; IPT_INV_* of either family */
	uint16_t *target_offset, *next_offset;
	struct xt_counters *counters;
	uint8_t flag_goto, flag_proto; /* bits of @flags; 0: the family has no such flag */
	unsigned addr_len, size;       /* bytes of an address; of the head */
};

static inline struct xt_fields xt_fields_of(union xt_head *head, enum family family)
{
	/* Both entries have the same members below their address part. */
#define XT_FIELDS(e, p) \
	.addr = { (uint8_t *)&(p)->src, (uint8_t *)&(p)->dst }, \
	.mask = { (uint8_t *)&(p)->smsk, (uint8_t *)&(p)->dmsk }, .iface = { (p)->iniface, (p)->outiface }, \
	.iface_mask = { (p)->iniface_mask, (p)->outiface_mask }, .proto = &(p)->proto, .flags = &(p)->flags, \
	.inverse = &(p)->invflags, .target_offset = &(e)->target_offset, .next_offset = &(e)->next_offset, \
	.counters = &(e)->counters, .size = sizeof(*(e))
	if (family == IPV6)
		return (struct xt_fields){ XT_FIELDS(&head->ip6, &head->ip6.ipv6), .flag_goto = IP6T_F_GOTO,
					   .flag_proto = IP6T_F_PROTO, .addr_len = 16 };
	return (struct xt_fields){ XT_FIELDS(&head->ip4, &head->ip4.ip), .flag_goto = IPT_F_GOTO, .addr_len = 4 };
#undef XT_FIELDS
}

#endif
