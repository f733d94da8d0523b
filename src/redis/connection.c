/* SPDX-License-Identifier: MIT
 *
 * Answers are strings, numbers or nothing: no command of ours asks for more, so a list, however long it is said to be,
 * is refused before anything is made of it, and an answer that grows beyond MAX_ANSWER ends the connection.
 */
#include "connection.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dial.h"
#include "tls.h"

enum { MAX_ANSWER = 1024 * 1024 };

static void note(struct fog_redis_connection *c, const char *kind, const char *text) {
  if (c->kind != NULL) return; /* the first reason is the one */
  c->kind = kind;
  (void)snprintf(c->reason, sizeof c->reason, "%s", text);
}

#if HIREDIS_MAJOR >= 1
static void *refuse_list(const redisReadTask *task, size_t elements) {
#else
static void *refuse_list(const redisReadTask *task, int elements) {
#endif
  (void)elements;
  struct fog_redis_connection *c = task->privdata;
  c->foreign = true;
  return NULL;
}

/* Its reader makes what hiredis makes of answers, but for lists. */
static void refuse_lists(struct fog_redis_connection *c) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static redisReplyObjectFunctions functions; /* of all connections, made with the first */
  (void)pthread_mutex_lock(&lock);
  if (functions.createArray == NULL) {
    functions = *c->context->reader->fn;
    functions.createArray = refuse_list;
  }
  (void)pthread_mutex_unlock(&lock);
  c->context->reader->fn = &functions;
  c->context->reader->privdata = c;
}

static bool greet(struct fog_redis_connection *c, int argc, const char **argv, long long by) {
  size_t lens[4] = {0};
  for (int i = 0; i < argc; i++) lens[i] = strlen(argv[i]);
  struct fog_redis_command *command = fog_redis_command_new(0, argc, argv, lens);
  if (command == NULL) {
    note(c, "network", "not enough memory");
    return false;
  }
  command->own = true;
  command->by = by;
  return fog_redis_connection_send(c, command);
}

static bool greet_all(struct fog_redis_connection *c, const struct fog_redis_options *o) {
  long long by = fog_redis_now_ms() + o->timeout_ms;
  if (o->password != NULL && o->user != NULL) {
    if (!greet(c, 3, (const char *[]){"AUTH", o->user, o->password}, by)) return false;
  } else if (o->password != NULL) {
    if (!greet(c, 2, (const char *[]){"AUTH", o->password}, by)) return false;
  }
  if (o->database != NULL && !greet(c, 2, (const char *[]){"SELECT", o->database}, by)) return false;
  return greet(c, 1, (const char *[]){"PING"}, by);
}

bool fog_redis_connection_open(struct fog_redis_connection *c, int fd, const struct fog_redis_options *o) {
  *c = (struct fog_redis_connection){.context = redisConnectFd(fd)};
  fog_redis_commands_init(&c->in_flight);
  if (c->context == NULL || c->context->err != 0) {
    note(c, "network", c->context == NULL ? "not enough memory" : c->context->errstr);
    if (c->context == NULL) (void)close(fd);
    return false;
  }
  c->context->flags &= ~REDIS_BLOCK; /* as the socket is */
  refuse_lists(c);
  char why[FOG_REDIS_REASON];
  if (o->tls) {
    c->tls = fog_redis_start_tls(c->context, o, why, sizeof why);
    if (c->tls == NULL) note(c, "tls", why);
    if (c->tls == NULL) return false;
  }
  return greet_all(c, o);
}

void fog_redis_connection_close(struct fog_redis_connection *c) {
  if (c->context != NULL) redisFree(c->context);
  c->context = NULL;
  c->up = false;
}

bool fog_redis_connection_send(struct fog_redis_connection *c, struct fog_redis_command *command) {
  fog_redis_commands_add(&c->in_flight, command);
  if (redisAppendFormattedCommand(c->context, command->bytes, command->len) == REDIS_OK) return true;
  note(c, "network", "not enough memory");
  return false;
}

static size_t to_write(const struct fog_redis_connection *c) { return sdslen((sds)c->context->obuf); }

int fog_redis_connection_fd(const struct fog_redis_connection *c) { return c->context->fd; }

short fog_redis_connection_events(const struct fog_redis_connection *c) {
  return to_write(c) > 0 && !c->stalled ? POLLIN | POLLOUT : POLLIN;
}

