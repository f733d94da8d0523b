/* SPDX-License-Identifier: MIT
 *
 * Every property of MQTT 5: its bytes at 0, 1, 2^7, 2^15, 2^16 and its greatest value, its range, and in which packets
 * it may stand, from which side, how often. The table here is written from the specification a second time.
 */
#include "packets.h"

/* W a will, C CONNECT, K CONNACK, P PUBLISH, a PUBACK, r PUBREC, l PUBREL, c PUBCOMP, S SUBSCRIBE, s SUBACK,
 * U UNSUBSCRIBE, u UNSUBACK, D DISCONNECT, H AUTH. No property stands in PINGREQ or PINGRESP (i, o). */
static const char LETTERS[] = "WCKParlcSsUuioDH";

static const struct {
  const char *name;
  int id;
  char type; /* b, t, f: 1, 2, 4 bytes; v: varint; x: binary; u: text; p: pair */
  const char *client, *broker, *repeats;
  uint32_t least, greatest;
} TABLE[] = {
    {"payload_format_indicator", 1, 'b', "PW", "P", "", 0, 1},
    {"message_expiry_interval", 2, 'f', "PW", "P", "", 0, 4294967295},
    {"content_type", 3, 'u', "PW", "P", "", 0, 0},
    {"response_topic", 8, 'u', "PW", "P", "", 0, 0},
    {"correlation_data", 9, 'x', "PW", "P", "", 0, 0},
    {"subscription_identifier", 11, 'v', "S", "P", "P", 1, 268435455},
    {"session_expiry_interval", 17, 'f', "CD", "K", "", 0, 4294967295},
    {"assigned_client_identifier", 18, 'u', "", "K", "", 0, 0},
    {"server_keep_alive", 19, 't', "", "K", "", 0, 65535},
    {"authentication_method", 21, 'u', "CH", "KH", "", 0, 0},
    {"authentication_data", 22, 'x', "CH", "KH", "", 0, 0},
    {"request_problem_information", 23, 'b', "C", "", "", 0, 1},
    {"will_delay_interval", 24, 'f', "W", "", "", 0, 4294967295},
    {"request_response_information", 25, 'b', "C", "", "", 0, 1},
    {"response_information", 26, 'u', "", "K", "", 0, 0},
    {"server_reference", 28, 'u', "", "KD", "", 0, 0},
    {"reason_string", 31, 'u', "arlcDH", "KarlcsuDH", "", 0, 0},
    {"receive_maximum", 33, 't', "C", "K", "", 1, 65535},
    {"topic_alias_maximum", 34, 't', "C", "K", "", 0, 65535},
    {"topic_alias", 35, 't', "P", "P", "", 1, 65535},
    {"maximum_qos", 36, 'b', "", "K", "", 0, 1},
    {"retain_available", 37, 'b', "", "K", "", 0, 1},
    {"user_properties", 38, 'p', "CWParlcSUDH", "KParlcsuDH", "CWKParlcSsUuDH", 0, 0},
    {"maximum_packet_size", 39, 'f', "C", "K", "", 1, 4294967295},
    {"wildcard_subscription_available", 40, 'b', "", "K", "", 0, 1},
    {"subscription_identifiers_available", 41, 'b', "", "K", "", 0, 1},
    {"shared_subscription_available", 42, 'b', "", "K", "", 0, 1},
};
enum { COUNT = sizeof TABLE / sizeof *TABLE };

/* By hand, and not by the code that is tested: id, then the number. */
static size_t number_bytes(size_t i, uint32_t n, unsigned char *to) {
  size_t len = 0;
  to[len++] = (unsigned char)TABLE[i].id;
  switch (TABLE[i].type) {
    case 'f':
      to[len++] = (unsigned char)(n / 16777216);
      to[len++] = (unsigned char)(n / 65536 % 256);
      /* falls through */
    case 't':
      to[len++] = (unsigned char)(n / 256 % 256);
      /* falls through */
    case 'b':
      to[len++] = (unsigned char)(n % 256);
      return len;
    default:
      for (; n > 127; n /= 128) to[len++] = (unsigned char)(n % 128 + 128);
      to[len++] = (unsigned char)n;
      return len;
  }
}

/* A block of the property with the number, or with a text of so many bytes. */
static struct exact block_of(size_t i, uint32_t n) {
  unsigned char head[6];
  if (strchr("btfv", TABLE[i].type) != NULL) return exact_copy((char *)head, number_bytes(i, n, head));
  size_t texts = TABLE[i].type == 'p' ? 2 : 1;
  struct exact e = {malloc(1 + texts * (2 + n)), 1 + texts * (2 + n)};
  memset(e.data, 'x', e.len);
  e.data[0] = (char)TABLE[i].id;
  for (size_t t = 0; t < texts; t++) {
    e.data[1 + t * (2 + n)] = (char)(n / 256);
    e.data[2 + t * (2 + n)] = (char)(n % 256);
  }
  return e;
}

