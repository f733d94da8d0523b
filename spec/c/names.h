/* SPDX-License-Identifier: MIT
 *
 * Names for tests: those that end in ".test" are what the test says. This getaddrinfo takes the place of the C
 * library's.
 */
#ifndef FOG_NAMES_H
#define FOG_NAMES_H

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* addresses: with commas, or empty: then `error`. */
struct name {
  const char *name, *addresses;
  int error;
};

static const struct name *names; /* ends with a name NULL */

/* Names that begin with "hang" are answered once this is false again. */
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_free = PTHREAD_COND_INITIALIZER;
static bool names_hang;
static int names_hanging;

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static inline lookup *names_system(void) {
  lookup *system = NULL;
  *(void **)&system = dlsym(RTLD_NEXT, "getaddrinfo");
  return system;
}

static inline void names_wait(void) {
  (void)pthread_mutex_lock(&names_lock);
  names_hanging++;
  while (names_hang) (void)pthread_cond_wait(&names_free, &names_lock);
  names_hanging--;
  (void)pthread_mutex_unlock(&names_lock);
}

static inline int names_that_hang(void) {
  (void)pthread_mutex_lock(&names_lock);
  int hanging = names_hanging;
  (void)pthread_mutex_unlock(&names_lock);
  return hanging;
}

static inline void names_set_hang(bool hang) {
  (void)pthread_mutex_lock(&names_lock);
  names_hang = hang;
  (void)pthread_cond_broadcast(&names_free);
  (void)pthread_mutex_unlock(&names_lock);
}

/* The C library frees a list node by node, so lists may be joined. */
static inline int names_list(const char *addresses, const char *service, struct addrinfo **list) {
  const struct addrinfo figures = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
  char one[64];
  int rc = 0;
  *list = NULL;
  while (rc == 0 && *addresses != '\0') {
    size_t len = strcspn(addresses, ",");
    (void)snprintf(one, sizeof one, "%.*s", (int)len, addresses);
    addresses += len + (addresses[len] == ',');
    rc = names_system()(one, service, &figures, list);
    if (rc == 0) list = &(*list)->ai_next;
  }
  return rc;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
  const char *test = strstr(node, ".test");
  if (test == NULL || (hints->ai_flags & AI_NUMERICHOST) != 0) return names_system()(node, service, hints, list);
  if (strncmp(node, "hang", 4) == 0) names_wait();
  for (const struct name *n = names; n != NULL && n->name != NULL; n++) {
    if (strcmp(n->name, node) != 0) continue;
    errno = ENOMEM; /* for EAI_SYSTEM */
    return n->error != 0 ? n->error : names_list(n->addresses, service, list);
  }
  return EAI_NONAME;
}

#endif