/* What hiredis says in the words of ours. */
static bool broken(struct fog_redis_connection *c) {
  const redisContext *context = c->context;
  char why[FOG_REDIS_REASON];
  if (c->foreign) {
    note(c, "protocol", "its answer is of a kind that was not asked for");
  } else if (context->err == REDIS_ERR_PROTOCOL) {
    note(c, "protocol", "its answer is not Redis'");
  } else if (c->tls != NULL && fog_redis_tls_broke(c->tls, why, sizeof why)) {
    note(c, "tls", why);
  } else {
    note(c, "network", context->err == REDIS_ERR_EOF ? "it closed the connection" : context->errstr);
  }
  return false;
}

static bool write_some(struct fog_redis_connection *c) {
  size_t before = to_write(c);
  c->stalled = false;
  if (before == 0) return true;
  if (redisBufferWrite(c->context, NULL) != REDIS_OK) return broken(c);
  c->stalled = to_write(c) == before;
  return true;
}

static bool read_some(struct fog_redis_connection *c) {
  size_t before;
  do {
    before = c->context->reader->len;
    if (redisBufferRead(c->context) != REDIS_OK) return broken(c);
    if (c->context->reader->len > MAX_ANSWER) {
      note(c, "protocol", "its answer is too long");
      return false;
    }
  } while (c->context->reader->len > before);
  return true;
}

static bool starts_with(const redisReply *reply, const char *word) {
  return strncmp(reply->str, word, strlen(word)) == 0;
}

/* What the server says to the greeting. */
static bool greeted(struct fog_redis_connection *c, const redisReply *reply) {
  if (reply->type == REDIS_REPLY_ERROR) {
    bool refused = starts_with(reply, "WRONGPASS") || starts_with(reply, "NOAUTH") || starts_with(reply, "NOPERM") ||
                   strstr(reply->str, "password") != NULL || strstr(reply->str, "AUTH") != NULL;
    note(c, refused ? "auth" : "network", reply->str);
    return false;
  }
  if (reply->type != REDIS_REPLY_STATUS) {
    note(c, "protocol", "its answer is not Redis'");
    return false;
  }
  c->up = c->in_flight.head == NULL;
  return true;
}

static void answer(struct fog_redis_connection *c, struct fog_redis_command *command, const redisReply *reply) {
  char number[32];
  c->answered = true;
  if (reply->type == REDIS_REPLY_INTEGER) {
    int len = snprintf(number, sizeof number, "%lld", reply->integer);
    fog_redis_command_answer(command, FOG_REDIS_VALUE, number, (size_t)len);
  } else if (reply->type == REDIS_REPLY_NIL) {
    fog_redis_command_answer(command, FOG_REDIS_NOTHING, "", 0);
  } else if (reply->type == REDIS_REPLY_ERROR) {
    c->leaving = starts_with(reply, "READONLY"); /* failed over: its name may lead to another one by now */
    fog_redis_command_answer(command, FOG_REDIS_REFUSED, reply->str, reply->len);
  } else {
    fog_redis_command_answer(command, FOG_REDIS_VALUE, reply->str, reply->len);
  }
}

static bool is_known(const redisReply *reply) {
  return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS || reply->type == REDIS_REPLY_INTEGER ||
         reply->type == REDIS_REPLY_NIL || reply->type == REDIS_REPLY_ERROR;
}

/* One answer to the command that is first in line. */
static bool take_answer(struct fog_redis_connection *c, const redisReply *reply,
                        void (*done)(void *, struct fog_redis_command *), void *arg) {
  if (!is_known(reply) || c->in_flight.head == NULL) {
    note(c, "protocol", "it said what nobody asked for");
    return false;
  }
  struct fog_redis_command *command = fog_redis_commands_take(&c->in_flight);
  if (command->own) {
    fog_redis_command_free(command);
    return greeted(c, reply);
  }
  answer(c, command, reply);
  done(arg, command);
  return true;
}

bool fog_redis_connection_serve(struct fog_redis_connection *c, void (*done)(void *, struct fog_redis_command *),
                                void *arg) {
  bool whole = write_some(c) && read_some(c);
  for (;;) { /* before it is given up: what came before the end counts */
    void *reply = NULL;
    if (redisGetReplyFromReader(c->context, &reply) != REDIS_OK) return broken(c);
    if (reply == NULL) return whole;
    bool taken = take_answer(c, reply, done, arg);
    freeReplyObject(reply);
    if (!taken) return false;
  }
}
