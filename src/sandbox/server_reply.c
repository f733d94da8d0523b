/* SPDX-License-Identifier: MIT
 *
 * Replies: whole ones, those that a fault makes slow, late or short, and streams that end when the peer leaves.
 */
#include <stdlib.h>
#include <string.h>

#include "now.h"
#include "server_open.h"

enum { PIECE = 1024, STREAM_PIECE = 32768, STREAM_LOOK_S = 60 };

/* The body of a reply that does not come in one piece. */
struct piecewise {
  struct open_request *request;
  size_t len, end; /* end: as far as it goes */
  unsigned trickle_ms;
  char body[];
};

static ssize_t read_piece(void *arg, uint64_t pos, char *buf, size_t max) {
  struct piecewise *p = arg;
  struct open_request *r = p->request;
  if (r->cut || (pos >= p->end && p->end < p->len)) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (pos >= p->len) return MHD_CONTENT_READER_END_OF_STREAM;
  size_t n = p->end - (size_t)pos;
  if (p->trickle_ms > 0 && !r->hurried) {
    double t = fog_now();
    if (r->wake_at > t) {
      r->asleep = true;
      MHD_suspend_connection(r->connection);
      return 0;
    }
    r->wake_at = t + p->trickle_ms / 1e3;
    n = 1;
  }
  if (n > max) n = max;
  memcpy(buf, p->body + pos, n);
  return (ssize_t)n;
}

static struct MHD_Response *make_response(struct open_request *r, const char *body, size_t len,
                                          const struct fog_server_fault *fault) {
  if (fault->cut_after < 0 && fault->trickle_ms == 0)
    return MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
  struct piecewise *p = malloc(sizeof *p + len);
  if (p == NULL) return NULL;
  p->request = r;
  p->len = len;
  p->end = fault->cut_after >= 0 && (uint64_t)fault->cut_after < len ? (size_t)fault->cut_after : len;
  p->trickle_ms = fault->trickle_ms;
  memcpy(p->body, body, len);
  return MHD_create_response_from_callback(len, PIECE, read_piece, p, free);
}

static void add_headers(struct MHD_Response *response, const char *const *headers) {
  char line[1024];
  for (; *headers != NULL; headers++) {
    size_t n = strlen(*headers);
    if (n >= sizeof line) continue;
    memcpy(line, *headers, n + 1);
    char *colon = strchr(line, ':');
    if (colon == NULL) continue;
    *colon = '\0';
    (void)MHD_add_response_header(response, line, colon + 1 + strspn(colon + 1, " "));
  }
}

static struct open_request *find(struct fog_server *s, uint64_t id) {
  struct open_request *r = s->open;
  while (r != NULL && r->request.id != id) r = r->next_open;
  return r;
}

bool fog_server_reply(struct fog_server *s, uint64_t id, unsigned status, const char *const *headers, const char *body,
                      size_t len, const struct fog_server_fault *fault) {
  struct open_request *r = find(s, id);
  if (r == NULL || r->answered) return false;
  r->answered = true;
  r->cut = fault->cut;
  r->hang_up = fault->hang_up;
  r->status = status;
  if (!r->cut) {
    r->response = make_response(r, body, len, fault);
    if (r->response != NULL) add_headers(r->response, headers);
  }
  r->asleep = fault->delay > 0;
  if (r->asleep)
    r->wake_at = fog_now() + fault->delay;
  else
    MHD_resume_connection(r->connection);
  return true;
}

/* A stream sleeps while it has nothing to say; woken without anything, it looks whether its peer is there. */
static ssize_t read_stream(void *arg, uint64_t pos, char *buf, size_t max) {
  struct open_request *r = arg;
  struct fog_stream *stream = &r->stream;
  (void)pos;
  if (r->cut) return MHD_CONTENT_READER_END_OF_STREAM;
  if (stream->len == 0) {
    r->asleep = true;
    r->wake_at = fog_now() + (double)STREAM_LOOK_S;
    MHD_suspend_connection(r->connection);
    return 0;
  }
  size_t n = stream->len < max ? stream->len : max;
  memcpy(buf, stream->bytes, n);
  stream->len -= n;
  memmove(stream->bytes, stream->bytes + n, stream->len);
  return (ssize_t)n;
}

bool fog_server_stream(struct fog_server *s, uint64_t id, const char *const *headers) {
  struct open_request *r = find(s, id);
  if (r == NULL || r->answered) return false;
  r->answered = true;
  r->status = MHD_HTTP_OK;
  r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_PIECE, read_stream, r, NULL);
  if (r->response != NULL) add_headers(r->response, headers);
  MHD_resume_connection(r->connection);
  return true;
}

static bool grow(struct fog_stream *stream, size_t len) {
  size_t want = stream->cap == 0 ? STREAM_PIECE : stream->cap;
  while (want < stream->len + len) want *= 2;
  char *grown = want == stream->cap ? stream->bytes : realloc(stream->bytes, want);
  if (grown == NULL) return false;
  stream->bytes = grown;
  stream->cap = want;
  return true;
}

bool fog_server_push(struct fog_server *s, uint64_t id, const char *bytes, size_t len) {
  struct open_request *r = find(s, id);
  if (r == NULL || r->cut) return false;
  struct fog_stream *stream = &r->stream;
  if (stream->len + len > FOG_STREAM_MAX || !grow(stream, len)) {
    r->cut = true;
  } else {
    memcpy(stream->bytes + stream->len, bytes, len);
    stream->len += len;
  }
  if (r->asleep) MHD_resume_connection(r->connection);
  r->asleep = false;
  return !r->cut;
}

void fog_server_hurry(struct fog_server *s) {
  for (struct open_request *r = s->open; r != NULL; r = r->next_open) {
    if (!r->answered) continue;
    r->hurried = true;
    r->wake_at = 0;
  }
}
