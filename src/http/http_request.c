/* SPDX-License-Identifier: MIT */
#include "http_request.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
    r->too_large = true;
    return 0;
  }
  return append(r, &r->event.text, &r->event.text_len, &r->body_cap, data, n) ? n : 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg) {
  struct fog_http_request *r = arg;
  size_t n = size * count;
  if (n >= 5 && memcmp(data, "HTTP/", 5) == 0) r->event.extra_len = 0; /* a 1xx came before the real one */
  if (n > HEADER_LIMIT - r->event.extra_len) {
    r->too_large = true;
    return 0;
  }
  return append(r, &r->event.extra, &r->event.extra_len, &r->header_cap, data, n) ? n : 0;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)arg;
  (void)purpose;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void prepare_trust(const struct fog_http_profile *p, CURL *easy) {
  (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (p->ca_pem != NULL) {
    struct curl_blob blob = {.data = p->ca_pem, .len = strlen(p->ca_pem), .flags = CURL_BLOB_COPY};
    (void)curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
  } else if (p->ca_file != NULL) {
    (void)curl_easy_setopt(easy, CURLOPT_CAINFO, p->ca_file);
  }
}

/* No redirects, no netrc, no proxy from the environment, http and https only: a bearer token goes where the caller
 * said and nowhere else (traps: C5). */
static void prepare_limits(const struct fog_http_profile *p, CURL *easy) {
  (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  (void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  (void)curl_easy_setopt(easy, CURLOPT_PROXY, p->proxy == NULL ? "" : p->proxy);
  (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
#if LIBCURL_VERSION_NUM >= 0x075700 /* a cancelled or timed-out look-up is left behind, not waited for */
  (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

void fog_http_request_prepare(const struct fog_http_request *r, CURL *easy) {
  (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  prepare_trust(r->profile, easy);
  prepare_limits(r->profile, easy);
}

void fog_http_request_start(struct fog_http_request *r, CURL *easy) {
  r->easy = easy;
  (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, r);
  (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
  (void)curl_easy_setopt(easy, CURLOPT_URL, r->url);
  (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->own_header != NULL ? r->own_header : r->profile->headers);
  (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
  (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, r);
  (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, r->timeout_ms);
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
  if (r->too_large) return "protocol";
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
      return "tls";
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
  t->resolve = seconds_at(r->easy, CURLINFO_NAMELOOKUP_TIME_T);
  t->connect = seconds_at(r->easy, CURLINFO_CONNECT_TIME_T);
  t->tls = seconds_at(r->easy, CURLINFO_APPCONNECT_TIME_T);
  t->first_byte = seconds_at(r->easy, CURLINFO_STARTTRANSFER_TIME_T);
  t->total = seconds_at(r->easy, CURLINFO_TOTAL_TIME_T);
}

void fog_http_request_finish(struct fog_http_request *r, CURLcode code) {
  struct fog_event *ev = &r->event;
  long status = 0, sent = 0;
  (void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
  (void)curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &sent);
  take_timings(r);
  ev->code = (int)status;
  if (code == CURLE_OK) {
    ev->type = FOG_EV_REPLY;
    return;
  }
  ev->type = FOG_EV_FAILURE;
  ev->name = failure_kind(r, code);
  ev->flag = sent > 0;
  const char *text = r->error[0] != '\0' ? r->error : curl_easy_strerror(code);
  if (r->too_large) text = "the reply is larger than the limit";
  if (r->no_memory) text = "not enough memory for the reply";
  free_wiped(ev->text, ev->text_len); /* a part of a reply */
  ev->text = NULL;
  fog_event_set_text(ev, text);
}
