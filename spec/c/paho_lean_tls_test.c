/* SPDX-License-Identifier: MIT
 *
 * What SSL_get_error says on one of Paho's threads: about the last call, also where OpenSSL's object is used again for
 * another connection, as a new object at the address of a freed one is to who knows it by its address. And that the
 * kernel acknowledges at once what was read, where that was session tickets only.
 */
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdint.h>

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

static SSL_CTX *server_context(void) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  EVP_PKEY *key = EVP_RSA_gen(2048);
  X509 *cert = X509_new();
  (void)X509_gmtime_adj(X509_getm_notBefore(cert), 0);
  (void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  (void)X509_set_pubkey(cert, key);
  (void)X509_sign(cert, key, EVP_sha256());
  if (SSL_CTX_use_certificate(context, cert) != 1 || SSL_CTX_use_PrivateKey(context, key) != 1) exit(1);
  X509_free(cert);
  EVP_PKEY_free(key);
  return context;
}

/* Shakes hands, which ends with the tickets, and says no more. */
static void *serve(void *arg) {
  SSL_CTX *context = server_context();
  SSL *ssl = SSL_new(context);
  (void)SSL_set_fd(ssl, (int)(intptr_t)arg);
  check(SSL_accept(ssl) == 1, "a server shakes hands");
  SSL_free(ssl);
  SSL_CTX_free(context);
  return NULL;
}

/* As with mosquitto, which has not set TCP_NODELAY: its CONNACK waits until its tickets are acknowledged, and Linux
 * puts that off by 40 ms once both sides have talked. TCP_QUICKACK reads as 0 then. */
static void *tickets_thread(void *arg) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL *ssl = SSL_new(context);
  int peer, fd = open_below(ssl, &peer), at_once = 0;
  socklen_t len = sizeof at_once;
  pthread_t server;
  char c;
  (void)arg;
  (void)pthread_setname_np(pthread_self(), "MQTTAsync_rcv");
  (void)pthread_create(&server, NULL, serve, (void *)(intptr_t)peer);
  while (SSL_connect(ssl) != 1) (void)usleep(1000);
  (void)pthread_join(server, NULL);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &at_once, len); /* as after CONNECT */
  int rc = SSL_read(ssl, &c, 1);
  (void)getsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &at_once, &len);
  check(rc < 0 && SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ && at_once == 1, "tickets are acknowledged at once");
  SSL_free(ssl);
  SSL_CTX_free(context);
  (void)close(fd);
  (void)close(peer);
  return NULL;
}

static void on_a_thread(void *(*run)(void *)) {
  pthread_t t;
  (void)pthread_create(&t, NULL, run, NULL);
  (void)pthread_join(t, NULL);
}

int main(void) {
  on_a_thread(receive_thread);
  on_a_thread(tickets_thread);
  return finish();
}
