/* SPDX-License-Identifier: MIT */
#include "incoming.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "properties.h"

enum { FIRST_OWED = 16, MOST_OWED = 65536, TOPIC_ALIAS = 35 };

void fog_incoming_init(struct fog_incoming *in, struct fog_inbox *inbox, struct fog_kept *kept, bool handled_mode) {
  memset(in, 0, sizeof *in);
  in->inbox = inbox;
  in->kept = kept;
  in->handled_mode = handled_mode;
  (void)fog_kept_load_received(kept, &in->received);
}

static void forget_aliases(struct fog_incoming *in) {
  for (size_t i = 0; in->aliases != NULL && i <= in->alias_maximum; i++) free(in->aliases[i].topic);
  free(in->aliases);
  in->aliases = NULL;
}

void fog_incoming_lost(struct fog_incoming *in) {
  in->owed_first = in->owed_count = 0;
  in->unfinished = 0;
  forget_aliases(in);
}

void fog_incoming_destroy(struct fog_incoming *in) {
  fog_incoming_lost(in);
  fog_idmap_clear(&in->received);
  free(in->owed);
}

void fog_incoming_begin(struct fog_incoming *in, int version, bool present, uint16_t alias_maximum,
                        uint16_t receive_maximum) {
  fog_incoming_lost(in);
  in->version = version;
  in->alias_maximum = alias_maximum;
  in->receive_maximum = receive_maximum;
  if (present || in->received.count == 0) return;
  fog_idmap_clear(&in->received);
  fog_kept_clear_received(in->kept);
}

/* Room in the ring for one more. */
static bool owe_room(struct fog_incoming *in) {
  if (in->owed_count < in->owed_cap) return true;
  if (in->owed_cap >= MOST_OWED) return false;
  size_t cap = in->owed_cap == 0 ? FIRST_OWED : in->owed_cap * 2;
  struct fog_owed *ring = malloc(cap * sizeof *ring);
  if (ring == NULL) return false;
  for (size_t i = 0; in->owed_cap > 0 && i < in->owed_count; i++)
    ring[i] = in->owed[(in->owed_first + i) % in->owed_cap];
  free(in->owed);
  in->owed = ring;
  in->owed_first = 0;
  in->owed_cap = cap;
  return true;
}

static bool answer(struct fog_incoming *in, const struct fog_owed *owed, struct fog_writer *out) {
  if (owed->qos == 2 && !fog_kept_received(in->kept, owed->id)) return false;
  if (owed->qos == 1 && in->unfinished > 0) in->unfinished--;
  return fog_answer(out, owed->qos == 1 ? FOG_PUBACK : FOG_PUBREC, owed->id);
}

bool fog_incoming_acknowledge(struct fog_incoming *in, uint64_t handled, struct fog_writer *out) {
  while (in->owed_count > 0 && in->owed[in->owed_first].number <= handled) {
    if (!answer(in, &in->owed[in->owed_first], out)) return false;
    in->owed_first = (in->owed_first + 1) % in->owed_cap;
    in->owed_count--;
  }
  return true;
}

/* Now, or in its turn. There is room in the ring. */
static bool owe(struct fog_incoming *in, struct fog_owed owed, uint64_t handled, struct fog_writer *out) {
  if (!in->handled_mode || (in->owed_count == 0 && owed.number <= handled)) return answer(in, &owed, out);
  in->owed[(in->owed_first + in->owed_count) % in->owed_cap] = owed;
  in->owed_count++;
  return true;
}

static bool fail(struct fog_packet_fault *fault, enum fog_reason reason, const char *text) {
  *fault = (struct fog_packet_fault){reason, text};
  return false;
}

/* The topic that an alias stands for, or remembering it (MQTT 5.0, 3.3.2.3.4). */
static bool apply_alias(struct fog_incoming *in, const struct fog_packet *p, struct fog_bytes *topic,
                        struct fog_packet_fault *fault) {
  struct fog_property alias;
  if (p->properties.len == 0 || !fog_properties_find(p->properties, TOPIC_ALIAS, &alias)) return true;
  if (alias.number > in->alias_maximum)
    return fail(fault, FOG_TOPIC_ALIAS_INVALID, "a topic alias above the Topic Alias Maximum");
  if (in->aliases == NULL) in->aliases = calloc((size_t)in->alias_maximum + 1, sizeof *in->aliases);
  if (in->aliases == NULL) return fail(fault, FOG_UNSPECIFIED, "not enough memory");
  struct fog_alias *known = &in->aliases[alias.number];
  if (topic->len == 0) {
    if (known->topic == NULL) return fail(fault, FOG_PROTOCOL_ERROR, "a topic alias that was not set");
    *topic = (struct fog_bytes){known->topic, known->len};
    return true;
  }
  char *copy = malloc(topic->len);
  if (copy == NULL) return fail(fault, FOG_UNSPECIFIED, "not enough memory");
  memcpy(copy, topic->data, topic->len);
  free(known->topic);
  known->topic = copy;
  known->len = topic->len;
  return true;
}

