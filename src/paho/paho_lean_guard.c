/* SPDX-License-Identifier: MIT
 *
 * Paho 1.3.12 trusts its broker. Found by spec/fault/hostile_spec.lua: an acknowledgement of another kind than the
 * packet it names (a PUBACK for a QoS 2 message, a SUBACK with a publication's id) makes it free the message's topic
 * and payload while the publication still has them, and free them again later; malformed properties of MQTT 5 are read
 * beyond their end (traps: P16). Both are decided here, before Paho sees the packet as a whole:
 *
 *   - the first byte: a type that a broker sends, with the flags that belong to it;
 *   - the length against what must be in the packet, properties one by one;
 *   - CONNACK first, and once;
 *   - an acknowledgement against what its packet id was last used for on this connection. One that comes twice is let
 *     through, for Paho ignores it; one for an id that was never used is not;
 *   - a QoS 2 message against those whose PUBREL has not come: Paho leaks the one that it replaces.
 *
 * Paho acts on whole packets only, so it is enough to withhold the last byte. No packet is held back or changed: the
 * bytes of a packet that is cut by the end of a read are handed over at once and copied for the decision. The decision
 * needs the first bytes of a PUBLISH; its payload is skipped without a look.
 */
#include "paho_lean_guard.h"

#ifdef FOG_PAHO_LEAN

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT = 1, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK };
enum { PINGRESP = 13, DISCONNECT = 14, VERSION_5 = 5, REFUSED = 0x80, IDS = 65536 };

/* To be decided, a packet may have so many bytes: those before a payload, or all. Properties of MQTT 5 are the most
 * of them: five texts of 64 KiB and more must pass. */
enum { MOST = 1048576, PENDING_FIRST = 256 };

enum verdict { BAD = -1, MORE, GOOD };

/* What a packet id waits for; DONE is added once that has come. PUBREL: we owe it. */
enum { DONE = 0x80 };

struct stream {
  unsigned char *pending; /* the beginning of a packet that is not decided yet */
  size_t len, cap;
  size_t skip; /* bytes left of a packet that is decided */
};

struct fog_guard {
  bool begun, off, greeted;
  int version;
  struct stream sent, received;
  uint8_t ids[IDS];
  uint8_t unreleased[IDS / 8]; /* ids of received QoS 2 messages whose PUBREL has not come */
};

/* The bytes of a packet behind its fixed header: those that are there, and how many there will be. */
struct body {
  const unsigned char *at;
  size_t have, total;
};

typedef enum verdict look(struct fog_guard *g, unsigned first, const struct body *b);

struct fog_guard *fog_guard_new(void) {
  return calloc(1, sizeof(struct fog_guard));
}

void fog_guard_free(struct fog_guard *g) {
  if (g == NULL) return;
  free(g->sent.pending);
  free(g->received.pending);
  free(g);
}

/* --- pieces of packets --- */

/* A variable byte integer (5.0, 1.5.5) at `at`: *used bytes. */
static enum verdict read_varint(const unsigned char *p, size_t have, size_t *value, size_t *used) {
  *value = 0;
  for (size_t i = 0; i < 4; i++) {
    if (i >= have) return MORE;
    *value |= (size_t)(p[i] & 127) << (7 * i);
    *used = i + 1;
    if (p[i] < 128) return GOOD;
  }
  return BAD;
}

static size_t read_short(const unsigned char *p) { return (size_t)p[0] << 8 | p[1]; }

/* MORE while the packet may still bring n bytes, BAD when it cannot. */
static enum verdict need(const struct body *b, size_t n) {
  if (n > b->total) return BAD;
  return n <= b->have ? GOOD : MORE;
}

/* The types of MQTT 5's properties by their number (2.2.2.2): byte, short, integer, variable, text or bytes, pair. */
static const char property_types[] = {
    [1] = 'b',  [2] = 'i',  [3] = 't',  [8] = 't',  [9] = 't',  [11] = 'v', [17] = 'i', [18] = 't', [19] = 's',
    [21] = 't', [22] = 't', [23] = 'b', [24] = 'i', [25] = 'b', [26] = 't', [28] = 't', [31] = 't', [33] = 's',
    [34] = 's', [35] = 's', [36] = 'b', [37] = 'b', [38] = 'p', [39] = 'i', [40] = 'b', [41] = 'b', [42] = 'b'};

static size_t text_length(const unsigned char *p, size_t len) {
  size_t n = len < 2 ? 3 : 2 + read_short(p);
  return n <= len ? n : 0;
}

/* How long the value of a property is; 0: the property is unknown or goes beyond len bytes. */
static size_t value_length(unsigned id, const unsigned char *p, size_t len) {
  size_t n = 0, value;
  switch (id < sizeof property_types ? property_types[id] : 0) {
    case 'b':
      n = 1;
      break;
    case 's':
      n = 2;
      break;
    case 'i':
      n = 4;
      break;
    case 'v':
      if (read_varint(p, len, &value, &n) != GOOD) n = 0;
      break;
    case 't':
      n = text_length(p, len);
      break;
    case 'p':
      n = text_length(p, len);
      value = n == 0 ? 0 : text_length(p + n, len - n);
      n = value == 0 ? 0 : n + value;
      break;
    default:
      break;
  }
  return n <= len ? n : 0;
}

