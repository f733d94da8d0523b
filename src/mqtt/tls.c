/* SPDX-License-Identifier: MIT
 *
 * TLS as a filter, by OpenSSL (1.1.1 or later). Its BIO hands over to the filter below, which takes every write: so
 * OpenSSL never waits for room, no write is ever repeated, and nothing raises SIGPIPE. What it waits for is bytes
 * alone.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "tls_context.h"

enum { RECORD = 16384, NAME_TEXT = 512 };

struct tls {
  struct fog_layer layer;
  SSL *ssl;
  bool open;
  bool more;                           /* the last read ended because its room did */
  bool below_failed;                   /* and *error says why */
  struct fog_connection_error *error;  /* of the call that runs */
  struct fog_connection_error *ending; /* what each further read tells; NULL: it goes on */
  struct fog_tls_server server;
};

/* --- the BIO --- */

static int bio_read(BIO *bio, char *to, int len) {
  struct tls *t = BIO_get_data(bio);
  struct fog_layer *below = t->layer.below;
  ssize_t n = below->does->read(below, to, (size_t)len, t->error);
  BIO_clear_retry_flags(bio);
  if (n == 0) BIO_set_retry_read(bio);
  if (n < 0) t->below_failed = true;
  return n > 0 ? (int)n : -1;
}

static int bio_write(BIO *bio, const char *bytes, int len) {
  struct tls *t = BIO_get_data(bio);
  struct fog_layer *below = t->layer.below;
  BIO_clear_retry_flags(bio);
  if (below->does->put(below, bytes, (size_t)len, t->error) == 0) return len;
  t->below_failed = true;
  return -1;
}

static long bio_ctrl(BIO *bio, int what, long number, void *arg) {
  (void)bio;
  (void)number;
  (void)arg;
  return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method; /* for the life of the process */

static void make_method(void) {
  int type = BIO_get_new_index();
  BIO_METHOD *m = type < 0 ? NULL : BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "fogcloud");
  if (m != NULL && BIO_meth_set_read(m, bio_read) == 1 && BIO_meth_set_write(m, bio_write) == 1 &&
      BIO_meth_set_ctrl(m, bio_ctrl) == 1) {
    method = m;
  } else {
    BIO_meth_free(m);
  }
}

/* Everything is the SSL's afterwards. */
static bool set_bio(struct tls *t) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, make_method);
  BIO *bio = method == NULL ? NULL : BIO_new(method);
  if (bio == NULL) return false;
  BIO_set_data(bio, t);
  BIO_set_init(bio, 1);
  SSL_set_bio(t->ssl, bio, bio);
  return true;
}

/* --- errors --- */

/* What no time heals: a certificate that is not to be trusted, a server that speaks something else or wants another
 * client. The alerts are those that a server sends for a reason that lies with us (RFC 8446, 6.2). */
static bool is_final(unsigned long code) {
  int reason = ERR_GET_REASON(code), alert = reason - SSL_AD_REASON_OFFSET;
  static const unsigned char alerts[] = {42, 43, 44, 45, 46, 48, 49, 70, 71, 109, 112, 116, 120};
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return false;
  return reason == SSL_R_CERTIFICATE_VERIFY_FAILED || reason == SSL_R_WRONG_VERSION_NUMBER ||
         reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_HTTP_REQUEST ||
         (alert > 0 && alert < 256 && memchr(alerts, alert, sizeof alerts) != NULL);
}

static void explain(struct tls *t) {
  unsigned long code = ERR_peek_error();
  long verified = SSL_get_verify_result(t->ssl);
  if (t->below_failed) {
    if (t->open || t->error->kind != FOG_CONNECTION_CLOSED) return;
    (void)fog_connection_fail(t->error, FOG_CONNECTION_TLS, false, "the other side closed during the TLS handshake");
  } else if (verified != X509_V_OK && !t->open) {
    (void)fog_connection_fail(t->error, FOG_CONNECTION_TLS, true, "certificate verify failed: %s",
                              X509_verify_cert_error_string(verified));
  } else {
    (void)fog_connection_fail(t->error, FOG_CONNECTION_TLS, is_final(code), "TLS: %s", fog_tls_reason());
  }
}

