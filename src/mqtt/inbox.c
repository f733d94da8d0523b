/* SPDX-License-Identifier: MIT
 *
 * Dropping the oldest without moving memory for each drop: a dropped record is marked dead where it stands and skipped
 * by the reader. A scan position remembers how far all QoS 0 records are gone, so every record is looked at once; when
 * the dead fill half of the buffer it is compacted. Both costs are constant per message over time.
 *
 * Buffers grow by doubling, and a large one is given back when both are empty: after a burst nobody pays for it.
 */
#include "inbox.h"

#include <stdlib.h>
#include <string.h>

struct fog_inbox_record {
  uint32_t size; /* of the whole record, padded */
  uint32_t topic_len, payload_len, properties_len;
  uint8_t qos, retained, dup, dead;
  uint32_t pad;
};

enum { ALIGNMENT = 8, FIRST_CAP = 4096, KEPT_CAP = 262144 };

void fog_inbox_init(struct fog_inbox *b, size_t max_count, size_t max_bytes, bool hold_qos0) {
  memset(b, 0, sizeof *b);
  (void)pthread_mutex_init(&b->lock, NULL);
  b->max_count = max_count;
  b->max_bytes = max_bytes;
  b->hold_qos0 = hold_qos0;
}

void fog_inbox_destroy(struct fog_inbox *b) {
  free(b->in.data);
  free(b->out.data);
  (void)pthread_mutex_destroy(&b->lock);
}

