/* SPDX-License-Identifier: MIT */
#include "asks.h"

#include <string.h>

/* Without the broker's word. */
static void fail(struct fog_session *s, struct fog_ask *ask) {
  fog_ask_answer(s, ask, -1, ask->id != 0, (struct fog_bytes){NULL, 0});
}

void fog_asks_init(struct fog_asks *a) {
  *a = (struct fog_asks){.head = NULL};
  a->tail = &a->head;
}

bool fog_asks_idle(const struct fog_asks *a) { return a->head == NULL && a->open.count == 0; }

bool fog_asks_has(const struct fog_asks *a, uint16_t id) { return fog_idmap_get(&a->open, id) != 0; }

static bool write_packet(const struct fog_ask *ask, struct fog_outgoing *ids, struct fog_writer *out) {
  struct fog_filter filter = {.filter = {ask->filter, strlen(ask->filter)},
                              .qos = (uint8_t)(ask->how.qos > 0 ? ask->how.qos : 0),
                              .no_local = ask->how.no_local,
                              .retain_as_published = ask->how.retain_as_published,
                              .retain_handling = (uint8_t)ask->how.retain_handling};
  struct fog_packet p = {.type = ask->how.qos >= 0 ? FOG_SUBSCRIBE : FOG_UNSUBSCRIBE,
                         .id = ask->id,
                         .properties = {ask->how.properties, ask->how.properties_len},
                         .list = &filter,
                         .list_len = 1};
  size_t size = fog_packet_size(ids->version, &p, NULL);
  char *to = size == 0 ? NULL : fog_writer_room(out, size);
  if (to == NULL) return false;
  fog_writer_add(out, fog_packet_encode(ids->version, &p, to, size));
  return true;
}

/* Sends the first that waits. False: no id is free, none waits; or no memory, *memory. */
static bool send_first(struct fog_asks *a, struct fog_session *s, struct fog_outgoing *ids, struct fog_writer *out,
                       bool *memory) {
  struct fog_ask *ask = a->head;
  if (ask == NULL) return false;
  if (ids->probe && (!ids->proven || a->open.count > 0 || ids->here_count > 0)) return false;
  ask->id = fog_outgoing_free_id(ids);
  if (ask->id == 0) return false;
  a->head = ask->next;
  if (a->head == NULL) a->tail = &a->head;
  *memory = fog_idmap_put(&a->open, ask->id, (uint64_t)(uintptr_t)ask);
  if (*memory && write_packet(ask, ids, out)) return true;
  *memory = false;
  (void)fog_idmap_take(&a->open, ask->id);
  fail(s, ask);
  return false;
}

void fog_asks_add(struct fog_asks *a, struct fog_ask *ask) {
  ask->next = NULL;
  *a->tail = ask;
  a->tail = &ask->next;
}

bool fog_asks_feed(struct fog_asks *a, struct fog_session *s, struct fog_outgoing *ids, struct fog_writer *out) {
  bool memory = true;
  while (send_first(a, s, ids, out, &memory)) continue;
  return memory;
}

int fog_asks_answered(struct fog_asks *a, struct fog_session *s, const struct fog_packet *p, struct fog_outgoing *ids,
                      struct fog_writer *out) {
  bool memory = true;
  struct fog_ask *ask = (struct fog_ask *)(uintptr_t)fog_idmap_get(&a->open, p->id);
  if (ask == NULL) return 0; /* nobody asked, or not on this link: harmless */
  bool subscribed = ask->how.qos >= 0;
  bool coded = p->type == FOG_SUBACK || ids->version == FOG_MQTT_5;
  if (subscribed != (p->type == FOG_SUBACK) || (coded && p->codes.len != 1)) return FOG_PROTOCOL_ERROR;
  (void)fog_idmap_take(&a->open, p->id);
  fog_ask_answer(s, ask, coded ? (unsigned char)p->codes.data[0] : 0, true, p->properties);
  while (send_first(a, s, ids, out, &memory)) continue;
  if (a->open.count == 0) fog_idmap_clear(&a->open); /* most sessions ask once, and its pages are 5 KB */
  return memory ? 0 : FOG_UNSPECIFIED;
}

void fog_asks_lost(struct fog_asks *a, struct fog_session *s) {
  for (uint32_t id = 1; a->open.count > 0 && id <= 65535; id++) {
    struct fog_ask *ask = (struct fog_ask *)(uintptr_t)fog_idmap_take(&a->open, (uint16_t)id);
    if (ask != NULL) fail(s, ask);
  }
  fog_idmap_clear(&a->open);
  while (a->head != NULL) {
    struct fog_ask *ask = a->head;
    a->head = ask->next;
    fail(s, ask);
  }
  a->tail = &a->head;
}
