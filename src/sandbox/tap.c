/* SPDX-License-Identifier: MIT
 *
 * A record is a header and then its texts, each with its NUL. Head and tail count bytes for ever; a record that would
 * cross the end of the ring begins at its start, behind a header of no kind.
 */
#include "tap.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { RING = 1 << 21, ORDERS = 1 << 18, ALIGN = 16, MAX_TEXT = 65535 };

struct ring {
  _Atomic uint64_t head, tail; /* written up to, read up to */
};

struct shared {
  struct ring notes, orders;
  _Atomic uint64_t messages, bytes, dropped;
  unsigned char note_bytes[RING], order_bytes[ORDERS];
};

struct header {
  double time;
  uint32_t total, size, payload_len; /* total: with the header, in bytes of the ring */
  uint16_t client_len, login_len, topic_len;
  uint8_t kind, qos, retain; /* kind 0: go on at the start */
};

struct fog_tap {
  struct shared *shared;
  char *copy; /* of the record that was taken last */
};

struct fog_tap *fog_tap_open(const char *path, bool create) {
  struct fog_tap *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  if (create) (void)unlink(path);
  int fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0), 0600);
  void *map = MAP_FAILED;
  t->copy = malloc(sizeof(struct header) + (size_t)3 * (MAX_TEXT + 1) + FOG_TAP_PAYLOAD + ALIGN);
  if (t->copy != NULL && fd >= 0 && (!create || ftruncate(fd, sizeof(struct shared)) == 0))
    map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd >= 0) (void)close(fd);
  if (map != MAP_FAILED) {
    t->shared = map;
    return t;
  }
  free(t->copy);
  free(t);
  return NULL;
}

void fog_tap_close(struct fog_tap *t) {
  (void)munmap(t->shared, sizeof *t->shared);
  free(t->copy);
  free(t);
}

static uint16_t text_len(const char *s) { return (uint16_t)strnlen(s, MAX_TEXT); }

static char *put(char *to, const char *text, size_t len) {
  memcpy(to, text, len);
  to[len] = '\0';
  return to + len + 1;
}

/* Where `total` bytes in one piece begin, with what is skipped before; false: `bound` bytes at most may be in use. */
static bool place(struct ring *r, unsigned char *bytes, uint64_t capacity, uint64_t bound, uint32_t total,
                  uint64_t *at) {
  uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
  uint64_t used = head - atomic_load_explicit(&r->tail, memory_order_acquire);
  uint64_t left = capacity - head % capacity, skip = left < total ? left : 0;
  if (used + skip + total > bound) return false;
  if (skip >= sizeof(struct header)) memset(bytes + head % capacity, 0, sizeof(struct header));
  *at = head + skip;
  return true;
}

static bool write_note(struct ring *r, unsigned char *bytes, uint64_t capacity, uint64_t bound,
                       const struct fog_tap_note *n) {
  struct header h = {.time = n->time,
                     .size = n->size,
                     .payload_len = (uint32_t)n->payload_len,
                     .client_len = text_len(n->client),
                     .login_len = text_len(n->login),
                     .topic_len = text_len(n->topic),
                     .kind = (uint8_t)n->kind,
                     .qos = n->qos,
                     .retain = n->retain};
  uint64_t at;
  uint32_t whole = (uint32_t)sizeof h + h.client_len + h.login_len + h.topic_len + h.payload_len + 4u;
  h.total = (whole + ALIGN - 1) / ALIGN * ALIGN;
  if (!place(r, bytes, capacity, bound, h.total, &at)) return false;
  char *to = (char *)bytes + at % capacity;
  memcpy(to, &h, sizeof h);
  to = put(to + sizeof h, n->client, h.client_len);
  to = put(to, n->login, h.login_len);
  to = put(to, n->topic, h.topic_len);
  (void)put(to, n->payload, h.payload_len);
  atomic_store_explicit(&r->head, at + h.total, memory_order_release);
  return true;
}

/* The next record, copied, so that its place is free at once. */
static bool read_note(struct ring *r, const unsigned char *bytes, uint64_t capacity, char *copy,
                      struct fog_tap_note *n) {
  uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
  uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);
  struct header h = {.kind = 0};
  if (head == tail) return false;
  uint64_t left = capacity - tail % capacity;
  if (left >= sizeof h) memcpy(&h, bytes + tail % capacity, sizeof h);
  if (left < sizeof h || h.kind == 0) {
    tail += left;
    memcpy(&h, bytes, sizeof h);
  }
  memcpy(copy, bytes + tail % capacity, h.total);
  atomic_store_explicit(&r->tail, tail + h.total, memory_order_release);
  const char *text = copy + sizeof h;
  *n = (struct fog_tap_note){.kind = (enum fog_tap_kind)h.kind,
                             .qos = h.qos,
                             .retain = h.retain != 0,
                             .time = h.time,
                             .size = h.size,
                             .payload_len = h.payload_len,
                             .client = text,
                             .login = text + h.client_len + 1,
                             .topic = text + h.client_len + h.login_len + 2,
                             .payload = text + h.client_len + h.login_len + h.topic_len + 3};
  return true;
}

static void complete(struct fog_tap_note *n) {
  if (n->client == NULL) n->client = "";
  if (n->login == NULL) n->login = "";
  if (n->topic == NULL) n->topic = "";
  if (n->payload == NULL) n->payload_len = 0;
  if (n->payload == NULL) n->payload = "";
}

bool fog_tap_is_message(enum fog_tap_kind kind) {
  return kind == FOG_TAP_MESSAGE || kind == FOG_TAP_MESSAGE_REFUSED || kind == FOG_TAP_WITHHELD;
}

void fog_tap_note(struct fog_tap *t, struct fog_tap_note note) {
  struct timespec now;
  struct shared *s = t->shared;
  complete(&note);
  (void)clock_gettime(CLOCK_REALTIME, &now);
  note.time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
  if (note.payload_len > FOG_TAP_PAYLOAD) note.payload_len = FOG_TAP_PAYLOAD;
  if (note.kind == FOG_TAP_MESSAGE) {
    (void)atomic_fetch_add_explicit(&s->messages, 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&s->bytes, note.size, memory_order_relaxed);
  }
  uint64_t bound = fog_tap_is_message(note.kind) ? RING / 4 * 3 : RING;
  if (!write_note(&s->notes, s->note_bytes, RING, bound, &note))
    (void)atomic_fetch_add_explicit(&s->dropped, 1, memory_order_relaxed);
}

bool fog_tap_next(struct fog_tap *t, struct fog_tap_note *note) {
  return read_note(&t->shared->notes, t->shared->note_bytes, RING, t->copy, note);
}

bool fog_tap_order(struct fog_tap *t, struct fog_tap_note order) {
  complete(&order);
  if (order.payload_len > FOG_TAP_PAYLOAD) return false;
  return write_note(&t->shared->orders, t->shared->order_bytes, ORDERS, ORDERS, &order);
}

bool fog_tap_take_order(struct fog_tap *t, struct fog_tap_note *order) {
  return read_note(&t->shared->orders, t->shared->order_bytes, ORDERS, t->copy, order);
}

struct fog_tap_counts fog_tap_counts(const struct fog_tap *t) {
  struct shared *s = t->shared;
  return (struct fog_tap_counts){.messages = atomic_load_explicit(&s->messages, memory_order_relaxed),
                                 .bytes = atomic_load_explicit(&s->bytes, memory_order_relaxed),
                                 .dropped = atomic_load_explicit(&s->dropped, memory_order_relaxed)};
}
