/* SPDX-License-Identifier: MIT
 *
 * A server for tests that must not allocate through anybody else: HTTP and MQTT on one port, told apart by the
 * first byte, one connection after the other on a thread each. It acknowledges everything and says no more.
 */
#ifndef FOG_TINY_SERVER_H
#define FOG_TINY_SERVER_H

#include <pthread.h>
#include <stdint.h>

#include "loopback.h"

static int tiny_listener = -1;
static int tiny_port;

static void say(int fd, const void *bytes, size_t n) { (void)send(fd, bytes, n, MSG_NOSIGNAL); }

/* One packet of at most 1 KiB behind its first byte; -1: the end. *v5: what CONNECT said. */
static int answer(int fd, unsigned char first, bool *v5) {
  unsigned char len[2] = {0, 0}, body[1024] = {0};
  if (!read_exactly(fd, len, 1) || (len[0] >= 128 && !read_exactly(fd, len + 1, 1))) return -1;
  size_t n = (len[0] & 127u) + 128u * len[1];
  if (n > sizeof body || !read_exactly(fd, body, n)) return -1;
  unsigned type = first >> 4, qos = first >> 1 & 3;
  size_t id = type == 3 ? 2 + (size_t)body[0] * 256 + body[1] : 0;
  if (id + 1 >= sizeof body) return -1;
  unsigned char ack[6] = {0, 2, body[id], body[id + 1], 0, 0};
  if (type == 1) *v5 = body[6] == 5;
  if (type == 1) say(fd, *v5 ? "\x20\6\0\0\3\x21\0\x0a" : "\x20\2\0\0", *v5 ? 8 : 4);
  if (type == 3) ack[0] = qos == 1 ? 0x40 : 0x50;
  if (type == 6) ack[0] = 0x70;
  if (type == 8) ack[0] = 0x90, ack[1] = *v5 ? 4 : 3; /* no properties, QoS 0 */
  if (type == 10) ack[0] = 0xb0, ack[1] = *v5 ? 4 : 2;
  if (type == 14) return -1;
  if (ack[0] != 0 && !(type == 3 && qos == 0)) say(fd, ack, ack[1] + 2u);
  if (type == 8) say(fd, *v5 ? "\x30\x0d\0\1t\7\x26\0\1k\0\1vab" : "\x30\5\0\1tab", *v5 ? 15 : 7);
  return 0;
}

static void serve_http(int fd) {
  static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
  unsigned char bytes[4096];
  if (recv(fd, bytes, sizeof bytes, 0) > 0) say(fd, reply, sizeof reply - 1);
  (void)shutdown(fd, SHUT_WR);
  while (recv(fd, bytes, sizeof bytes, 0) > 0) continue;
}

static void *serve_one(void *arg) {
  int fd = (int)(intptr_t)arg;
  unsigned char first;
  bool v5 = false;
  while (recv(fd, &first, 1, MSG_PEEK) == 1) {
    if (first >= 'A' && first <= 'Z') {
      serve_http(fd);
      break;
    }
    if (!read_exactly(fd, &first, 1) || answer(fd, first, &v5) != 0) break;
  }
  (void)close(fd);
  return NULL;
}

static void *accept_all(void *arg) {
  (void)arg;
  serve_each(tiny_listener, serve_one);
  return NULL;
}

static void tiny_server_start(void) {
  pthread_t thread;
  tiny_listener = listen_somewhere(&tiny_port);
  if (pthread_create(&thread, NULL, accept_all, NULL) != 0) exit(1);
  (void)pthread_detach(thread);
}

#endif