static size_t record_size(const struct fog_message_view *m) {
  size_t n = sizeof(struct fog_inbox_record) + m->topic_len + m->payload_len + m->properties_len;
  return (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static struct fog_inbox_record *record_at(const struct fog_buffer *b, size_t pos) {
  return (struct fog_inbox_record *)(void *)(b->data + pos);
}

static bool make_room(struct fog_buffer *b, size_t n) {
  if (b->len + n <= b->cap) return true;
  size_t want = b->cap == 0 ? FIRST_CAP : b->cap * 2;
  while (want < b->len + n) want *= 2;
  char *grown = realloc(b->data, want);
  if (grown == NULL) return false;
  b->data = grown;
  b->cap = want;
  return true;
}

static void compact(struct fog_inbox *b) {
  size_t to = 0;
  for (size_t from = 0; from < b->in.len;) {
    const struct fog_inbox_record *r = record_at(&b->in, from);
    size_t size = r->size;
    if (!r->dead) {
      memmove(b->in.data + to, b->in.data + from, size);
      to += size;
    }
    from += size;
    if (from == b->scan_pos) b->scan_pos = to;
  }
  b->in.len = to;
  if (b->scan_pos > to) b->scan_pos = to;
  b->dead_bytes = 0;
}

/* Marks the oldest QoS 0 record dead. False when there is none. */
static bool drop_oldest(struct fog_inbox *b) {
  while (b->scan_pos < b->in.len) {
    struct fog_inbox_record *r = record_at(&b->in, b->scan_pos);
    b->scan_pos += r->size;
    if (r->dead || r->qos > 0) continue;
    r->dead = 1;
    b->count--;
    b->bytes -= r->size;
    b->dead_bytes += r->size;
    b->dropped++;
    return true;
  }
  return false;
}

static bool full(struct fog_inbox *b, size_t more) {
  return b->count + atomic_load_explicit(&b->out_count, memory_order_relaxed) >= b->max_count ||
         b->bytes + atomic_load_explicit(&b->out_bytes, memory_order_relaxed) + more > b->max_bytes;
}

static void append(struct fog_inbox *b, const struct fog_message_view *m, size_t size) {
  struct fog_inbox_record *r = record_at(&b->in, b->in.len);
  *r = (struct fog_inbox_record){.size = (uint32_t)size,
                                 .topic_len = m->topic_len,
                                 .payload_len = m->payload_len,
                                 .properties_len = m->properties_len,
                                 .qos = m->qos,
                                 .retained = m->retained,
                                 .dup = m->dup};
  char *p = (char *)(r + 1);
  memcpy(p, m->topic, m->topic_len);
  p += m->topic_len;
  if (m->payload_len > 0) memcpy(p, m->payload, m->payload_len);
  p += m->payload_len;
  if (m->properties_len > 0) memcpy(p, m->properties, m->properties_len);
  b->in.len += size;
  b->count++;
  b->bytes += size;
}

static bool drop_for_room(struct fog_inbox *b, size_t size) {
  if (size > b->max_bytes) return false; /* it would not fit into an empty inbox */
  while (full(b, size)) {
    if (!drop_oldest(b)) return false;
  }
  if (b->dead_bytes > 0 && b->dead_bytes * 2 >= b->in.len) compact(b);
  return true;
}

void fog_inbox_begin(struct fog_inbox *b) { (void)pthread_mutex_lock(&b->lock); }

bool fog_inbox_end(struct fog_inbox *b) {
  bool first = !b->notified && b->count > 0;
  if (first) b->notified = true;
  (void)pthread_mutex_unlock(&b->lock);
  return first;
}

static bool empty(struct fog_inbox *b) {
  return b->count == 0 && atomic_load_explicit(&b->out_count, memory_order_relaxed) == 0;
}

enum fog_inbox_result fog_inbox_push(struct fog_inbox *b, const struct fog_message_view *m) {
  size_t size = record_size(m);
  bool hold = m->qos > 0 || b->hold_qos0, room = !full(b, size);
  if (!room && hold && !empty(b)) {
    b->starved = true;
    return FOG_INBOX_FULL;
  }
  if (!room && !hold) room = drop_for_room(b, size);
  if ((room || hold) && make_room(&b->in, size)) {
    append(b, m, size);
    b->received++;
    return FOG_INBOX_TAKEN;
  }
  if (hold) return FOG_INBOX_NO_MEMORY;
  b->received++;
  b->dropped++;
  return FOG_INBOX_TAKEN;
}

bool fog_inbox_push_beyond(struct fog_inbox *b, const struct fog_message_view *m) {
  size_t size = record_size(m);
  if (fog_inbox_push(b, m) == FOG_INBOX_TAKEN) return true;
  b->received++;
  if (make_room(&b->in, size))
    append(b, m, size);
  else
    b->dropped++;
  return false;
}

/* What is to be freed of an empty buffer; NULL: it is small. */
static char *give_back(struct fog_buffer *b) {
  char *data = b->data;
  if (b->cap <= KEPT_CAP) return NULL;
  *b = (struct fog_buffer){NULL, 0, 0};
  return data;
}

/* Makes the producer's buffer the consumer's. False when it is empty too. */
static bool swap(struct fog_inbox *b) {
  char *large[2] = {NULL, NULL};
  (void)pthread_mutex_lock(&b->lock);
  bool any = b->count > 0;
  struct fog_buffer used = b->out;
  used.len = 0;
  b->out = b->in;
  b->in = used;
  b->out_pos = b->scan_pos = b->dead_bytes = 0;
  atomic_store_explicit(&b->out_count, b->count, memory_order_relaxed);
  atomic_store_explicit(&b->out_bytes, b->bytes, memory_order_relaxed);
  if (b->starved && b->count <= b->max_count / 2 && b->bytes <= b->max_bytes / 2) {
    b->starved = false;
    b->notify = true;
  }
  b->count = b->bytes = 0;
  if (!any) {
    b->notified = false;
    b->out.len = 0;
    large[0] = give_back(&b->in);
    large[1] = give_back(&b->out);
  }
  (void)pthread_mutex_unlock(&b->lock);
  free(large[0]);
  free(large[1]);
  return any;
}

/* Both are written by the consumer only while the producer merely reads them, so plain stores do. */
static void note_read(struct fog_inbox *b, size_t size) {
  size_t count = atomic_load_explicit(&b->out_count, memory_order_relaxed);
  size_t bytes = atomic_load_explicit(&b->out_bytes, memory_order_relaxed);
  atomic_store_explicit(&b->out_count, count - 1, memory_order_relaxed);
  atomic_store_explicit(&b->out_bytes, bytes - size, memory_order_relaxed);
}

static void view(const struct fog_inbox_record *r, struct fog_message_view *m) {
  const char *p = (const char *)(r + 1);
  m->topic = p;
  m->topic_len = r->topic_len;
  m->payload = p + r->topic_len;
  m->payload_len = r->payload_len;
  m->properties = m->payload + r->payload_len;
  m->properties_len = r->properties_len;
  m->qos = r->qos;
  m->retained = r->retained != 0;
  m->dup = r->dup != 0;
}

bool fog_inbox_next(struct fog_inbox *b, struct fog_message_view *m) {
  for (;;) {
    while (b->out_pos < b->out.len) {
      const struct fog_inbox_record *r = record_at(&b->out, b->out_pos);
      b->out_pos += r->size;
      if (r->dead) continue;
      view(r, m);
      note_read(b, r->size);
      return true;
    }
    if (!swap(b)) return false;
  }
}

bool fog_inbox_pending(struct fog_inbox *b) {
  if (atomic_load_explicit(&b->out_count, memory_order_relaxed) > 0) return true;
  (void)pthread_mutex_lock(&b->lock);
  bool pending = b->count > 0;
  (void)pthread_mutex_unlock(&b->lock);
  return pending;
}

void fog_inbox_stats(struct fog_inbox *b, struct fog_inbox_stats *s) {
  (void)pthread_mutex_lock(&b->lock);
  s->received = b->received;
  s->dropped = b->dropped;
  s->queued = b->count + atomic_load_explicit(&b->out_count, memory_order_relaxed);
  s->queued_bytes = b->bytes + atomic_load_explicit(&b->out_bytes, memory_order_relaxed);
  (void)pthread_mutex_unlock(&b->lock);
}
