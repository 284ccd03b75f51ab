/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets as nftables_put_set and nft make them, back to lists. */
#include "nftables/nftables.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "merge.h"
#include "util.h"

#define KEY_MAX 16

/* From network order. */
static uint32_t get_number(const uint8_t *key, uint32_t len)
{
	uint32_t value = 0;

	for (uint32_t i = 0; i < len; i++)
		value = value << 8 | key[i];
	return value;
}

struct element {
	uint8_t key[KEY_MAX];
	bool end;
};

struct elements {
	struct element *items;
	unsigned n;
};

/* False if the element holds more than a key of @len bytes and a flag. */
static bool take_element(struct elements *list, const struct nlattr *nest, uint32_t len)
{
	struct element *e = array_push(&list->items, &list->n, sizeof(*e));
	const struct nlattr *attr, *value;
	bool keyed = false;

	memset(e, 0, sizeof(*e));
	mnl_attr_for_each_nested (attr, nest) {
		switch (mnl_attr_get_type(attr)) {
		case NFTA_SET_ELEM_KEY:
			value = mnl_attr_get_payload(attr);
			if (mnl_attr_get_payload_len(attr) < MNL_ATTR_HDRLEN ||
			    !mnl_attr_ok(value, mnl_attr_get_payload_len(attr)) ||
			    mnl_attr_get_type(value) != NFTA_DATA_VALUE || mnl_attr_get_payload_len(value) != len)
				return false;
			memcpy(e->key, mnl_attr_get_payload(value), len);
			keyed = true;
			break;
		case NFTA_SET_ELEM_FLAGS:
			if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
				return false;
			e->end = ntohl(mnl_attr_get_u32(attr)) & NFT_SET_ELEM_INTERVAL_END;
			break;
		case NFTA_SET_ELEM_USERDATA: /* nft marks an interval without an end */
			break;
		default:
			return false;
		}
	}
	return keyed;
}

/* Whether the message is about the set. */
static bool is_about(const struct nlmsghdr *nlh, uint16_t type, const char *stem, enum table_id table, const char *name)
{
	/* Table and set are 1 and 2 in NEWSET and NEWSETELEM alike. */
	return NFNL_MSG_TYPE(nlh->nlmsg_type) == type &&
	       nftables_table_find(stem, nfnl_attr_str(nlh, NFTA_SET_TABLE)) == table &&
	       !strcmp(nfnl_attr_str(nlh, NFTA_SET_NAME), name);
}

static bool take_elements(struct elements *list, const struct nft_dump *dump, enum table_id table, const char *name,
			  uint32_t len)
{
	const struct nlattr *attr, *element;

	for (unsigned i = 0; i < dump->n; i++) {
		if (!is_about(dump->messages[i], NFT_MSG_NEWSETELEM, dump->rs->stem, table, name))
			continue;
		mnl_attr_for_each (attr, dump->messages[i], sizeof(struct nfgenmsg)) {
			if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
				continue;
			mnl_attr_for_each_nested (element, attr)
				if (!take_element(list, element, len))
					return false;
		}
	}
	return true;
}

/* An end comes before the beginning at the same value. */
static int compare_elements(const void *a, const void *b)
{
	const struct element *x = a, *y = b;
	int order = memcmp(x->key, y->key, sizeof(x->key));

	return order ? order : y->end - x->end;
}

/* Items of a match, before they are merged. */
struct items {
	union {
		void *any;
		struct prefix *prefixes;
		struct range *ranges;
		struct iface *ifaces;
	};
	unsigned n;
};

/* A name, or all that begin with one; false for any other stretch of names. */
static bool push_names(struct items *items, const struct span *span)
{
	struct iface *iface = array_push(&items->ifaces, &items->n, sizeof(*iface));
	size_t stem = strnlen((const char *)span->first, sizeof(span->first) - 1);

	memset(iface, 0, sizeof(*iface));
	memcpy(iface->name, span->first, stem);
	if (!memcmp(span->first, span->last, sizeof(span->first)))
		return true;
	if (stem + 1 >= sizeof(iface->name) || memcmp(span->first, span->last, stem) != 0)
		return false;
	iface->name[stem] = '+';
	for (; stem < sizeof(span->last); stem++)
		if (span->last[stem] != 0xff)
			return false;
	return true;
}

