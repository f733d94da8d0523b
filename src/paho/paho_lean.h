/* SPDX-License-Identifier: MIT
 *
 * Paho's static archive without its ballast: what the linker puts in place of the functions named here.
 *
 *   PAHO_WRAPS: StackTrace_entry StackTrace_exit Log mymalloc myrealloc myfree socket connect recv poll writev
 *   PAHO_WRAPS: shutdown close usleep getaddrinfo pthread_setname_np pthread_cond_signal pthread_cond_timedwait
 *   PAHO_WRAPS: SSL_set_fd SSL_connect SSL_read SSL_write SSL_pending SSL_get_error SSL_shutdown SSL_free
 *   PAHO_WRAPS: ERR_clear_error MQTTAsync_NULLPublishCommands
 *
 * Each is linked with -Wl,--wrap=NAME, all together or none. A wrap changes nothing for a descriptor or a thread
 * that is not Paho's: a socket is Paho's when it was made by socket(AF_INET or AF_INET6, SOCK_STREAM, 0), without
 * flags. Code of ours that makes a TCP socket passes SOCK_CLOEXEC in the type, and is left alone. Why each wrap is
 * correct: paho_lean.c. The functions below are the per-socket half: paho_lean_sock.c, and for TLS paho_lean_tls.c.
 */
#ifndef FOG_PAHO_LEAN_H
#define FOG_PAHO_LEAN_H

#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The state of one of Paho's sockets. Opaque; lives as long as the process, so no thread can hold a stale one. */
struct fog_lean;

/* Which of Paho's two threads runs: only these two may put a write off, since each has a place where it flushes. */
enum fog_lean_role { FOG_LEAN_NONE, FOG_LEAN_SEND, FOG_LEAN_RECEIVE };

/* Paho's socket with this number, or NULL. Any thread; takes no lock. */
struct fog_lean *fog_lean_get(int fd);

/* Makes fd Paho's: close-on-exec, TCP_NODELAY, empty buffers. Where memory fails, fd stays an ordinary descriptor. */
void fog_lean_open(int fd);

/* Forgets fd and its buffers, then closes it; no flush of this socket runs meanwhile or afterwards. As close(2). */
int fog_lean_close(struct fog_lean *s, int fd);

/* As recv(2) without flags on a non-blocking socket. The caller holds Paho's lock, as for every read of Paho's. */
ssize_t fog_lean_recv(struct fog_lean *s, int fd, void *buf, size_t len);

/* As writev(2): all bytes are taken into the buffer where they fit, and *deferred says that somebody must flush them.
 * A short count or EAGAIN means what it means for a socket: fog_lean_stuck turns true until there is room again. */
ssize_t fog_lean_writev(struct fog_lean *s, const struct iovec *iov, int count, bool *deferred);

/* Writes what is held. Any thread; never waits. */
void fog_lean_flush(struct fog_lean *s);

/* The same before the socket goes; what the kernel does not take is lost with it. */
void fog_lean_leave(struct fog_lean *s);

/* The kernel took less than was there, and POLLOUT will say when to go on. */
bool fog_lean_stuck(const struct fog_lean *s);

/* A write was lost with the connection, and the reader has yet to be told. */
bool fog_lean_failed(const struct fog_lean *s);

/* Bytes are held for the reader (or an error that it must see), so poll must not wait for the kernel. */
bool fog_lean_readable(const struct fog_lean *s);

/* Paho holds a write that was refused or cut short, and there is room again. fog_lean_resume is true once for each. */
bool fog_lean_may_resume(const struct fog_lean *s);
bool fog_lean_resume(struct fog_lean *s);

/* The states of a connection: being made, made (POLLOUT is then ours to answer), and "tell Paho now", read once. */
void fog_lean_connecting(struct fog_lean *s);
bool fog_lean_is_connecting(const struct fog_lean *s);
bool fog_lean_established(const struct fog_lean *s);
void fog_lean_connected(struct fog_lean *s);
bool fog_lean_announced(struct fog_lean *s);

/* The TLS halves: as SSL_read, SSL_write on the connection of s. *error is what SSL_get_error would say at
 * that moment: it cannot be asked later, because the other thread may have used the connection in between. */
void fog_lean_tls_open(struct fog_lean *s, SSL *ssl);
int fog_lean_tls_read(struct fog_lean *s, SSL *ssl, void *buf, int len, int *error);
int fog_lean_tls_write(struct fog_lean *s, SSL *ssl, const void *buf, int len, int *error, bool *deferred);
int fog_lean_tls_shutdown(struct fog_lean *s, SSL *ssl);
void fog_lean_tls_free(struct fog_lean *s, SSL *ssl);

/* Bytes of s wait to be written: at the calling thread's next flush, or now where it has none. */
void fog_lean_put_off(struct fog_lean *s);

/* Packets that go past Paho: paho_lean_batch.c. A connection, told apart from a later one in the same slot. */
struct fog_lean_ref {
  struct fog_lean *slot;
  uint64_t number; /* 0: no connection */
};

/* In a callback that Paho makes for a packet: the connection that the packet came over. */
struct fog_lean_ref fog_lean_current(void);

/* The kernel has all that was written, and room for more; or the connection is gone. Any thread; never waits. */
bool fog_lean_is_flushed(const struct fog_lean_ref *c);

/* Opens the write buffer of c for whole packets of the caller's. False: the connection is gone, is full, or holds a
 * part of a packet. True: the slot is locked until fog_lean_end, and the caller does nothing in between that waits. */
bool fog_lean_begin(const struct fog_lean_ref *c);

/* Where to write a packet of len bytes, all of it; NULL: no more fits now. */
unsigned char *fog_lean_room(const struct fog_lean_ref *c, size_t len);

/* Sends what was written. */
void fog_lean_end(const struct fog_lean_ref *c);

/* What becomes of a packet: it is Paho's; it was taken; or it stays, and all behind it, until the connection takes an
 * answer. */
enum fog_lean_verdict { FOG_LEAN_PAHO, FOG_LEAN_TAKEN, FOG_LEAN_LATER };

/* Is shown a PUBLISH or a PUBREL: its first byte, and what is behind its length. A PUBREL is not to be taken. */
typedef enum fog_lean_verdict fog_lean_sink(void *context, unsigned first, const unsigned char *body, size_t len);

/* From the next packet on sink sees each PUBLISH that fits the read buffer, and each PUBREL; until the connection is
 * closed. In a callback of Paho's receive thread, as the sink will be. */
void fog_lean_set_sink(const struct fog_lean_ref *c, fog_lean_sink *sink, void *context);

/* Sends a whole packet with what Paho's receive thread writes next. False: there is no room now. In the sink only. */
bool fog_lean_answer(const struct fog_lean_ref *c, const unsigned char *packet, size_t len);

/* Whether the calling thread is one of Paho's two. */
bool fog_lean_is_mine(void);

/* Makes the receive thread look at its sockets again, if it waits. Any thread. */
void fog_lean_wake_receiver(void);

/* The real functions, as the linker names them under --wrap. */
int __real_close(int fd);
ssize_t __real_recv(int fd, void *buf, size_t len, int flags);
ssize_t __real_writev(int fd, const struct iovec *iov, int count);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __real_SSL_read(SSL *ssl, void *buf, int len);
int __real_SSL_write(SSL *ssl, const void *buf, int len);
int __real_SSL_get_error(const SSL *ssl, int rc);
int __real_SSL_shutdown(SSL *ssl);
void __real_SSL_free(SSL *ssl);
void __real_ERR_clear_error(void);

#endif
