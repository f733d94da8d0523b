/* SPDX-License-Identifier: MIT
 *
 * What a broker sends past Paho: a stream cut into any pieces is read as Paho reads it, while the sink of direct.c
 * hands PUBLISH packets to an inbox. Against a plain parser of the same stream: each packet goes one way or the other,
 * once, whole and in order; a message in the inbox is what the packet says; QoS 1 and 2 are acknowledged by their ids,
 * in order; a message of QoS 2 comes once until its release.
 * Input: a byte of switches, a byte for the pieces, then what follows CONNACK.
 */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

static time_t clock_of_input(void);
#define time(nothing) clock_of_input() /* the first packet of every second is Paho's: the input makes the seconds */
#include "../src/paho/paho_lean_sift.c"
#undef time
#include "../src/paho/direct.h"
#include "fuzz.h"

enum { MOST = 4096 };

static const uint8_t connect_3[] = {0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 1, 'c'};
static const uint8_t connack_3[] = {0x20, 2, 0, 0};
static const uint8_t connect_5[] = {0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 0, 0, 1, 'c'};
static const uint8_t connack_5[] = {0x20, 3, 0, 0, 0};

/* The stream, how much of it the kernel has given, and up to where its packets have been seen. */
static struct {
  uint8_t bytes[MOST + 8];
  size_t size, given, seen, piece, seconds, turns;
  uint8_t acks[MOST * 4];
  size_t acked;
  bool v5, direct, open[65536]; /* direct: the sink is there; open: ids of QoS 2 that are not released */
  struct fog_inbox inbox;
} run;

static time_t clock_of_input(void) { return (time_t)(run.seconds == 0 ? 1 : 1 + run.turns++ / run.seconds); }

/* --- what the linker puts around these files in the library --- */

ssize_t __real_recv(int fd, void *buf, size_t len, int flags) {
  size_t n = run.size - run.given;
  (void)fd, (void)flags;
  if (n > run.piece) n = run.piece;
  if (n > len) n = len;
  memcpy(buf, run.bytes + run.given, n);
  run.given += n;
  return (ssize_t)n;
}

int __real_close(int fd) { return fd < 0; }
int __real_poll(struct pollfd *fds, nfds_t n, int timeout) { return fds == NULL ? timeout : (int)n; }
int __real_SSL_set_fd(SSL *ssl, int fd) { return ssl == NULL && fd < 0; }
int __real_SSL_pending(const SSL *ssl) { return ssl == NULL; }
int __real_SSL_connect(SSL *ssl) { return ssl == NULL; }
void fog_lean_put_off(struct fog_lean *s) { must(s->out_to > 0); }
void fog_lean_wake_receiver(void) {}
bool fog_lean_is_mine(void) { return true; }
void fog_session_announce(struct fog_session *s, struct fog_standing_event *ev) { must(s == NULL && ev == NULL); }
void __real_ERR_clear_error(void) {}
int __real_SSL_read(SSL *ssl, void *buf, int len) { return ssl == NULL && buf == NULL ? len : -1; }
int __real_SSL_write(SSL *ssl, const void *buf, int len) { return ssl == NULL && buf == NULL ? len : -1; }
int __real_SSL_get_error(const SSL *ssl, int rc) { return ssl == NULL ? rc : -1; }
int __real_SSL_shutdown(SSL *ssl) { return ssl == NULL; }
void __real_SSL_free(SSL *ssl) { must(ssl == NULL); }

/* --- the plain parser --- */

/* A variable length at p, of at most n bytes: how many it takes; 0: it is not whole, or none. */
static size_t varint(const uint8_t *p, size_t n, size_t *value) {
  *value = 0;
  for (size_t i = 0; i < n && i < 4; i++) {
    *value |= (size_t)(p[i] & 127) << (7 * i);
    if (p[i] < 128) return i + 1;
  }
  return 0;
}

/* The whole length of the next packet of the stream, *body behind its header; 0: there is no whole one. */
static size_t next_packet(const uint8_t **p, const uint8_t **body) {
  size_t left, n = run.size - run.seen;
  *p = run.bytes + run.seen;
  size_t used = n < 2 ? 0 : varint(*p + 1, n - 1, &left);
  if (used == 0 || 1 + used + left > n) return 0;
  *body = *p + 1 + used;
  return 1 + used + left;
}

struct publish {
  uint8_t qos;
  const uint8_t *topic, *id, *properties, *payload;
  size_t topic_len, properties_len, payload_len;
};

/* False: it is none that MQTT allows. */
static bool parse(const uint8_t *p, const uint8_t *body, const uint8_t *end, struct publish *m) {
  m->qos = p[0] >> 1 & 3;
  if (p[0] >> 4 != 3 || m->qos > 2 || end - body < 2) return false;
  m->topic = body + 2;
  m->topic_len = (size_t)body[0] << 8 | body[1];
  if ((size_t)(end - m->topic) < m->topic_len + (m->qos > 0 ? 2 : 0)) return false;
  m->id = m->topic + m->topic_len;
  m->properties = m->id + (m->qos > 0 ? 2 : 0);
  m->properties_len = 0;
  if (run.v5) {
    size_t used = varint(m->properties, (size_t)(end - m->properties), &m->properties_len);
    if (used == 0 || m->properties_len > (size_t)(end - m->properties) - used) return false;
    m->properties += used;
  }
  m->payload = m->properties + m->properties_len;
  m->payload_len = (size_t)(end - m->payload);
  return true;
}

