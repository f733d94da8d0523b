/* SPDX-License-Identifier: MIT
 *
 * The facts of two packets compared: of one that was read with one that was written.
 */
#ifndef FOG_PACKET_FACTS_H
#define FOG_PACKET_FACTS_H

#include <string.h>

#include "../../src/mqtt/packet.h"

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
         (read->type != FOG_CONNECT || same_connect(&read->connect, &written->connect)) &&
         same_filters(version, read, written);
}

#endif