/* Written, read, found: the same bytes, the same value; and refused when a byte of it is missing. */
static bool round_trip(size_t i, uint32_t n) {
  struct exact want = block_of(i, n), got = {NULL, 0};
  struct fog_property p, q = {.rule = fog_property_by_id(TABLE[i].id), .number = n};
  char *text = malloc(n < 65536 ? n : 1);
  bool number = strchr("btfv", TABLE[i].type) != NULL, pair = TABLE[i].type == 'p';
  if (!number) {
    memset(text, 'x', n);
    q = (struct fog_property){q.rule, 0, text, n, pair ? text : NULL, pair ? n : 0};
  }
  got.len = fog_property_size(&q);
  got.data = malloc(got.len);
  bool fine = fog_property_write(&q, got.data) == got.data + got.len && got.len == want.len &&
              memcmp(got.data, want.data, want.len) == 0;
  const char *at = want.data;
  fine &= fog_property_read(&at, want.data + want.len, &p) && at == want.data + want.len && p.rule == q.rule;
  fine &= number ? p.number == n : p.text_len == n && (!pair || p.value_len == n);
  fine &= fog_properties_find((struct fog_bytes){want.data, want.len}, TABLE[i].id, &p);
  for (size_t cut = 0; cut < want.len; cut += cut < 8 ? 1 : want.len / 8) {
    struct exact part = exact_copy(want.data, cut);
    at = part.data;
    fine &= !fog_property_read(&at, part.data + cut, &p) && at == part.data;
    free(part.data);
  }
  free(want.data);
  free(got.data);
  free(text);
  return fine;
}

/* 0 to 2^16 and the greatest, as far as the type goes. */
static void extremes(size_t i) {
  static const uint32_t NUMBERS[] = {0,       1,       127,       128,        255,        256,
                                     16383,   16384,   32767,     32768,      65535,      65536,
                                     2097151, 2097152, 268435455, 0x80000000, 0xB3D15E00, 0xFFFFFFFF};
  uint32_t most = 65535; /* of texts, and of two bytes */
  char what[80];
  bool fine = true;
  if (TABLE[i].type == 'b') most = 255;
  if (TABLE[i].type == 'f') most = 0xFFFFFFFF;
  if (TABLE[i].type == 'v') most = 268435455;
  for (size_t n = 0; n < sizeof NUMBERS / sizeof *NUMBERS; n++) {
    if (NUMBERS[n] <= most) fine &= round_trip(i, NUMBERS[n]);
  }
  snprintf(what, sizeof what, "%s goes out and comes in at every extreme", TABLE[i].name);
  check(fine, what);
}

/* The range, in a packet where it may stand. */
static int reason_of(size_t i, enum fog_packet_type packet, enum fog_sender from, const struct exact *block) {
  static const char METHOD[] = "\x15\x00\x01m"; /* without which no AUTH is fine */
  struct fog_packet_fault fault = {FOG_SUCCESS, NULL};
  bool method = packet == FOG_AUTH && TABLE[i].id != 21;
  struct exact all = {malloc(block->len + 4), block->len};
  memcpy(all.data, block->data, block->len);
  if (method || (TABLE[i].id == 22 && packet == FOG_CONNECT)) {
    memcpy(all.data + all.len, METHOD, 4);
    all.len += 4;
  }
  bool fine = fog_properties_check(packet, from, (struct fog_bytes){all.data, all.len}, &fault);
  free(all.data);
  return fine ? 0 : (int)fault.reason;
}

static void range(size_t i) {
  const char *where = *TABLE[i].client != '\0' ? TABLE[i].client : TABLE[i].broker;
  enum fog_packet_type packet = (enum fog_packet_type)(strchr(LETTERS, *where) - LETTERS);
  int bad = TABLE[i].id == 35 ? 0x94 : 0x82;
  uint32_t numbers[] = {TABLE[i].least - 1, TABLE[i].least, TABLE[i].greatest, TABLE[i].greatest + 1};
  uint32_t most = TABLE[i].type == 'b' ? 255 : TABLE[i].type == 't' ? 65535 : 0xFFFFFFFF;
  bool fine = true;
  for (int k = 0; k < 4; k++) {
    bool inside = k == 1 || k == 2;
    if (numbers[k] > most || (!inside && (numbers[k] == 0xFFFFFFFF || (k == 3 && numbers[k] == 0)))) continue;
    if (TABLE[i].type == 'v' && k == 3) continue; /* it has no form */
    struct exact block = block_of(i, numbers[k]);
    fine &= reason_of(i, packet, FOG_ANYBODY, &block) == (inside ? 0 : bad);
    free(block.data);
  }
  char what[80];
  snprintf(what, sizeof what, "%s is held to its range", TABLE[i].name);
  check(fine, what);
}

