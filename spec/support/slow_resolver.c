/* SPDX-License-Identifier: MIT
 *
 * For LD_PRELOAD: looking up a name that ends in ".slow" takes four seconds and fails, as with a name server that does
 * not answer.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res) {
  static const char SLOW[] = ".slow";
  size_t len = node == NULL ? 0 : strlen(node);
  if (len >= sizeof SLOW && strcmp(node + len - (sizeof SLOW - 1), SLOW) == 0) {
    (void)sleep(4);
    return EAI_AGAIN;
  }
  int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
  *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
  return next(node, service, hints, res);
}
