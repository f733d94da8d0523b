/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

void fog_redis_command_free(struct fog_redis_command *c) {
  if (c->bytes != NULL) {
    explicit_bzero(c->bytes, c->len);
    redisFreeCommand(c->bytes);
  }
  if (c->event.text != NULL) {
    explicit_bzero(c->event.text, c->event.text_len);
    free(c->event.text);
  }
  free(c);
}

static void release(struct fog_event *ev) { fog_redis_command_free((struct fog_redis_command *)ev); }

struct fog_redis_command *fog_redis_command_new(uint64_t id, int argc, const char **argv, const size_t *lens) {
  struct fog_redis_command *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->event.id = id;
  c->event.release = release;
  long long len = redisFormatCommandArgv(&c->bytes, argc, argv, lens);
  if (len >= 0) {
    c->len = (size_t)len;
    return c;
  }
  c->bytes = NULL;
  fog_redis_command_free(c);
  return NULL;
}

static bool set_text(struct fog_event *ev, const char *text, size_t len) {
  ev->text = malloc(len + 1);
  if (ev->text == NULL) return false;
  memcpy(ev->text, text, len);
  ev->text[len] = '\0';
  ev->text_len = len;
  return true;
}

void fog_redis_command_fail(struct fog_redis_command *c, const char *kind, const char *text, bool sent) {
  c->event.type = FOG_EV_FAILURE;
  c->event.name = kind;
  c->event.flag = sent;
  (void)set_text(&c->event, text, strlen(text));
}

void fog_redis_command_answer(struct fog_redis_command *c, enum fog_redis_answer answer, const char *text, size_t len) {
  c->event.type = FOG_EV_REPLY;
  c->event.code = (int)answer;
  if (set_text(&c->event, text, len)) return;
  c->event.type = FOG_EV_FAILURE; /* without a text, for there is no memory for it either */
  c->event.name = "network";
  c->event.flag = true;
}

void fog_redis_commands_init(struct fog_redis_commands *list) {
  list->head = NULL;
  list->tail = &list->head;
}

void fog_redis_commands_add(struct fog_redis_commands *list, struct fog_redis_command *c) {
  c->next = NULL;
  *list->tail = c;
  list->tail = &c->next;
}

struct fog_redis_command *fog_redis_commands_take(struct fog_redis_commands *list) {
  struct fog_redis_command *c = list->head;
  if (c == NULL) return NULL;
  list->head = c->next;
  if (list->head == NULL) list->tail = &list->head;
  return c;
}

void fog_redis_commands_move(struct fog_redis_commands *to, struct fog_redis_commands *from) {
  if (from->head == NULL) return;
  *to->tail = from->head;
  to->tail = from->tail;
  fog_redis_commands_init(from);
}