static size_t number(const uint8_t *p) { return (size_t)p[0] << 8 | p[1]; }

static void acknowledge(const struct publish *m) {
  if (m->qos == 0) return;
  memcpy(run.acks + run.acked, (uint8_t[]){m->qos == 1 ? 0x40 : 0x50, 2, m->id[0], m->id[1]}, 4);
  run.acked += 4;
}

/* Those of QoS 2 that come again before their release are acknowledged and not seen by anybody. */
static void skip_repeated(void) {
  const uint8_t *p, *body;
  struct publish m;
  for (size_t n; (n = next_packet(&p, &body)) > 0; run.seen += n) {
    if (!parse(p, body, p + n, &m) || m.qos != 2 || !run.open[number(m.id)]) return;
    acknowledge(&m);
  }
}

static bool same(const char *a, size_t a_len, const uint8_t *b, size_t b_len) {
  return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static void deliver(void *link, const struct fog_message_view *m) {
  const uint8_t *p, *body;
  struct fog_message_view v;
  struct publish is;
  bool first;
  skip_repeated();
  size_t size = next_packet(&p, &body);
  must(link == &run && size > 0 && parse(p, body, p + size, &is));
  must(fog_inbox_push(&run.inbox, m, &first) != FOG_INBOX_OVERFLOW && fog_inbox_next(&run.inbox, &v));
  must(v.qos == is.qos && v.retained == (p[0] & 1) && v.dup == (p[0] >> 3 & 1));
  must(same(v.topic, v.topic_len, is.topic, is.topic_len));
  must(same(v.properties, v.properties_len, is.properties, is.properties_len));
  must(same(v.payload, v.payload_len, is.payload, is.payload_len));
  acknowledge(&is);
  if (is.qos == 2) run.open[number(is.id)] = true;
  run.seen += size;
}

/* --- the reader --- */

/* As Paho: so many bytes, and no more. False: there is no more. */
static bool read_bytes(struct fog_lean *s, uint8_t *to, size_t len) {
  while (len > 0) {
    ssize_t n = fog_lean_recv(s, s->fd, to, len);
    if (n == 0 || (n < 0 && errno != EAGAIN)) return false;
    if (n < 0) continue;
    must((size_t)n <= len);
    to += n;
    len -= (size_t)n;
  }
  return true;
}

static bool read_packet(struct fog_lean *s) {
  static uint8_t packet[MOST + 8];
  size_t len = 1, left = 0;
  const uint8_t *p, *body;
  if (!read_bytes(s, packet, 1)) return false;
  do {
    if (len == 5 || !read_bytes(s, packet + len, 1)) return false;
    left |= (size_t)(packet[len] & 127) << (7 * (len - 1));
  } while (packet[len++] >= 128);
  if (left > sizeof packet - len || !read_bytes(s, packet + len, left)) return false;
  skip_repeated();
  if (run.direct && packet[0] >> 4 == 6 && left >= 2) run.open[number(packet + len)] = false;
  must(next_packet(&p, &body) == len + left && memcmp(p, packet, len + left) == 0);
  run.seen += len + left;
  return true;
}

static void check_end(const struct fog_lean *s) {
  const uint8_t *p, *body;
  if (atomic_load(&s->error) == 0) { /* else the guard let no more through */
    skip_repeated();
    must(next_packet(&p, &body) == 0); /* nothing that came whole is missing */
  }
  const char *sent = s->out == NULL ? "" : (const char *)s->out + s->out_from;
  must(same(sent, s->out_to - s->out_from, run.acks, run.acked));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int fd = -1;
  struct input in = {data, size < MOST ? size : MOST};
  uint8_t switches = take_byte(&in);
  memset(&run, 0, sizeof run);
  run.piece = 1u + take_byte(&in);
  run.v5 = (switches & 1) != 0;
  run.seconds = switches >> 2;
  run.size = run.v5 ? sizeof connack_5 : sizeof connack_3;
  memcpy(run.bytes, run.v5 ? connack_5 : connack_3, run.size);
  memcpy(run.bytes + run.size, in.at, in.left);
  run.size += in.left;
  fog_inbox_init(&run.inbox, 10, MOST);
  if (fd < 0) fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  fog_lean_open(fd);
  struct fog_lean *s = fog_lean_get(fd);
  must(s != NULL);
  if ((switches & 2) != 0)
    fog_lean_note_sent(s, run.v5 ? connect_5 : connect_3, run.v5 ? sizeof connect_5 : sizeof connect_3);
  struct fog_session session = {.id = 1};
  struct fog_direct direct = {.session = &session, .version = run.v5 ? 5 : 4, .deliver = deliver, .link = &run};
  if (read_packet(s)) {
    fog_direct_open(&direct, "tcp://localhost");
    run.direct = true;
    while (read_packet(s)) continue;
    check_end(s);
  }
  (void)fog_lean_close(s, fd);
  fog_open_ids_clear(&session.open_ids);
  fog_inbox_destroy(&run.inbox);
  return 0;
}
