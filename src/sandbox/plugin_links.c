/* SPDX-License-Identifier: MIT */
#include "plugin_links.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4096 };

struct link {
  struct link *next;
  const void *connection;
  char *login; /* behind the id, in one piece */
  char id[];
};

struct fog_links {
  struct link *slots[SLOTS];
};

struct fog_links *fog_links_new(void) {
  /* NULL: no memory. */
  return calloc(1, sizeof(struct fog_links));
}

void fog_links_free(struct fog_links *l) {
  for (size_t i = 0; i < SLOTS; i++) {
    for (struct link *link = l->slots[i], *next; link != NULL; link = next) {
      next = link->next;
      free(link);
    }
  }
  free(l);
}

static struct link **slot_of(struct fog_links *l, const char *id) {
  uint64_t h = 1469598103934665603u; /* FNV-1a */
  for (; *id != '\0'; id++) h = (h ^ (unsigned char)*id) * 1099511628211u;
  return &l->slots[(h ^ (h >> 32)) % SLOTS];
}

bool fog_links_enter(struct fog_links *l, const void *connection, const char *client_id, const char *login) {
  struct link **slot = slot_of(l, client_id);
  for (const struct link *other = *slot; other != NULL; other = other->next) {
    if (strcmp(other->id, client_id) == 0 && strcmp(other->login, login) != 0) return false;
  }
  size_t id_len = strlen(client_id) + 1, login_len = strlen(login) + 1;
  struct link *link = malloc(sizeof *link + id_len + login_len);
  if (link == NULL) return false;
  memcpy(link->id, client_id, id_len);
  link->login = link->id + id_len;
  memcpy(link->login, login, login_len);
  link->connection = connection;
  link->next = *slot;
  *slot = link;
  return true;
}

bool fog_links_leave(struct fog_links *l, const void *connection, const char *client_id) {
  struct link **at = slot_of(l, client_id);
  while (*at != NULL && (*at)->connection != connection) at = &(*at)->next;
  struct link *link = *at;
  if (link == NULL) return false;
  *at = link->next;
  free(link);
  return true;
}
