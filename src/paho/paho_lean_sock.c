/* SPDX-License-Identifier: MIT
 *
 * One socket of Paho's: a read buffer, a write buffer, and who may touch which.
 *
 * Slots are found by descriptor in a table of chunks that only grows. A slot is used again with its descriptor's
 * number and is never freed, so a thread that looks one up while another closes it finds a closed slot, not freed
 * memory.
 *
 * The read buffer has no lock. Paho reads and closes a socket only under its own process-wide mutex, so there is one
 * reader at a time; what the poll of the receive thread asks without that mutex (is anything held?) is an atomic
 * count, published after the bytes. The write buffer is filled by one thread and flushed by another, and an SSL
 * object may be used by one thread at a time, so those two are under the slot's lock. It is held over system calls,
 * but only over ones that do not wait, and no other lock is taken under it.
 */
#include "paho_lean_slot.h"

#ifdef FOG_PAHO_LEAN

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CHUNK 256
#define CHUNKS 4096

static _Atomic(struct fog_lean *) chunks[CHUNKS];
static atomic_uint_fast64_t connections;
static _Thread_local struct fog_lean *read_last; /* whose bytes this thread of Paho's had last */

static struct fog_lean *chunk_make(size_t index) {
  struct fog_lean *made = calloc(CHUNK, sizeof *made);
  struct fog_lean *none = NULL;
  if (made == NULL) return NULL;
  for (size_t i = 0; i < CHUNK; i++) (void)pthread_mutex_init(&made[i].lock, NULL);
  if (atomic_compare_exchange_strong(&chunks[index], &none, made)) return made;
  free(made);
  return none;
}

struct fog_lean *fog_lean_get(int fd) {
  if (fd < 0 || fd >= CHUNK * CHUNKS) return NULL;
  struct fog_lean *c = atomic_load_explicit(&chunks[fd / CHUNK], memory_order_acquire);
  if (c == NULL) return NULL;
  struct fog_lean *s = &c[fd % CHUNK];
  return atomic_load_explicit(&s->ours, memory_order_acquire) ? s : NULL;
}

static void reset(struct fog_lean *s) {
  free(s->in);
  free(s->out);
  fog_guard_free(s->guard);
  s->in = NULL;
  s->out = NULL;
  s->guard = NULL;
  s->sink = NULL;
  s->in_size = s->next = s->part = s->left = s->out_size = s->out_from = s->out_to = 0;
  s->full = s->want_read = s->cut = false;
  s->number = 0;
  s->ssl = NULL;
  atomic_store(&s->held, 0);
  atomic_store(&s->error, 0);
  atomic_store(&s->more, false);
  atomic_store(&s->stuck, false);
  atomic_store(&s->waiting, false);
  atomic_store(&s->established, false);
  atomic_store(&s->connecting, false);
  atomic_store(&s->announce, false);
}

void fog_lean_open(int fd) {
  int one = 1;
  if (fd >= CHUNK * CHUNKS) return;
  size_t index = (size_t)fd / CHUNK;
  struct fog_lean *c = atomic_load(&chunks[index]);
  if (c == NULL) c = chunk_make(index);
  if (c == NULL) return;
  struct fog_lean *s = &c[fd % CHUNK];
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  (void)pthread_mutex_lock(&s->lock);
  reset(s);
  s->fd = fd;
  s->number = atomic_fetch_add(&connections, 1) + 1;
  atomic_store_explicit(&s->ours, true, memory_order_release);
  (void)pthread_mutex_unlock(&s->lock);
}

int fog_lean_close(struct fog_lean *s, int fd) {
  (void)pthread_mutex_lock(&s->lock);
  atomic_store(&s->ours, false); /* before the number is free for another open */
  reset(s);
  (void)pthread_mutex_unlock(&s->lock);
  return __real_close(fd);
}

/* --- the guard --- */

size_t fog_lean_admit(struct fog_lean *s, const unsigned char *bytes, size_t n) {
  size_t good = s->guard == NULL ? n : fog_guard_received(s->guard, bytes, n);
  if (good < n) atomic_store(&s->error, EPROTO);
  return good;
}

