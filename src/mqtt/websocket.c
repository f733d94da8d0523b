/* SPDX-License-Identifier: MIT
 *
 * A WebSocket (RFC 6455) as a filter: the opening request, then frames. What is read lands where the reader wants it
 * and is freed of its heads there; what is written is masked on its way into one frame, which goes out whole.
 */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dial.h"
#include "filter.h"
#include "frames.h"
#include "http_head.h"

enum { NAME_TEXT = 320, KEY_TEXT = 25, ACCEPT_TEXT = 29, MASKS = 64, ROUNDS = 8, GONE = 1000, WRONG = 1002 };

struct websocket {
  struct fog_layer layer;
  const struct fog_connection_options *o;
  struct fog_http_head head; /* until it is read: then what came behind it */
  size_t behind;             /* how far that has been read */
  bool asked, open;
  bool said_close;
  struct fog_frames frames;
  unsigned char masks[MASKS]; /* random bytes that no frame has had yet: the last `masks_left` */
  size_t masks_left;
  char accept[ACCEPT_TEXT];
};

static struct websocket *of(struct fog_layer *l) { return (struct websocket *)l; }

static int fail(struct fog_connection_error *error, bool final, const char *text) {
  return fog_connection_fail(error, FOG_CONNECTION_WEBSOCKET, final, "%s", text);
}

/* --- the opening --- */

/* The key, 16 random bytes, and what the server must make of it (4.2.2). */
static bool make_key(struct websocket *w, char key[KEY_TEXT]) {
  unsigned char random[16], digest[EVP_MAX_MD_SIZE];
  char joined[KEY_TEXT + 36];
  unsigned len = 0;
  if (RAND_bytes(random, sizeof random) != 1) return false;
  (void)EVP_EncodeBlock((unsigned char *)key, random, sizeof random);
  (void)snprintf(joined, sizeof joined, "%s%s", key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  if (EVP_Digest(joined, strlen(joined), digest, &len, EVP_sha1(), NULL) != 1 || len != 20) return false;
  (void)EVP_EncodeBlock((unsigned char *)w->accept, digest, (int)len);
  return true;
}

/* The host as the request names it: without the port that goes without saying. */
static void name_host(const struct fog_connection_options *o, char *text, size_t capacity) {
  fog_dial_name(o->host, o->port, text, capacity);
  if (o->port == (o->tls ? 443 : 80)) *strrchr(text, ':') = '\0';
}

static bool is_path(const char *path) {
  if (*path != '/') return false;
  for (; *path != '\0'; path++) {
    if ((unsigned char)*path <= ' ' || *path == 127) return false;
  }
  return true;
}

/* Each line is "name: value", ended by CR LF, and no other control character is in it. */
static bool are_headers(const char *at) {
  while (*at != '\0') {
    size_t len = strcspn(at, "\r\n");
    const char *colon = memchr(at, ':', len);
    if (colon == NULL || colon == at || at[len] != '\r' || at[len + 1] != '\n') return false;
    for (const char *c = at; c < at + len; c++) {
      if (((unsigned char)*c < ' ' && *c != '\t') || *c == 127 || (*c == ' ' && c < colon)) return false;
    }
    at += len + 2;
  }
  return true;
}

/* Whether the user gave a Host of his own, which then stands alone. */
static bool have_host(const char *headers) {
  for (; *headers != '\0'; headers += strcspn(headers, "\n") + 1) {
    if (strncasecmp(headers, "Host:", 5) == 0) return true;
  }
  return false;
}

static int ask(struct websocket *w, struct fog_connection_error *error) {
  const struct fog_connection_options *o = w->o;
  const char *path = o->path == NULL ? "/mqtt" : o->path, *headers = o->headers == NULL ? "" : o->headers;
  char *request = fog_loop_gather(w->layer.loop), key[KEY_TEXT], host[NAME_TEXT];
  if (!is_path(path))
    return fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "path: begins with / and has no blanks");
  if (!are_headers(headers))
    return fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "headers: lines of a name, a colon and a value");
  if (!make_key(w, key))
    return fog_connection_fail(error, FOG_CONNECTION_LOCAL, false,
                               "WebSocket: OpenSSL gives no random bytes or no SHA-1");
  name_host(o, host, sizeof host);
  bool own = have_host(headers);
  int len = snprintf(request, FOG_LOOP_GATHER,
                     "GET %s HTTP/1.1\r\n%s%s%sUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n%s\r\n",
                     path, own ? "" : "Host: ", own ? "" : host, own ? "" : "\r\n", key, headers);
  if (len < 0 || len >= FOG_LOOP_GATHER)
    return fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "headers: longer than 16 KiB with the path");
  w->asked = true;
  return w->layer.below->does->put(w->layer.below, request, (size_t)len, error);
}

