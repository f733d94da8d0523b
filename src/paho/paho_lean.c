/* SPDX-License-Identifier: MIT
 *
 * Paho, unburdened: the functions that the linker puts in the place of some that Debian's static archive of Paho
 * 1.3.12 calls.
 *
 * Paho's work per message is small; what it does around that is not. As packaged it formats a trace line and notes
 * each function on a stack of names, keeps a tree of every allocation under one mutex, makes five system calls to
 * receive a packet (two polls, a read for each header byte, one for the rest) and one to send one. None of that is
 * in its interface, all of it goes through symbols that one object file of the archive takes from another or from a
 * library, and so --wrap can replace it.
 *
 * Trace and heap. StackTrace_* and Log only record; nothing in the library reads what they recorded except to print
 * it. The mymalloc family is malloc with a tree beside it. Pairs stay pairs, because every object of the archive
 * goes through the same names, MQTTAsync_free included; Heap.c's own calls to malloc are not reached any more. Thus
 * a block from one is always freed by the other.
 *
 * recv. A read takes what the kernel has, up to 64 KiB, and hands it out. A stream has no boundaries, so Paho cannot
 * see a difference, as long as three things hold. Order: the buffer is emptied before the kernel is asked. End and
 * errors: they are never stored, the kernel repeats them when the buffer is empty. Readiness: see poll. Large reads
 * go past the buffer.
 *
 * poll. Paho's receive thread asks twice per packet: who can be written (time-out 0), who can be read (up to a
 * second). While bytes are held the second question is answered without the kernel, since the kernel does not know
 * of them. With more than one socket every sixteenth answer asks the kernel too, so that a busy session does not
 * starve a quiet one. Once data has come over a connection the first question is answered from what the last write
 * said. Until then the kernel answers, because Paho takes POLLOUT as "connected". And Paho's second question never
 * includes POLLOUT, so as packaged it notices a finished connect or a socket that drains only when its second is
 * over: the wait here includes them, and returns "nothing, look again". A socket that takes no more bytes is not
 * reported readable: Paho itself does not read from it then (its isReady).
 *
 * writev. On Paho's two threads a packet is copied into the socket's write buffer, and the thread flushes before it
 * sleeps: the send thread in pthread_cond_timedwait, the receive thread in poll. Neither waits anywhere else with
 * bytes in hand but for Paho's mutexes (held for microseconds, or for as long as a name takes to be looked up) and in
 * getaddrinfo, where the flush is made first. So an idle session has no delay at all: the thread that wrote has nothing
 * more to do and flushes at once. Under load up to 32 KiB go out in one write. To Paho it looks like a larger socket
 * buffer, and a full one is EAGAIN. Only what the kernel has not taken when the socket is closed is lost, since waiting
 * here would hold up every session: see fog_lean_is_flushed. On other threads a write goes out at once. A write that
 * fails is reported to the reader, never to the writer: the connection is as lost, and Paho frees the message of a
 * failed QoS 1 write twice (its heap tracking hides that as packaged, since it does not free what it does not know).
 *
 * Sleep and wake. The receive thread sleeps 100 ms when it found nothing, with whatever has just arrived waiting:
 * pointless after a poll that has waited already, so then it does not sleep, and else it can be woken. The wake-up
 * is an eventfd in its poll: written when a socket was connected (its set of descriptors is new) or is full (POLLOUT
 * is needed now). The send thread waits on a condition without a predicate, where a signal between its last look and
 * its wait is lost, for a second: signals are remembered here.
 *
 * SSL_*. OpenSSL reads and writes the descriptor by itself, so the same two buffers lie above it, holding plain
 * text. Two threads now use one SSL object, so every use is under the slot's lock, and SSL_get_error, which looks at
 * the object after the call it asks about, is answered with what it said inside that lock. SSL_pending is 0, since
 * poll knows the buffer; records that OpenSSL read ahead are taken out until it has no whole one left, so waiting in
 * poll is right. ERR_clear_error waits for a call that looks at the error queue.
 *
 * Threads of Paho's are known by the names that they give themselves. All else in this library calls the same
 * symbols and gets the real functions.
 */
#include "paho_lean.h"