void fog_lean_note_sent(struct fog_lean *s, const void *bytes, size_t n) {
  if (s->guard == NULL) s->guard = fog_guard_new();
  if (s->guard == NULL || !fog_guard_sent(s->guard, bytes, n)) atomic_store(&s->error, ENOMEM);
}

/* --- reading --- */

size_t fog_lean_take(struct fog_lean *s, void *buf, size_t len) {
  size_t held = atomic_load_explicit(&s->held, memory_order_relaxed);
  size_t n = len < held ? len : held;
  const unsigned char *from = s->in + s->next;
  if (n == 1) { /* the header bytes of every packet */
    *(unsigned char *)buf = *from;
  } else {
    memcpy(buf, from, n);
  }
  s->next += n;
  s->left = n < s->left ? s->left - n : 0;
  read_last = s;
  atomic_store_explicit(&s->held, held - n, memory_order_release);
  return n;
}

/* Room to read into, larger than the last time if that was filled. False without memory: the caller reads directly. */
bool fog_lean_in_ready(struct fog_lean *s) {
  size_t size = s->in_size == 0 ? READ_FIRST : s->in_size;
  if (s->full && size < READ_MOST) size *= 4;
  return size == s->in_size || fog_lean_in_grow(s, size) || s->in != NULL;
}

bool fog_lean_in_grow(struct fog_lean *s, size_t size) {
  unsigned char *in = realloc(s->in, size);
  if (in == NULL) return false;
  s->in = in;
  s->in_size = size;
  return true;
}

/* The kernel puts its acknowledgement of what was read off, 40 ms at most, hoping for data to send it with. A broker
 * that has not set TCP_NODELAY (mosquitto's default) sends no second PUBACK before, and we send nothing more while our
 * window is full of what those would acknowledge: 2,000 messages a second. So after a read that took all there was, it
 * goes at once; the kernel forgets the option by itself. */
