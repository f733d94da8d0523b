/* SPDX-License-Identifier: MIT
 *
 * What belongs to the process and not to any engine: initialisation that happens once, the pid that tells a fork, and
 * being a good guest.
 */
#ifndef FOG_PROCESS_H
#define FOG_PROCESS_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* Initialises libcurl and OpenSSL, once, thread-safely. 0, or a CURLcode. */
int fog_process_init(void);

/* True when pid is not this process: the caller's object was made before a fork and its threads did not survive. */
bool fog_process_forked(pid_t pid);

/* Whose process ids this process's is one of: a container has its own space of them. 0 where the system does not tell.
 */
unsigned long fog_process_space(void);

/* Starts a thread on which every signal is blocked, so that the host's handlers run on the host's threads. 0, or errno.
 */
int fog_process_thread(pthread_t *thread, void *(*run)(void *), void *arg);

/* Blocks all signals on the calling thread before calling into a library that may start threads of its own: they
 * inherit the mask. fog_process_signals_restore puts it back. */
void fog_process_signals_block(sigset_t *saved);
void fog_process_signals_restore(const sigset_t *saved);

/* Remembers SIGPIPE's disposition before Paho's first socket, and puts it back if it is ignored after (traps: P11). */
void fog_process_sigpipe_save(struct sigaction *saved);
void fog_process_sigpipe_restore(const struct sigaction *saved);

/* The descriptors that the next opens will get, -1 for those that they will not. */
enum { FOG_PROCESS_FDS = 4 };
void fog_process_next_fds(int fds[FOG_PROCESS_FDS]);

/* Makes close-on-exec the unix sockets that a library has opened since fog_process_next_fds named them: libcurl's
 * wake-up pair is not. The host's own were open before and are not among them. */
void fog_process_close_on_exec(const int fds[FOG_PROCESS_FDS]);

/* Monotonic seconds, and wall-clock seconds since the epoch. */
double fog_process_now(void);
double fog_process_wall(void);

#endif
