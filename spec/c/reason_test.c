/* SPDX-License-Identifier: MIT
 *
 * Every reason code in every packet that has one, from either side: those that the tables of the specification list,
 * all of them and no other.
 */
#include "packets.h"

/* K CONNACK, a PUBACK, r PUBREC, l PUBREL, c PUBCOMP, s SUBACK, u UNSUBACK, D DISCONNECT, H AUTH. */
static const struct {
  char letter;
  enum fog_packet_type type;
  const char *head; /* what stands before the code, behind its length */
  const char *tail; /* and after it */
} PACKETS[] = {
    {'K', FOG_CONNACK, "00", "00"},     {'a', FOG_PUBACK, "0001", ""},  {'r', FOG_PUBREC, "0001", ""},
    {'l', FOG_PUBREL, "0001", ""},      {'c', FOG_PUBCOMP, "0001", ""}, {'s', FOG_SUBACK, "0001 00", ""},
    {'u', FOG_UNSUBACK, "0001 00", ""}, {'D', FOG_DISCONNECT, "", ""},  {'H', FOG_AUTH, "", "04 15 0001'm'"},
};

/* Table 2-6 and the table of each packet, written down a second time. 0x00 in a broker's DISCONNECT is listed for
 * clients alone and taken all the same: brokers send it. */
static const struct {
  int code;
  const char *client, *broker;
} CODES[] = {
    {0x00, "arlcD", "KarlcsuDH"},
    {0x01, "", "s"},
    {0x02, "", "s"},
    {0x04, "D", ""},
    {0x10, "", "ar"},
    {0x11, "", "u"},
    {0x18, "H", "H"},
    {0x19, "H", ""},
    {0x80, "arD", "KarsuD"},
    {0x81, "D", "KD"},
    {0x82, "D", "KD"},
    {0x83, "arD", "KarsuD"},
    {0x84, "", "K"},
    {0x85, "", "K"},
    {0x86, "", "K"},
    {0x87, "ar", "KarsuD"},
    {0x88, "", "K"},
    {0x89, "", "KD"},
    {0x8A, "", "K"},
    {0x8B, "", "D"},
    {0x8C, "", "KD"},
    {0x8D, "", "D"},
    {0x8E, "", "D"},
    {0x8F, "", "suD"},
    {0x90, "arD", "KarD"},
    {0x91, "ar", "arsu"},
    {0x92, "lc", "lc"},
    {0x93, "D", "D"},
    {0x94, "D", "D"},
    {0x95, "D", "KD"},
    {0x96, "D", "D"},
    {0x97, "arD", "KarsD"},
    {0x98, "D", "D"},
    {0x99, "arD", "KarD"},
    {0x9A, "", "KD"},
    {0x9B, "", "KD"},
    {0x9C, "", "KD"},
    {0x9D, "", "KD"},
    {0x9E, "", "sD"},
    {0x9F, "", "KD"},
    {0xA0, "", "D"},
    {0xA1, "", "sD"},
    {0xA2, "", "sD"},
};

static bool listed(int code, char letter, bool client) {
  for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
    if (CODES[i].code == code) return strchr(client ? CODES[i].client : CODES[i].broker, letter) != NULL;
  }
  return false;
}

static bool taken(size_t i, int code, enum fog_sender from) {
  char text[64];
  struct fog_packet p;
  struct fog_packet_fault fault = {FOG_SUCCESS, NULL};
  int first = (int)PACKETS[i].type << 4 | (PACKETS[i].type == FOG_PUBREL ? 2 : 0);
  snprintf(text, sizeof text, "%02x00 %s %02x %s", (unsigned)first, PACKETS[i].head, (unsigned)code, PACKETS[i].tail);
  struct exact wire = from_text(text);
  wire.data[1] = (char)(wire.len - 2);
  bool fine = fog_packet_decode(FOG_MQTT_5, from, wire.data, wire.len, &p, &fault);
  free(wire.data);
  return fine || fault.reason != FOG_PROTOCOL_ERROR;
}

static bool sent(size_t i, int code) {
  char codes = (char)code;
  struct fog_packet p = {.type = PACKETS[i].type, .id = 1};
  if (p.type == FOG_SUBACK || p.type == FOG_UNSUBACK)
    p.codes = (struct fog_bytes){&codes, 1};
  else
    p.reason = (uint8_t)code;
  if (p.type == FOG_AUTH) p.properties = (struct fog_bytes)B("\x15\0\1m");
  return fog_packet_size(FOG_MQTT_5, &p, NULL) > 0;
}

int main(void) {
  for (size_t i = 0; i < sizeof PACKETS / sizeof *PACKETS; i++) {
    bool client = true, broker = true, out = true;
    char what[80];
    for (int code = 0; code < 256; code++) {
      bool by_client = listed(code, PACKETS[i].letter, true), by_broker = listed(code, PACKETS[i].letter, false);
      if (strchr("arlcDH", PACKETS[i].letter) != NULL) client &= taken(i, code, FOG_FROM_CLIENT) == by_client;
      broker &= taken(i, code, FOG_FROM_BROKER) == (by_broker || code >= 0x80);
      out &= sent(i, code) == (by_client || by_broker);
    }
    const char *name = fog_packet_name(PACKETS[i].type);
    snprintf(what, sizeof what, "%s from a client has the codes that are listed", name);
    check(client, what);
    snprintf(what, sizeof what, "%s from a broker has those, and any failure", name);
    check(broker, what);
    snprintf(what, sizeof what, "%s is sent with the codes that are listed", name);
    check(out, what);
  }
  return finish();
}
