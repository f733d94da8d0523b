/* SPDX-License-Identifier: MIT */
#include "packet.h"

#include "packet_rules.h"
#include "wire.h"

static const struct fog_packet_rule RULES[] = {
    /* name, flags, from a client, from a broker, has an id */
    [FOG_CONNECT] = {"CONNECT", 0, true, false, false},   [FOG_CONNACK] = {"CONNACK", 0, false, true, false},
    [FOG_PUBLISH] = {"PUBLISH", 0, true, true, false},    [FOG_PUBACK] = {"PUBACK", 0, true, true, true},
    [FOG_PUBREC] = {"PUBREC", 0, true, true, true},       [FOG_PUBREL] = {"PUBREL", 2, true, true, true},
    [FOG_PUBCOMP] = {"PUBCOMP", 0, true, true, true},     [FOG_SUBSCRIBE] = {"SUBSCRIBE", 2, true, false, true},
    [FOG_SUBACK] = {"SUBACK", 0, false, true, true},      [FOG_UNSUBSCRIBE] = {"UNSUBSCRIBE", 2, true, false, true},
    [FOG_UNSUBACK] = {"UNSUBACK", 0, false, true, true},  [FOG_PINGREQ] = {"PINGREQ", 0, true, false, false},
    [FOG_PINGRESP] = {"PINGRESP", 0, false, true, false}, [FOG_DISCONNECT] = {"DISCONNECT", 0, true, true, false},
    [FOG_AUTH] = {"AUTH", 0, true, true, false},
};

const struct fog_packet_rule *fog_packet_rule(enum fog_packet_type type) {
  return (int)type >= FOG_CONNECT && type <= FOG_AUTH ? &RULES[type] : NULL;
}

const char *fog_packet_name(enum fog_packet_type type) {
  const struct fog_packet_rule *rule = fog_packet_rule(type);
  return rule == NULL ? "a reserved packet" : rule->name;
}

bool fog_packet_sent_by(int version, enum fog_sender from, enum fog_packet_type type) {
  const struct fog_packet_rule *rule = fog_packet_rule(type);
  bool by_broker = rule->from_broker && (version >= FOG_MQTT_5 || type != FOG_DISCONNECT);
  return (by_broker && from != FOG_FROM_CLIENT) || (rule->from_client && from != FOG_FROM_BROKER);
}

int64_t fog_packet_length(const char *bytes, size_t len) {
  if (len == 0) return 0;
  struct fog_reader r = {bytes + 1, bytes + len};
  uint32_t rest;
  int took = fog_read_varint(&r, &rest);
  return took <= 0 ? took : 1 + (int64_t)took + rest;
}

/* Reason codes ------------------------------------------------------------------------------------------------------*/

#define SET(packet) (uint16_t)(1u << (packet))
#define CONNACK SET(FOG_CONNACK)
#define PUBS (SET(FOG_PUBACK) | SET(FOG_PUBREC))
#define RELS (SET(FOG_PUBREL) | SET(FOG_PUBCOMP))
#define SUBACK SET(FOG_SUBACK)
#define UNSUBACK SET(FOG_UNSUBACK)
#define SUBS (SUBACK | UNSUBACK)
#define LEAVE SET(FOG_DISCONNECT)
#define AUTH SET(FOG_AUTH)

/* 2.4 and the table of each packet. A DISCONNECT with 0x00 is listed for clients alone; brokers that stop send it, and
 * it ends the link in any case. */
static const struct {
  uint8_t code;
  uint16_t from_client, from_broker;
} CODES[] = {
    {0x00, PUBS | RELS | LEAVE, CONNACK | PUBS | RELS | SUBS | LEAVE | AUTH},
    {0x01, 0, SUBACK},
    {0x02, 0, SUBACK},
    {0x04, LEAVE, 0},
    {0x10, 0, PUBS},
    {0x11, 0, UNSUBACK},
    {0x18, AUTH, AUTH},
    {0x19, AUTH, 0},
    {0x80, PUBS | LEAVE, CONNACK | PUBS | SUBS | LEAVE},
    {0x81, LEAVE, CONNACK | LEAVE},
    {0x82, LEAVE, CONNACK | LEAVE},
    {0x83, PUBS | LEAVE, CONNACK | PUBS | SUBS | LEAVE},
    {0x84, 0, CONNACK},
    {0x85, 0, CONNACK},
    {0x86, 0, CONNACK},
    {0x87, PUBS, CONNACK | PUBS | SUBS | LEAVE},
    {0x88, 0, CONNACK},
    {0x89, 0, CONNACK | LEAVE},
    {0x8A, 0, CONNACK},
    {0x8B, 0, LEAVE},
    {0x8C, 0, CONNACK | LEAVE},
    {0x8D, 0, LEAVE},
    {0x8E, 0, LEAVE},
    {0x8F, 0, SUBS | LEAVE},
    {0x90, PUBS | LEAVE, CONNACK | PUBS | LEAVE},
    {0x91, PUBS, PUBS | SUBS},
    {0x92, RELS, RELS},
    {0x93, LEAVE, LEAVE},
    {0x94, LEAVE, LEAVE},
    {0x95, LEAVE, CONNACK | LEAVE},
    {0x96, LEAVE, LEAVE},
    {0x97, PUBS | LEAVE, CONNACK | PUBS | SUBACK | LEAVE},
    {0x98, LEAVE, LEAVE},
    {0x99, PUBS | LEAVE, CONNACK | PUBS | LEAVE},
    {0x9A, 0, CONNACK | LEAVE},
    {0x9B, 0, CONNACK | LEAVE},
    {0x9C, 0, CONNACK | LEAVE},
    {0x9D, 0, CONNACK | LEAVE},
    {0x9E, 0, SUBACK | LEAVE},
    {0x9F, 0, CONNACK | LEAVE},
    {0xA0, 0, LEAVE},
    {0xA1, 0, SUBACK | LEAVE},
    {0xA2, 0, SUBACK | LEAVE},
};

/* 3.1.1: a CONNACK has a return code, a SUBACK granted QoS or 0x80; nothing else has any. */
static bool code_of_3_fits(enum fog_packet_type type, uint8_t code) {
  if (type == FOG_CONNACK) return code <= 5;
  if (type == FOG_SUBACK) return code <= 2 || code == 0x80;
  return code == 0;
}

bool fog_reason_fits(int version, enum fog_sender from, enum fog_packet_type type, uint8_t code) {
  if (version < FOG_MQTT_5) return code_of_3_fits(type, code);
  if (from == FOG_FROM_BROKER && code >= 0x80) return true;
  for (size_t i = 0; i < sizeof CODES / sizeof *CODES && CODES[i].code <= code; i++) {
    if (CODES[i].code != code) continue;
    bool by_client = from != FOG_FROM_BROKER && (CODES[i].from_client & SET(type)) != 0;
    return by_client || (from != FOG_FROM_CLIENT && (CODES[i].from_broker & SET(type)) != 0);
  }
  return false;
}
