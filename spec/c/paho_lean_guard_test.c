/* SPDX-License-Identifier: MIT
 *
 * What the guard before Paho lets through and what not, packet by packet; fuzz/guard.c has the rest. Each refused one
 * made Paho 1.3.12 crash, leak or read beyond a packet's end, or is what MQTT forbids to a broker.
 */
#include "../../src/paho/paho_lean_guard.h"

#include <stdlib.h>

#include "tap.h"

enum { V3 = 4, V5 = 5 };

/* After CONNECT, PUBLISH QoS 1 with id 1, QoS 2 with id 2, SUBSCRIBE with id 3, UNSUBSCRIBE with id 4. */
static struct fog_guard *connected(int version) {
  struct fog_guard *g = fog_guard_new();
  const unsigned char sent[] = {0x10, 13,   0,    4, 'M',  'Q', 'T',  'T', (unsigned char)version,
                                2,    0,    60,   0, 1,    'c', 0x32, 5,   0,
                                1,    't',  0,    1, 0x34, 5,   0,    1,   't',
                                0,    2,    0x82, 6, 0,    3,   0,    1,   'f',
                                0,    0xa2, 5,    0, 4,    0,   1,    'f'};
  if (g == NULL || !fog_guard_sent(g, sent, sizeof sent)) abort();
  return g;
}

static void expect(const char *what, int version, const char *bytes, size_t n, size_t good) {
  struct fog_guard *whole = connected(version), *bytewise = connected(version);
  size_t got = fog_guard_received(whole, (const unsigned char *)bytes, n), single = 0;
  while (single < n && fog_guard_received(bytewise, (const unsigned char *)bytes + single, 1) == 1) single++;
  bool ok = got == good && (good == n ? single == n : single >= good && single < n);
  char line[100];
  (void)snprintf(line, sizeof line, "%s: %s", version == V5 ? "5.0" : "3.1.1", what);
  check(ok, line);
  fog_guard_free(whole);
  fog_guard_free(bytewise);
}

#define HELLO "\x20\2\0\0"
#define HELLO5 "\x20\3\0\0\0"
#define PASSES(version, what, bytes) expect(what, version, bytes, sizeof(bytes) - 1, sizeof(bytes) - 1)
#define REFUSED(version, what, hello, bytes) \
  expect(what, version, hello bytes, sizeof(hello bytes) - 1, sizeof(hello) - 1)

static void test_3(void) {
  PASSES(V3, "each answer to its packet", HELLO "\x40\2\0\1\x50\2\0\2\x90\3\0\3\1\xb0\2\0\4\xd0\0");
  PASSES(V3, "an acknowledgement that comes twice", HELLO "\x40\2\0\1\x40\2\0\1");
  PASSES(V3, "messages", HELLO "\x30\5\0\1tab\x32\6\0\1t\0\7x\x34\5\0\1t\0\7\x62\2\0\7\x34\5\0\1t\0\7");
  REFUSED(V3, "PUBACK for a QoS 2 message", HELLO, "\x40\2\0\2");
  REFUSED(V3, "PUBREC for a QoS 1 message", HELLO, "\x50\2\0\1");
  REFUSED(V3, "PUBCOMP before PUBREL", HELLO "\x50\2\0\2", "\x70\2\0\2");
  REFUSED(V3, "SUBACK with a message's id", HELLO, "\x90\3\0\1\0");
  REFUSED(V3, "PUBACK with a subscription's id", HELLO, "\x40\2\0\3");
  REFUSED(V3, "PUBACK for nothing", HELLO, "\x40\2\0\x9");
  REFUSED(V3, "SUBACK without a code", HELLO, "\x90\2\0\3");
  REFUSED(V3, "a QoS of 3", HELLO, "\x36\5\0\1t\0\7");
  REFUSED(V3, "a topic longer than its packet", HELLO, "\x30\5\0\x09tab");
  REFUSED(V3, "no topic", HELLO, "\x30\3\0\0a");
  REFUSED(V3, "a packet id of 0", HELLO, "\x32\5\0\1t\0\0");
  REFUSED(V3, "a QoS 2 message before the release of its namesake", HELLO "\x34\5\0\1t\0\7", "\x3c\5\0\1t\0\7");
  REFUSED(V3, "a second CONNACK", HELLO, HELLO);
  REFUSED(V3, "anything before CONNACK", "", "\xd0\0");
  REFUSED(V3, "CONNECT", HELLO, "\x10\0");
  REFUSED(V3, "DISCONNECT", HELLO, "\xe0\0");
  REFUSED(V3, "wrong flags", HELLO, "\x41\2\0\1");
  REFUSED(V3, "a length of five bytes", HELLO, "\x30\x80\x80\x80\x80\1");
}

static void test_5(void) {
  PASSES(V5, "properties",
         "\x20\x0b\0\0\x08\x21\0\x0a\x12\0\2ab"
         "\x30\x0d\0\1t\7\x26\0\1k\0\1vxy");
  PASSES(V5, "a refused PUBREC ends its message", HELLO5 "\x50\4\0\2\x97\0\x70\2\0\2");
  PASSES(V5, "DISCONNECT with a reason", HELLO5 "\xe0\2\x8b\0");
  REFUSED(V5, "CONNACK without properties", "", "\x20\2\0\0");
  REFUSED(V5, "properties longer than their packet", HELLO5, "\x30\5\0\1t\x09x");
  REFUSED(V5, "a text longer than its properties", HELLO5, "\x30\x09\0\1t\5\x03\0\x09xx");
  REFUSED(V5, "an unknown property", HELLO5, "\x30\6\0\1t\2\x7f\0");
  REFUSED(V5, "an integer that is cut", HELLO5, "\x30\7\0\1t\3\2\0\0");
  REFUSED(V5, "SUBACK without a code", HELLO5, "\x90\3\0\3\0");
  REFUSED(V5, "AUTH", HELLO5, "\xf0\2\0\0");
}

static void test_foreign(void) {
  struct fog_guard *g = fog_guard_new();
  bool ok = g != NULL && fog_guard_sent(g, (const unsigned char *)"GET / HTTP/1.1", 14) &&
            fog_guard_received(g, (const unsigned char *)"HTTP/1.1 101 Switching", 22) == 22;
  check(ok, "a connection that is not MQTT's is left alone");
  fog_guard_free(g);
}

int main(void) {
  test_3();
  test_5();
  test_foreign();
  return finish();
}
