/* SPDX-License-Identifier: MIT
 *
 * The HTTP driver: one curl multi handle, driven by the same code in one of two ways. Inline, the caller's thread
 * drives it inside fog_http_wait: no thread, no hand-over. In the background, one thread drives it and the caller only
 * submits: no TLS handshake ever stalls a frame or an event loop. Results come out as events on the queue.
 */
#ifndef FOG_HTTP_H
#define FOG_HTTP_H

#include "../base/error.h"
#include "../base/queue.h"

struct fog_http;

struct fog_http_options {
  const char *method;
  char *url;  /* malloc'ed; the request's from fog_http_request_new on, also when that fails */
  char *body; /* likewise; NULL: none */
  size_t body_len;
  const char *content_type;  /* header line, static text; NULL: a form's, where there is a body */
  const char *authorization; /* header line; NULL: none */
  const char *request_id;    /* header line; NULL: none */
  const char *user_agent;    /* NULL: none */
  const char *ca_file;       /* the only authorities; NULL: the system's */
  const char *ca_pem;        /* the same as text; NULL: none; wins over ca_file */
  const char *cert_file;     /* the client's certificate, PEM; NULL: none */
  const char *key_file;      /* its key; NULL: in cert_file */
  const char *key_password;  /* NULL: none; never asked for at the terminal */
  const char *proxy;         /* NULL: no proxy, whatever the environment says (traps: C5) */
  long connect_timeout_ms;
  long timeout_ms;
  size_t max_body; /* bytes after decompression */
  bool fresh;      /* a connection of its own, so that libcurl never repeats it on a second one (api.h: repeatable) */
};

/* Frees url and body of options that no request took over; the body is overwritten before. */
void fog_http_options_free(const struct fog_http_options *o);

struct fog_http_request;

/* The request with its event inside. NULL: no memory. Everything of options but url and body is copied. Owner's thread.
 */
struct fog_http_request *fog_http_request_new(struct fog_http *h, uint64_t id, const struct fog_http_options *options);

/* Frees a request that was never submitted. */
void fog_http_request_free(struct fog_http_request *r);

/* NULL: no memory, or libcurl cannot be used. Events go to q, on which it holds a reference. max_requests bounds those
 * in flight. */
struct fog_http *fog_http_new(struct fog_queue *q, size_t max_requests);

/* Ends what is in flight without events, joins the thread, frees all. Never in a forked child: the connections are the
 * parent's, and a clean end would write into them (traps: C8). */
void fog_http_free(struct fog_http *h);

/* Takes r over. FOG_EFULL (too many in flight): r stays the caller's. Owner's thread; never waits. */
int fog_http_submit(struct fog_http *h, struct fog_http_request *r);

/* Ends request id without an event, on the wire too. Unknown ids are ignored: it may just have ended. Owner's thread;
 * never waits. */
void fog_http_cancel(struct fog_http *h, uint64_t id);

/* Starts the thread that drives from now on, while no event waits to be taken; doing it twice is harmless. FOG_OK
 * or FOG_ENOTHREAD. */
int fog_http_background(struct fog_http *h);

/* Whether a wait has to drive transfers: inline, with something in flight. */
bool fog_http_is_driven(struct fog_http *h);

/* Inline: drives transfers until the queue's fd is readable, or `other` is (-1: there is none), a transfer ends, or
 * timeout_ms (-1: for ever) has passed. In the background mode, or with nothing in flight, just waits on the queue's.
 */
void fog_http_wait(struct fog_http *h, int timeout_ms, int other);

#endif
