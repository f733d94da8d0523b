/* SPDX-License-Identifier: MIT
 *
 * The limit of the socket: a parser that only counts, and an encoder that only copies. No client can be faster.
 */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK (256 * 1024)

static struct bench b;
static int fd;
static SSL *ssl;
static unsigned char in[CHUNK * 2];
static size_t have;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void put(const void *data, size_t len) {
  const unsigned char *p = data;
  while (len > 0) {
    ssize_t n = ssl != NULL ? SSL_write(ssl, p, (int)len) : write(fd, p, len);
    if (n <= 0) fail("write");
    p += n;
    len -= (size_t)n;
  }
}

static void dial(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1;
  a.sin_port = htons((unsigned short)b.port);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) fail("connect");
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (b.ca == NULL) return;
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  ssl = SSL_new(ctx);
  (void)SSL_set_fd(ssl, fd);
  if (SSL_connect(ssl) != 1) fail("tls");
}

/* Handles every whole packet in one read, with one write of acknowledgements; how many were PUBLISH. */
static long step(void) {
  static unsigned char acks[CHUNK];
  size_t at = 0, acks_len = 0;
  long publishes = 0;
  ssize_t n = ssl != NULL ? SSL_read(ssl, in + have, (int)(sizeof in - have)) : read(fd, in + have, sizeof in - have);
  if (n <= 0) fail("read");
  have += (size_t)n;
  while (at + 2 <= have) {
    size_t rest = 0, head = 1;
    for (int shift = 0; head < 5 && at + head < have; shift += 7) {
      rest |= (size_t)(in[at + head] & 127) << shift;
      if (in[at + head++] < 128) break;
    }
    if (at + head + rest > have) break;
    const unsigned char *body = in + at + head;
    if (in[at] >> 4 == 3) {
      if (publishes++ == 0 && b.from == 0.0 && !b.publish) bench_start(&b);
      if ((in[at] & 6) != 0) {
        size_t topic = (size_t)body[0] << 8 | body[1];
        acks[acks_len++] = 0x40;
        acks[acks_len++] = 2;
        acks[acks_len++] = body[topic + 2];
        acks[acks_len++] = body[topic + 3];
      }
    }
    at += head + rest;
  }
  memmove(in, in + at, have - at);
  have -= at;
  if (acks_len > 0) put(acks, acks_len);
  return publishes;
}

static size_t encode(unsigned char *p, long number) {
  size_t rest = 2 + 11 + (b.qos > 0 ? 2U : 0U) + b.size, i = 0;
  p[i++] = (unsigned char)(0x30 | b.qos << 1);
  for (; rest > 127; rest >>= 7) p[i++] = (unsigned char)((rest & 127) | 128);
  p[i++] = (unsigned char)rest;
  memcpy(p + i, "\0\13bench/topic", 13);
  i += 13;
  if (b.qos > 0) {
    p[i++] = (unsigned char)(((number % 65535) + 1) >> 8);
    p[i++] = (unsigned char)((number % 65535) + 1);
  }
  memset(p + i, 'x', b.size);
  return i + b.size;
}

/* The acknowledgements are read while sending goes on, on a thread of their own; "done" ends it. */
static void *drain(void *arg) {
  (void)arg;
  while (step() == 0) continue;
  return NULL;
}

static void publish_all(void) {
  unsigned char *buf = malloc(CHUNK + b.size + 64);
  pthread_t t;
  bench_start(&b);
  if (ssl == NULL && pthread_create(&t, NULL, drain, NULL) != 0) fail("thread");
  for (long sent = 0; sent < b.count;) {
    size_t len = 0;
    while (sent < b.count && len < CHUNK / 8) len += encode(buf + len, sent++);
    put(buf, len);
  }
  if (ssl == NULL) {
    (void)pthread_join(t, NULL);
  } else {
    (void)drain(NULL); /* one SSL object, one thread: so only with QoS 0 */
  }
  free(buf);
}

int main(int argc, char **argv) {
  b = bench_arguments(argc, argv);
  dial();
  put("\x10\x11\0\4MQTT\4\2\0\x3c\0\5limit", 19);
  (void)step();
  if (b.publish) {
    publish_all();
  } else {
    unsigned char sub[] = {0x82, 12, 0, 1, 0, 7, 'b', 'e', 'n', 'c', 'h', '/', '#', (unsigned char)b.qos};
    put(sub, sizeof sub);
    for (long seen = 0; seen < b.count;) seen += step();
  }
  bench_report(&b);
  return 0;
}
