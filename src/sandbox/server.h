/* SPDX-License-Identifier: MIT
 *
 * An HTTP server that never calls its user: requests are taken with fog_server_next and answered, when it pleases, by
 * number. libmicrohttpd underneath, driven from the caller's thread by fog_server_run.
 */
#ifndef FOG_SERVER_H
#define FOG_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fog_server;

enum { FOG_SERVER_MAX_BODY = 1048576 };

struct fog_server_pair {
  struct fog_server_pair *next;
  char *name, *value; /* value NULL: a query parameter without "=" */
};

struct fog_server_request {
  struct fog_server_request *next;
  uint64_t id, connection;    /* connection: 1 for the first that came, 2 for the next */
  char *method, *path, *body; /* body: body_len bytes, at most FOG_SERVER_MAX_BODY */
  size_t body_len;
  bool too_large;
  struct fog_server_pair *headers, *query;
};

/* What happens on the wire besides a plain reply. */
struct fog_server_fault {
  bool cut;            /* close without a byte */
  bool hang_up;        /* close after the reply, which does not announce it */
  int64_t cut_after;   /* close after so many bytes of the body, -1: never */
  unsigned trickle_ms; /* a byte of the body each so many milliseconds, 0: at once */
  double delay;        /* seconds after which the reply begins */
};

/* Listens on address:port (0: a free one). tls_cert and tls_key (PEM) may be NULL. NULL: it cannot listen. */
struct fog_server *fog_server_new(const char *address, uint16_t port, const char *tls_cert, const char *tls_key);

/* Closes all connections, answered or not. */
void fog_server_free(struct fog_server *s);

uint16_t fog_server_port(const struct fog_server *s);

/* Readable when run has something to do. */
int fog_server_fd(const struct fog_server *s);

/* Milliseconds after which run wants to be called in any case; -1: no need. */
int fog_server_timeout(const struct fog_server *s);

/* Moves bytes; never waits. */
void fog_server_run(struct fog_server *s);

/* The next complete request, read it before the next call on s; NULL: none. It stays the server's. */
const struct fog_server_request *fog_server_next(struct fog_server *s);

/* Answers a request. headers: "Name: value" lines; body is copied. False: the peer has gone. */
bool fog_server_reply(struct fog_server *s, uint64_t id, unsigned status, const char *const *headers, const char *body,
                      size_t len, const struct fog_server_fault *fault);

/* Begins a reply without an end: what is pushed goes out as it comes, until the peer leaves. */
bool fog_server_stream(struct fog_server *s, uint64_t id, const char *const *headers);

enum { FOG_STREAM_MAX = 4 << 20 };

/* False: the peer has gone, or it has left FOG_STREAM_MAX bytes unread, and the stream is at its end. */
bool fog_server_push(struct fog_server *s, uint64_t id, const char *bytes, size_t len);

/* Replies that are delayed or trickle go out at the next run. */
void fog_server_hurry(struct fog_server *s);

#endif
