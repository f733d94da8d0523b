/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a packet: the decoder stays inside them, whatever it takes is inside them too, and it always says why it
 * refuses. Input: a byte for the version and the side, then the packet.
 */
#include "../src/mqtt/packet.h"
#include "fuzz.h"

struct span {
  const char *start, *end;
};

static void inside(const struct span *all, struct fog_bytes b) {
  must(b.data == NULL ? b.len == 0 : b.data >= all->start && b.len <= (size_t)(all->end - b.data));
}

static void connect_inside(const struct span *all, const struct fog_connect_facts *c) {
  inside(all, c->client_id);
  inside(all, c->username);
  inside(all, c->password);
  inside(all, c->will_topic);
  inside(all, c->will_payload);
  inside(all, c->will_properties);
  must(c->will_qos <= 2);
}

static void filters_inside(const struct span *all, int version, const struct fog_packet *p) {
  struct fog_bytes rest = p->filters;
  struct fog_filter f;
  size_t n = 0;
  for (size_t left = rest.len; fog_packet_next_filter(version, p->type, &rest, &f); left = rest.len, n++) {
    must(rest.len < left && f.qos <= 2 && f.retain_handling <= 2 && f.filter.len > 0);
    inside(all, f.filter);
  }
  must(n > 0 && rest.len == 0);
}

static void facts_hold(const struct span *all, int version, const struct fog_packet *p) {
  must(p->type >= FOG_CONNECT && p->type <= FOG_AUTH && p->qos <= 2);
  must(version == FOG_MQTT_5 || (p->properties.len == 0 && p->type != FOG_AUTH));
  inside(all, p->topic);
  inside(all, p->payload);
  inside(all, p->properties);
  inside(all, p->codes);
  inside(all, p->filters);
  if (p->type == FOG_CONNECT) connect_inside(all, &p->connect);
  if (p->type == FOG_SUBSCRIBE || p->type == FOG_UNSUBSCRIBE) filters_inside(all, version, p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  uint8_t how = take_byte(&in);
  int version = how & 1 ? FOG_MQTT_5 : FOG_MQTT_3;
  enum fog_sender from = (enum fog_sender)(how >> 1 & 3);
  if (from > FOG_ANYBODY) from = FOG_ANYBODY;
  const char *bytes = (const char *)in.at;
  const struct span all = {bytes, bytes + in.left};
  struct fog_packet p;
  struct fog_packet_fault fault = {FOG_SUCCESS, NULL};

  int64_t whole = fog_packet_length(bytes, in.left);
  must(whole >= -1 && whole <= 5 + FOG_MAX_REMAINING && whole != 1);
  bool fine = fog_packet_decode(version, from, bytes, in.left, &p, &fault);
  if (fine) {
    must(whole == (int64_t)in.left);
    facts_hold(&all, version, &p);
  } else {
    must(fault.text != NULL && fault.reason >= FOG_UNSPECIFIED);
  }
  return 0;
}