#ifdef FOG_PAHO_LEAN

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DIRTY_MOST 64  /* sockets that one thread leaves unflushed; more are flushed at once */
#define STACK_FDS 64   /* sockets polled without an allocation */
#define FAIR_EVERY 16u /* answers without the kernel, with several sockets */

int __real_socket(int domain, int type, int protocol);
int __real_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __real_shutdown(int fd, int how);
int __real_usleep(useconds_t usec);
int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res);
int __real_pthread_setname_np(pthread_t thread, const char *name);
int __real_pthread_cond_signal(pthread_cond_t *cond);
int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);

static _Thread_local struct {
  enum fog_lean_role role;
  bool rested;    /* the poll before has waited, or was woken: usleep would only add delay */
  bool continued; /* Paho goes on with a write now, and the send thread may then take its next command */
  unsigned answers;
  int dirty_count;
  struct fog_lean *dirty[DIRTY_MOST];
} me;

static int wake_fd = -1;
static atomic_bool woken;
static pthread_once_t wake_once = PTHREAD_ONCE_INIT;
static _Atomic(pthread_cond_t *) send_cond;
static pthread_mutex_t *send_mutex;
static atomic_bool send_signalled;

/* --- trace and heap --- */

void __wrap_StackTrace_entry(const char *name, int line, int level);
void __wrap_StackTrace_entry(const char *name, int line, int level) { (void)name, (void)line, (void)level; }

void __wrap_StackTrace_exit(const char *name, int line, void *value, int level);
void __wrap_StackTrace_exit(const char *name, int line, void *value, int level) {
  (void)name, (void)line, (void)value, (void)level;
}

void __wrap_Log(int level, int number, const char *format, ...);
void __wrap_Log(int level, int number, const char *format, ...) { (void)level, (void)number, (void)format; }

void *__wrap_mymalloc(char *file, int line, size_t size);
void *__wrap_mymalloc(char *file, int line, size_t size) {
  (void)file, (void)line;
  return malloc(size);
}

void *__wrap_myrealloc(char *file, int line, void *p, size_t size);
void *__wrap_myrealloc(char *file, int line, void *p, size_t size) {
  (void)file, (void)line;
  return realloc(p, size);
}

void __wrap_myfree(char *file, int line, void *p);
void __wrap_myfree(char *file, int line, void *p) {
  (void)file, (void)line;
  free(p);
}

/* --- waking the two threads --- */

bool fog_lean_is_mine(void) { return me.role != FOG_LEAN_NONE; }

