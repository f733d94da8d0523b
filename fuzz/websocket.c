/* SPDX-License-Identifier: MIT
 *
 * What a WebSocket server or a proxy may say: the head of its answer, then frames. However the bytes are cut into
 * reads, the same payload and the same end come of them, nothing is read that was not said, and only what was is handed
 * on. Input: a byte for what is spoken (a proxy; a WebSocket from its answer on; one whose right answer is there
 * already), a byte for the cuts, then what is said; %%% in it becomes the right accept key.
 */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "../src/mqtt/filter.h"
#include "fuzz.h"

enum { ROOM = 16384, PROXY = 0, ANSWER = 1, FRAMES = 2 };

/* The lowest filter: says the input, and hears the request. */
struct source {
  struct fog_socket socket; /* first: the filters look whether it is full */
  char bytes[ROOM];
  size_t len, at, cut;
  char accept[32];
};

struct result {
  char payload[ROOM];
  size_t len;
  bool opened;
  struct fog_connection_error error;
};

static ssize_t source_read(struct fog_layer *l, char *to, size_t len, struct fog_connection_error *error) {
  struct source *s = (struct source *)l;
  size_t n = s->len - s->at;
  if (n == 0) return fog_connection_fail(error, FOG_CONNECTION_CLOSED, false, "closed");
  if (n > s->cut) n = s->cut;
  if (n > len) n = len;
  memcpy(to, s->bytes + s->at, n);
  s->at += n;
  return (ssize_t)n;
}

/* The request has the key; everything later is masked, and not ours to look at. */
static int source_put(struct fog_layer *l, const void *bytes, size_t len, struct fog_connection_error *error) {
  struct source *s = (struct source *)l;
  static const char name[] = "Sec-WebSocket-Key: ", tail[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const char *key = memmem(bytes, len, name, sizeof name - 1);
  char joined[24 + sizeof tail];
  unsigned char digest[20];
  (void)error;
  if (key == NULL || s->accept[0] != '\0') return 0;
  memcpy(joined, key + sizeof name - 1, 24);
  memcpy(joined + 24, tail, sizeof tail);
  (void)SHA1((const unsigned char *)joined, strlen(joined), digest);
  (void)EVP_EncodeBlock((unsigned char *)s->accept, digest, sizeof digest);
  return 0;
}

/* In place of OpenSSL's: both ways have the same key. */
int RAND_bytes(unsigned char *to, int len) {
  memset(to, 7, (size_t)len);
  return 1;
}

static const struct fog_layer_functions source_functions = {.read = source_read, .put = source_put};

static void say(struct source *s, const char *bytes, size_t len) {
  if (len > ROOM - s->len) len = ROOM - s->len;
  memcpy(s->bytes + s->len, bytes, len);
  s->len += len;
}

/* The input, with the accept key where it asks for that. */
static void say_input(struct source *s, struct input in) {
  while (in.left > 0) {
    if (in.left >= 3 && memcmp(in.at, "%%%", 3) == 0) {
      say(s, s->accept, strlen(s->accept));
      in.at += 3;
      in.left -= 3;
    } else {
      say(s, (const char *)in.at, 1);
      (void)take_byte(&in);
    }
  }
}

static const char right_answer[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";

static void read_frames(struct fog_layer *l, struct result *r) {
  static char room[ROOM];
  for (int idle = 0; idle < 2 * ROOM; idle++) {
    ssize_t n = l->does->read(l, room, sizeof room, &r->error);
    must(n >= -1 && n <= (ssize_t)sizeof room);
    if (n < 0) return;
    must(r->len + (size_t)n <= sizeof r->payload);
    memcpy(r->payload + r->len, room, (size_t)n);
    r->len += (size_t)n;
  }
  must(!"a read that ends");
}

static void talk(struct fog_loop *loop, int kind, size_t cut, struct input in, struct result *r) {
  static const struct fog_connection_options o = {.host = (char *)(uintptr_t)("broker"), .port = 80};
  static struct source s;
  s = (struct source){.cut = cut};
  s.socket.layer = (struct fog_layer){.does = &source_functions, .loop = loop};
  s.socket.watch.fd = -1;
  struct fog_layer *l =
      kind == PROXY ? fog_proxy_new(&s.socket.layer, &o, &r->error) : fog_websocket_new(&s.socket.layer, &o, &r->error);
  must(l != NULL);
  s.cut = 0; /* nothing is there yet: the request goes out */
  s.len = 1;
  must(l->does->shake(l, &r->error) == 0);
  s.len = 0;
  s.cut = cut;
  if (kind == FRAMES) {
    say(&s, right_answer, sizeof right_answer - 1);
    say(&s, s.accept, strlen(s.accept));
    say(&s, "\r\n\r\n", 4);
  }
  say_input(&s, in);
  int rc = l->does->shake(l, &r->error);
  must(rc == 1 || rc == -1);
  r->opened = rc == 1;
  must(kind != FRAMES || r->opened);
  if (r->opened && kind != PROXY) read_frames(l, r);
  must(r->len <= in.left + sizeof s.accept * in.left);
  if (l->does->leave != NULL) l->does->leave(l);
  l->does->forget(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct fog_loop *loop;
  static struct result whole, cut;
  struct input in = {data, size};
  int kind = take_byte(&in) % 3;
  size_t piece = 1 + take_byte(&in) % 32u;
  if (loop == NULL) loop = fog_loop_new();
  must(loop != NULL);
  memset(&whole, 0, sizeof whole);
  memset(&cut, 0, sizeof cut);
  talk(loop, kind, ROOM, in, &whole);
  talk(loop, kind, piece, in, &cut);
  if (kind == PROXY && strstr(whole.error.text, "nobody asked for") != NULL)
    return 0; /* it depends on when they come */
  must(whole.opened == cut.opened && whole.len == cut.len && memcmp(whole.payload, cut.payload, whole.len) == 0);
  if (whole.opened && kind == PROXY) return 0;
  must(whole.error.kind == cut.error.kind && strcmp(whole.error.text, cut.error.text) == 0);
  for (const char *at = whole.error.text; *at != '\0'; at++) must((unsigned char)*at >= ' ' && *at != 127);
  return 0;
}