/* Whether a list of tokens has this one. */
static bool lists(const char *list, const char *token) {
  size_t len = strlen(token);
  for (; list != NULL && *list != '\0'; list += strcspn(list, ",")) {
    list += strspn(list, ", \t");
    if (strncasecmp(list, token, len) == 0 && strchr(", \t", list[len]) != NULL) return true;
  }
  return false;
}

static int judge(const struct websocket *w, struct fog_connection_error *error) {
  const char *reason, *accept = fog_http_head_field(&w->head, "Sec-WebSocket-Accept"),
                      *protocol = fog_http_head_field(&w->head, "Sec-WebSocket-Protocol");
  int status = fog_http_head_status(&w->head, &reason);
  bool later = status == 408 || status == 429 || status >= 500;
  if (status != 101)
    return fog_connection_fail(error, FOG_CONNECTION_WEBSOCKET, !later, "the WebSocket was refused: %d %s", status,
                               reason);
  if (!lists(fog_http_head_field(&w->head, "Upgrade"), "websocket") ||
      !lists(fog_http_head_field(&w->head, "Connection"), "upgrade"))
    return fail(error, true, "the answer does not upgrade to a WebSocket");
  if (accept == NULL || strcmp(accept, w->accept) != 0)
    return fail(error, true, "the answer to the WebSocket's key is wrong (Sec-WebSocket-Accept)");
  if (protocol != NULL && strcmp(protocol, "mqtt") != 0)
    return fail(error, true, "the server chose another subprotocol than mqtt (Sec-WebSocket-Protocol)");
  if (fog_http_head_field(&w->head, "Sec-WebSocket-Extensions") != NULL)
    return fail(error, true, "the server uses an extension that was not offered (Sec-WebSocket-Extensions)");
  return 1;
}

static int shake(struct fog_layer *l, struct fog_connection_error *error) {
  struct websocket *w = of(l);
  if (w->open) return 1;
  if (!w->asked && ask(w, error) != 0) return -1;
  int rc = fog_http_head_read(&w->head, l->below, FOG_CONNECTION_WEBSOCKET, error);
  if (rc < 0 && error->kind == FOG_CONNECTION_CLOSED)
    return fail(error, false, "the other side closed instead of answering the WebSocket's request");
  if (rc <= 0) return rc;
  if (judge(w, error) < 0) return -1;
  w->open = true;
  w->behind = w->head.end;
  if (w->behind == w->head.len) fog_http_head_free(&w->head);
  return 1;
}

/* --- writing --- */

/* One frame whose payload stands in the gathering buffer, FOG_FRAME_HEAD bytes from its beginning, unmasked. */
static int send_frame(struct websocket *w, unsigned opcode, size_t len, struct fog_connection_error *error) {
  char *payload = fog_loop_gather(w->layer.loop) + FOG_FRAME_HEAD;
  if (w->masks_left < 4) {
    if (RAND_bytes(w->masks, MASKS) != 1)
      return fog_connection_fail(error, FOG_CONNECTION_LOCAL, false, "WebSocket: OpenSSL gives no random bytes");
    w->masks_left = MASKS;
  }
  const unsigned char *mask = w->masks + MASKS - w->masks_left;
  w->masks_left -= 4;
  char *frame = fog_frames_head(payload, opcode, len, mask);
  fog_frames_mask(payload, payload, len, mask, 0);
  return w->layer.below->does->put(w->layer.below, frame, (size_t)(payload + len - frame), error);
}

static void send_control(struct websocket *w, unsigned opcode, const void *payload, size_t len) {
  struct fog_connection_error ignored; /* the next read tells */
  if (len > 0) memcpy(fog_loop_gather(w->layer.loop) + FOG_FRAME_HEAD, payload, len);
  (void)send_frame(w, opcode, len, &ignored);
}

static void say_close(struct websocket *w, unsigned code) {
  unsigned char two[2] = {(unsigned char)(code >> 8), (unsigned char)code};
  if (!w->said_close) send_control(w, FOG_FRAME_CLOSE, two, sizeof two);
  w->said_close = true;
}

/* Not while the socket is full: pings that come meanwhile are answered once. */
static void answer_ping(struct websocket *w) {
  if (!w->frames.ping || w->said_close || fog_socket_full(&w->layer)) return;
  w->frames.ping = false;
  send_control(w, FOG_FRAME_PONG, w->frames.pinged, w->frames.ping_len);
}