/* Remembers *error for what is asked from now on. OpenSSL tells a reason once. */
static int end(struct tls *t, int rc) {
  if (SSL_get_error(t->ssl, rc) == SSL_ERROR_ZERO_RETURN) {
    (void)fog_connection_fail(t->error, FOG_CONNECTION_CLOSED, false, "the other side closed the connection");
  } else {
    explain(t);
    fog_tls_keep_session(SSL_get_SSL_CTX(t->ssl), t->server.name, NULL);
  }
  ERR_clear_error();
  t->ending = malloc(sizeof *t->ending);
  if (t->ending != NULL) *t->ending = *t->error;
  return -1;
}

/* Every entry: what other users of OpenSSL left on this thread must not be taken for ours. */
static bool enter(struct tls *t, struct fog_connection_error *error) {
  t->error = error;
  ERR_clear_error();
  if (t->ending == NULL) return true;
  *error = *t->ending;
  return false;
}

static bool waits(const struct tls *t, int rc) { return SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_READ; }

/* --- the filter --- */

static int shake(struct fog_layer *l, struct fog_connection_error *error) {
  struct tls *t = (struct tls *)l;
  if (t->open) return 1;
  if (!enter(t, error)) return -1;
  int rc = SSL_connect(t->ssl);
  if (rc == 1) {
    t->open = true;
    t->more = true;
    return 1;
  }
  return waits(t, rc) ? 0 : end(t, rc);
}

/* A ticket has OpenSSL make ready to write, and keep 16 KiB for that until something is written: a write of nothing,
 * which sends nothing, lets them go. */
static void slim(struct tls *t) {
  size_t none;
  if (t->server.gave_session && t->ending == NULL) (void)SSL_write_ex(t->ssl, "", 0, &none);
  t->server.gave_session = false;
}

static ssize_t read_some(struct fog_layer *l, char *to, size_t len, struct fog_connection_error *error) {
  struct tls *t = (struct tls *)l;
  size_t got = 0;
  if (!enter(t, error)) return -1;
  t->more = true;
  while (got < len) {
    int n = SSL_read(t->ssl, to + got, (int)(len - got < INT_MAX ? len - got : INT_MAX));
    if (n > 0) {
      got += (size_t)n;
      continue;
    }
    t->more = false;
    if (!waits(t, n)) {
      (void)end(t, n);
      t->more = got > 0; /* the end is told by the next read */
      if (got == 0) return -1;
    }
    break;
  }
  if (!t->more) slim(t);
  return (ssize_t)got;
}

static bool more(const struct fog_layer *l) {
  const struct tls *t = (const struct tls *)l;
  return t->more && (t->ending != NULL || SSL_has_pending(t->ssl) == 1);
}

/* The next bytes for one record: those of a part as they lie, or several small parts together. */
static const char *chunk(const struct fog_layer *l, const struct iovec *parts, int count, size_t skip, size_t *len) {
  char *gather = fog_loop_gather(l->loop);
  int i = 0;
  *len = 0;
  while (i < count && skip >= parts[i].iov_len) skip -= parts[i++].iov_len;
  if (i == count) return NULL;
  const char *first = (const char *)parts[i].iov_base + skip;
  size_t left = parts[i].iov_len - skip;
  if (left >= RECORD || i + 1 == count) {
    *len = left < RECORD ? left : RECORD;
    return first;
  }
  for (; i < count && *len < RECORD; i++, skip = 0) {
    size_t n = parts[i].iov_len - skip;
    if (n > RECORD - *len) n = RECORD - *len;
    if (n > 0) memcpy(gather + *len, (const char *)parts[i].iov_base + skip, n);
    *len += n;
  }
  return gather;
}

/* One record. > 0: so many; 0: not before something was read; -1. */
static ssize_t write_record(struct tls *t, const char *bytes, size_t len) {
  int n = SSL_write(t->ssl, bytes, (int)len);
  if (n > 0) return n;
  return waits(t, n) ? 0 : end(t, n);
}

