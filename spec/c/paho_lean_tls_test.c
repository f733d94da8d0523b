/* SPDX-License-Identifier: MIT
 *
 * What SSL_get_error says on one of Paho's threads: about the last call, also where OpenSSL's object is used again for
 * another connection, as a new object at the address of a freed one is to who knows it by its address.
 */
#include <openssl/ssl.h>
#include <pthread.h>

#include "loopback.h"
#include "tap.h"

/* A connection made as Paho makes it, with ssl above it. *peer says nothing. */
static int open_below(SSL *ssl, int *peer) {
  int fd;
  pair(&fd, peer);
  (void)SSL_set_fd(ssl, fd);
  return fd;
}

static void *receive_thread(void *arg) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL *ssl = SSL_new(context);
  int peer, rc, fd = open_below(ssl, &peer);
  char c;
  (void)arg;
  (void)pthread_setname_np(pthread_self(), "MQTTAsync_rcv");
  rc = SSL_connect(ssl);
  check(rc < 0 && SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ, "a handshake waits for the other side");
  (void)shutdown(peer, SHUT_WR);
  for (rc = -1; rc < 0 && SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ; rc = SSL_connect(ssl)) (void)usleep(1000);
  check(rc <= 0, "and fails when that goes");
  check(SSL_read(ssl, &c, 1) <= 0, "so does a read, of which nobody asks why");
  (void)SSL_clear(ssl);
  (void)close(fd);
  (void)close(peer);

  fd = open_below(ssl, &peer);
  rc = SSL_connect(ssl);
  check(rc < 0 && SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ,
        "the next handshake does not fail for the same reason");
  SSL_free(ssl);
  SSL_CTX_free(context);
  (void)close(fd);
  (void)close(peer);
  return NULL;
}

int main(void) {
  pthread_t t;
  (void)pthread_create(&t, NULL, receive_thread, NULL);
  (void)pthread_join(t, NULL);
  return finish();
}
