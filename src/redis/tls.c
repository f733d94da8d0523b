/* SPDX-License-Identifier: MIT
 *
 * The context is OpenSSL's own and not hiredis', whose contexts do not compare the host's name.
 */
#include "tls.h"

#include <stdio.h>

#ifdef FOG_REDIS_TLS

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "client.h"

bool fog_redis_has_tls(void) { return true; }

static bool failed(char *why, size_t capacity, const char *what) {
  char reason[160] = "no reason given";
  unsigned long code = ERR_get_error();
  if (code != 0) ERR_error_string_n(code, reason, sizeof reason);
  ERR_clear_error();
  (void)snprintf(why, capacity, "%s: %s", what, reason);
  return false;
}

/* Never asks a terminal for the pass phrase of a key. */
static int no_pass_phrase(char *buffer, int size, int writing, void *arg) {
  (void)buffer;
  (void)size;
  (void)writing;
  (void)arg;
  return 0;
}

static bool load_files(SSL_CTX *ctx, const struct fog_redis_options *o, char *why, size_t capacity) {
  SSL_CTX_set_default_passwd_cb(ctx, no_pass_phrase);
  int trusted =
      o->ca_file != NULL ? SSL_CTX_load_verify_locations(ctx, o->ca_file, NULL) : SSL_CTX_set_default_verify_paths(ctx);
  if (trusted != 1) return failed(why, capacity, "its authorities cannot be read");
  if (o->cert_file == NULL) return true;
  if (SSL_CTX_use_certificate_chain_file(ctx, o->cert_file) != 1)
    return failed(why, capacity, "the client certificate cannot be read");
  if (SSL_CTX_use_PrivateKey_file(ctx, o->key_file, SSL_FILETYPE_PEM) != 1)
    return failed(why, capacity, "the client key cannot be read");
  return true;
}

static bool is_address(const char *host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool expect_host(SSL *ssl, const char *host) {
  if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
  return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct ssl_st *fog_redis_start_tls(struct redisContext *c, const struct fog_redis_options *o, char *why,
                                   size_t capacity) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  if (ctx == NULL) {
    (void)failed(why, capacity, "OpenSSL gives no context");
    return NULL;
  }
  SSL *ssl = NULL;
  /* TLS 1.2 at the least; what the configuration of the system asks for beyond that stays. */
  bool ready = (SSL_CTX_get_min_proto_version(ctx) >= TLS1_2_VERSION ||
                SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1) &&
               load_files(ctx, o, why, capacity);
  if (ready) {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    ssl = SSL_new(ctx);
    ready = ssl != NULL && expect_host(ssl, o->host);
    if (!ready) (void)failed(why, capacity, "OpenSSL gives no connection");
  }
  SSL_CTX_free(ctx);                                             /* the connection holds it */
  if (ready && redisInitiateSSL(c, ssl) == REDIS_OK) return ssl; /* c's now */
  if (ready) (void)snprintf(why, capacity, "%s", c->errstr);
  SSL_free(ssl);
  return NULL;
}

bool fog_redis_tls_broke(struct ssl_st *tls, char *why, size_t capacity) {
  long verified = SSL_get_verify_result(tls);
  unsigned long code = ERR_peek_last_error();
  const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
  if (verified != X509_V_OK) reason = X509_verify_cert_error_string(verified);
  ERR_clear_error();
  if (reason == NULL) return false;
  (void)snprintf(why, capacity, "%s%s", verified != X509_V_OK ? "its certificate: " : "TLS: ", reason);
  return true;
}

#else

bool fog_redis_has_tls(void) { return false; }

struct ssl_st *fog_redis_start_tls(struct redisContext *c, const struct fog_redis_options *o, char *why,
                                   size_t capacity) {
  (void)c;
  (void)o;
  (void)snprintf(why, capacity, "this hiredis has no TLS");
  return NULL;
}

bool fog_redis_tls_broke(struct ssl_st *tls, char *why, size_t capacity) {
  (void)tls;
  (void)why;
  (void)capacity;
  return false;
}

#endif
