/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* getpid is a system call, and every entry from Lua asks. */
static atomic_int this_pid;

static void in_child(void) { atomic_store(&this_pid, getpid()); }

static void watch_forks(void) {
  atomic_store(&this_pid, getpid());
  (void)pthread_atfork(NULL, NULL, in_child);
}

bool fog_process_forked(pid_t pid) {
  static pthread_once_t watching = PTHREAD_ONCE_INIT;
  (void)pthread_once(&watching, watch_forks);
  return pid != atomic_load_explicit(&this_pid, memory_order_relaxed);
}

unsigned long fog_process_space(void) {
  struct stat space;
  return stat("/proc/self/ns/pid", &space) == 0 ? (unsigned long)space.st_ino : 0;
}

void fog_process_signals_block(sigset_t *saved) {
  sigset_t all;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, saved);
}

void fog_process_signals_restore(const sigset_t *saved) { (void)pthread_sigmask(SIG_SETMASK, saved, NULL); }

int fog_process_thread(pthread_t *thread, void *(*run)(void *), void *arg) {
  sigset_t saved;
  fog_process_signals_block(&saved);
  int err = pthread_create(thread, NULL, run, arg);
  fog_process_signals_restore(&saved);
  return err;
}

void fog_process_sigpipe_save(struct sigaction *saved) { (void)sigaction(SIGPIPE, NULL, saved); }

void fog_process_sigpipe_restore(const struct sigaction *saved) {
  struct sigaction now;
  (void)sigaction(SIGPIPE, NULL, &now);
  if (now.sa_handler == SIG_IGN) (void)sigaction(SIGPIPE, saved, NULL); /* else it is the host's, set meanwhile */
}

void fog_process_next_fds(int fds[FOG_PROCESS_FDS]) {
  for (int i = 0; i < FOG_PROCESS_FDS; i++) fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  for (int i = 0; i < FOG_PROCESS_FDS; i++) {
    if (fds[i] >= 0) (void)close(fds[i]);
  }
}

void fog_process_close_on_exec(const int fds[FOG_PROCESS_FDS]) {
  for (int i = 0; i < FOG_PROCESS_FDS; i++) {
    int domain = 0;
    socklen_t len = sizeof domain;
    if (getsockopt(fds[i], SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX)
      (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
  }
}

static double seconds(clockid_t clock) {
  struct timespec t;
  (void)clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double fog_process_now(void) { return seconds(CLOCK_MONOTONIC); }

double fog_process_wall(void) { return seconds(CLOCK_REALTIME); }
