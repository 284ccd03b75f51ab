/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets for classes, and classes of packets. */
#ifndef ISTIO_INIT_TRAFFIC_HOLDS_H
#define ISTIO_INIT_TRAFFIC_HOLDS_H

#include "packet.h"
#include "traffic.h"

/* Whether the class, read as the manual says, holds the packet. */
bool class_holds(const struct traffic_class *class, const struct packet *packet);

/* Values of some class's lists, or right beside them. */
void random_packet(struct packet *packet, const struct traffic *traffic);

/* As explain takes it; valid until the next call. */
const char *packet_words(const struct packet *packet);

#endif
