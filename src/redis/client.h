/* SPDX-License-Identifier: MIT
 *
 * A client of one Redis server: one connection on one thread, both made when they are first needed. Commands go in from
 * the owner's thread, each one's end comes out as an event of its engine: FOG_EV_REPLY (code = fog_redis_answer, text =
 * the value), or FOG_EV_FAILURE (name = kind, flag = Redis may have carried it out).
 *
 * Every wait has a bound. A command that has no answer after the options' timeout costs the connection, with all that
 * waits on it: Redis answers in order, so what follows would wait as well. Then, for a while that doubles up to 5 s,
 * commands fail at once; the first after it tries again.
 */
#ifndef FOG_REDIS_CLIENT_H
#define FOG_REDIS_CLIENT_H

#include "../base/error.h"
#include "../base/port.h"

struct fog_redis;

/* Strings are copied by fog_redis_new; NULL: none. */
struct fog_redis_options {
  const char *host, *port; /* or */
  const char *path;        /* of a unix-domain socket */
  const char *user;        /* NULL with a password: the default user, as servers before version 6 have it */
  const char *password;
  const char *database; /* its number */
  bool tls;
  const char *ca_file;              /* NULL: the system's authorities */
  const char *cert_file, *key_file; /* a client certificate; both or none */
  int timeout_ms;                   /* of a connection, and of a command on it */
};

enum fog_redis_answer { FOG_REDIS_VALUE, FOG_REDIS_NOTHING, FOG_REDIS_REFUSED };

/* NULL: no memory or no descriptor. Events go to the port's queue, on which it holds a reference. Sends nothing. */
struct fog_redis *fog_redis_new(const struct fog_port *port, const struct fog_redis_options *options);

/* Queues a command; its arguments are copied. FOG_OK, FOG_EFULL (too many wait), FOG_ENOMEMORY, FOG_ENOTHREAD.
 * Owner's thread; never waits. */
enum fog_error fog_redis_submit(struct fog_redis *r, uint64_t id, int argc, const char **argv, const size_t *lens);

/* Ends it: what waits ends without an event. Returns at once; the thread follows. Never in a forked child. */
void fog_redis_close(struct fog_redis *r);

/* True when it was made before this process was forked: every other call must then be refused. */
bool fog_redis_forked(const struct fog_redis *r);

#endif