static ssize_t write_some(struct fog_layer *l, const struct iovec *parts, int count,
                          struct fog_connection_error *error) {
  struct tls *t = (struct tls *)l;
  size_t taken = 0, len;
  if (!enter(t, error)) return -1;
  while (!fog_socket_full(l)) {
    const char *bytes = chunk(l, parts, count, taken, &len);
    if (bytes == NULL || len == 0) break;
    ssize_t n = write_record(t, bytes, len);
    if (n < 0) return -1;
    if (n == 0) {
      fog_socket_wait_to_read(l);
      break;
    }
    taken += (size_t)n;
  }
  return (ssize_t)taken;
}

static int put(struct fog_layer *l, const void *bytes, size_t len, struct fog_connection_error *error) {
  struct tls *t = (struct tls *)l;
  const char *at = bytes;
  if (!enter(t, error)) return -1;
  while (len > 0) {
    ssize_t n = write_record(t, at, len < RECORD ? len : RECORD);
    if (n == 0) /* only while a server of TLS 1.2 changes its keys */
      return fog_connection_fail(error, FOG_CONNECTION_TLS, false, "TLS: keys are changed in the middle of a frame");
    if (n < 0) return -1;
    at += n;
    len -= (size_t)n;
  }
  return 0;
}

static void leave(struct fog_layer *l) {
  struct tls *t = (struct tls *)l;
  struct fog_connection_error ignored;
  if (t->open && enter(t, &ignored)) (void)SSL_shutdown(t->ssl);
  ERR_clear_error();
}

static void forget(struct fog_layer *l) {
  struct tls *t = (struct tls *)l;
  if (t->ssl != NULL) SSL_free(t->ssl);
  free(t->ending);
  free(t->server.name);
  free(t);
}

/* --- whose certificate --- */

static bool is_address(const char *name) {
  unsigned char address[16];
  return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* The name as certificates have it: without the zone of an address or the dot at the end of a name. */
static void plain_name(const char *name, char *to, size_t capacity) {
  size_t len = strcspn(name, "%");
  if (len > 1 && name[len - 1] == '.') len--;
  (void)snprintf(to, capacity, "%.*s", (int)(len < capacity ? len : capacity - 1), name);
}

static bool expect(SSL *ssl, const char *name) {
  X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
  if (is_address(name)) return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool prepare(struct tls *t, SSL_CTX *context, const struct fog_connection_options *o, const char *name) {
  size_t capacity = strlen(o->host) + strlen(name) + 16;
  t->ssl = SSL_new(context);
  t->server.name = malloc(capacity);
  if (t->ssl == NULL || t->server.name == NULL || !set_bio(t) || !expect(t->ssl, name)) return false;
  (void)snprintf(t->server.name, capacity, "%s:%u %s", o->host, (unsigned)o->port, name);
  if (SSL_set_app_data(t->ssl, &t->server) != 1) return false;
  SSL_SESSION *session = fog_tls_session(context, t->server.name);
  if (session != NULL) (void)SSL_set_session(t->ssl, session); /* without it the handshake is a whole one */
  SSL_SESSION_free(session);
  SSL_set_connect_state(t->ssl);
  return true;
}

struct fog_layer *fog_tls_new(struct fog_layer *below, const struct fog_connection_options *o,
                              struct fog_connection_error *error) {
  static const struct fog_layer_functions functions = {.doing = "TLS handshake with",
                                                       .shake = shake,
                                                       .read = read_some,
                                                       .write = write_some,
                                                       .put = put,
                                                       .more = more,
                                                       .leave = leave,
                                                       .forget = forget};
  char name[NAME_TEXT];
  plain_name(o->server_name != NULL ? o->server_name : o->host, name, sizeof name);
  if (name[0] == '\0') { /* OpenSSL would take that for "any name" */
    (void)fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "server_name: is empty");
    return NULL;
  }
  SSL_CTX *context = fog_tls_context(o, error);
  if (context == NULL) return NULL;
  struct tls *t = calloc(1, sizeof *t);
  bool ok = false;
  if (t != NULL) {
    t->layer = (struct fog_layer){.does = &functions, .below = below, .loop = below->loop};
    ok = prepare(t, context, o, name);
  }
  if (!ok) {
    (void)fog_connection_fail(error, FOG_CONNECTION_LOCAL, false, "TLS: %s", fog_tls_reason());
    if (t != NULL) forget(&t->layer);
  }
  SSL_CTX_free(context);
  return ok ? &t->layer : NULL;
}
