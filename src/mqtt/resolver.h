/* SPDX-License-Identifier: MIT
 *
 * Names to addresses by getaddrinfo, so that nsswitch, mDNS and the hosts file work, on a bounded pool of threads that
 * starts when it is needed and ends when it is idle. A resolver that does not answer takes one thread of the pool; what
 * waits behind eight such waits.
 */
#ifndef FOG_RESOLVER_H
#define FOG_RESOLVER_H

#include <netdb.h>
#include <stdint.h>

#include "loop.h"

enum { FOG_RESOLVER_THREADS = 8 };

struct fog_lookup;

/* On the loop's thread. error: 0, or one of getaddrinfo's (errno with EAI_SYSTEM in *system); list: the callee's to
 * free with freeaddrinfo, NULL with an error. The look-up is gone then. */
typedef void fog_resolver_answer(void *owner, int error, int system, struct addrinfo *list);

/* Starts a look-up for stream sockets. The loop's thread. NULL: no memory, or no thread could be started and none runs.
 */
struct fog_lookup *fog_resolver_ask(struct fog_loop *loop, const char *host, uint16_t port, fog_resolver_answer *answer,
                                    void *owner);

/* The answer is dropped when it comes. After this nothing is posted to the loop any more; what was posted before is run
 * by it, at the latest in fog_loop_free. */
void fog_resolver_cancel(struct fog_lookup *l);

/* Ends the threads that are idle and waits for those. */
void fog_resolver_forget(void);

#endif
