/* SPDX-License-Identifier: MIT
 *
 * One request on its way through the driver: what is asked, what has come so far, and the event that will report it.
 */
#ifndef FOG_HTTP_REQUEST_H
#define FOG_HTTP_REQUEST_H

#include <curl/curl.h>

#include "http.h"

struct fog_http_request {
  struct fog_event event; /* first: releasing the event frees the request */
  struct fog_http_request *next, *prev;
  CURL *easy;
  struct curl_slist *headers;
  const char *method;
  char *url, *body, *ca_file, *ca_pem, *proxy;
  size_t body_len, body_cap, header_cap, max_body;
  long connect_timeout_ms, timeout_ms;
  bool fresh, too_large, no_memory;
  char error[CURL_ERROR_SIZE];
};

/* Writes all that r asks for into an easy handle that is as good as new. */
void fog_http_request_prepare(struct fog_http_request *r, CURL *easy);

/* Fills r->event from a transfer that ended with code. */
void fog_http_request_finish(struct fog_http_request *r, CURLcode code);

#endif
