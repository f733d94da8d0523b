/* SPDX-License-Identifier: MIT
 *
 * What the decoder and the encoder share: the rules of each type, and the checks of facts. A packet that was read and
 * one that is to be written pass the same ones.
 */
#ifndef FOG_PACKET_RULES_H
#define FOG_PACKET_RULES_H

#include "packet.h"

struct fog_packet_rule {
  const char *name;
  uint8_t flags; /* the low four bits of the first byte; a PUBLISH has its own in them */
  bool from_client, from_broker;
  bool has_id; /* a PUBLISH with QoS 0 has none */
};

/* NULL: no such type. */
const struct fog_packet_rule *fog_packet_rule(enum fog_packet_type type);

/* Whether that side may send the type in that version. */
bool fog_packet_sent_by(int version, enum fog_sender from, enum fog_packet_type type);

/* Whether the code is one that the specification lists for the packet. From a broker any from 0x80 on passes in 5.0: it
 * is a failure (2.4), and mosquitto answers PUBLISH with 0x95, which is not listed. */
bool fog_reason_fits(int version, enum fog_sender from, enum fog_packet_type type, uint8_t code);

/* Whether the facts may be sent by `from`, but for the type itself and for how long anything is. */
bool fog_packet_check(int version, enum fog_sender from, const struct fog_packet *p, struct fog_packet_fault *fault);

/* The same of one filter. */
bool fog_packet_check_filter(int version, enum fog_packet_type type, const struct fog_filter *filter,
                             struct fog_packet_fault *fault);

#endif