static enum fog_incoming_result push(struct fog_incoming *in, const struct fog_packet *p, struct fog_bytes topic,
                                     struct fog_packet_fault *fault) {
  struct fog_message_view view = {.topic = topic.data,
                                  .topic_len = (uint32_t)topic.len,
                                  .payload = p->payload.data,
                                  .payload_len = (uint32_t)p->payload.len,
                                  .properties = p->properties.data,
                                  .properties_len = (uint32_t)p->properties.len,
                                  .qos = p->qos,
                                  .retained = p->retained,
                                  .dup = p->dup};
  switch (fog_inbox_push(in->inbox, &view)) {
    case FOG_INBOX_FULL:
      return FOG_INCOMING_FULL;
    case FOG_INBOX_NO_MEMORY:
      (void)fail(fault, FOG_UNSPECIFIED, "not enough memory");
      return FOG_INCOMING_FAULT;
    case FOG_INBOX_TAKEN:
      break;
  }
  if (p->qos > 0) in->pushed++;
  return FOG_INCOMING_DONE;
}

/* QoS 1 and 2. */
static enum fog_incoming_result deliver(struct fog_incoming *in, const struct fog_packet *p, struct fog_bytes topic,
                                        uint64_t handled, struct fog_writer *out, struct fog_packet_fault *fault) {
  uint64_t known = p->qos == 2 ? fog_idmap_get(&in->received, p->id) : 0;
  bool room = fog_writer_room(out, FOG_ANSWER_SIZE) != NULL && (!in->handled_mode || owe_room(in));
  if (!room) {
    if (in->handled_mode && in->owed_count >= MOST_OWED)
      (void)fail(fault, FOG_RECEIVE_MAXIMUM_EXCEEDED, "more messages without an acknowledgement than can be kept");
    else
      (void)fail(fault, FOG_UNSPECIFIED, "not enough memory");
    return FOG_INCOMING_FAULT;
  }
  if (known == 0) {
    if (in->receive_maximum > 0 && in->unfinished >= in->receive_maximum) {
      (void)fail(fault, FOG_RECEIVE_MAXIMUM_EXCEEDED, "more messages than the Receive Maximum");
      return FOG_INCOMING_FAULT;
    }
    if (p->qos == 2 && !fog_idmap_put(&in->received, p->id, in->pushed + 2)) {
      (void)fail(fault, FOG_UNSPECIFIED, "not enough memory");
      return FOG_INCOMING_FAULT;
    }
    enum fog_incoming_result result = push(in, p, topic, fault);
    if (result != FOG_INCOMING_DONE) {
      if (p->qos == 2) (void)fog_idmap_take(&in->received, p->id);
      return result;
    }
    in->unfinished++;
  }
  struct fog_owed owed = {known == 0 ? in->pushed : known - 1, p->id, p->qos};
  (void)owe(in, owed, handled, out); /* there is room */
  return FOG_INCOMING_DONE;
}

enum fog_incoming_result fog_incoming_publish(struct fog_incoming *in, const struct fog_packet *p, uint64_t handled,
                                              struct fog_writer *out, struct fog_packet_fault *fault) {
  struct fog_bytes topic = p->topic;
  if (!apply_alias(in, p, &topic, fault)) return FOG_INCOMING_FAULT;
  return p->qos == 0 ? push(in, p, topic, fault) : deliver(in, p, topic, handled, out, fault);
}

bool fog_incoming_release(struct fog_incoming *in, uint16_t id, struct fog_writer *out) {
  if (!fog_kept_finished(in->kept, id)) return false;
  bool known = fog_idmap_take(&in->received, id) != 0;
  if (known && in->unfinished > 0) in->unfinished--;
  return fog_answer_with(out, in->version, FOG_PUBCOMP, id, known ? FOG_SUCCESS : FOG_PACKET_ID_NOT_FOUND);
}
