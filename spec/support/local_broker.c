/* SPDX-License-Identifier: MIT
 *
 * For LD_PRELOAD: a program connects to 127.0.0.1 and the port in LOCAL_BROKER, whatever address it is given, so that
 * an example with somebody's address can be run as it stands. Addresses of other families are left alone.
 */
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int connect(int fd, const struct sockaddr *address, socklen_t length) {
  int (*real)(int, const struct sockaddr *, socklen_t) = NULL;
  void *found = dlsym(RTLD_NEXT, "connect");
  memcpy(&real, &found, sizeof real);
  const char *port = getenv("LOCAL_BROKER");
  struct sockaddr_in local;
  if (port == NULL || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
    return real(fd, address, length);
  if (address->sa_family == AF_INET6) {
    struct sockaddr_in6 mapped; /* ::ffff:127.0.0.1 */
    memset(&mapped, 0, sizeof mapped);
    mapped.sin6_family = AF_INET6;
    mapped.sin6_port = htons((unsigned short)atoi(port));
    static const unsigned char bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    memcpy(&mapped.sin6_addr, bytes, sizeof bytes);
    return real(fd, (const struct sockaddr *)&mapped, sizeof mapped);
  }
  memset(&local, 0, sizeof local);
  local.sin_family = AF_INET;
  local.sin_port = htons((unsigned short)atoi(port));
  local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return real(fd, (const struct sockaddr *)&local, sizeof local);
}
