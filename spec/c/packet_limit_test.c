/* SPDX-License-Identifier: MIT
 *
 * How long things may be, and what is not written at all: buffers that are too small, texts and packets at their
 * limits, facts that no packet can have.
 */
#include "packet_samples.h"

/* Into a buffer of just this size: all of it or nothing, and never a byte behind it. */
static bool fits_or_not(const struct sample *s, const struct exact *wire, size_t room) {
  struct exact to = {malloc(room), room};
  memset(to.data, 0x55, room);
  size_t n = fog_packet_encode(s->version, &s->facts, to.data, room);
  bool fine = room >= wire->len ? n == wire->len && memcmp(to.data, wire->data, n) == 0 : n == 0;
  for (size_t i = n; i < room; i++) fine &= to.data[i] == 0x55;
  free(to.data);
  return fine;
}

static bool head_fits_or_not(const struct sample *s, const struct exact *wire, size_t room) {
  size_t payload = s->facts.type == FOG_PUBLISH ? s->facts.payload.len : 0, head = wire->len - payload;
  struct exact to = {malloc(room), room};
  size_t n = fog_packet_encode_head(s->version, &s->facts, to.data, room);
  bool fine = room >= head ? n == head && memcmp(to.data, wire->data, n) == 0 : n == 0;
  free(to.data);
  return fine;
}

static void buffers(void) {
  static const size_t ROOMS[] = {4, 5, 7, 65536};
  bool fine = true, each = true, heads = true;
  for (size_t i = 0; i < SAMPLE_COUNT; i++) {
    const struct sample *s = &SAMPLES[i];
    struct exact wire = from_text(s->wire);
    for (size_t r = 0; r < sizeof ROOMS / sizeof *ROOMS; r++) fine &= fits_or_not(s, &wire, ROOMS[r]);
    for (size_t room = 0; room <= wire.len + 1; room++) each &= fits_or_not(s, &wire, room);
    for (size_t room = 0; room <= wire.len; room++) heads &= head_fits_or_not(s, &wire, room);
    free(wire.data);
  }
  check(fine, "into buffers of 4, 5, 7 and 65,536 bytes a packet goes whole or not at all");
  check(each, "into a buffer of any other size too");
  check(heads, "and so does its head without the payload");
}

/* Limits ------------------------------------------------------------------------------------------------------------*/

static bool can_be_sent(int version, const struct fog_packet *p) {
  const char *why = NULL;
  char to[64];
  size_t size = fog_packet_size(version, p, &why);
  if (size == 0) return !(why != NULL && *why != '\0' && fog_packet_encode(version, p, to, sizeof to) == 0);
  return true;
}

/* Sent and read again while *text is 65,535 bytes long, refused with one more. p's own, or a filter's of its list. */
static void text_limit(const char *what, const struct fog_packet *p, struct fog_bytes *text) {
  static char bytes[65536];
  bool fine = true;
  memset(bytes, 'x', sizeof bytes);
  for (int version = FOG_MQTT_3; version <= FOG_MQTT_5; version++) {
    struct fog_packet_fault fault;
    struct fog_packet q;
    *text = (struct fog_bytes){bytes, 65535};
    size_t size = fog_packet_size(version, p, NULL);
    struct exact wire = {malloc(size), size};
    fine &= size > 65535 && fog_packet_encode(version, p, wire.data, size) == size;
    fine &= fog_packet_length(wire.data, size) == (int64_t)size;
    fine &= fog_packet_decode(version, FOG_ANYBODY, wire.data, size, &q, &fault) && same_facts(version, &q, p);
    text->len = 65536;
    fine &= !can_be_sent(version, p);
    free(wire.data);
  }
  check(fine, what);
}

static void texts(void) {
  const struct fog_packet all = {
      .type = FOG_CONNECT,
      .connect = {.clean = true, .username = B("u"), .will_topic = B("t"), .will_payload = B("p")}};
  struct fog_packet p = all;
  text_limit("a client id has 65,535 bytes at most", &p, &p.connect.client_id);
  p = all;
  text_limit("a username has 65,535 bytes at most", &p, &p.connect.username);
  p = all;
  text_limit("a password has 65,535 bytes at most", &p, &p.connect.password);
  p = all;
  text_limit("a will topic has 65,535 bytes at most", &p, &p.connect.will_topic);
  p = all;
  text_limit("a will has 65,535 bytes at most", &p, &p.connect.will_payload);
  p = (struct fog_packet){.type = FOG_PUBLISH, .payload = B("p")};
  text_limit("a topic has 65,535 bytes at most", &p, &p.topic);
  struct fog_filter list[] = {{.filter = B("a")}, {.filter = B("b"), .qos = 1}};
  p = (struct fog_packet){.type = FOG_SUBSCRIBE, .id = 1, .list = list, .list_len = 2};
  text_limit("a filter has 65,535 bytes at most", &p, &list[1].filter);
  list[0] = list[1] = (struct fog_filter){.filter = B("a")};
  p.type = FOG_UNSUBSCRIBE;
  text_limit("a filter to be left has 65,535 bytes at most", &p, &list[0].filter);
}

