/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists as anonymous constant sets.  A list of single values is a plain set; any other has
 * intervals: an element where each begins, and one, with a flag, behind its end, unless
 * that is the last of all values.  No userdata, since some releases of nft crash on listing
 * what later ones write, but for interface names: see tell_byteorder.
 *
 * Elements are written and read attribute by attribute: libnftnl would hold an object of
 * some 300 bytes for each.
 */
#include "nftables/nftables.h"

#include <arpa/inet.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <libnftnl/udata.h>

#include "merge.h"
#include "util.h"

#define SET_ROOM 256
/* An element with a key of 16 bytes and flags; what is in front of the elements in their message. */
#define ELEMENT_MAX 48
#define ELEMENTS_HEAD 128

struct nftables_key nftables_key_of(const struct match *m, enum family family)
{
	if (nftables_is_addr(m))
		return (struct nftables_key){ family == IPV4 ? KEY_IPADDR : KEY_IP6ADDR, family_addr_len(family) };
	if (nftables_is_iface(m))
		return (struct nftables_key){ KEY_IFNAME, sizeof(m->ifaces->name) };
	if (m->kind == MATCH_SPORT || m->kind == MATCH_DPORT)
		return (struct nftables_key){ KEY_INET_SERVICE, sizeof(uint16_t) };
	return (struct nftables_key){ m->kind == MATCH_UID ? KEY_UID : KEY_GID, sizeof(uint32_t) };
}

bool nftables_set_needed(const struct match *m)
{
	struct span span;
	uint32_t at = 0;

	if (m->n < 2)
		return false;
	if (!nftables_is_addr(m) || match_is_single(m))
		return true;
	prefixes_next_span(m->prefixes, m->n, &at, &span);
	return at < m->n;
}

void nftables_put_number(uint8_t *key, uint32_t len, uint32_t value)
{
	for (uint32_t i = len; i-- > 0; value >>= 8)
		key[i] = (uint8_t)value;
}

/* The next stretch of a list: *@at begins at 0. */
static bool next_span(const struct match *m, const struct nftables_key *key, uint32_t *at, struct span *span)
{
	if (nftables_is_addr(m))
		return prefixes_next_span(m->prefixes, m->n, at, span);
	if (*at >= m->n)
		return false;
	memset(span, 0, sizeof(*span));
	if (nftables_is_iface(m)) {
		const struct iface *iface = &m->ifaces[*at];
		size_t stem = strlen(iface->name) - iface_is_wildcard(iface);

		memcpy(span->first, iface->name, stem);
		memcpy(span->last, iface->name, stem);
		if (iface_is_wildcard(iface))
			memset(span->last + stem, 0xff, sizeof(span->last) - stem);
	} else {
		nftables_put_number(span->first, key->len, m->ranges[*at].lo);
		nftables_put_number(span->last, key->len, m->ranges[*at].hi);
	}
	++*at;
	return true;
}

struct writer {
	struct nfnl_batch *batch;
	const char *table, *set;
	struct nftables_key key;
	struct nlmsghdr *nlh; /* of the message that is being filled */
	struct nlattr *list;
	size_t left; /* elements to come, at most */
};

static void writer_end(struct writer *w)
{
	if (!w->nlh)
		return;
	mnl_attr_nest_end(w->nlh, w->list);
	w->batch->items_bytes += w->nlh->nlmsg_len;
	w->nlh = NULL;
}

