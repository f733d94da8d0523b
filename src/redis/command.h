/* SPDX-License-Identifier: MIT
 *
 * A command on its way: its bytes, and the event that will report its end. Lists of them in order.
 */
#ifndef FOG_REDIS_COMMAND_H
#define FOG_REDIS_COMMAND_H

#include "client.h"

struct fog_redis_command {
  struct fog_event event; /* first: its release frees the command */
  struct fog_redis_command *next;
  char *bytes; /* as on the wire; it may hold a password or a token: overwritten at the end */
  size_t len;
  long long by; /* when it must have its answer, monotonic ms */
  bool own;     /* the connection's own, that nobody waits for */
};

struct fog_redis_commands {
  struct fog_redis_command *head, **tail;
};

/* NULL: no memory. */
struct fog_redis_command *fog_redis_command_new(uint64_t id, int argc, const char **argv, const size_t *lens);

/* Frees one that no event queue has. */
void fog_redis_command_free(struct fog_redis_command *c);

/* Makes its event an answer. The text is copied; without memory it is a failure. */
void fog_redis_command_answer(struct fog_redis_command *c, enum fog_redis_answer answer, const char *text, size_t len);

/* Makes its event a failure. kind is static text; sent: Redis may have carried it out. */
void fog_redis_command_fail(struct fog_redis_command *c, const char *kind, const char *text, bool sent);

void fog_redis_commands_init(struct fog_redis_commands *list);
void fog_redis_commands_add(struct fog_redis_commands *list, struct fog_redis_command *c);
struct fog_redis_command *fog_redis_commands_take(struct fog_redis_commands *list); /* the first; NULL: none */

/* Moves all of `from` behind what `to` has. */
void fog_redis_commands_move(struct fog_redis_commands *to, struct fog_redis_commands *from);

#endif
