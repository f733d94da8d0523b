/* SPDX-License-Identifier: MIT
 *
 * A connected socket to a host and port, or to a path. hiredis' own non-blocking connect tries a name's first address
 * only, and leaves its descriptors to child processes.
 */
#ifndef FOG_REDIS_DIAL_H
#define FOG_REDIS_DIAL_H

#include <stdbool.h>
#include <stddef.h>

struct fog_redis_place {
  const char *host, *port; /* or */
  const char *path;
};

/* A descriptor, non-blocking and close-on-exec, now the caller's; or -1 with the reason in why. Tries each address of
 * the name, together for timeout_ms at most; a look-up may take longer (getaddrinfo knows no bound). `stop(arg)` is
 * asked at least every 100 ms. Waits: the client's thread only. */
int fog_redis_dial(const struct fog_redis_place *place, int timeout_ms, bool (*stop)(void *), void *arg, char *why,
                   size_t capacity);

/* Monotonic milliseconds. */
long long fog_redis_now_ms(void);

#endif