static void writer_begin(struct writer *w)
{
	size_t room = ELEMENTS_HEAD + w->left * ELEMENT_MAX;

	w->nlh = nfnl_batch_add(w->batch, room < SET_MESSAGE_MAX ? room : SET_MESSAGE_MAX, NFT_MSG_NEWSETELEM,
				NFPROTO_INET, NLM_F_CREATE, NULL);
	mnl_attr_put_strz(w->nlh, NFTA_SET_ELEM_LIST_TABLE, w->table);
	mnl_attr_put_strz(w->nlh, NFTA_SET_ELEM_LIST_SET, w->set);
	w->list = mnl_attr_nest_start(w->nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static void writer_put(struct writer *w, const void *data, bool end)
{
	struct nlattr *element, *key;

	if (w->nlh && w->nlh->nlmsg_len + ELEMENT_MAX > SET_MESSAGE_MAX)
		writer_end(w);
	if (!w->nlh)
		writer_begin(w);
	w->left--;
	element = mnl_attr_nest_start(w->nlh, NFTA_LIST_ELEM);
	if (end)
		mnl_attr_put_u32(w->nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	key = mnl_attr_nest_start(w->nlh, NFTA_SET_ELEM_KEY);
	mnl_attr_put(w->nlh, NFTA_DATA_VALUE, w->key.len, data);
	mnl_attr_nest_end(w->nlh, key);
	mnl_attr_nest_end(w->nlh, element);
}

/* The value behind; false if there is none. */
static bool key_next(uint8_t *key, uint32_t len)
{
	while (len-- > 0)
		if (++key[len])
			return true;
	return false;
}

static void put_intervals(struct writer *w, const struct match *m)
{
	struct span span;
	uint32_t at = 0;

	w->left = 2 * (size_t)m->n;
	while (next_span(m, &w->key, &at, &span)) {
		writer_put(w, span.first, false);
		if (key_next(span.last, w->key.len))
			writer_put(w, span.last, true);
	}
}

static void put_values(struct writer *w, const struct match *m)
{
	struct span span;
	uint32_t at = 0;

	w->left = m->n;
	if (!nftables_is_addr(m)) {
		while (next_span(m, &w->key, &at, &span))
			writer_put(w, span.first, false);
		return;
	}
	for (uint32_t i = 0; i < m->n; i++)
		writer_put(w, m->prefixes[i].addr, false);
}

/*
 * Without being told that names are in the machine's order, nft lists a plain set of them as
 * empty strings.  It has always written and read this attribute itself (NFTNL_UDATA_SET_KEYBYTEORDER;
 * enum byteorder of nftables' include/datatype.h): type, length, and a number in the machine's order.
 */
static void tell_byteorder(struct nlmsghdr *nlh)
{
	enum { BYTEORDER_HOST_ENDIAN = 1 };
	const uint32_t order = BYTEORDER_HOST_ENDIAN;
	uint8_t data[2 + sizeof(order)] = { NFTNL_UDATA_SET_KEYBYTEORDER, sizeof(order) };

	memcpy(&data[2], &order, sizeof(order));
	mnl_attr_put(nlh, NFTA_SET_USERDATA, sizeof(data), data);
}

/* By libmnl alone: libnftnl's objects for sets and elements would be a twentieth of the program. */
void nftables_put_set(struct nfnl_batch *batch, const char *table, const char *name, uint32_t id, const struct match *m)
{
	bool single = match_is_single(m);
	struct writer w = { .batch = batch,
			    .table = table,
			    .set = name,
			    .key = nftables_key_of(m, nftables_is_addr(m) ? m->prefixes->family : IPV4) };
	struct nlmsghdr *nlh = nfnl_batch_add(batch, SET_ROOM, NFT_MSG_NEWSET, NFPROTO_INET, NLM_F_CREATE, NULL);
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_SET_FLAGS,
			 htonl(NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | (single ? 0u : NFT_SET_INTERVAL)));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_TYPE, htonl(w.key.type));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_LEN, htonl(w.key.len));
	mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl(id));
	/* A hash of a known size is the fastest set (net/netfilter/nft_set_hash.c). */
	if (single) {
		nest = mnl_attr_nest_start(nlh, NFTA_SET_DESC);
		mnl_attr_put_u32(nlh, NFTA_SET_DESC_SIZE, htonl(m->n));
		mnl_attr_nest_end(nlh, nest);
	}
	if (single && nftables_is_iface(m))
		tell_byteorder(nlh);
	batch->items += m->n;
	if (single)
		put_values(&w, m);
	else
		put_intervals(&w, m);
	writer_end(&w);
}
