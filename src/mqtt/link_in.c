/* SPDX-License-Identifier: MIT
 *
 * Bytes in: one read of at most a scratch buffer in a turn, all whole packets of it consumed under one lock of the
 * inbox, the rest kept. A packet that is larger than the scratch buffer is read into a buffer of its own, which grows
 * with what has come and not with what a header claims.
 */
#include <stdlib.h>
#include <string.h>

#include "link.h"

enum { SPARSE = 16384, FIRST_IN = 4096 };

static void unlock(struct fog_session *s, bool *locked) {
  if (*locked && fog_inbox_end(&s->inbox)) fog_session_announce(s, &s->messages);
  *locked = false;
}

/* One packet of so many bytes. The inbox is locked for as long as one PUBLISH follows the other. */
static enum fog_step take(struct fog_link *link, const char *bytes, int64_t size, bool *locked,
                          struct fog_packet_fault *fault) {
  struct fog_packet p;
  if (size < 0) {
    *fault = (struct fog_packet_fault){FOG_MALFORMED_PACKET, "its length"};
    return FOG_STEP_FAULT;
  }
  if (!fog_link_decode(link, bytes, (size_t)size, &p, fault)) return FOG_STEP_FAULT;
  if (p.type != FOG_PUBLISH) {
    unlock(link->session, locked);
  } else if (!*locked) {
    fog_inbox_begin(&link->session->inbox);
    *locked = true;
  }
  return fog_link_packet(link, &p, fault);
}

/* A packet that is larger than we take ends the link by its length alone: what it claims is not waited for. */
static bool is_awaited(const struct fog_link *link, int64_t size, size_t len) {
  uint32_t most = link->options->maximum_packet_size;
  return size == 0 || (size > (int64_t)len && (most == 0 || size <= (int64_t)most));
}

/* Consumes whole packets; how many bytes of them. Stops where the link rests or ends. */
static size_t consume(struct fog_link *link, const char *bytes, size_t len) {
  size_t at = 0;
  bool locked = false;
  while (at < len && link->state != FOG_NONE) {
    struct fog_packet_fault fault;
    int64_t size = fog_packet_length(bytes + at, len - at);
    if (is_awaited(link, size, len - at)) break;
    enum fog_step step = take(link, bytes + at, size, &locked, &fault);
    if (step == FOG_STEP_FAULT) {
      unlock(link->session, &locked);
      fog_link_fault(link, (enum fog_packet_type)((unsigned char)bytes[at] >> 4), &fault);
      return len;
    }
    link->resting = step == FOG_STEP_REST;
    if (link->resting) break;
    at += (size_t)size;
  }
  unlock(link->session, &locked);
  return at;
}

static void rest(struct fog_link *link, bool on) {
  fog_connection_reading(link->connection, !on);
  atomic_store(&link->session->resting, on);
}

/* Keeps what is left of bytes that stand elsewhere. False: no memory, and the link has ended. */
static bool keep(struct fog_link *link, const char *bytes, size_t len) {
  struct fog_chunk *in = &link->in;
  if (len == 0 || link->state == FOG_NONE) return link->state != FOG_NONE;
  if (in->cap < len) {
    char *data = realloc(in->data, len);
    if (data == NULL) {
      fog_link_no_memory(link);
      return false;
    }
    in->data = data;
    in->cap = len;
  }
  memcpy(in->data, bytes, len);
  in->from = 0;
  in->len = len;
  return true;
}

static void drop_consumed(struct fog_chunk *in, size_t n) {
  in->from += n;
  in->len -= n;
  if (in->len > 0) return;
  free(in->data);
  *in = (struct fog_chunk){NULL, 0, 0, 0};
}

void fog_link_consume(struct fog_link *link) {
  bool was_resting = link->resting;
  if (link->in.len > 0) {
    link->resting = false;
    size_t n = consume(link, link->in.data + link->in.from, link->in.len);
    if (link->state == FOG_NONE) return;
    drop_consumed(&link->in, n);
  } else if (was_resting && !atomic_load(&link->session->hold)) {
    link->resting = false;
  }
  if (was_resting == link->resting) return;
  rest(link, link->resting);
  if (!link->resting) link->received_ms = fog_loop_now(link->loop);
}

/* Room behind what is kept, for a packet that is larger than the scratch buffer. 0: no memory. */
static size_t grow_in(struct fog_chunk *in) {
  if (in->from > 0) memmove(in->data, in->data + in->from, in->len);
  in->from = 0;
  if (in->cap - in->len >= FIRST_IN) return in->cap - in->len;
  char *data = realloc(in->data, in->cap * 2 + FIRST_IN);
  if (data == NULL) return 0;
  in->data = data;
  in->cap = in->cap * 2 + FIRST_IN;
  return in->cap - in->len;
}

/* A read into the buffer of the link's own. */
static void read_large(struct fog_link *link) {
  struct fog_connection_error error;
  size_t room = grow_in(&link->in);
  if (room == 0) {
    fog_link_no_memory(link);
    return;
  }
  ssize_t n = fog_connection_read(link->connection, link->in.data + link->in.len, room, &error);
  if (n < 0) fog_link_lost(link, &error);
  if (n <= 0) return;
  link->received_ms = fog_loop_now(link->loop);
  link->in.len += (size_t)n;
  fog_link_consume(link);
}

/* A read into the scratch buffer, behind the little that is kept. */
static void read_many(struct fog_link *link) {
  struct fog_connection_error error;
  char *scratch = fog_loop_scratch(link->loop);
  size_t kept = link->in.len;
  if (kept > 0) memcpy(scratch, link->in.data + link->in.from, kept);
  ssize_t n = fog_connection_read(link->connection, scratch + kept, FOG_LOOP_SCRATCH - kept, &error);
  if (n < 0) fog_link_lost(link, &error);
  if (n <= 0) return;
  link->received_ms = fog_loop_now(link->loop);
  drop_consumed(&link->in, kept);
  size_t used = consume(link, scratch, kept + (size_t)n);
  if (link->state == FOG_NONE || !keep(link, scratch + used, kept + (size_t)n - used)) return;
  if (link->resting) rest(link, true);
}

void fog_link_readable(struct fog_link *link) {
  if (link->state == FOG_NONE || link->connection == NULL) return;
  if (link->resting) { /* told although nothing is to be read: the connection is broken */
    fog_link_down(link, &(struct fog_loss){.kind = "closed", .text = "the connection was closed"});
  } else if (link->in.len < SPARSE)
    read_many(link);
  else
    read_large(link);
  if (link->state == FOG_UP || link->state == FOG_GREETING) fog_link_flush(link);
  fog_link_settle(link);
}