void fog_lean_acknowledge(const struct fog_lean *s) {
  int on = 1;
  (void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void fog_lean_in_filled(struct fog_lean *s, size_t n) {
  s->next = 0;
  s->full = s->part + n == s->in_size;
  if (!s->full) fog_lean_acknowledge(s);
  atomic_store_explicit(&s->held, s->part + n, memory_order_release);
  s->part = 0;
}

struct fog_lean_ref fog_lean_current(void) {
  struct fog_lean_ref c = {read_last, 0};
  if (c.slot == NULL) return c;
  (void)pthread_mutex_lock(&c.slot->lock);
  c.number = c.slot->number;
  (void)pthread_mutex_unlock(&c.slot->lock);
  return c;
}

ssize_t fog_lean_recv(struct fog_lean *s, int fd, void *buf, size_t len) {
  if (len == 0) return __real_recv(fd, buf, len, 0);
  if (fog_lean_sift(s)) return (ssize_t)fog_lean_take(s, buf, len);
  int error = atomic_load_explicit(&s->error, memory_order_relaxed);
  if (error != 0 || atomic_load_explicit(&s->held, memory_order_relaxed) > 0) {
    errno = error != 0 ? error : EAGAIN;
    return -1;
  }
  bool direct = len >= READ_DIRECT || !fog_lean_in_ready(s);
  unsigned char *to = direct ? buf : s->in + s->part;
  ssize_t n = __real_recv(fd, to, direct ? len : s->in_size - s->part, 0);
  if (n <= 0) return n;
  size_t good = fog_lean_admit(s, to, (size_t)n);
  if (good == 0) {
    errno = EPROTO;
    return -1;
  }
  if (direct) {
    s->left = good < s->left ? s->left - good : 0;
    read_last = s;
    return (ssize_t)good;
  }
  atomic_store_explicit(&s->established, true, memory_order_relaxed);
  fog_lean_in_filled(s, good);
  if (fog_lean_sift(s)) return (ssize_t)fog_lean_take(s, buf, len);
  errno = EAGAIN;
  return -1;
}

/* --- writing; under the lock --- */

/* One write of what is held. The count; 0: try later; -1: the connection is lost (errno is set). */
static ssize_t put(struct fog_lean *s, const void *data, size_t len) {
  if (s->ssl == NULL) {
    ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    return n;
  }
  __real_ERR_clear_error();
  int n = __real_SSL_write(s->ssl, data, (int)len);
  if (n > 0) return n;
  int e = __real_SSL_get_error(s->ssl, n);
  __real_ERR_clear_error();
  s->want_read = e == SSL_ERROR_WANT_READ;
  if (e == SSL_ERROR_WANT_WRITE || s->want_read) return 0;
  errno = EPIPE;
  return -1;
}

void fog_lean_flush_locked(struct fog_lean *s) {
  int saved = errno;
  ssize_t n = 1;
  s->want_read = false;
  while (s->out_from < s->out_to && n > 0) {
    n = put(s, s->out + s->out_from, s->out_to - s->out_from);
    if (n > 0) s->out_from += (size_t)n;
  }
  if (n < 0) {
    atomic_store(&s->error, errno);
    s->out_from = s->out_to;
  }
  if (s->out_from == s->out_to) s->out_from = s->out_to = 0;
  atomic_store(&s->stuck, s->out_to > 0 && !s->want_read);
  if (s->out_to == 0 && s->out_size > WRITE_MOST) { /* a large packet over TLS: not kept for ever */
    free(s->out);
    s->out = NULL;
    s->out_size = 0;
  }
  errno = saved;
}

static bool out_room(struct fog_lean *s, size_t len) {
  if (s->out_from > 0 && s->out_to + len > s->out_size) {
    memmove(s->out, s->out + s->out_from, s->out_to - s->out_from);
    s->out_to -= s->out_from;
    s->out_from = 0;
  }
  size_t size = s->out_size == 0 ? READ_FIRST : s->out_size;
  while (size < s->out_to + len) size *= 2;
  if (size == s->out_size) return true;
  unsigned char *out = realloc(s->out, size);
  if (out == NULL) return false;
  s->out = out;
  s->out_size = size;
  return true;
}

/* Makes room for len bytes, by writing where they do not fit. False when Paho has to wait. */
bool fog_lean_accepts(struct fog_lean *s, size_t len) {
  if (s->out_to - s->out_from + len > WRITE_MOST) fog_lean_flush_locked(s);
  size_t held = s->out_to - s->out_from;
  return (held == 0 || held + len <= WRITE_MOST) && out_room(s, len);
}

void fog_lean_append(struct fog_lean *s, const void *data, size_t len) {
  if (len > 0) memcpy(s->out + s->out_to, data, len);
  s->out_to += len;
}

ssize_t fog_lean_refuse(struct fog_lean *s) {
  atomic_store(&s->stuck, true);
  atomic_store(&s->waiting, true);
  errno = EAGAIN;
  return -1;
}

/* A large packet with nothing before it: no copy, and the kernel's own answer, which Paho can deal with. */
static ssize_t write_direct(struct fog_lean *s, const struct iovec *iov, int count, size_t total) {
  struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
  ssize_t n = sendmsg(s->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return fog_lean_refuse(s);
  if (n < 0) {
    atomic_store(&s->error, errno);
    return (ssize_t)total;
  }
  s->cut = (size_t)n < total;
  atomic_store(&s->stuck, s->cut);
  atomic_store(&s->waiting, s->cut);
  return n;
}

static ssize_t write_locked(struct fog_lean *s, const struct iovec *iov, int count, bool *deferred) {
  size_t total = 0;
  for (int i = 0; i < count; i++) total += iov[i].iov_len;
  if (atomic_load(&s->error) != 0) return (ssize_t)total; /* see the essay: a failure is told to the reader only */
  if (total >= WRITE_DIRECT) {
    if (s->out_to > 0) fog_lean_flush_locked(s);
    if (s->out_to == 0 && atomic_load(&s->error) == 0) return write_direct(s, iov, count, total);
  }
  if (!fog_lean_accepts(s, total)) return fog_lean_refuse(s);
  s->cut = false;
  for (int i = 0; i < count; i++) fog_lean_append(s, iov[i].iov_base, iov[i].iov_len);
  if (s->out_to - s->out_from >= WRITE_FLUSH) fog_lean_flush_locked(s);
  *deferred = s->out_to > 0;
  return (ssize_t)total;
}

/* The n bytes of iov that were taken over. */
static void note_sent(struct fog_lean *s, const struct iovec *iov, int count, size_t n) {
  for (int i = 0; i < count && n > 0; i++) {
    size_t part = iov[i].iov_len < n ? iov[i].iov_len : n;
    fog_lean_note_sent(s, iov[i].iov_base, part);
    n -= part;
  }
}

ssize_t fog_lean_writev(struct fog_lean *s, const struct iovec *iov, int count, bool *deferred) {
  *deferred = false;
  (void)pthread_mutex_lock(&s->lock);
  ssize_t n = write_locked(s, iov, count, deferred);
  if (n > 0) note_sent(s, iov, count, (size_t)n);
  (void)pthread_mutex_unlock(&s->lock);
  return n;
}

void fog_lean_flush(struct fog_lean *s) {
  (void)pthread_mutex_lock(&s->lock);
  if (atomic_load(&s->ours)) fog_lean_flush_locked(s);
  (void)pthread_mutex_unlock(&s->lock);
}

void fog_lean_leave_locked(struct fog_lean *s) {
  s->number = 0;
  fog_lean_flush_locked(s);
}

void fog_lean_leave(struct fog_lean *s) {
  (void)pthread_mutex_lock(&s->lock);
  fog_lean_leave_locked(s);
  (void)pthread_mutex_unlock(&s->lock);
}

bool fog_lean_is_flushed(const struct fog_lean_ref *c) {
  struct fog_lean *s = c->slot;
  if (s == NULL || c->number == 0) return true;
  (void)pthread_mutex_lock(&s->lock);
  bool flushed = s->number != c->number || fog_lean_failed(s);
  if (!flushed && s->out_to == 0) {
    struct pollfd p = {.fd = s->fd, .events = POLLOUT, .revents = 0};
    flushed = __real_poll(&p, 1, 0) > 0;
  }
  (void)pthread_mutex_unlock(&s->lock);
  return flushed;
}

/* --- what poll asks --- */

bool fog_lean_stuck(const struct fog_lean *s) { return atomic_load_explicit(&s->stuck, memory_order_acquire); }

bool fog_lean_failed(const struct fog_lean *s) { return atomic_load_explicit(&s->error, memory_order_relaxed) != 0; }

bool fog_lean_may_resume(const struct fog_lean *s) { return atomic_load(&s->waiting) && !fog_lean_stuck(s); }

bool fog_lean_resume(struct fog_lean *s) {
  if (!fog_lean_may_resume(s)) return false;
  atomic_store(&s->waiting, false);
  return true;
}

bool fog_lean_readable(const struct fog_lean *s) {
  return atomic_load_explicit(&s->held, memory_order_acquire) > 0 ||
         atomic_load_explicit(&s->more, memory_order_relaxed) || fog_lean_failed(s);
}

void fog_lean_connecting(struct fog_lean *s) { atomic_store(&s->connecting, true); }

bool fog_lean_is_connecting(const struct fog_lean *s) { return atomic_load(&s->connecting); }

bool fog_lean_established(const struct fog_lean *s) {
  return atomic_load_explicit(&s->established, memory_order_relaxed);
}

void fog_lean_connected(struct fog_lean *s) {
  if (atomic_exchange(&s->connecting, false)) atomic_store(&s->announce, true);
}

bool fog_lean_announced(struct fog_lean *s) {
  return atomic_load(&s->announce) && atomic_exchange(&s->announce, false);
}

#else
typedef int fog_paho_lean_sock_unused;
#endif
