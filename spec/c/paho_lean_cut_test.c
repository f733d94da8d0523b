/* SPDX-License-Identifier: MIT
 *
 * Paho with its wraps against brokers of a few lines: one cuts its stream into the worst pieces, one is gone in the
 * middle of whatever the client does.
 */
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>

#include "loopback.h"
#include "paho_client.h"
#include "tap.h"

enum { DRIPPED = 60, BLASTED = 20000, ROUNDS = 42 };

static size_t encode(unsigned char *p, int qos, uint32_t number, size_t size) {
  size_t rest = (qos > 0 ? 5U : 3U) + size, i = 0;
  p[i++] = (unsigned char)(0x30 | qos << 1);
  for (; rest > 127; rest >>= 7) p[i++] = (unsigned char)((rest & 127) | 128);
  p[i++] = (unsigned char)rest;
  memcpy(p + i, "\0\1t", 3);
  i += 3;
  if (qos > 0) {
    p[i++] = (unsigned char)((number + 1) >> 8);
    p[i++] = (unsigned char)(number + 1);
  }
  fill(p + i, size, number);
  return i + size;
}

static bool drip(int fd, const unsigned char *p, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (write(fd, p + i, 1) != 1) return false;
  }
  return true;
}

/* PUBACKs for 1 … count in this order, cut anywhere. */
static bool read_acks(int fd, uint32_t count) {
  unsigned char ack[4];
  for (uint32_t i = 1; i <= count; i++) {
    if (!read_exactly(fd, ack, 4) || ack[0] != 0x40 || ack[2] != (i >> 8 & 255) || ack[3] != (i & 255)) return false;
  }
  return true;
}

static atomic_bool acks_right;

static void cut_serve(int fd) {
  unsigned char *buf = malloc(2000000), head[2];
  size_t len = 0;
  uint32_t number = 0;
  if (!read_exactly(fd, head, 2) || !read_exactly(fd, buf, head[1])) return;
  (void)drip(fd, (const unsigned char *)"\x20\x02\0\0", 4);
  for (; number < DRIPPED; number++) (void)drip(fd, buf, encode(buf, 0, number, 4 + number * 3));
  len = encode(buf, 0, number++, 1000000); /* larger than any buffer, and the beginning of the next one behind it */
  len += encode(buf + len, 0, number++, 64);
  (void)!write(fd, buf, len - 30);
  (void)drip(fd, buf + len - 30, 30);
  len = 0;
  for (uint32_t i = 0; i < BLASTED; i++) len += encode(buf + len, 1, i, 10);
  (void)!write(fd, buf, len);
  atomic_store(&acks_right, read_acks(fd, BLASTED));
  (void)!write(fd, buf, 9); /* a packet that never ends */
  free(buf);
}

static void *cut_run(void *arg) {
  int one = 1, fd = accept((int)(intptr_t)arg, NULL, NULL);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  cut_serve(fd);
  (void)shutdown(fd, SHUT_RDWR);
  (void)close(fd);
  return NULL;
}

static void test_cut(void) {
  struct client c;
  int port, fd = listen_somewhere(&port);
  pthread_t t;
  client_init(&c, 0, DRIPPED + 2 + BLASTED);
  (void)pthread_create(&t, NULL, cut_run, (void *)(intptr_t)fd);
  check(client_connect(&c, port, NULL), "connects to a broker that answers a byte at a time");
  check(wait_for(&c.event), "packets in single bytes, of a megabyte, and twenty thousand in one write all arrive");
  check(wait_for(&c.lost), "the end in the middle of a packet is seen");
  check(atomic_load(&c.got) == c.expected && atomic_load(&c.wrong) == 0, "each once, intact, and not the broken one");
  (void)pthread_join(t, NULL);
  check(atomic_load(&acks_right), "acknowledgements arrive complete and in order");
  MQTTAsync_destroy(&c.paho);
  (void)close(fd);
}

/* A broker that says yes to CONNECT, reads a little, and is gone in the middle of whatever the client does. */
static void *rude_run(void *arg) {
  struct linger hard = {1, 0};
  unsigned char buf[4096];
  for (int round = 0; round < ROUNDS; round++) {
    int fd = accept((int)(intptr_t)arg, NULL, NULL);
    (void)!read(fd, buf, sizeof buf);
    (void)!write(fd, "\x20\x02\0\0", 4);
    for (int i = 0; i < round % 7; i++) (void)!recv(fd, buf, sizeof buf, i == 0 ? 0 : MSG_DONTWAIT);
    if (round % 2 == 0) (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    (void)close(fd);
  }
  return NULL;
}

/* Publishes until the connection is lost, with large messages in some rounds, so that writes are cut short too. */
static bool publish_until_lost(struct client *c, int round) {
  static unsigned char payload[300000];
  MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
  int size = round % 3 == 0 ? (int)sizeof payload : 50;
  o.context = c;
  o.onSuccess = published;
  o.onFailure = publish_failed;
  for (int i = 0; i < 100; i++) {
    if (MQTTAsync_send(c->paho, "t", size, payload, (i + round) % 3, 0, &o) != MQTTASYNC_SUCCESS) break;
  }
  return wait_for(&c->lost);
}

static void test_rude(void) {
  int port, told = 0, fd = listen_somewhere(&port);
  pthread_t t;
  (void)pthread_create(&t, NULL, rude_run, (void *)(intptr_t)fd);
  for (int round = 0; round < ROUNDS; round++) {
    struct client c;
    client_init(&c, round, 0);
    if (client_connect(&c, port, NULL)) told += publish_until_lost(&c, round);
    MQTTAsync_destroy(&c.paho);
  }
  (void)pthread_join(t, NULL);
  check(told == ROUNDS, "a connection lost in the middle of publishing is reported, every time, and harms nothing");
  (void)close(fd);
}

int main(void) {
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  (void)signal(SIGPIPE, SIG_IGN);
  test_cut();
  test_rude();
  return finish();
}