static bool place_fits(size_t i, int packet, const struct exact *once, const struct exact *twice) {
  bool client = strchr(TABLE[i].client, LETTERS[packet]) != NULL,
       broker = strchr(TABLE[i].broker, LETTERS[packet]) != NULL;
  bool repeats = strchr(TABLE[i].repeats, LETTERS[packet]) != NULL;
  for (int from = FOG_FROM_BROKER; from <= FOG_ANYBODY; from++) {
    bool allowed = (client && from != FOG_FROM_BROKER) || (broker && from != FOG_FROM_CLIENT);
    int want = allowed ? 0 : client || broker ? 0x82 : 0x81;
    if (reason_of(i, (enum fog_packet_type)packet, (enum fog_sender)from, once) != want) return false;
    if (want == 0 && !repeats) want = 0x82;
    if (reason_of(i, (enum fog_packet_type)packet, (enum fog_sender)from, twice) != want) return false;
  }
  return true;
}

static void places(size_t i) {
  bool number = strchr("btfv", TABLE[i].type) != NULL, fine = true;
  struct exact once = block_of(i, number ? TABLE[i].greatest : 3), twice = {malloc(2 * once.len), 2 * once.len};
  memcpy(twice.data, once.data, once.len);
  memcpy(twice.data + once.len, once.data, once.len);
  for (int packet = FOG_WILL; packet <= FOG_AUTH; packet++) fine &= place_fits(i, packet, &once, &twice);
  char what[80];
  snprintf(what, sizeof what, "%s stands where it may, as often as it may", TABLE[i].name);
  check(fine, what);
  free(once.data);
  free(twice.data);
}

static void the_table(void) {
  bool fine = true;
  int found = 0;
  for (int id = -1; id <= 256; id++) found += fog_property_by_id(id) != NULL;
  for (size_t i = 0; i < COUNT; i++) {
    const struct fog_property_rule *rule = fog_property_by_id(TABLE[i].id);
    fine &= rule != NULL && strcmp(rule->name, TABLE[i].name) == 0 && rule->id == TABLE[i].id &&
            fog_property_by_name(TABLE[i].name) == rule;
  }
  check(fine && found == COUNT && fog_property_by_name("none") == NULL, "there are these 27 properties and no more");
}

static int reason(enum fog_packet_type packet, struct fog_bytes block) {
  struct fog_packet_fault fault = {FOG_SUCCESS, NULL};
  return fog_properties_check(packet, FOG_FROM_BROKER, block, &fault) ? 0 : (int)fault.reason;
}

static void texts(void) {
  struct fog_property p;
  check(reason(FOG_PUBLISH, (struct fog_bytes)B("\x03\x00\x01\xff")) == 0x81, "a text that is not UTF-8 is refused");
  check(reason(FOG_PUBLISH, (struct fog_bytes)B("\x26\x00\x01\xff\x00\x01v")) == 0x81 &&
            reason(FOG_PUBLISH, (struct fog_bytes)B("\x26\x00\x01k\x00\x02\xc0\x80")) == 0x81,
        "both texts of a pair must be UTF-8");
  check(reason(FOG_PUBLISH, (struct fog_bytes)B("\x09\x00\x02\x00\xff")) == 0, "binary data may be any bytes");
  struct fog_packet_fault fault = {FOG_SUCCESS, NULL};
  check(!fog_properties_check(FOG_CONNECT, FOG_FROM_CLIENT, (struct fog_bytes)B("\x16\0\1d"), &fault) &&
            fault.reason == FOG_PROTOCOL_ERROR,
        "authentication data without a method is refused");
  check(reason(FOG_PUBLISH, (struct fog_bytes){NULL, 0}) == 0, "no property is fine");
  check(!fog_properties_find((struct fog_bytes){NULL, 0}, 2, &p) &&
            !fog_properties_find((struct fog_bytes)B("\x01\x01"), 2, &p),
        "what is not there is not found");
  check(fog_properties_find((struct fog_bytes)B("\x01\x01\x0b\x05\x0b\x06"), 11, &p) && p.number == 5,
        "the first of several is found");
}

int main(void) {
  the_table();
  for (size_t i = 0; i < COUNT; i++) {
    extremes(i);
    if (strchr("btfv", TABLE[i].type) != NULL) range(i);
    places(i);
  }
  texts();
  return finish();
}