/* The length in the fixed header: the payload is only counted where the head is written. */
static void length_limit(size_t remaining, const char *head_text) {
  struct fog_packet p = {.type = FOG_PUBLISH, .topic = B("t"), .payload = {"", remaining - 3}};
  struct exact head = from_text(head_text);
  char to[16], what[80];
  bool fine = fog_packet_size(FOG_MQTT_3, &p, NULL) == head.len + remaining;
  size_t n = fog_packet_encode_head(FOG_MQTT_3, &p, to, sizeof to);
  fine &= n == head.len + 3 && memcmp(to, head.data, head.len) == 0;
  for (size_t len = 0; len < head.len; len++) {
    struct exact part = exact_copy(to, len);
    fine &= fog_packet_length(part.data, len) == 0;
    free(part.data);
  }
  fine &= fog_packet_length(to, head.len) == (int64_t)(head.len + remaining);
  snprintf(what, sizeof what, "a remaining length of %zu", remaining);
  check(fine, what);
  free(head.data);
}

static void lengths(void) {
  length_limit(127, "30 7f");
  length_limit(128, "30 8001");
  length_limit(16383, "30 ff7f");
  length_limit(16384, "30 808001");
  length_limit(2097151, "30 ffff7f");
  length_limit(2097152, "30 80808001");
  length_limit(268435455, "30 ffffff7f");
  struct fog_packet p = {.type = FOG_PUBLISH, .topic = B("t"), .payload = {"", 268435455 - 2}};
  bool fine = !can_be_sent(FOG_MQTT_3, &p);
  p.payload.len = SIZE_MAX;
  check(fine && !can_be_sent(FOG_MQTT_3, &p), "a packet over 268,435,455 bytes is not sent");
  p = (struct fog_packet){.type = FOG_PUBLISH, .topic = B("t"), .properties = {"", SIZE_MAX}};
  check(!can_be_sent(FOG_MQTT_5, &p), "nor are properties over it");
  fine = true;
  for (size_t len = 0; len <= 5; len++) {
    struct exact endless = exact_copy("\x30\x80\x80\x80\x80", len);
    fine &= fog_packet_length(endless.data, len) == (len < 5 ? 0 : -1);
    free(endless.data);
  }
  check(fine, "a length of more than four bytes is told once four have come");
}

static void largest(void) {
  const size_t size = 268435460;
  struct fog_packet p = {.type = FOG_PUBLISH, .topic = B("t"), .payload = {NULL, 268435455 - 3}}, q;
  struct fog_packet_fault fault;
  char *wire = malloc(size);
  check(fog_packet_encode_head(FOG_MQTT_3, &p, wire, 8) == 8 &&
            fog_packet_decode(FOG_MQTT_3, FOG_ANYBODY, wire, size, &q, &fault) && q.payload.len == p.payload.len &&
            q.payload.data == wire + 8,
        "the largest packet is read, and not copied");
  free(wire);
}

/* What no packet can say
 * ----------------------------------------------------------------------------------------------*/

static void not_sent(int version, const char *what, struct fog_packet p) { check(!can_be_sent(version, &p), what); }

