/* SPDX-License-Identifier: MIT
 *
 * The short packets with which both sides answer a PUBLISH.
 */
#ifndef FOG_ANSWER_H
#define FOG_ANSWER_H

#include "packet.h"
#include "writer.h"

enum { FOG_ANSWER_SIZE = 6 };

/* Appends PUBACK, PUBREC, PUBREL or PUBCOMP without a reason: four bytes in both versions. False: no memory. */
bool fog_answer(struct fog_writer *out, enum fog_packet_type type, uint16_t id);

/* The same with a reason code, which 3.1.1 has no place for. */
bool fog_answer_with(struct fog_writer *out, int version, enum fog_packet_type type, uint16_t id,
                     enum fog_reason reason);

#endif
