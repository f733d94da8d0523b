/* SPDX-License-Identifier: MIT */
#include "http_request.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/process.h"

enum { HEADER_LIMIT = 64 * 1024 };

/* Secrets and tokens go through these buffers: they are overwritten before the allocator has them back. */
static void free_wiped(char *s, size_t len) {
  if (s != NULL) explicit_bzero(s, len);
  free(s);
}

void fog_http_options_free(const struct fog_http_options *o) {
  free(o->url);
  free_wiped(o->body, o->body_len);
}

static void release_request(struct fog_event *ev) { fog_http_request_free((struct fog_http_request *)ev); }

static bool add_own_header(struct fog_http_request *r, const char *line) {
  if (line == NULL) return true;
  r->own_header = curl_slist_append(NULL, line);
  if (r->own_header == NULL) return false;
  r->own_header->next = r->profile->headers;
  return true;
}

struct fog_http_request *fog_http_request_make(uint64_t id, struct fog_http_profile *profile,
                                               const struct fog_http_options *o) {
  struct fog_http_request *r = profile == NULL ? NULL : calloc(1, sizeof *r);
  if (r == NULL) {
    fog_http_profile_unref(profile);
    fog_http_options_free(o);
    return NULL;
  }
  r->event.id = id;
  r->event.release = release_request;
  r->profile = profile;
  r->method = o->method;
  r->url = o->url;
  r->body = o->body;
  r->body_len = o->body_len;
  r->connect_timeout_ms = o->connect_timeout_ms;
  r->timeout_ms = o->timeout_ms;
  r->max_body = o->max_body;
  r->fresh = o->fresh;
  if (add_own_header(r, o->request_id)) return r;
  fog_http_request_free(r);
  return NULL;
}

void fog_http_request_free(struct fog_http_request *r) {
  if (r->own_header != NULL) r->own_header->next = NULL; /* the rest is the profile's */
  curl_slist_free_all(r->own_header);
  fog_http_profile_unref(r->profile);
  free(r->url);
  free_wiped(r->body, r->body_len);
  free_wiped(r->event.text, r->event.text_len);
  free(r->event.extra);
  free(r);
}

static bool append(struct fog_http_request *r, char **buf, size_t *len, size_t *cap, const char *data, size_t n) {
  if (*len + n + 1 > *cap) {
    size_t want = *cap == 0 ? 1024 : *cap * 2;
    while (want < *len + n + 1) want *= 2;
    char *grown = malloc(want); /* realloc would leave what was there behind */
    if (grown == NULL) {
      r->no_memory = true;
      return false;
    }
    if (*len > 0) memcpy(grown, *buf, *len);
    free_wiped(*buf, *len);
    *buf = grown;
    *cap = want;
  }
  memcpy(*buf + *len, data, n);
  *len += n;
  (*buf)[*len] = '\0';
  return true;
}

/* MAXFILESIZE stops neither bodies of unknown length nor decompressed ones (traps: C4), so the bytes are counted here.
 */
static size_t on_body(char *data, size_t size, size_t count, void *arg) {
  struct fog_http_request *r = arg;
  size_t n = size * count;
  if (n > r->max_body - r->event.text_len) {
    r->too_large = "body";
    return 0;
  }
  return append(r, &r->event.text, &r->event.text_len, &r->body_cap, data, n) ? n : 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg) {
  struct fog_http_request *r = arg;
  size_t n = size * count;
  if (n >= 5 && memcmp(data, "HTTP/", 5) == 0) r->event.extra_len = 0; /* a 1xx came before the real one */
  if (n > HEADER_LIMIT - r->event.extra_len) {
    r->too_large = "headers";
    return 0;
  }
  return append(r, &r->event.extra, &r->event.extra_len, &r->header_cap, data, n) ? n : 0;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)arg;
  (void)purpose;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A CA of the caller's is the only one that counts: libcurl would add it to the folder that it was built with (traps:
 * C11), and keep a file's content for a day. */
static void prepare_authorities(const struct fog_http_profile *p, CURL *easy) {
  if (p->ca_pem == NULL && p->ca_file == NULL) return;
  (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  (void)curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
#if LIBCURL_VERSION_NUM >= 0x075700
  (void)curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
  if (p->ca_pem != NULL) {
    struct curl_blob blob = {.data = p->ca_pem, .len = strlen(p->ca_pem), .flags = CURL_BLOB_COPY};
    (void)curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &blob);
  } else {
    (void)curl_easy_setopt(easy, CURLOPT_CAINFO, p->ca_file);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, p->ca_file);
  }
}

