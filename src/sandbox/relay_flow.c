/* SPDX-License-Identifier: MIT */
#include "relay_flow.h"

#include <stdlib.h>
#include <string.h>

enum { CONNECT = 1, PUBACK = 4, LONGEST_NAME = 6 }; /* MQIsdp, of 3.1 */

static void put(struct fog_flow *f, unsigned char byte) {
  if (f->out_len < sizeof f->out) f->out[f->out_len++] = byte;
}

static bool is_puback(const struct fog_flow *f) { return !f->from_client && f->type == PUBACK; }

/* Whether the packet's bytes do not go to out as they come. */
static bool withholds(const struct fog_flow *f, const struct fog_relay_rules *rules) {
  return is_puback(f) && (rules->puback == FOG_PUBACK_SWALLOW || rules->puback_delay_ms > 0);
}

/* Where there is no room for it any more, or it is larger than they are, it passes at once. */
static void hold(struct fog_flow *f, double at) {
  if (f->held == NULL) f->held = calloc(FOG_FLOW_HELD, sizeof *f->held);
  if (f->held == NULL || f->held_len == FOG_FLOW_HELD || f->head_len > sizeof f->held->bytes) {
    for (size_t i = 0; i < f->head_len; i++) put(f, f->head[i]);
    return;
  }
  struct fog_held *h = &f->held[(f->held_at + f->held_len++) % FOG_FLOW_HELD];
  h->at = at;
  h->len = f->head_len;
  memcpy(h->bytes, f->head, f->head_len);
}

double fog_flow_release(struct fog_flow *f, double now) {
  while (f->held_len > 0 && f->place == 0) {
    const struct fog_held *h = &f->held[f->held_at];
    if (h->at > now || f->out_len + h->len > FOG_FLOW_OUT) return h->at;
    for (size_t i = 0; i < h->len; i++) put(f, h->bytes[i]);
    f->held_at = (f->held_at + 1) % FOG_FLOW_HELD;
    f->held_len--;
  }
  return f->held_len > 0 ? f->held[f->held_at].at : 0;
}

void fog_flow_free(struct fog_flow *f) { free(f->held); }

static void end_packet(struct fog_flow *f, double now, const struct fog_relay_rules *rules) {
  bool twice = is_puback(f) && rules->puback == FOG_PUBACK_DUPLICATE;
  for (size_t i = 0; twice && i < f->head_len; i++) put(f, f->head[i]);
  if (is_puback(f) && rules->puback != FOG_PUBACK_SWALLOW && rules->puback_delay_ms > 0)
    hold(f, now + rules->puback_delay_ms / 1e3);
  f->place = 0;
  f->count++;
}

static void begin_packet(struct fog_flow *f, unsigned char byte) {
  f->type = byte >> 4;
  f->place = 1;
  f->left = f->head_len = 0;
  f->shift = 0;
  if (f->type == CONNECT) f->connect_len = 0;
}

static void take_length(struct fog_flow *f, unsigned char byte) {
  f->left |= (size_t)(byte & 127) << f->shift;
  f->shift += 7;
  if ((byte & 128) != 0 && f->shift < 28) return;
  f->place = 2;
}

static void take_body(struct fog_flow *f, unsigned char byte, const struct fog_relay_rules *rules) {
  f->left--;
  if (f->type != CONNECT || !f->from_client) return;
  if (f->connect_len < sizeof f->connect) f->connect[f->connect_len++] = byte;
  if (rules->connack >= 0 && fog_flow_version(f) > 0) f->refuse_login = true;
}

static bool cut_here(const struct fog_flow *f, const struct fog_relay_rules *rules) {
  bool due = f->from_client && f->place == 0 && rules->cut_packets >= 0 && f->count >= rules->cut_packets;
  return (due && !rules->mid) || (rules->cut_bytes >= 0 && f->passed >= rules->cut_bytes);
}

static void feed_byte(struct fog_flow *f, unsigned char byte, double now, const struct fog_relay_rules *rules) {
  bool first = f->place == 0;
  if (first)
    begin_packet(f, byte);
  else if (f->place == 1)
    take_length(f, byte);
  else
    take_body(f, byte, rules);
  if (f->head_len < sizeof f->head) f->head[f->head_len++] = byte;
  if (!withholds(f, rules)) put(f, byte);
  if (f->place == 2 && f->left == 0) end_packet(f, now, rules);
  if (first && f->from_client && rules->cut_packets >= 0 && f->count >= rules->cut_packets) f->cut = true;
}

void fog_flow_feed(struct fog_flow *f, const unsigned char *bytes, size_t n, double now,
                   const struct fog_relay_rules *rules) {
  for (size_t i = 0; i < n && !f->cut && !f->refuse_login && !cut_here(f, rules); i++) {
    f->passed++;
    feed_byte(f, bytes[i], now, rules);
  }
  if (cut_here(f, rules)) f->cut = true;
}

static size_t word(const struct fog_flow *f, size_t at) { return (size_t)f->connect[at] << 8 | f->connect[at + 1]; }

/* Where the version stands, after the protocol's name: "MQTT", or "MQIsdp" in 3.1. 0: not there yet, or not MQTT. */
static size_t version_at(const struct fog_flow *f) {
  size_t at = f->connect_len < 2 ? 0 : 2 + word(f, 0);
  return at < f->connect_len && at <= 2 + LONGEST_NAME ? at : 0;
}

int fog_flow_version(const struct fog_flow *f) {
  size_t at = version_at(f);
  return at == 0 ? 0 : f->connect[at];
}

/* The end of the properties that begin there. */
static size_t after_properties(const struct fog_flow *f, size_t at) {
  size_t len = 0;
  for (unsigned shift = 0; shift < 28 && at < f->connect_len; shift += 7) {
    len |= (size_t)(f->connect[at] & 127) << shift;
    if ((f->connect[at++] & 128) == 0) break;
  }
  return at + len;
}

bool fog_flow_is(const struct fog_flow *f, const char *client_id) {
  size_t at = version_at(f), n = strlen(client_id);
  if (at == 0) return false;
  at += 4; /* version, flags, keep-alive */
  if (fog_flow_version(f) == 5) at = after_properties(f, at);
  return at + 2 + n <= f->connect_len && word(f, at) == n && memcmp(f->connect + at + 2, client_id, n) == 0;
}
