/* SPDX-License-Identifier: MIT
 *
 * What a connection is made of: filters, one on the other. The socket is the lowest; each further one reads and writes
 * through the one below and knows nothing of what is above it. A filter is a table of functions and a struct that
 * begins with a struct fog_layer. ("Filter" in a name is MQTT's kind in this folder: struct fog_filter of packet.h.)
 *
 * Nothing waits, and no filter keeps what it could not write: what the system does not take of bytes that must go out
 * whole (a record, a frame, a request) is kept by the socket (fog_socket_put), and as long as anything is kept there
 * the filters above say `full` by taking nothing. So a write that was taken is done with, and none is ever repeated.
 *
 * All functions that can fail fill *error with the reason alone; the connection puts the host and the address before
 * it.
 */
#ifndef FOG_FILTER_H
#define FOG_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "connection.h"

struct fog_layer;

struct fog_layer_functions {
  const char *doing; /* what `shake` does, in words: "TLS handshake" */
  /* Goes on with what must be said before anything can be read or written. 1: done, 0: waits for bytes, -1: *error.
   * NULL: there is nothing. */
  int (*shake)(struct fog_layer *l, struct fog_connection_error *error);
  /* As fog_connection_read. */
  ssize_t (*read)(struct fog_layer *l, char *to, size_t len, struct fog_connection_error *error);
  /* As fog_connection_write. */
  ssize_t (*write)(struct fog_layer *l, const struct iovec *parts, int count, struct fog_connection_error *error);
  /* Writes all of it. Only a little at a time, and not again while `full`, except for answers. 0, or -1: *error. */
  int (*put)(struct fog_layer *l, const void *bytes, size_t len, struct fog_connection_error *error);
  /* The socket has room again: sends what was put off (a pong). 0, or -1. NULL: nothing ever is. */
  int (*writable)(struct fog_layer *l, struct fog_connection_error *error);
  /* Whether read may give more though nothing new comes from the socket. NULL: never. */
  bool (*more)(const struct fog_layer *l);
  /* Says goodbye as far as that goes at once; only of an open one. NULL: there is nothing to say. */
  void (*leave)(struct fog_layer *l);
  void (*forget)(struct fog_layer *l);
};

struct fog_layer {
  const struct fog_layer_functions *does;
  struct fog_layer *below; /* NULL: the socket */
  struct fog_loop *loop;
};

/* The lowest filter. Nobody but socket.c looks inside, except at `full` and `broken`. */
struct fog_socket {
  struct fog_layer layer;
  struct fog_watch watch; /* its fd; -1: none */
  char *kept;             /* what the system has not taken of what was put; NULL: nothing */
  size_t kept_from, kept_to, kept_capacity;
  bool full;       /* nothing is taken until it is writable: fog_socket_writable */
  bool dry;        /* the last read took all there was: nothing to ask for until it is readable */
  bool wants_read; /* a filter cannot write before it has read: TLS, when keys are changed */
  bool unanswered; /* something was read, and nothing written since, nor fog_socket_read_done called */
  int broken;      /* errno of a write that failed, which a read will tell after what still came */
};

enum { FOG_SOCKET_KEPT = 262144 }; /* more must never be kept: a peer that makes us answer and does not read */

void fog_socket_init(struct fog_socket *s, struct fog_loop *loop, int fd);

/* Sends what was kept. 0, or -1. `full` says whether something is left. */
int fog_socket_writable(struct fog_socket *s, struct fog_connection_error *error);

/* Whether the socket below this filter takes nothing now. */
bool fog_socket_full(const struct fog_layer *any);

/* A write took nothing since this filter must read first: `writable` then follows something readable. */
void fog_socket_wait_to_read(struct fog_layer *any);

/* After a round of reads: acknowledges at once what came (TCP_QUICKACK does not stick; a peer with Nagle's algorithm on
 * waits for that with its next packet). What was written meanwhile has done that already, for one call less. */
void fog_socket_read_done(struct fog_socket *s);

/* The bytes that the system has not got rid of; -1: it cannot tell. */
long fog_socket_unsent(const struct fog_socket *s);

/* The filters. NULL: *error says why. `below` stays the caller's and must outlive them; so must `o`. */
struct fog_layer *fog_proxy_new(struct fog_layer *below, const struct fog_connection_options *o,
                                struct fog_connection_error *error);
struct fog_layer *fog_tls_new(struct fog_layer *below, const struct fog_connection_options *o,
                              struct fog_connection_error *error);
struct fog_layer *fog_websocket_new(struct fog_layer *below, const struct fog_connection_options *o,
                                    struct fog_connection_error *error);

/* Fills *error and returns -1, for `return fog_connection_fail(…)`. Control characters in what is formatted, which a
 * server may have said, become '?'. */
int fog_connection_fail(struct fog_connection_error *error, enum fog_connection_kind kind, bool final,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
