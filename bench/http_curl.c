/* SPDX-License-Identifier: MIT
 *
 * libcurl in C doing the requests of grant(): one easy handle after the other, or `many` at a time through the multi
 * interface (curl_multi_perform and curl_multi_poll, handles kept). http_curl PORT MANY COUNT [CA]; with a CA over TLS,
 * HTTP/2 where the server has it.
 */
#include "common.h"

#include <curl/curl.h>

static char url[128];
static const char *ca;
static struct curl_slist *headers;
static const char body[] = "client_id=abc&device_id=dev1";

struct reply {
  size_t len;
  char text[512];
};

static size_t on_body(char *data, size_t size, size_t n, void *arg) {
  struct reply *r = arg;
  if (r->len + n < sizeof r->text) memcpy(r->text + r->len, data, n);
  r->len += n;
  return size * n;
}

static CURL *handle(struct reply *r) {
  CURL *h = curl_easy_init();
  (void)curl_easy_setopt(h, CURLOPT_URL, url);
  (void)curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
  (void)curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
  (void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
  (void)curl_easy_setopt(h, CURLOPT_WRITEDATA, r);
  (void)curl_easy_setopt(h, CURLOPT_PRIVATE, r);
  (void)curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
  if (ca != NULL) {
    (void)curl_easy_setopt(h, CURLOPT_CAINFO, ca);
    (void)curl_easy_setopt(h, CURLOPT_PIPEWAIT, 1L); /* one connection from the beginning */
  }
  return h;
}

static void one_at_a_time(const struct bench *b) {
  struct reply r = {0};
  CURL *h = handle(&r);
  for (long i = 0; i < b->count; i++, r.len = 0) {
    if (curl_easy_perform(h) != CURLE_OK || r.len == 0) exit(1);
  }
}

static void many_at_a_time(const struct bench *b, int many) {
  CURLM *m = curl_multi_init();
  struct reply *replies = calloc((size_t)many, sizeof *replies);
  long started = 0, ended = 0;
  int running, left;
  for (; started < many; started++) (void)curl_multi_add_handle(m, handle(&replies[started]));
  while (ended < b->count) {
    (void)curl_multi_perform(m, &running);
    for (CURLMsg *msg; (msg = curl_multi_info_read(m, &left)) != NULL;) {
      CURL *h = msg->easy_handle;
      struct reply *r;
      if (msg->data.result != CURLE_OK) exit(1);
      (void)curl_easy_getinfo(h, CURLINFO_PRIVATE, &r);
      r->len = 0;
      ended++;
      (void)curl_multi_remove_handle(m, h);
      if (started < b->count) {
        started++;
        (void)curl_multi_add_handle(m, h);
      }
    }
    (void)curl_multi_poll(m, NULL, 0, 100, NULL);
  }
}

int main(int argc, char **argv) {
  struct bench b = {0};
  if (argc < 4) return 2;
  int many = atoi(argv[2]);
  b.count = atol(argv[3]);
  ca = argc > 4 ? argv[4] : NULL;
  const char *host = ca != NULL ? "https://localhost" : "http://127.0.0.1";
  (void)snprintf(url, sizeof url, "%s:%s/v3/open_api/mqtt/permission/", host, argv[1]);
  (void)curl_global_init(CURL_GLOBAL_ALL);
  headers = curl_slist_append(NULL, "Authorization: Bearer t");
  bench_start(&b);
  if (many == 1) {
    one_at_a_time(&b);
  } else {
    many_at_a_time(&b, many);
  }
  bench_report(&b);
  return 0;
}
