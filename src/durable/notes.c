/* SPDX-License-Identifier: MIT
 *
 * What is taken down between two commits: messages that are new, changes of what is on the disk, numbers that are done
 * with. A change of a message that is itself new is made in its entry, so that the lists do not depend on each other
 * but in one order: changes, then removals, then new messages.
 */
#include <stdlib.h>
#include <string.h>

#include "store.h"

enum { FIRST_ROOM = 64, KEPT_ROOM = 4096 };

/* One place more in a list that doubles. NULL: no memory, and the list is as it was. */
static void *grown(void *list, size_t count, size_t *room, size_t size) {
  if (count < *room) return list;
  size_t more = *room == 0 ? FIRST_ROOM : 2 * *room;
  void *larger = realloc(list, more * size);
  if (larger != NULL) *room = more;
  return larger;
}

/* The entry of a message that is not on the disk yet; NULL: it is, or was never added. */
static struct fog_durable_message *find_new(struct fog_batch *b, int64_t seq) {
  size_t low = b->add_first, high = b->add_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (b->adds[middle].seq < seq) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < b->add_count && b->adds[low].seq == seq && b->adds[low].qos != FOG_VOID ? &b->adds[low] : NULL;
}

static size_t bytes_of(const struct fog_durable_message *m) {
  return m->topic.len + m->payload.len + m->properties.len;
}

static enum fog_durable_code change(struct fog_durable *d, struct fog_change c) {
  struct fog_batch *b = &d->batch;
  struct fog_change *list = grown(b->changes, b->change_count, &b->change_room, sizeof *list);
  if (list == NULL) return FOG_DURABLE_MEMORY;
  b->changes = list;
  list[b->change_count++] = c;
  return FOG_DURABLE_OK;
}

static enum fog_durable_code note_add(struct fog_durable *d, const struct fog_durable_message *m) {
  struct fog_batch *b = &d->batch;
  if (m->seq <= d->counts.last_seq) return FOG_DURABLE_IO;
  struct fog_durable_message *list = grown(b->adds, b->add_count, &b->add_room, sizeof *list);
  if (list == NULL) return FOG_DURABLE_MEMORY;
  b->adds = list;
  list[b->add_count] = *m;
  list[b->add_count].state = m->packet_id != 0 ? FOG_DURABLE_SENT : FOG_DURABLE_QUEUED;
  list[b->add_count++].reason_text = (struct fog_bytes){NULL, 0};
  d->counts.last_seq = m->seq;
  atomic_fetch_add(&d->new_bytes, bytes_of(m));
  return FOG_DURABLE_OK;
}

static enum fog_durable_code note_sent(struct fog_durable *d, int64_t seq, uint16_t packet_id) {
  struct fog_durable_message *m = find_new(&d->batch, seq);
  if (m == NULL) return change(d, (struct fog_change){.kind = FOG_SQL_SENT, .seq = seq, .id = packet_id});
  m->packet_id = packet_id;
  m->state = FOG_DURABLE_SENT;
  return FOG_DURABLE_OK;
}

static enum fog_durable_code note_released(struct fog_durable *d, int64_t seq) {
  struct fog_durable_message *m = find_new(&d->batch, seq);
  if (m == NULL) return change(d, (struct fog_change){.kind = FOG_SQL_RELEASED, .seq = seq});
  m->state = FOG_DURABLE_RELEASED;
  return FOG_DURABLE_OK;
}

static enum fog_durable_code note_remove(struct fog_durable *d, int64_t seq) {
  struct fog_batch *b = &d->batch;
  struct fog_durable_message *m = find_new(b, seq);
  if (m != NULL) {
    m->qos = FOG_VOID;
    return FOG_DURABLE_OK;
  }
  int64_t *list = grown(b->removed, b->removed_count, &b->removed_room, sizeof *list);
  if (list == NULL) return FOG_DURABLE_MEMORY;
  b->removed = list;
  list[b->removed_count++] = seq;
  return FOG_DURABLE_OK;
}