static int writable(struct fog_layer *l, struct fog_connection_error *error) {
  (void)error;
  answer_ping(of(l));
  return 0;
}

/* Copies from the parts what fits into one frame, beginning at `skip`. */
static size_t gather(const struct websocket *w, const struct iovec *parts, int count, size_t skip) {
  char *to = fog_loop_gather(w->layer.loop) + FOG_FRAME_HEAD;
  size_t capacity = FOG_LOOP_GATHER - FOG_FRAME_HEAD, len = 0;
  for (int i = 0; i < count && len < capacity; i++) {
    if (skip >= parts[i].iov_len) {
      skip -= parts[i].iov_len;
      continue;
    }
    size_t n = parts[i].iov_len - skip;
    if (n > capacity - len) n = capacity - len;
    memcpy(to + len, (const char *)parts[i].iov_base + skip, n);
    len += n;
    skip = 0;
  }
  return len;
}

static int is_over(struct websocket *w, struct fog_connection_error *error);

static ssize_t write_some(struct fog_layer *l, const struct iovec *parts, int count,
                          struct fog_connection_error *error) {
  struct websocket *w = of(l);
  size_t taken = 0;
  if (is_over(w, error) < 0) return -1;
  while (!fog_socket_full(l)) {
    size_t len = gather(w, parts, count, taken);
    if (len == 0) break;
    if (send_frame(w, FOG_FRAME_BINARY, len, error) != 0) return -1;
    taken += len;
  }
  return (ssize_t)taken;
}

/* --- reading --- */

static int is_over(struct websocket *w, struct fog_connection_error *error) {
  const char *reason;
  size_t len;
  if (w->frames.why != NULL) {
    say_close(w, WRONG);
    return fail(error, false, w->frames.why);
  }
  if (!w->frames.closed) return 0;
  unsigned code = fog_frames_close_code(&w->frames, &reason, &len);
  say_close(w, GONE);
  return fog_connection_fail(error, FOG_CONNECTION_CLOSED, false, "the other side closed the WebSocket: %u%s%.*s", code,
                             len > 0 ? " " : "", (int)len, reason);
}

/* As they come: first what followed the answer. */
static ssize_t read_raw(struct websocket *w, char *to, size_t len, struct fog_connection_error *error) {
  size_t behind = w->head.len - w->behind;
  if (w->head.bytes == NULL) return w->layer.below->does->read(w->layer.below, to, len, error);
  if (behind > len) behind = len;
  memcpy(to, w->head.bytes + w->behind, behind);
  w->behind += behind;
  if (w->behind == w->head.len) fog_http_head_free(&w->head);
  return (ssize_t)behind;
}

/* After some rounds of frames without a payload it is the others' turn: the filter below says whether it has more. */
static ssize_t read_some(struct fog_layer *l, char *to, size_t len, struct fog_connection_error *error) {
  struct websocket *w = of(l);
  for (int round = 0; round < ROUNDS && len > 0; round++) {
    if (is_over(w, error) < 0) return -1;
    ssize_t n = read_raw(w, to, len, error);
    if (n <= 0) return n;
    size_t payload = fog_frames_read(&w->frames, to, (size_t)n);
    answer_ping(w);
    if (payload > 0) return (ssize_t)payload;
  }
  return 0;
}

static bool more(const struct fog_layer *l) {
  const struct websocket *w = (const struct websocket *)l;
  return w->head.bytes != NULL || w->frames.why != NULL || w->frames.closed ||
         (l->below->does->more != NULL && l->below->does->more(l->below));
}

static void leave(struct fog_layer *l) { say_close(of(l), GONE); }

static void forget(struct fog_layer *l) {
  fog_http_head_free(&of(l)->head);
  free(l);
}

struct fog_layer *fog_websocket_new(struct fog_layer *below, const struct fog_connection_options *o,
                                    struct fog_connection_error *error) {
  static const struct fog_layer_functions functions = {.doing = "WebSocket handshake with",
                                                       .shake = shake,
                                                       .read = read_some,
                                                       .write = write_some,
                                                       .writable = writable,
                                                       .more = more,
                                                       .leave = leave,
                                                       .forget = forget};
  struct websocket *w = calloc(1, sizeof *w);
  if (w == NULL) {
    (void)fog_connection_fail(error, FOG_CONNECTION_LOCAL, false, "WebSocket: no memory");
    return NULL;
  }
  w->layer = (struct fog_layer){.does = &functions, .below = below, .loop = below->loop};
  w->o = o;
  return &w->layer;
}
