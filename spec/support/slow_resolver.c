/* SPDX-License-Identifier: MIT
 *
 * For LD_PRELOAD: looking up a name that ends in ".slow" takes four seconds and fails, as with a name server that does
 * not answer; one that ends in ".ten" has the addresses 127.0.0.10 down to 127.0.0.1.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static bool ends_in(const char *name, const char *end) {
  size_t len = name == NULL ? 0 : strlen(name);
  return len > strlen(end) && strcmp(name + len - strlen(end), end) == 0;
}

/* The C library frees a list node by node, so lists may be joined. */
static int ten(lookup *next, const char *service, const struct addrinfo *hints, struct addrinfo **res) {
  *res = NULL;
  for (int i = 1; i <= 10; i++) {
    char node[16];
    struct addrinfo *one, *last;
    (void)snprintf(node, sizeof node, "127.0.0.%d", i);
    int rc = next(node, service, hints, &one);
    if (rc != 0) return rc;
    for (last = one; last->ai_next != NULL; last = last->ai_next) continue;
    last->ai_next = *res;
    *res = one;
  }
  return 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res) {
  lookup *next = NULL;
  *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
  if (ends_in(node, ".ten")) return ten(next, service, hints, res);
  if (!ends_in(node, ".slow")) return next(node, service, hints, res);
  (void)sleep(4);
  return EAI_AGAIN;
}