static void facts(void) {
  struct fog_filter filter = {.filter = B("a")}, share = {.filter = B("$share/g/a"), .no_local = true};
  struct fog_filter options = {.filter = B("a"), .retain_as_published = true}, bad = {.filter = B("a#")};
  struct fog_filter three = {.filter = B("a"), .qos = 3}, handling = {.filter = B("a"), .retain_handling = 3};
  enum { V3 = FOG_MQTT_3, V5 = FOG_MQTT_5 };
  not_sent(V5, "no packet of type 0", (struct fog_packet){.type = FOG_WILL});
  not_sent(V5, "no packet of type 16", (struct fog_packet){.type = (enum fog_packet_type)16});
  not_sent(V3, "no AUTH in 3.1.1", (struct fog_packet){.type = FOG_AUTH});
  not_sent(V5, "no AUTH without a method", (struct fog_packet){.type = FOG_AUTH, .reason = 0x18});
  not_sent(V3, "no QoS 3", (struct fog_packet){.type = FOG_PUBLISH, .qos = 3, .id = 1, .topic = B("t")});
  not_sent(V3, "no DUP with QoS 0", (struct fog_packet){.type = FOG_PUBLISH, .dup = true, .topic = B("t")});
  not_sent(V5, "no QoS 1 with packet id 0", (struct fog_packet){.type = FOG_PUBLISH, .qos = 1, .topic = B("t")});
  not_sent(V3, "no PUBACK with packet id 0", (struct fog_packet){.type = FOG_PUBACK});
  not_sent(V3, "no topic with wildcards", (struct fog_packet){.type = FOG_PUBLISH, .topic = B("a/+")});
  not_sent(V3, "no topic with NUL", (struct fog_packet){.type = FOG_PUBLISH, .topic = B("a\0b")});
  not_sent(V3, "no topic that is not UTF-8", (struct fog_packet){.type = FOG_PUBLISH, .topic = B("\xFF")});
  not_sent(V3, "no empty topic", (struct fog_packet){.type = FOG_PUBLISH});
  not_sent(V5, "no empty topic without an alias", (struct fog_packet){.type = FOG_PUBLISH});
  not_sent(V3, "no properties in 3.1.1",
           (struct fog_packet){.type = FOG_PUBLISH, .topic = B("t"), .properties = B("\x01\x01")});
  not_sent(V5, "no property of another packet",
           (struct fog_packet){.type = FOG_PUBLISH, .topic = B("t"), .properties = B("\x21\0\1")});
  not_sent(V5, "no response topic with wildcards",
           (struct fog_packet){.type = FOG_PUBLISH, .topic = B("t"), .properties = B("\x08\0\1#")});
  not_sent(V5, "no topic alias 0",
           (struct fog_packet){.type = FOG_PUBLISH, .topic = B("t"), .properties = B("\x23\0\0")});
  not_sent(V5, "no reason code that is not listed", (struct fog_packet){.type = FOG_PUBACK, .id = 1, .reason = 0x95});
  not_sent(V3, "no reason code in 3.1.1", (struct fog_packet){.type = FOG_DISCONNECT, .reason = 0x04});
  not_sent(V3, "no SUBSCRIBE without a filter", (struct fog_packet){.type = FOG_SUBSCRIBE, .id = 1});
  struct fog_packet p = {.type = FOG_SUBSCRIBE, .id = 1, .list = &bad, .list_len = 1};
  not_sent(V3, "no filter with wildcards where none may stand", p);
  filter.filter = (struct fog_bytes)B("\xC0\x80");
  p.list = &filter;
  not_sent(V3, "no filter that is not UTF-8", p);
  filter.filter = (struct fog_bytes)B("a");
  p.list = &three;
  not_sent(V3, "no filter with QoS 3", p);
  p.list = &options;
  not_sent(V3, "no options in 3.1.1", p);
  p.list = &handling;
  not_sent(V5, "no retain handling 3", p);
  p.list = &share;
  not_sent(V5, "no local on a shared subscription is not sent", p);
  p.list = &filter;
  p.id = 0;
  not_sent(V5, "no SUBSCRIBE with packet id 0", p);
  p = (struct fog_packet){.type = FOG_CONNECT, .connect = {.clean = true, .will_qos = 1}};
  not_sent(V3, "no QoS of a will without a will", p);
  p.connect = (struct fog_connect_facts){.clean = true, .password = B("p")};
  not_sent(V3, "no password without a username in 3.1.1", p);
  p.connect = (struct fog_connect_facts){.clean = false};
  not_sent(V3, "no empty client id of a kept session in 3.1.1", p);
  p.connect = (struct fog_connect_facts){.clean = true, .client_id = B("\xC3")};
  not_sent(V3, "no client id that is not UTF-8", p);
  p.connect = (struct fog_connect_facts){.clean = true, .username = B("a\0b")};
  not_sent(V5, "no username with NUL", p);
  p.connect = (struct fog_connect_facts){.clean = true, .will_topic = B("\xED\xA0\x80")};
  not_sent(V3, "no will topic that is not UTF-8", p);
  p.connect = (struct fog_connect_facts){.clean = true, .will_topic = B("w"), .will_qos = 3};
  not_sent(V3, "no will with QoS 3", p);
  p.connect = (struct fog_connect_facts){.clean = true, .will_topic = B("a/#")};
  not_sent(V5, "no will topic with wildcards", p);
  p.connect = (struct fog_connect_facts){.clean = true, .will_topic = B("a"), .will_properties = B("\x21\0\1")};
  not_sent(V5, "no property in a will that is none of a will's", p);
}

static void names(void) {
  bool fine = strcmp(fog_packet_name(FOG_CONNECT), "CONNECT") == 0 && strcmp(fog_packet_name(FOG_AUTH), "AUTH") == 0;
  for (int type = FOG_CONNECT; type <= FOG_AUTH; type++) fine &= *fog_packet_name((enum fog_packet_type)type) != '\0';
  check(fine && fog_packet_name((enum fog_packet_type)99) != NULL, "every type has a name");
}

int main(void) {
  buffers();
  texts();
  lengths();
  largest();
  facts();
  names();
  return finish();
}
