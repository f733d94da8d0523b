/* SPDX-License-Identifier: MIT */
#include "answer.h"

bool fog_answer_with(struct fog_writer *out, int version, enum fog_packet_type type, uint16_t id,
                     enum fog_reason reason) {
  if (version != FOG_MQTT_5 || reason == FOG_SUCCESS) return fog_answer(out, type, id);
  char *to = fog_writer_room(out, FOG_ANSWER_SIZE);
  if (to == NULL) return false;
  struct fog_packet p = {.type = type, .id = id, .reason = (uint8_t)reason};
  fog_writer_add(out, fog_packet_encode(version, &p, to, FOG_ANSWER_SIZE));
  return true;
}

bool fog_answer(struct fog_writer *out, enum fog_packet_type type, uint16_t id) {
  char *to = fog_writer_room(out, FOG_ANSWER_SIZE);
  if (to == NULL) return false;
  to[0] = (char)(type << 4 | (type == FOG_PUBREL ? 2 : 0)); /* 3.6.1: the reserved bits of PUBREL */
  to[1] = 2;
  to[2] = (char)(id >> 8);
  to[3] = (char)id;
  fog_writer_add(out, 4);
  return true;
}
