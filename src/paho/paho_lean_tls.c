/* SPDX-License-Identifier: MIT
 *
 * TLS: the two buffers of a socket lie above OpenSSL and hold plain text. Why that is correct: the essay in
 * paho_lean.c.
 */
#include "paho_lean_slot.h"

#ifdef FOG_PAHO_LEAN

#include <openssl/err.h>
#include <openssl/x509v3.h>

int __real_SSL_set_fd(SSL *ssl, int fd);
int __real_SSL_pending(const SSL *ssl);
int __real_SSL_connect(SSL *ssl);

static _Thread_local struct {
  const SSL *of; /* what SSL_get_error would have said right after the last call on it, for one question */
  int error;
  bool unclear;          /* Paho asked for an empty error queue, and nothing has needed it yet */
  struct fog_lean *slot; /* the last one, since looking it up costs as much as a read */
} asked;

static void clear_errors(void) {
  if (asked.unclear) __real_ERR_clear_error();
  asked.unclear = false;
}

/* --- a connection --- */

void fog_lean_tls_open(struct fog_lean *s, SSL *ssl) {
  (void)pthread_mutex_lock(&s->lock);
  s->ssl = ssl;
  SSL_set_read_ahead(ssl, 1);      /* many small records per recv; tls_fill leaves none behind for poll to miss */
  SSL_set_msg_callback(ssl, NULL); /* Paho's two only format lines for Log, per record, in one static buffer */
  SSL_set_info_callback(ssl, NULL);
  SSL_set_default_read_buffer_len(ssl, 32768);
  (void)SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  (void)pthread_mutex_unlock(&s->lock);
}

/* Reads records until OpenSSL has no whole one left or the buffer is full. The count, or what SSL_read said at once. */
static int tls_fill(struct fog_lean *s, SSL *ssl, int *error) {
  size_t got = 0, room = s->in_size - s->part;
  unsigned char *to = s->in + s->part;
  int n = 1;
  clear_errors();
  while (n > 0 && got < room) {
    n = __real_SSL_read(ssl, to + got, (int)(room - got));
    if (n > 0) got += (size_t)n;
  }
  *error = n > 0 ? SSL_ERROR_NONE : __real_SSL_get_error(ssl, n);
  atomic_store(&s->more, *error != SSL_ERROR_WANT_READ);
  if (*error == SSL_ERROR_WANT_WRITE) atomic_store(&s->stuck, true);      /* a key update; POLLOUT says when to go on */
  if (got == 0 && *error == SSL_ERROR_WANT_READ) fog_lean_acknowledge(s); /* tickets: a CONNACK may wait for that */
  if (got == 0) return n;
  if (n <= 0) __real_ERR_clear_error(); /* behind the data: `more` makes the reader come back for it */
  got = fog_lean_admit(s, to, got);
  *error = got > 0 ? *error : SSL_ERROR_SYSCALL;
  if (got == 0) return -1;
  atomic_store_explicit(&s->established, true, memory_order_relaxed);
  fog_lean_in_filled(s, got);
  return (int)got;
}

static int tls_read_locked(struct fog_lean *s, SSL *ssl, int *error) {
  *error = SSL_ERROR_SYSCALL;
  if (atomic_load(&s->error) != 0 || !fog_lean_in_ready(s)) return -1;
  int n = tls_fill(s, ssl, error);
  if (s->want_read) fog_lean_flush_locked(s);
  return n;
}

int fog_lean_tls_read(struct fog_lean *s, SSL *ssl, void *buf, int len, int *error) {
  *error = SSL_ERROR_NONE;
  if (fog_lean_sift(s)) return (int)fog_lean_take(s, buf, (size_t)len);
  int n = 1;
  (void)pthread_mutex_lock(&s->lock);
  if (atomic_load_explicit(&s->held, memory_order_relaxed) == 0) n = tls_read_locked(s, ssl, error);
  (void)pthread_mutex_unlock(&s->lock);
  if (n <= 0) return n;
  if (fog_lean_sift(s)) return (int)fog_lean_take(s, buf, (size_t)len);
  *error = SSL_ERROR_WANT_READ;
  return -1;
}

int fog_lean_tls_write(struct fog_lean *s, SSL *ssl, const void *buf, int len, int *error, bool *deferred) {
  (void)ssl;
  *error = SSL_ERROR_NONE;
  *deferred = false;
  (void)pthread_mutex_lock(&s->lock);
  int n = len;
  if (atomic_load(&s->error) != 0) {
    /* told to the reader only */
  } else if (!fog_lean_accepts(s, (size_t)len)) {
    n = (int)fog_lean_refuse(s);
    *error = SSL_ERROR_WANT_WRITE;
  } else {
    fog_lean_append(s, buf, (size_t)len);
    fog_lean_note_sent(s, buf, (size_t)len);
    if (s->out_to - s->out_from >= WRITE_FLUSH) fog_lean_flush_locked(s);
    *deferred = s->out_to > 0;
  }
  (void)pthread_mutex_unlock(&s->lock);
  return n;
}

