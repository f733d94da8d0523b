/* SPDX-License-Identifier: MIT */
#include "writer.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 256 };

static struct fog_chunk *last(struct fog_writer *s) { return s->payload != NULL ? &s->tail : &s->head; }

static bool grow(struct fog_chunk *c, size_t more) {
  if (c->from > 0 && (c->len == 0 || c->from + c->len + more > c->cap)) {
    if (c->len > 0) memmove(c->data, c->data + c->from, c->len);
    c->from = 0;
  }
  if (c->from + c->len + more <= c->cap) return true;
  size_t cap = c->cap == 0 ? FIRST_CAP : c->cap;
  while (cap < c->len + more) cap *= 2;
  char *data = realloc(c->data, cap);
  if (data == NULL) return false;
  c->data = data;
  c->cap = cap;
  return true;
}

char *fog_writer_room(struct fog_writer *s, size_t len) {
  struct fog_chunk *c = last(s);
  return grow(c, len) ? c->data + c->from + c->len : NULL;
}

void fog_writer_add(struct fog_writer *s, size_t len) {
  last(s)->len += len;
  s->accepted += len;
}

bool fog_writer_may_borrow(const struct fog_writer *s) { return s->payload == NULL; }

void fog_writer_borrow(struct fog_writer *s, const char *payload, size_t len) {
  s->payload = payload;
  s->payload_len = len;
  s->accepted += len;
}

size_t fog_writer_unsent(const struct fog_writer *s) { return s->head.len + s->payload_len + s->tail.len; }

int fog_writer_parts(const struct fog_writer *s, struct iovec parts[FOG_WRITER_PARTS]) {
  int n = 0;
  if (s->head.len > 0) parts[n++] = (struct iovec){s->head.data + s->head.from, s->head.len};
  if (s->payload_len > 0) parts[n++] = (struct iovec){(void *)(uintptr_t)s->payload, s->payload_len};
  if (s->tail.len > 0) parts[n++] = (struct iovec){s->tail.data + s->tail.from, s->tail.len};
  return n;
}

static size_t take(struct fog_chunk *c, size_t n) {
  size_t taken = n < c->len ? n : c->len;
  c->from += taken;
  c->len -= taken;
  if (c->len == 0) c->from = 0;
  return n - taken;
}

static void free_chunk(struct fog_chunk *c) {
  free(c->data);
  *c = (struct fog_chunk){NULL, 0, 0, 0};
}

void fog_writer_sent(struct fog_writer *s, size_t n) {
  s->sent += n;
  n = take(&s->head, n);
  if (s->payload == NULL) return;
  size_t of_payload = n < s->payload_len ? n : s->payload_len;
  s->payload += of_payload;
  s->payload_len -= of_payload;
  if (s->payload_len > 0) return;
  s->payload = NULL;
  struct fog_chunk spare = s->head; /* empty: the payload came after it */
  s->head = s->tail;
  s->tail = spare;
  (void)take(&s->head, n - of_payload);
  if (s->tail.cap > FOG_WRITER_LARGE) free_chunk(&s->tail);
}

void fog_writer_clear(struct fog_writer *s) {
  free_chunk(&s->head);
  free_chunk(&s->tail);
  *s = (struct fog_writer){.payload = NULL};
}
