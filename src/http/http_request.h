/* SPDX-License-Identifier: MIT
 *
 * One request on its way through the driver: what is asked, what has come so far, and the event that will report it.
 */
#ifndef FOG_HTTP_REQUEST_H
#define FOG_HTTP_REQUEST_H

#include <curl/curl.h>

#include "http_handle.h"

struct fog_http_request {
  struct fog_event event; /* first: releasing the event frees the request */
  struct fog_http_request *next, *prev;
  struct fog_http_handle *handle;   /* NULL: not in libcurl */
  struct fog_http_profile *profile; /* a reference */
  struct curl_slist *own_header;    /* before the profile's; NULL: none */
  const char *method;
  char *url, *body;
  size_t body_len, body_cap, header_cap, max_body;
  long connect_timeout_ms, timeout_ms;
  double deadline;     /* fog_process_now's; 0: not started yet */
  size_t overdue_size; /* what had come when it was seen to be overdue, and how often it was since */
  int overdue;
  bool fresh, no_memory;
  bool resolving;     /* its host's name was looked up, or is being looked up */
  void *driver;       /* for the driver's callbacks */
  size_t *connecting; /* the driver's count of requests without a connection, this one among them; NULL: it has one */
  bool stale;         /* its kept connection held bytes that nobody had asked for */
  const char *too_large; /* what is; NULL: nothing */
  char error[CURL_ERROR_SIZE];
};

/* Takes over url and body of o, and the reference to the profile (NULL: there was no memory for it). NULL: no memory.
 */
struct fog_http_request *fog_http_request_make(uint64_t id, struct fog_http_profile *profile,
                                               const struct fog_http_options *o);

/* Writes what r's profile asks for into an easy handle that is as good as new. */
void fog_http_request_prepare(const struct fog_http_request *r, CURL *easy);

/* Writes what is r's own into a handle that was prepared for its profile. */
void fog_http_request_start(struct fog_http_request *r, struct fog_http_handle *handle);

/* Fills r->event from a transfer that ended with code. */
void fog_http_request_finish(struct fog_http_request *r, CURLcode code);

/* The same for one that is ended now, because its time is over. */
void fog_http_request_expire(struct fog_http_request *r);

/* Whether a transfer that ended with code was answered by what lay on a kept connection before it was sent: then it is
 * to be sent again on one of its own, and all that has come of it is forgotten. Driver's thread. */
bool fog_http_request_misled(struct fog_http_request *r, CURLcode code);

#endif