static void wake_open(void) { wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void fog_lean_wake_receiver(void) {
  static const uint64_t one = 1;
  (void)pthread_once(&wake_once, wake_open);
  if (wake_fd < 0 || atomic_exchange(&woken, true)) return;
  ssize_t n = write(wake_fd, &one, sizeof one);
  (void)n;
}

static void wake_taken(void) {
  uint64_t sink;
  ssize_t n = read(wake_fd, &sink, sizeof sink);
  (void)n;
  atomic_store(&woken, false); /* after the read: whoever signals in between finds it set, and is seen anyway */
}

static void wake_sender(void) {
  pthread_cond_t *cond = atomic_load(&send_cond);
  if (cond == NULL) return;
  (void)pthread_mutex_lock(send_mutex);
  atomic_store(&send_signalled, true);
  (void)__real_pthread_cond_signal(cond);
  (void)pthread_mutex_unlock(send_mutex);
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_setname_np(pthread_t thread, const char *name) {
  if (pthread_equal(thread, pthread_self())) {
    if (strcmp(name, "MQTTAsync_send") == 0) me.role = FOG_LEAN_SEND;
    if (strcmp(name, "MQTTAsync_rcv") == 0) me.role = FOG_LEAN_RECEIVE;
    if (me.role == FOG_LEAN_RECEIVE) (void)pthread_once(&wake_once, wake_open);
  }
  return __real_pthread_setname_np(thread, name);
}

/* --- writes put off --- */

static void flush_mine(void) {
  for (int i = 0; i < me.dirty_count; i++) {
    if (fog_lean_stuck(me.dirty[i])) continue; /* the receive thread goes on with it at POLLOUT */
    fog_lean_flush(me.dirty[i]);
    if (fog_lean_stuck(me.dirty[i]) || fog_lean_failed(me.dirty[i])) fog_lean_wake_receiver();
  }
  me.dirty_count = 0;
}

/* A write of s left bytes behind: they go out at this thread's next flush, or now where it has none. */
void fog_lean_put_off(struct fog_lean *s) {
  for (int i = me.dirty_count - 1; i >= 0; i--) {
    if (me.dirty[i] == s) return;
  }
  if (me.role != FOG_LEAN_NONE && me.dirty_count < DIRTY_MOST) {
    me.dirty[me.dirty_count++] = s;
    return;
  }
  fog_lean_flush(s);
  if (fog_lean_stuck(s)) fog_lean_wake_receiver();
}

ssize_t __wrap_writev(int fd, const struct iovec *iov, int count);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int count) {
  struct fog_lean *s = fog_lean_get(fd);
  bool deferred;
  if (s == NULL) return __real_writev(fd, iov, count);
  ssize_t n = fog_lean_writev(s, iov, count, &deferred);
  if (deferred) fog_lean_put_off(s);
  if (fog_lean_stuck(s) || fog_lean_failed(s)) {
    int saved = errno;
    fog_lean_wake_receiver();
    errno = saved;
  }
  return n;
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_signal(pthread_cond_t *cond) {
  if (cond == atomic_load_explicit(&send_cond, memory_order_relaxed)) atomic_store(&send_signalled, true);
  return __real_pthread_cond_signal(cond);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
  if (me.role != FOG_LEAN_SEND) return __real_pthread_cond_timedwait(cond, mutex, until);
  if (atomic_load(&send_cond) != cond) {
    send_mutex = mutex;
    atomic_store(&send_cond, cond);
  }
  if (me.dirty_count > 0) {
    (void)pthread_mutex_unlock(mutex); /* whoever signals takes it; a signal meanwhile is remembered */
    flush_mine();
    (void)pthread_mutex_lock(mutex);
  }
  int rc = atomic_load(&send_signalled) ? 0 : __real_pthread_cond_timedwait(cond, mutex, until);
  atomic_store(&send_signalled, false);
  return rc;
}

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res) {
  flush_mine();
  return __real_getaddrinfo(node, service, hints, res);
}

/* --- a socket's life --- */

int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol) {
  int fd = __real_socket(domain, type, protocol);
  if (fd >= 0 && (domain == AF_INET || domain == AF_INET6) && type == SOCK_STREAM && protocol == 0) fog_lean_open(fd);
  return fd;
}

int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len) {
  struct fog_lean *s = fog_lean_get(fd);
  int rc = __real_connect(fd, addr, len);
  int saved = errno;
  if (s != NULL) {
    if (rc != 0 && saved == EINPROGRESS) fog_lean_connecting(s);
    fog_lean_wake_receiver();
  }
  errno = saved;
  return rc;
}

ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags) {
  struct fog_lean *s = flags == 0 ? fog_lean_get(fd) : NULL;
  return s != NULL ? fog_lean_recv(s, fd, buf, len) : __real_recv(fd, buf, len, flags);
}

int __wrap_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how) {
  struct fog_lean *s = fog_lean_get(fd);
  if (s != NULL && how != SHUT_RD) fog_lean_leave(s);
  return __real_shutdown(fd, how);
}

int __wrap_close(int fd);
int __wrap_close(int fd) {
  struct fog_lean *s = fog_lean_get(fd);
  return s != NULL ? fog_lean_close(s, fd) : __real_close(fd);
}

/* --- poll --- */

/* "Who can be written?" The kernel is asked only about connections over which nothing has come yet. */
static int poll_writable(struct pollfd *fds, nfds_t n) {
  int ready = 0;
  bool ask = false;
  for (nfds_t i = 0; i < n; i++) {
    struct fog_lean *s = fog_lean_get(fds[i].fd);
    if (s == NULL || !fog_lean_established(s)) ask = true;
  }
  if (ask && __real_poll(fds, n, 0) < 0) return -1;
  for (nfds_t i = 0; i < n; i++) {
    struct fog_lean *s = fog_lean_get(fds[i].fd);
    if (s != NULL && fog_lean_established(s)) fds[i].revents = fog_lean_stuck(s) ? 0 : POLLOUT;
    if (s != NULL && (fds[i].revents & POLLOUT) != 0) {
      fog_lean_connected(s);
      if (fog_lean_resume(s)) me.continued = true;
    }
    if (fds[i].revents != 0) ready++;
  }
  return ready;
}

