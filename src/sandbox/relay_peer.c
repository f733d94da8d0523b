/* SPDX-License-Identifier: MIT */
#include "relay_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool use_certificate(SSL_CTX *context, const char *pem) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
  bool ok = cert != NULL && SSL_CTX_use_certificate(context, cert) == 1;
  X509_free(cert);
  (void)BIO_free(bio);
  return ok;
}

static bool use_key(SSL_CTX *context, const char *pem) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
  bool ok = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1;
  EVP_PKEY_free(key);
  (void)BIO_free(bio);
  return ok;
}

static bool demand_certificates_of(SSL_CTX *context, const char *pem) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  X509 *ca = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
  bool ok = ca != NULL && X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca) == 1;
  if (ok) SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  X509_free(ca);
  (void)BIO_free(bio);
  return ok;
}

SSL_CTX *fog_peer_context(const char *cert, const char *key, const char *client_ca) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (context == NULL) return NULL;
  (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (use_certificate(context, cert) && use_key(context, key) &&
      (client_ca == NULL || demand_certificates_of(context, client_ca)))
    return context;
  SSL_CTX_free(context);
  return NULL;
}

bool fog_peer_secure(struct fog_peer *p, SSL_CTX *context) {
  p->ssl = SSL_new(context);
  if (p->ssl == NULL || SSL_set_fd(p->ssl, p->fd) != 1) return false;
  SSL_set_accept_state(p->ssl);
  return true;
}

static ssize_t tls_result(const struct fog_peer *p, int n) {
  if (n > 0) return n;
  int error = SSL_get_error(p->ssl, n);
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t plain_result(ssize_t n, ssize_t end) {
  if (n > 0) return n;
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : end;
}

ssize_t fog_peer_read(struct fog_peer *p, void *buf, size_t n) {
  if (p->ssl == NULL) return plain_result(recv(p->fd, buf, n, 0), -1);
  ERR_clear_error();
  return tls_result(p, SSL_read(p->ssl, buf, (int)n));
}

ssize_t fog_peer_write(struct fog_peer *p, const void *buf, size_t n) {
  if (p->ssl == NULL) return plain_result(send(p->fd, buf, n, MSG_NOSIGNAL), -1);
  ERR_clear_error();
  ssize_t sent = tls_result(p, SSL_write(p->ssl, buf, (int)n));
  p->unsent = sent == 0 ? n : 0;
  return sent;
}

void fog_peer_close(struct fog_peer *p) {
  SSL_free(p->ssl);
  p->ssl = NULL;
  (void)close(p->fd);
}
