/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

static void say(struct fog_probe *result, const char *text) {
  (void)snprintf(result->error, sizeof result->error, "%s", text);
}

/* Waits until fd is ready. False: not before the deadline. */
static bool await(int fd, short events, double deadline) {
  struct pollfd waiting = {.fd = fd, .events = events};
  for (;;) {
    double left = deadline - fog_process_now();
    int rc = left <= 0 ? 0 : poll(&waiting, 1, (int)(left * 1e3) + 1);
    if (rc >= 0 || errno != EINTR) return rc > 0;
  }
}

/* A connected socket, or -1. SOCK_CLOEXEC also tells the wraps of lean Paho that it is not theirs. */
static int connect_one(const struct addrinfo *to, double deadline, struct fog_probe *result) {
  int error = 0;
  socklen_t len = sizeof error;
  int fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->ai_protocol);
  if (fd < 0) return -1;
  (void)getnameinfo(to->ai_addr, to->ai_addrlen, result->address, sizeof result->address, NULL, 0, NI_NUMERICHOST);
  if (connect(fd, to->ai_addr, to->ai_addrlen) != 0) error = errno;
  if (error == EINPROGRESS) {
    error = ETIMEDOUT;
    if (await(fd, POLLOUT, deadline)) (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
  }
  if (error == 0) return fd;
  say(result, strerror(error)); /* no thread of ours says anything meanwhile */
  (void)close(fd);
  return -1;
}

/* Each address may take its share of what is left, so that a dead one does not keep the others from being tried. */
static int connect_any(const char *host, const char *port, double timeout, struct fog_probe *result) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  int rc = getaddrinfo(host, port, &hints, &found), fd = -1, untried = 0;
  if (rc != 0) {
    say(result, gai_strerror(rc));
    return -1;
  }
  result->stage = FOG_PROBE_CONNECT;
  for (const struct addrinfo *to = found; to != NULL; to = to->ai_next) untried++;
  double began = fog_process_now();
  for (const struct addrinfo *to = found; to != NULL && fd < 0; to = to->ai_next) {
    double now = fog_process_now();
    fd = connect_one(to, now + (began + timeout - now) / untried--, result);
  }
  result->seconds = fog_process_now() - began;
  freeaddrinfo(found);
  return fd;
}

static double seconds_of(const ASN1_TIME *when) {
  struct tm tm;
  memset(&tm, 0, sizeof tm);
  return ASN1_TIME_to_tm(when, &tm) == 1 ? (double)timegm(&tm) : 0;
}

static void note_certificate(const SSL *ssl, struct fog_probe *result) {
  X509 *certificate = SSL_get_peer_certificate(ssl);
  if (certificate == NULL) return;
  (void)X509_NAME_oneline(X509_get_subject_name(certificate), result->subject, sizeof result->subject);
  (void)X509_NAME_oneline(X509_get_issuer_name(certificate), result->issuer, sizeof result->issuer);
  result->not_before = seconds_of(X509_get0_notBefore(certificate));
  result->not_after = seconds_of(X509_get0_notAfter(certificate));
  X509_free(certificate);
  long verdict = SSL_get_verify_result(ssl);
  result->verified = verdict == X509_V_OK;
  (void)snprintf(result->verdict, sizeof result->verdict, "%s", X509_verify_cert_error_string(verdict));
}

static void say_tls(struct fog_probe *result, const SSL *ssl, int rc) {
  unsigned long code = ERR_get_error();
  const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
  int why = SSL_get_error(ssl, rc);
  if (reason == NULL && (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)) reason = "no answer in time";
  say(result, reason != NULL ? reason : "the connection was closed");
}

static void expect_host(SSL *ssl, const char *host) {
  unsigned char address[sizeof(struct in6_addr)];
  if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1) {
    (void)X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
  } else {
    (void)SSL_set1_host(ssl, host);
    (void)SSL_set_tlsext_host_name(ssl, host);
  }
}

/* SSL_connect up to its end or the deadline, however little comes at a time. */
static int connect_by(SSL *ssl, int fd, double deadline) {
  for (;;) {
    int rc = SSL_connect(ssl), why = SSL_get_error(ssl, rc);
    bool again = (why == SSL_ERROR_WANT_READ && await(fd, POLLIN, deadline)) ||
                 (why == SSL_ERROR_WANT_WRITE && await(fd, POLLOUT, deadline));
    if (!again) return rc;
  }
}

static void shake_hands(SSL_CTX *context, int fd, const char *host, double deadline, struct fog_probe *result) {
  SSL *ssl = SSL_new(context);
  if (ssl == NULL) {
    say(result, "no memory");
    return;
  }
  expect_host(ssl, host);
  ERR_clear_error();
  int rc = SSL_set_fd(ssl, fd) == 1 ? connect_by(ssl, fd, deadline) : -1;
  if (rc == 1) {
    result->stage = FOG_PROBE_DONE;
    note_certificate(ssl, result);
    (void)SSL_shutdown(ssl);
  } else {
    say_tls(result, ssl, rc);
  }
  SSL_free(ssl);
}

static void probe_tls(int fd, const char *host, const char *ca_file, double timeout, struct fog_probe *result) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  result->stage = FOG_PROBE_TLS;
  if (context == NULL) {
    say(result, "no memory");
    return;
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL); /* judged afterwards, so that a bad one can be told of */
  int loaded = ca_file != NULL ? SSL_CTX_load_verify_locations(context, ca_file, NULL)
                               : SSL_CTX_set_default_verify_paths(context);
  if (loaded == 1)
    shake_hands(context, fd, host, fog_process_now() + timeout, result);
  else
    say(result, "the file of authorities (ca_file) cannot be read");
  SSL_CTX_free(context);
  ERR_clear_error();
}

/* OpenSSL writes without MSG_NOSIGNAL: a SIGPIPE of ours is taken back before the host sees it. */
static void with_tls(int fd, const char *host, const char *ca_file, double timeout, struct fog_probe *result) {
  sigset_t pipe_only, before, pending;
  const struct timespec at_once = {0, 0};
  (void)sigemptyset(&pipe_only);
  (void)sigaddset(&pipe_only, SIGPIPE);
  (void)sigpending(&pending);
  (void)pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  probe_tls(fd, host, ca_file, timeout, result);
  if (sigismember(&pending, SIGPIPE) == 0) (void)sigtimedwait(&pipe_only, NULL, &at_once);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void fog_probe(const char *host, const char *port, bool tls, const char *ca_file, double timeout,
               struct fog_probe *result) {
  memset(result, 0, sizeof *result);
  result->stage = FOG_PROBE_RESOLVE;
  int fd = connect_any(host, port, timeout, result);
  if (fd < 0) return;
  if (tls)
    with_tls(fd, host, ca_file, timeout, result);
  else
    result->stage = FOG_PROBE_DONE;
  (void)close(fd);
}
