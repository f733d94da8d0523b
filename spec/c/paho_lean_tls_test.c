/* SPDX-License-Identifier: MIT
 *
 * What SSL_get_error says on one of Paho's threads: about the last call, also where OpenSSL's object is used again for
 * another connection, as a new object at the address of a freed one is to who knows it by its address.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int passed, failed;

static void check(bool ok, const char *what) {
  passed += ok;
  failed += !ok;
  printf("%s - %s\n", ok ? "ok" : "not ok", what);
}

static int listener = -1;
static struct sockaddr_in address;

static void start_listener(void) {
  socklen_t len = sizeof address;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 16) != 0) exit(1);
  (void)getsockname(listener, (struct sockaddr *)&address, &len);
}

/* A connection made as Paho makes it, with ssl above it. *peer says nothing. */
static int open_below(SSL *ssl, int *peer) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) exit(1);
  *peer = accept(listener, NULL, NULL);
  (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
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
  check(rc < 0 && SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ, "the next handshake does not fail for the same reason");
  SSL_free(ssl);
  SSL_CTX_free(context);
  (void)close(fd);
  (void)close(peer);
  return NULL;
}

int main(void) {
  pthread_t t;
  start_listener();
  (void)pthread_create(&t, NULL, receive_thread, NULL);
  (void)pthread_join(t, NULL);
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
