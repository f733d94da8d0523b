/* SPDX-License-Identifier: MIT
 *
 * A WebSocket server for tests, one connection in a thread, written from RFC 6455 alone: it shares nothing with what it
 * tests.
 */
#ifndef FOG_WEB_PEER_H
#define FOG_WEB_PEER_H

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <strings.h>

#include "tls_peer.h"

#define UPGRADES "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
#define ACCEPTS UPGRADES "Sec-WebSocket-Accept: %s\r\n"

struct web {
  struct peer peer;
  int fd;
  SSL *ssl;                   /* NULL: plain */
  const char *answer;         /* %s becomes the accept key; NULL: the right one */
  void (*talk)(struct web *); /* NULL: closes, once the client has */
  char request[20000], key[64];
  int unmasked, same_masks; /* frames that came without a mask, or with the last one's */
  int pongs, closes, close_code;
  char pong[126];
  unsigned char mask[4];
};

static inline bool web_recv(struct web *w, void *to, size_t len) {
  for (char *at = to; len > 0;) {
    ssize_t n = w->ssl != NULL ? SSL_read(w->ssl, at, (int)len) : recv(w->fd, at, len, 0);
    if (n <= 0) return false;
    at += n;
    len -= (size_t)n;
  }
  return true;
}

static inline void web_send(struct web *w, const void *bytes, size_t len) {
  if (w->ssl != NULL)
    (void)write_all(w->ssl, bytes, (int)len);
  else
    (void)send(w->fd, bytes, len, MSG_NOSIGNAL);
}

static inline void web_write_frame(struct web *w, unsigned first, const void *bytes, size_t len) {
  unsigned char head[10] = {(unsigned char)first, (unsigned char)len};
  size_t head_len = 2;
  if (len > 125) {
    bool is_long = len > 65535;
    head[1] = is_long ? 127 : 126;
    head_len = is_long ? 10 : 4;
    for (size_t i = head_len, rest = len; i > 2; rest >>= 8) head[--i] = (unsigned char)rest;
  }
  web_send(w, head, head_len);
  if (len > 0) web_send(w, bytes, len);
}

/* The next frame's payload, of any kind, counted by kind; only that of data is returned, else 0. -1: the end. */
static inline ssize_t web_read_frame(struct web *w, char *to, size_t room) {
  unsigned char head[2], more[8], mask[4];
  if (!web_recv(w, head, 2)) return -1;
  size_t len = head[1] & 0x7fu, extra = len == 126 ? 2 : len == 127 ? 8 : 0;
  if (!web_recv(w, more, extra)) return -1;
  for (size_t i = 0; extra > 0 && i < extra; i++) len = (i == 0 ? 0 : len << 8) | more[i];
  w->unmasked += (head[1] & 0x80) == 0;
  if (len > room || !web_recv(w, mask, 4) || !web_recv(w, to, len)) return -1;
  for (size_t i = 0; i < len; i++) to[i] = (char)((unsigned char)to[i] ^ mask[i % 4]);
  w->same_masks += memcmp(w->mask, mask, 4) == 0;
  memcpy(w->mask, mask, 4);
  if (head[0] == 0x82) return (ssize_t)len;
  if (head[0] == 0x8a) {
    w->pongs++;
    (void)snprintf(w->pong, sizeof w->pong, "%.*s", (int)len, to);
  }
  if (head[0] == 0x88) {
    w->closes++;
    w->close_code = len < 2 ? 1005 : (unsigned char)to[0] << 8 | (unsigned char)to[1];
  }
  return 0;
}

/* RFC 6455, 4.2.2. */
static inline void web_accept_key(const char *key, char accept[32]) {
  char joined[128];
  unsigned char digest[20];
  (void)snprintf(joined, sizeof joined, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
  (void)SHA1((const unsigned char *)joined, strlen(joined), digest);
  (void)EVP_EncodeBlock((unsigned char *)accept, digest, 20);
}

/* Reads the request and answers it. */
static inline bool web_answer(struct web *w) {
  char accept[32] = "", answer[20000];
  for (size_t len = 0; strstr(w->request, "\r\n\r\n") == NULL; len++) {
    if (len + 1 >= sizeof w->request || !web_recv(w, w->request + len, 1)) return false;
  }
  const char *key = strstr(w->request, "\r\nSec-WebSocket-Key: ");
  if (key != NULL) (void)snprintf(w->key, sizeof w->key, "%.*s", (int)strcspn(key + 21, "\r"), key + 21);
  web_accept_key(w->key, accept);
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
  (void)snprintf(answer, sizeof answer, w->answer == NULL ? ACCEPTS "Sec-WebSocket-Protocol: mqtt\r\n\r\n" : w->answer,
                 accept);
  web_send(w, answer, strlen(answer));
  return true;
}

static inline void web_run(int fd, void *arg) {
  struct web *w = arg;
  w->fd = fd;
  if (web_answer(w) && w->talk != NULL) w->talk(w);
  (void)shutdown(fd, SHUT_WR);
  for (char sink[4096]; recv(fd, sink, sizeof sink, 0) > 0;) continue;
  (void)close(fd);
}

static inline void web_start(struct web *w, const char *answer, void (*talk)(struct web *)) {
  *w = (struct web){.answer = answer, .talk = talk};
  peer_start(&w->peer, "127.0.0.1", web_run, w);
}

/* Echoes frames, as what a TLS server of tls_peer.h says. */
static inline void web_over_tls(SSL *ssl) {
  static struct web w;
  static char bytes[300000];
  w = (struct web){.ssl = ssl};
  if (!web_answer(&w)) return;
  for (ssize_t n; (n = web_read_frame(&w, bytes, sizeof bytes)) >= 0;)
    if (n > 0) web_write_frame(&w, 0x82, bytes, (size_t)n);
  (void)SSL_shutdown(ssl);
}

#endif