/* Without a pass phrase OpenSSL would ask for one at the terminal, and all would wait (traps: P19). */
static void prepare_identity(const struct fog_http_profile *p, CURL *easy) {
  if (p->cert_file == NULL) return;
  (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, p->cert_file);
  (void)curl_easy_setopt(easy, CURLOPT_SSLKEY, p->key_file == NULL ? p->cert_file : p->key_file);
  (void)curl_easy_setopt(easy, CURLOPT_KEYPASSWD, p->key_password == NULL ? "" : p->key_password);
}

static void prepare_trust(const struct fog_http_profile *p, CURL *easy) {
  (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  prepare_authorities(p, easy);
  prepare_identity(p, easy);
}

/* No redirects, no netrc, no proxy from the environment nor a word of it against ours, http and https only: a bearer
 * token goes where the caller said and nowhere else (traps: C5, C13). */
static void prepare_limits(const struct fog_http_profile *p, CURL *easy) {
  (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  (void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  (void)curl_easy_setopt(easy, CURLOPT_PROXY, p->proxy == NULL ? "" : p->proxy);
  (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
#if LIBCURL_VERSION_NUM >= 0x075700 /* a cancelled or timed-out look-up is left behind, not waited for */
  (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

/* A server may say something on a kept connection while nothing is asked, and hang up (a 408, RFC 9110, 15.5.9):
 * libcurl would take it for the reply. Bytes that are there before a request is sent are not its reply; with HTTP/2
 * they have other reasons. */
static int before_sending(void *arg, char *remote, char *local, int remote_port, int local_port) {
  struct fog_http_request *r = arg;
  long made = 1, version = 0;
  curl_socket_t fd = CURL_SOCKET_BAD;
  char byte;
  (void)remote;
  (void)local;
  (void)remote_port;
  (void)local_port;
  if (r->connecting != NULL) --*r->connecting;
  r->connecting = NULL;
  if (r->fresh) return CURL_PREREQFUNC_OK;
  (void)curl_easy_getinfo(r->handle->easy, CURLINFO_NUM_CONNECTS, &made);
  (void)curl_easy_getinfo(r->handle->easy, CURLINFO_HTTP_VERSION, &version);
  (void)curl_easy_getinfo(r->handle->easy, CURLINFO_ACTIVESOCKET, &fd);
  if (made > 0 || version >= CURL_HTTP_VERSION_2_0 || fd == CURL_SOCKET_BAD) return CURL_PREREQFUNC_OK;
  r->stale = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0; /* 0: it hung up */
  return r->stale ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

void fog_http_request_prepare(const struct fog_http_request *r, CURL *easy) {
  (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  (void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_sending);
  if (r->profile->proxy != NULL) (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, r->profile->user_agent);
  prepare_trust(r->profile, easy);
  prepare_limits(r->profile, easy);
}

void fog_http_request_start(struct fog_http_request *r, struct fog_http_handle *handle) {
  CURL *easy = handle->easy;
  r->handle = handle;
  (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, r);
  (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
  fog_http_handle_aim(handle, r->url);
  (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->own_header != NULL ? r->own_header : r->profile->headers);
  (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
  (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, r);
  if (r->deadline == 0) r->deadline = fog_process_now() + (double)r->timeout_ms / 1e3;
  (void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, r);
  (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, r->connect_timeout_ms);
  (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, r->fresh ? 1L : 0L);
  /* Only what is asked for without a body can be long; for the rest the header costs more than it saves. */
  (void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, r->body == NULL ? "" : NULL);
  if (r->body != NULL) {
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body);
  } else {
    (void)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L); /* the handle may have had a body before */
  }
  (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
}

static const char *failure_kind(const struct fog_http_request *r, CURLcode code) {
  if (r->too_large != NULL) return "protocol";
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return "timeout";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
      return "tls";
    case CURLE_RECV_ERROR: /* with TLS 1.3 a server refuses the client's certificate after the handshake */
    case CURLE_SEND_ERROR:
      return strstr(r->error, "alert") != NULL ? "tls" : "network";
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return "protocol";
    default:
      return "network";
  }
}

static double seconds_at(CURL *easy, CURLINFO what) {
  curl_off_t us = 0;
  (void)curl_easy_getinfo(easy, what, &us);
  return (double)us / 1e6;
}

static void take_timings(struct fog_http_request *r) {
  struct fog_timings *t = &r->event.timings;
  t->resolve = seconds_at(r->handle->easy, CURLINFO_NAMELOOKUP_TIME_T);
  t->connect = seconds_at(r->handle->easy, CURLINFO_CONNECT_TIME_T);
  t->tls = seconds_at(r->handle->easy, CURLINFO_APPCONNECT_TIME_T);
  t->first_byte = seconds_at(r->handle->easy, CURLINFO_STARTTRANSFER_TIME_T);
  t->total = seconds_at(r->handle->easy, CURLINFO_TOTAL_TIME_T);
}

/* The host that a URL names, without user name, password and port. */
static void host_of(const char *url, char *host, size_t size) {
  const char *from = strstr(url, "://");
  from = from == NULL ? url : from + 3;
  size_t len = strcspn(from, "/?#");
  for (size_t i = 0; i < len; i++) {
    if (from[i] == '@') {
      from += i + 1;
      len -= i + 1;
      i = 0;
    }
  }
  (void)snprintf(host, size, "%.*s", (int)len, from);
}

/* What went wrong, in r->error. */
static const char *failure_text(struct fog_http_request *r, CURLcode code) {
  static const char resolving[] = "Resolving timed out";
  if (r->no_memory) return "not enough memory for the reply";
  if (r->too_large != NULL && strcmp(r->too_large, "body") == 0) {
    (void)snprintf(r->error, sizeof r->error, "the reply is larger than the limit, max_body (%zu bytes)", r->max_body);
  } else if (r->too_large != NULL) {
    (void)snprintf(r->error, sizeof r->error, "the reply's headers are larger than the limit, %d bytes", HEADER_LIMIT);
  } else if (code == CURLE_OPERATION_TIMEDOUT && strncmp(r->error, resolving, sizeof resolving - 1) == 0) {
    char host[sizeof r->error - 64];
    host_of(r->profile->proxy == NULL ? r->url : r->profile->proxy, host, sizeof host);
    (void)snprintf(r->error, sizeof r->error, "looking up %s took too long", host);
  }
  return r->error[0] != '\0' ? r->error : curl_easy_strerror(code);
}

static void fail(struct fog_http_request *r, CURLcode code) {
  struct fog_event *ev = &r->event;
  long sent = 0, tunnel = 0;
  (void)curl_easy_getinfo(r->handle->easy, CURLINFO_REQUEST_SIZE, &sent);
  (void)curl_easy_getinfo(r->handle->easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
  ev->type = FOG_EV_FAILURE;
  ev->name = failure_kind(r, code);
  ev->code = tunnel >= 300 ? (int)tunnel : 0;
  ev->flag = sent > 0 && ev->code == 0; /* else it was the CONNECT */
  free_wiped(ev->text, ev->text_len);   /* a part of a reply */
  ev->text = NULL;
  fog_event_set_text(ev, failure_text(r, code));
}

void fog_http_request_finish(struct fog_http_request *r, CURLcode code) {
  long status = 0;
  take_timings(r);
  if (code != CURLE_OK) {
    fail(r, code);
    return;
  }
  (void)curl_easy_getinfo(r->handle->easy, CURLINFO_RESPONSE_CODE, &status);
  r->event.code = (int)status;
  r->event.type = FOG_EV_REPLY;
}

/* In libcurl's words, which people search for. */
void fog_http_request_expire(struct fog_http_request *r) {
  take_timings(r);
  const struct fog_timings *t = &r->event.timings;
  long sent = 0;
  (void)curl_easy_getinfo(r->handle->easy, CURLINFO_REQUEST_SIZE, &sent);
  if (sent == 0 && r->resolving && t->resolve <= 0)
    (void)snprintf(r->error, sizeof r->error, "Resolving timed out");
  else if (sent == 0)
    (void)snprintf(r->error, sizeof r->error, "Connection timed out after %ld milliseconds", r->timeout_ms);
  else
    (void)snprintf(r->error, sizeof r->error, "Operation timed out after %ld milliseconds with %zu bytes received",
                   r->timeout_ms, r->event.text_len);
  fail(r, CURLE_OPERATION_TIMEDOUT);
}

bool fog_http_request_misled(struct fog_http_request *r, CURLcode code) {
  long status = 0, made = 1;
  if (r->fresh) return false;
  if (code == CURLE_OK) { /* it may have come between our look and the sending */
    (void)curl_easy_getinfo(r->handle->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(r->handle->easy, CURLINFO_NUM_CONNECTS, &made);
  }
  if (!(code == CURLE_ABORTED_BY_CALLBACK && r->stale) && !(status == 408 && made == 0)) return false;
  if (r->event.text != NULL) explicit_bzero(r->event.text, r->event.text_len);
  r->event.text_len = r->event.extra_len = 0;
  r->error[0] = '\0';
  r->fresh = true;
  return true;
}
