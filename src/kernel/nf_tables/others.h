/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains of nf_tables that see packets, too, and whose rules are not read. */
#ifndef ISTIO_INIT_NF_TABLES_OTHERS_H
#define ISTIO_INIT_NF_TABLES_OTHERS_H

#include "live.h"
#include "nft/dump.h"

/* Whether the message is about a base chain by which what is sent here is translated: the rules of its table tell more. */
bool others_want_rules(const struct nlmsghdr *nlh);

/*
 * Notes in @live each base chain of the @n dumps (tables and chains) that does anything, unless it is one of @dumps[0],
 * the native backend's, or @dumps[1], iptables-nft's, that the model walks through.  Texts are the dumps' messages.
 */
void others_note(struct live *live, const struct nft_dump *dumps, unsigned n);

#endif