/* Marks what is readable without the kernel; sets *look where Paho should look again at once, in any case. */
static int poll_held(struct pollfd *fds, nfds_t n, bool *look) {
  int ready = 0;
  for (nfds_t i = 0; i < n; i++) {
    struct fog_lean *s = fog_lean_get(fds[i].fd);
    fds[i].revents = 0;
    if (s == NULL) continue;
    if (fog_lean_announced(s) || fog_lean_may_resume(s)) *look = true;
    if (fog_lean_stuck(s) || !fog_lean_readable(s)) continue;
    fds[i].revents = POLLIN;
    ready++;
  }
  return ready;
}

/* One entry of the kernel's answer. True where Paho should look again although nothing is to be read. */
static bool poll_entry(struct pollfd *to, const struct pollfd *from) {
  struct fog_lean *s = fog_lean_get(to->fd);
  short seen = from->revents;
  if (s != NULL && seen != 0 && fog_lean_stuck(s)) {
    fog_lean_flush(s);
    if ((seen & (POLLERR | POLLHUP | POLLNVAL)) == 0) return !fog_lean_stuck(s);
  }
  to->revents = (short)(to->revents | (seen & (to->events | POLLERR | POLLHUP | POLLNVAL)));
  return (seen & POLLOUT) != 0;
}

/* The wait itself: what Paho asked for, and POLLOUT where it is needed, and the wake-up. */
static int poll_wait(struct pollfd *fds, nfds_t n, int timeout, struct pollfd *all) {
  bool look = false;
  int ready = 0;
  for (nfds_t i = 0; i < n; i++) {
    struct fog_lean *s = fog_lean_get(fds[i].fd);
    all[i] = fds[i];
    all[i].revents = 0;
    if (s != NULL && fog_lean_stuck(s)) all[i].events = POLLOUT;
    if (s != NULL && fog_lean_is_connecting(s)) all[i].events |= POLLOUT;
  }
  all[n] = (struct pollfd){.fd = wake_fd, .events = POLLIN, .revents = 0};
  int rc = __real_poll(all, n + 1, timeout);
  if (rc < 0) return -1;
  if (all[n].revents != 0) {
    wake_taken();
    look = true;
  }
  for (nfds_t i = 0; i < n; i++) {
    if (all[i].revents != 0 && poll_entry(&fds[i], &all[i])) look = true;
    if (fds[i].revents != 0) ready++;
  }
  me.rested = look || (rc == 0 && timeout > 0);
  return ready;
}

static int poll_readable(struct pollfd *fds, nfds_t n, int timeout) {
  struct pollfd few[STACK_FDS + 1], *all = few;
  bool look = false;
  if (me.continued) {
    me.continued = false;
    wake_sender();
  }
  int ready = poll_held(fds, n, &look);
  if (ready > 0 && !look && (n == 1 || ++me.answers % FAIR_EVERY != 0)) return ready;
  if (ready > 0 || look) timeout = 0;
  flush_mine();
  if (n > STACK_FDS) all = malloc((n + 1) * sizeof *all);
  if (all == NULL) return __real_poll(fds, n, timeout);
  ready = poll_wait(fds, n, timeout, all);
  if (look) me.rested = true;
  if (all != few) free(all);
  return ready;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout) {
  if (me.role != FOG_LEAN_RECEIVE || n == 0) return __real_poll(fds, n, timeout);
  if (fds[0].events == POLLOUT) return poll_writable(fds, n);
  return poll_readable(fds, n, timeout);
}

int __wrap_usleep(useconds_t usec);
int __wrap_usleep(useconds_t usec) {
  if (me.role != FOG_LEAN_RECEIVE) return __real_usleep(usec);
  struct pollfd p = {
      .fd = wake_fd, .events = POLLIN, .revents = 0}; /* only here: other threads may see it being made */
  flush_mine();
  if (me.rested) {
    me.rested = false;
    return 0;
  }
  if (__real_poll(&p, 1, (int)(usec / 1000)) > 0) wake_taken();
  return 0;
}

#else
typedef int fog_paho_lean_unused;
#endif
