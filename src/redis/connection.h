/* SPDX-License-Identifier: MIT
 *
 * One connection of a client: hiredis with bounds, and what is in flight on it. The client's thread only.
 */
#ifndef FOG_REDIS_CONNECTION_H
#define FOG_REDIS_CONNECTION_H

#include "command.h"

struct redisContext;
struct ssl_st;

enum { FOG_REDIS_REASON = 256 };

struct fog_redis_connection {
  struct redisContext *context; /* NULL: there is none */
  struct ssl_st *tls;           /* the context's; NULL: without TLS */
  struct fog_redis_commands in_flight;
  bool up;          /* the server has greeted: commands may go out */
  bool answered;    /* it has answered one of them */
  bool stalled;     /* a write brought nothing on: TLS waits for bytes, perhaps */
  bool leaving;     /* the server said that it is not the one to talk to */
  bool foreign;     /* an answer was of a kind that is never asked for */
  const char *kind; /* of the reason below; NULL: there is none */
  char reason[FOG_REDIS_REASON];
};

/* Takes fd, a connected socket, over and greets the server: user, database, and whether it is one. false: reason. */
bool fog_redis_connection_open(struct fog_redis_connection *c, int fd, const struct fog_redis_options *o);

/* Frees it; what is in flight stays. Harmless twice. */
void fog_redis_connection_close(struct fog_redis_connection *c);

/* Sends what a command has to say, as the socket takes it; the command is in flight then. false: no memory, reason. */
bool fog_redis_connection_send(struct fog_redis_connection *c, struct fog_redis_command *command);

/* The descriptor and the events to poll for. */
int fog_redis_connection_fd(const struct fog_redis_connection *c);
short fog_redis_connection_events(const struct fog_redis_connection *c);

/* Writes and reads what can be, and hands each answered command to done(arg). false: it is broken, reason. */
bool fog_redis_connection_serve(struct fog_redis_connection *c, void (*done)(void *, struct fog_redis_command *),
                                void *arg);

#endif
