/* SPDX-License-Identifier: MIT
 *
 * What the tests of the codec share: bytes written down as text, exact copies, facts compared.
 */
#ifndef FOG_PACKETS_H
#define FOG_PACKETS_H

#include <stdlib.h>
#include <string.h>

#include "../../src/mqtt/packet.h"
#include "../../src/mqtt/properties.h"
#include "tap.h"

/* A slice of a literal. */
#define B(literal) \
  { literal, sizeof(literal) - 1 }

/* Bytes in an allocation of just their size, so that a sanitizer sees whoever reads beyond it. */
struct exact {
  char *data;
  size_t len;
};

static inline struct exact exact_copy(const char *data, size_t len) {
  struct exact e = {malloc(len), len};
  if (len > 0) memcpy(e.data, data, len);
  return e;
}

/* "10 0004'MQTT'": hexadecimal digits, two a byte, and characters between apostrophes. */
static inline struct exact from_text(const char *text) {
  char bytes[512];
  size_t n = 0;
  for (const char *p = text; *p != '\0'; p++) {
    if (*p == ' ') continue;
    if (*p == '\'') {
      for (p++; *p != '\''; p++) bytes[n++] = *p;
      continue;
    }
    char two[3] = {p[0], p[1], '\0'};
    bytes[n++] = (char)strtoul(two, NULL, 16);
    p++;
  }
  return exact_copy(bytes, n);
}

static inline bool same(struct fog_bytes a, struct fog_bytes b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The same, and absent in both or in none. */
static inline bool same_option(struct fog_bytes a, struct fog_bytes b) {
  return (a.data == NULL) == (b.data == NULL) && same(a, b);
}

static inline bool same_connect(const struct fog_connect_facts *a, const struct fog_connect_facts *b) {
  return a->clean == b->clean && a->keepalive_s == b->keepalive_s && same(a->client_id, b->client_id) &&
         same_option(a->username, b->username) && same_option(a->password, b->password) &&
         same_option(a->will_topic, b->will_topic) && same(a->will_payload, b->will_payload) &&
         same(a->will_properties, b->will_properties) && a->will_qos == b->will_qos &&
         a->will_retained == b->will_retained;
}

static inline bool same_filter(const struct fog_filter *a, const struct fog_filter *b) {
  return same(a->filter, b->filter) && a->qos == b->qos && a->no_local == b->no_local &&
         a->retain_as_published == b->retain_as_published && a->retain_handling == b->retain_handling;
}

/* The filters of a packet that was read are those of one that was written. */
static inline bool same_filters(int version, const struct fog_packet *read, const struct fog_packet *written) {
  struct fog_bytes rest = read->filters;
  struct fog_filter f;
  size_t n = 0;
  while (fog_packet_next_filter(version, read->type, &rest, &f)) {
    if (n == written->list_len || !same_filter(&f, &written->list[n++])) return false;
  }
  return n == written->list_len && rest.len == 0;
}

static inline bool same_facts(int version, const struct fog_packet *read, const struct fog_packet *written) {
  return read->type == written->type && read->id == written->id && read->qos == written->qos &&
         read->dup == written->dup && read->retained == written->retained &&
         read->session_present == written->session_present && read->reason == written->reason &&
         same(read->topic, written->topic) && same(read->payload, written->payload) &&
         same(read->properties, written->properties) && same(read->codes, written->codes) &&
         same_connect(&read->connect, &written->connect) && same_filters(version, read, written);
}

#endif