/* The reason's text is the batch's. */
enum fog_durable_code fog_batch_set_aside(struct fog_durable *d, int64_t seq, uint8_t reason, const char *text) {
  char *copy = strdup(text == NULL ? "" : text);
  if (copy == NULL) return FOG_DURABLE_MEMORY;
  struct fog_durable_message *m = find_new(&d->batch, seq);
  if (m == NULL) {
    struct fog_change c = {.kind = FOG_SQL_ASIDE, .seq = seq, .id = reason, .text = copy};
    enum fog_durable_code code = change(d, c);
    if (code != FOG_DURABLE_OK) free(copy);
    return code;
  }
  free((char *)m->reason_text.data);
  m->state = FOG_DURABLE_SET_ASIDE;
  m->reason = reason;
  m->reason_text.data = copy;
  m->reason_text.len = strlen(copy);
  return FOG_DURABLE_OK;
}

static enum fog_durable_code note_client(struct fog_durable *d, const char *id) {
  struct fog_change c = {.kind = FOG_SQL_SET_CLIENT, .text = strdup(id)};
  enum fog_durable_code code = c.text == NULL ? FOG_DURABLE_MEMORY : change(d, c);
  if (code != FOG_DURABLE_OK) free(c.text);
  return code;
}

static enum fog_durable_code note_forget(struct fog_durable *d, bool released_too) {
  struct fog_batch *b = &d->batch;
  enum fog_durable_code code = change(d, (struct fog_change){.kind = FOG_SQL_FORGET, .id = released_too});
  if (code != FOG_DURABLE_OK) return code;
  for (size_t i = b->add_first; i < b->add_count; i++) {
    struct fog_durable_message *m = &b->adds[i];
    if (m->state == FOG_DURABLE_RELEASED && !released_too) m->qos = FOG_VOID;
    if (m->state == FOG_DURABLE_SENT || m->state == FOG_DURABLE_RELEASED) m->state = FOG_DURABLE_QUEUED;
  }
  return FOG_DURABLE_OK;
}

static void empty_adds(struct fog_batch *b) {
  for (size_t i = 0; i < b->add_count; i++) free((char *)b->adds[i].reason_text.data);
  b->add_first = b->add_count = 0;
}

static void drop(void *list, size_t *count, size_t first, size_t size) {
  *count -= first;
  if (first > 0) memmove(list, (char *)list + first * size, *count * size);
}

void fog_batch_drop(struct fog_batch *b, size_t changes, size_t removals) {
  for (size_t i = 0; i < changes; i++) free(b->changes[i].text);
  drop(b->changes, &b->change_count, changes, sizeof *b->changes);
  drop(b->removed, &b->removed_count, removals, sizeof *b->removed);
}

void fog_batch_free(struct fog_batch *b) {
  empty_adds(b);
  fog_batch_drop(b, b->change_count, b->removed_count);
  free(b->adds);
  free(b->changes);
  free(b->removed);
  *b = (struct fog_batch){0};
}

void fog_batch_empty(struct fog_batch *b) {
  if (b->add_room > KEPT_ROOM || b->change_room > KEPT_ROOM || b->removed_room > KEPT_ROOM) {
    fog_batch_free(b);
    return;
  }
  empty_adds(b);
  fog_batch_drop(b, b->change_count, b->removed_count);
}

enum fog_durable_code fog_batch_note(struct fog_durable *d, const struct fog_change *c, const char *text) {
  enum fog_durable_code code = fog_durable_enter(d, NULL);
  if (code != FOG_DURABLE_OK) return code;
  switch (c->kind) {
    case FOG_SQL_SENT:
      code = note_sent(d, c->seq, c->id);
      break;
    case FOG_SQL_RELEASED:
      code = note_released(d, c->seq);
      break;
    case FOG_SQL_REMOVE:
      code = note_remove(d, c->seq);
      break;
    case FOG_SQL_ASIDE:
      code = fog_batch_set_aside(d, c->seq, (uint8_t)c->id, text);
      break;
    case FOG_SQL_FORGET:
      code = note_forget(d, c->id != 0);
      break;
    case FOG_SQL_SET_CLIENT:
      code = note_client(d, text);
      break;
    default:
      code = change(d, *c);
  }
  fog_durable_leave(d);
  return code;
}

enum fog_durable_code fog_batch_add(struct fog_durable *d, const struct fog_durable_message *m) {
  enum fog_durable_code code = fog_durable_enter(d, NULL);
  if (code != FOG_DURABLE_OK) return code;
  code = note_add(d, m);
  fog_durable_leave(d);
  return code;
}
