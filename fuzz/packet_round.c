/* SPDX-License-Identifier: MIT
 *
 * What is read can be written, and what is written is read as the same facts: bytes are decoded, encoded and decoded
 * again. The second writing is the first, byte for byte. The length in the input is replaced by the right one, so that
 * most of them get past it. Input: a byte for the version and the side, then the packet.
 */
#include "../spec/c/packet_facts.h"
#include "../src/mqtt/wire.h"
#include "fuzz.h"

enum { FILTERS = 64 };

/* The filters of a packet that was read, for one that is to be written. False: more than there is room for. */
static bool list_filters(int version, struct fog_packet *p, struct fog_filter *list) {
  struct fog_bytes rest = p->filters;
  if (p->type != FOG_SUBSCRIBE && p->type != FOG_UNSUBSCRIBE) return true;
  for (p->list_len = 0; p->list_len < FILTERS; p->list_len++) {
    if (!fog_packet_next_filter(version, p->type, &rest, &list[p->list_len])) break;
  }
  p->list = list;
  return rest.len == 0;
}

static struct fog_bytes write_one(int version, const struct fog_packet *p) {
  const char *why = NULL;
  size_t size = fog_packet_size(version, p, &why);
  if (size == 0) {
    must(why != NULL && fog_packet_encode(version, p, NULL, 0) == 0);
    return (struct fog_bytes){NULL, 0};
  }
  char *to = malloc(size);
  must(to != NULL && fog_packet_encode(version, p, to, size - 1) == 0);
  must(fog_packet_encode(version, p, to, size) == size);
  char head[8];
  size_t payload = p->type == FOG_PUBLISH ? p->payload.len : 0,
         n = fog_packet_encode_head(version, p, head, sizeof head);
  must(n == 0 || (n == size - payload && memcmp(head, to, n) == 0));
  return (struct fog_bytes){to, size};
}

static void round_trip(int version, enum fog_sender from, struct fog_bytes wire) {
  struct fog_filter list[FILTERS];
  struct fog_packet first, second;
  struct fog_packet_fault fault;
  if (!fog_packet_decode(version, from, wire.data, wire.len, &first, &fault)) return;
  if (!list_filters(version, &first, list)) return;
  struct fog_bytes once = write_one(version, &first);
  /* What is taken from a broker alone is not written: codes that are not listed, a response topic with wildcards. */
  must(once.len > 0 || (from == FOG_FROM_BROKER && version == FOG_MQTT_5));
  if (once.len > 0) {
    must(once.len <= wire.len && fog_packet_length(once.data, once.len) == (int64_t)once.len);
    must(fog_packet_decode(version, from, once.data, once.len, &second, &fault));
    must(same_facts(version, &second, &first));
    must(list_filters(version, &second, list));
    struct fog_bytes twice = write_one(version, &second);
    must(same(once, twice));
    free((char *)twice.data);
  }
  free((char *)once.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  uint8_t how = take_byte(&in), first = take_byte(&in);
  for (int i = 0; i < 4 && take_byte(&in) >= 128; i++) continue;
  enum fog_sender from = (enum fog_sender)(how >> 1 & 3);
  char *wire = malloc(5 + in.left), *to = wire;
  must(wire != NULL);
  *to++ = (char)first;
  to = fog_write_varint(to, (uint32_t)in.left);
  to = fog_write_slice(to, (struct fog_bytes){(const char *)in.at, in.left});
  round_trip(how & 1 ? FOG_MQTT_5 : FOG_MQTT_3, from > FOG_ANYBODY ? FOG_ANYBODY : from,
             (struct fog_bytes){wire, (size_t)(to - wire)});
  free(wire);
  return 0;
}