int fog_lean_tls_shutdown(struct fog_lean *s, SSL *ssl) {
  (void)pthread_mutex_lock(&s->lock);
  fog_lean_leave_locked(s);
  int n = __real_SSL_shutdown(ssl);
  (void)pthread_mutex_unlock(&s->lock);
  return n;
}

void fog_lean_tls_free(struct fog_lean *s, SSL *ssl) {
  (void)pthread_mutex_lock(&s->lock);
  s->ssl = NULL;
  s->number = 0;
  s->out_from = s->out_to = 0; /* plain text: it must not go out on the naked socket */
  __real_SSL_free(ssl);
  (void)pthread_mutex_unlock(&s->lock);
}

/* --- the wraps --- */

static struct fog_lean *tls_slot(const SSL *ssl) {
  struct fog_lean *s = asked.slot;
  if (s != NULL && atomic_load_explicit(&s->ssl, memory_order_acquire) == ssl) return s;
  s = fog_lean_get(SSL_get_fd(ssl));
  asked.slot = s;
  return s;
}

static int remember(const SSL *ssl, int rc, int error) {
  asked.of = rc > 0 ? NULL : ssl;
  asked.error = error;
  return rc;
}

int __wrap_SSL_set_fd(SSL *ssl, int fd);
int __wrap_SSL_set_fd(SSL *ssl, int fd) {
  int rc = __real_SSL_set_fd(ssl, fd);
  struct fog_lean *s = fog_lean_get(fd);
  if (rc == 1 && s != NULL) fog_lean_tls_open(s, ssl);
  return rc;
}

int __wrap_SSL_read(SSL *ssl, void *buf, int len);
int __wrap_SSL_read(SSL *ssl, void *buf, int len) {
  int error;
  struct fog_lean *s = tls_slot(ssl);
  if (s == NULL) {
    clear_errors();
    return __real_SSL_read(ssl, buf, len);
  }
  int rc = fog_lean_tls_read(s, ssl, buf, len, &error);
  return remember(ssl, rc, error);
}

int __wrap_SSL_write(SSL *ssl, const void *buf, int len);
int __wrap_SSL_write(SSL *ssl, const void *buf, int len) {
  int error;
  bool deferred;
  struct fog_lean *s = tls_slot(ssl);
  if (s == NULL) {
    clear_errors();
    return __real_SSL_write(ssl, buf, len);
  }
  int rc = fog_lean_tls_write(s, ssl, buf, len, &error, &deferred);
  if (deferred) fog_lean_put_off(s);
  if (fog_lean_stuck(s) || fog_lean_failed(s)) fog_lean_wake_receiver();
  return remember(ssl, rc, error);
}

int __wrap_SSL_get_error(const SSL *ssl, int rc);
int __wrap_SSL_get_error(const SSL *ssl, int rc) {
  if (asked.of != ssl) return __real_SSL_get_error(ssl, rc);
  asked.of = NULL;
  return asked.error;
}

int __wrap_SSL_pending(const SSL *ssl);
int __wrap_SSL_pending(const SSL *ssl) {
  return tls_slot(ssl) != NULL ? 0 : __real_SSL_pending(ssl); /* poll says it: cheaper than Paho's list, and fair */
}

/* Paho clears the queue before each of its reads, most of which are answered from the buffer. */
void __wrap_ERR_clear_error(void);
void __wrap_ERR_clear_error(void) {
  asked.unclear = true;
  if (!fog_lean_is_mine()) clear_errors();
}

/* Paho compares the certificate's name after the handshake, and then says no more than that something failed. OpenSSL
 * compares it during the handshake, and says what it found. */
static void expect_host(SSL *ssl) {
  const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (host == NULL || (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) == 0) return;
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) != 1) (void)SSL_set1_host(ssl, host);
}

/* "certificate verify failed" does not say why: the reason goes with the error, into the text that Paho hands on. */
static void add_reason(const SSL *ssl) {
  long verdict = SSL_get_verify_result(ssl);
  if (verdict != X509_V_OK && ERR_peek_last_error() != 0) {
    ERR_add_error_data(1, X509_verify_cert_error_string(verdict));
  }
}

int __wrap_SSL_connect(SSL *ssl);
int __wrap_SSL_connect(SSL *ssl) {
  clear_errors();
  asked.of = NULL; /* an answer that Paho never asked for, about a connection that was at this address before */
  if (tls_slot(ssl) == NULL) return __real_SSL_connect(ssl);
  if (SSL_in_before(ssl)) expect_host(ssl);
  int rc = __real_SSL_connect(ssl);
  if (rc <= 0) add_reason(ssl);
  return rc;
}

int __wrap_SSL_shutdown(SSL *ssl);
int __wrap_SSL_shutdown(SSL *ssl) {
  struct fog_lean *s = tls_slot(ssl);
  clear_errors();
  return s != NULL ? fog_lean_tls_shutdown(s, ssl) : __real_SSL_shutdown(ssl);
}

void __wrap_SSL_free(SSL *ssl);
void __wrap_SSL_free(SSL *ssl) {
  struct fog_lean *s = tls_slot(ssl);
  if (s != NULL) {
    fog_lean_tls_free(s, ssl);
  } else {
    __real_SSL_free(ssl);
  }
}

#else
typedef int fog_paho_lean_tls_unused;
#endif