/* The properties that begin at `at`: *end is behind them. */
static enum verdict check_properties(const struct body *b, size_t at, size_t *end) {
  size_t len, used;
  enum verdict v = at > b->have ? need(b, at) : read_varint(b->at + at, b->have - at, &len, &used);
  if (v == MORE) return need(b, b->have + 1); /* its length is not whole */
  if (v == BAD) return BAD;
  *end = at + used + len;
  v = need(b, *end);
  if (v != GOOD) return v;
  for (at += used; at < *end;) {
    size_t n = value_length(b->at[at], b->at + at + 1, *end - at - 1);
    if (n == 0) return BAD;
    at += 1 + n;
  }
  return GOOD;
}

/* --- what the broker sends --- */

static enum verdict look_connack(struct fog_guard *g, const struct body *b) {
  size_t end = 2;
  enum verdict v = need(b, 2);
  if (v != GOOD) return v;
  if (b->at[0] > 1) return BAD;
  /* A broker that knows no MQTT 5 leaves the properties out; Paho then frees some that it never read. */
  if (g->version == VERSION_5) v = check_properties(b, 2, &end);
  if (v == GOOD && end != b->total) return BAD;
  if (v == GOOD) g->greeted = true;
  return v;
}

static enum verdict look_publish(struct fog_guard *g, unsigned first, const struct body *b) {
  unsigned qos = first >> 1 & 3;
  enum verdict v = need(b, 2);
  if (qos == 3) return BAD;
  if (v != GOOD) return v;
  size_t topic = read_short(b->at), end = 2 + topic + (qos > 0 ? 2 : 0);
  if (topic == 0) return BAD; /* aliases are the broker's to use only where we allowed some: never */
  v = need(b, end);
  if (v != GOOD) return v;
  size_t id = qos > 0 ? read_short(b->at + end - 2) : 1;
  if (id == 0 || (qos == 2 && (g->unreleased[id / 8] & 1u << id % 8) != 0)) return BAD;
  if (g->version == VERSION_5) v = check_properties(b, end, &end);
  if (v == GOOD && qos == 2) g->unreleased[id / 8] |= (uint8_t)(1u << id % 8);
  return v;
}

/* Whether this answer may come for an id in this state, and the state after it. */
static bool advance(uint8_t *state, unsigned answer, bool refused) {
  switch (answer) {
    case PUBACK:
    case SUBACK:
    case UNSUBACK:
      if ((*state & ~DONE) != answer) return false;
      *state |= DONE;
      return true;
    case PUBREC:
      if (*state == PUBREC) *state = refused ? PUBCOMP | DONE : PUBREL;
      return *state == PUBREL || (*state & ~DONE) == PUBCOMP;
    default:
      if ((*state & ~DONE) != PUBCOMP) return false;
      *state |= DONE;
      return true;
  }
}

/* PUBACK, PUBREC, PUBREL, PUBCOMP: an id, then in MQTT 5 perhaps a reason, then perhaps properties. */
static enum verdict look_ack(struct fog_guard *g, unsigned type, const struct body *b) {
  size_t end = 2;
  enum verdict v = need(b, b->total < 3 ? 2 : 3);
  if (v != GOOD) return v;
  bool reason = g->version == VERSION_5 && b->total > 2;
  if (reason) end = 3;
  if (reason && b->total > 3) v = check_properties(b, 3, &end);
  if (v == GOOD && end != b->total) return BAD;
  size_t id = read_short(b->at);
  if (v == GOOD && type == PUBREL) g->unreleased[id / 8] &= (uint8_t) ~(1u << id % 8);
  if (v != GOOD || type == PUBREL) return v;
  return advance(&g->ids[id], type, reason && b->at[2] >= REFUSED) ? GOOD : BAD;
}

/* SUBACK, UNSUBACK: an id, in MQTT 5 properties, a code for each filter, of which we send one. */
static enum verdict look_suback(struct fog_guard *g, unsigned type, const struct body *b) {
  size_t end = 2;
  size_t codes = type == SUBACK || g->version == VERSION_5 ? 1 : 0;
  enum verdict v = need(b, 2);
  if (v == GOOD && g->version == VERSION_5) v = check_properties(b, 2, &end);
  if (v != GOOD) return v;
  if (end + codes != b->total) return BAD;
  return advance(&g->ids[read_short(b->at)], type, false) ? GOOD : BAD;
}

static enum verdict look_disconnect(const struct body *b) {
  size_t end = b->total;
  enum verdict v = b->total < 2 ? GOOD : check_properties(b, 1, &end);
  return v == GOOD && end != b->total ? BAD : v;
}