/* Adds what the span holds; false if that is no item of the match. */
static bool push_span(struct items *items, const struct match *m, const struct nftables_key *key, enum family family,
		      struct span *span)
{
	struct prefix *prefix;
	struct range *range;
	bool more;

	if (nftables_is_iface(m))
		return push_names(items, span);
	if (!nftables_is_addr(m)) {
		range = array_push(&items->ranges, &items->n, sizeof(*range));
		range->lo = get_number(span->first, key->len);
		range->hi = get_number(span->last, key->len);
		return true;
	}
	do {
		prefix = array_push(&items->prefixes, &items->n, sizeof(*prefix));
		more = span_split(span, family, prefix);
	} while (more);
	return true;
}

/* The value before. */
static void key_previous(uint8_t *key, uint32_t len)
{
	while (len-- > 0)
		if (key[len]--)
			return;
}

/* The span that begins with element @i of a set of intervals, sorted. */
static void interval_span(const struct elements *list, unsigned i, uint32_t len, struct span *span)
{
	memcpy(span->first, list->items[i].key, sizeof(span->first));
	memset(span->last, 0, sizeof(span->last));
	if (i + 1 == list->n) {
		memset(span->last, 0xff, len);
		return;
	}
	memcpy(span->last, list->items[i + 1].key, sizeof(span->last));
	key_previous(span->last, len);
}

/* The span of a value of a plain set; @swap: of a number in the machine's order, as nft has owners. */
static void value_span(const struct element *e, bool swap, struct span *span)
{
	uint32_t id;

	memcpy(span->first, e->key, sizeof(span->first));
	if (swap) {
		memcpy(&id, e->key, sizeof(id));
		nftables_put_number(span->first, sizeof(id), id);
	}
	memcpy(span->last, span->first, sizeof(span->last));
}

static bool push_elements(struct items *items, const struct match *m, const struct nftables_key *key,
			  enum family family, struct elements *list, bool interval, bool swap)
{
	struct span span;

	if (interval)
		array_sort(list->items, list->n, sizeof(*list->items), compare_elements);
	for (unsigned i = 0; i < list->n; i++) {
		if (list->items[i].end)
			continue;
		if (interval)
			interval_span(list, i, key->len, &span);
		else
			value_span(&list->items[i], swap, &span);
		/* two beginnings at the same value */
		if (memcmp(span.first, span.last, sizeof(span.first)) > 0)
			return false;
		if (!push_span(items, m, key, family, &span))
			return false;
	}
	return items->n;
}

/* The flags of the set of a dump that is as we make them, for such keys; 0 if there is none. */
static uint32_t find_set(const struct nft_dump *dump, enum table_id table, const char *name, uint32_t key_len)
{
	for (unsigned i = 0; i < dump->n; i++) {
		const struct nlmsghdr *nlh = dump->messages[i];
		uint32_t flags = nfnl_attr_u32(nlh, NFTA_SET_FLAGS);

		if (is_about(nlh, NFT_MSG_NEWSET, dump->rs->stem, table, name))
			return nfnl_attr_u32(nlh, NFTA_SET_KEY_LEN) == key_len &&
					       (flags | NFT_SET_INTERVAL) ==
						       (NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL) ?
				       flags :
				       0;
	}
	return 0;
}

bool nftables_set_decode(struct ruleset *rs, const struct nft_dump *dump, enum table_id table, const char *name,
			 enum family family, bool network_order, struct match *m)
{
	struct nftables_key key = nftables_key_of(m, family);
	uint32_t flags = find_set(dump, table, name, key.len);
	bool interval = flags & NFT_SET_INTERVAL, owners = key.type == KEY_UID || key.type == KEY_GID;
	struct elements list = {};
	struct items items = {};
	size_t size;
	bool ok;

	ok = flags && (!owners || !interval || network_order) && take_elements(&list, dump, table, name, key.len) &&
	     push_elements(&items, m, &key, family, &list, interval, owners && !network_order);
	if (ok) {
		size = items.n * match_item_size(m->kind);
		match_merge(m, memcpy(ruleset_alloc(rs, size), items.any, size), items.n);
	}
	free(list.items);
	free(items.any);
	return ok;
}