static enum verdict look_received(struct fog_guard *g, unsigned first, const struct body *b) {
  unsigned type = first >> 4, flags = first & 15;
  if (type == PUBLISH) return g->greeted ? look_publish(g, first, b) : BAD;
  if (g->greeted == (type == CONNACK) || flags != (type == PUBREL ? 2 : 0)) return BAD;
  switch (type) {
    case CONNACK:
      return look_connack(g, b);
    case PUBACK:
    case PUBREC:
    case PUBREL:
    case PUBCOMP:
      return look_ack(g, type, b);
    case SUBACK:
    case UNSUBACK:
      return look_suback(g, type, b);
    case PINGRESP:
      return b->total == 0 ? GOOD : BAD;
    case DISCONNECT:
      return g->version == VERSION_5 ? look_disconnect(b) : BAD;
    default:
      return BAD; /* ours to send; or AUTH, which we never ask for */
  }
}

/* --- what Paho sends --- */

static enum verdict note_id(struct fog_guard *g, const struct body *b, size_t at, uint8_t state) {
  enum verdict v = need(b, at + 2);
  if (v == GOOD) g->ids[read_short(b->at + at)] = state;
  return v;
}

static enum verdict look_sent(struct fog_guard *g, unsigned first, const struct body *b) {
  static const uint8_t answer_to[16] = {[PUBREL] = PUBCOMP, [SUBSCRIBE] = SUBACK, [UNSUBSCRIBE] = UNSUBACK};
  unsigned type = first >> 4, qos = first >> 1 & 3;
  if (type == CONNECT) {
    enum verdict v = need(b, 7);
    if (v == GOOD) g->version = b->at[6];
    return v;
  }
  if (type == PUBLISH && qos > 0) {
    enum verdict v = need(b, 2);
    return v == GOOD ? note_id(g, b, 2 + read_short(b->at), qos == 1 ? PUBACK : PUBREC) : v;
  }
  return answer_to[type] == 0 ? GOOD : note_id(g, b, 0, answer_to[type]);
}

/* --- streams --- */

static bool keep(struct stream *s, const unsigned char *bytes, size_t n) {
  size_t cap = s->cap == 0 ? PENDING_FIRST : s->cap;
  while (cap < s->len + n) cap *= 2;
  if (cap != s->cap) {
    unsigned char *grown = realloc(s->pending, cap);
    if (grown == NULL) return false;
    s->pending = grown;
    s->cap = cap;
  }
  memcpy(s->pending + s->len, bytes, n);
  s->len += n;
  return true;
}

/* Looks at the packet that begins at p: *size is its whole length. */
static enum verdict decide(struct fog_guard *g, look *what, const unsigned char *p, size_t n, size_t *size) {
  size_t left, used;
  enum verdict v = n < 2 ? MORE : read_varint(p + 1, n - 1, &left, &used);
  if (v != GOOD) return v;
  *size = 1 + used + left;
  struct body b = {.at = p + 1 + used, .have = n - 1 - used, .total = left};
  if (b.have > left) b.have = left;
  return what(g, p[0], &b);
}

/* A packet that began in an earlier piece: takes as little more of it as possible. How many bytes; n + 1: bad. */
static size_t decide_pending(struct fog_guard *g, struct stream *s, look *what, const unsigned char *p, size_t n) {
  size_t size, old = s->len, more = s->len < n ? s->len : n;
  if (old + more > MOST || !keep(s, p, more)) return n + 1;
  enum verdict v = decide(g, what, s->pending, s->len, &size);
  if (v == BAD) return n + 1;
  if (v != GOOD) return more;
  s->len = 0;
  s->skip = size - old;
  return 0;
}

/* The packet that begins at p, as decide_pending. */
static size_t decide_here(struct fog_guard *g, struct stream *s, look *what, const unsigned char *p, size_t n) {
  size_t size;
  enum verdict v = decide(g, what, p, n, &size);
  if (v == BAD) return n + 1;
  if (v == GOOD) {
    s->skip = size;
    return 0;
  }
  return n <= MOST && keep(s, p, n) ? n : n + 1;
}

/* The number of bytes before the first packet that is bad; n: none is. */
static size_t feed(struct fog_guard *g, struct stream *s, look *what, const unsigned char *p, size_t n) {
  for (size_t at = 0; at < n;) {
    size_t left = n - at, used = s->skip < left ? s->skip : left;
    s->skip -= used;
    if (used == 0) used = s->len > 0 ? decide_pending(g, s, what, p + at, left) : decide_here(g, s, what, p + at, left);
    if (used > left) return at;
    at += used;
  }
  return n;
}

bool fog_guard_sent(struct fog_guard *g, const unsigned char *bytes, size_t n) {
  if (!g->begun && n > 0) {
    g->begun = true;
    g->off = bytes[0] >> 4 != CONNECT;
  }
  return g->off || feed(g, &g->sent, look_sent, bytes, n) == n;
}

size_t fog_guard_received(struct fog_guard *g, const unsigned char *bytes, size_t n) {
  return g->off ? n : feed(g, &g->received, look_received, bytes, n);
}

#else
typedef int fog_paho_lean_guard_unused;
#endif
