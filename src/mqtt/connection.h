/* SPDX-License-Identifier: MIT
 *
 * One stream of bytes to a broker: resolved, connected, through a proxy, TLS and WebSockets where they are asked for.
 * Non-blocking; the loop's thread only. What MQTT makes of the bytes is nobody's business here.
 *
 * It is a stack of filters, each of which reads and writes through the one below: socket, proxy (HTTP CONNECT), TLS,
 * WebSocket. A filter is a struct of functions (filter.h); fog_connection_open puts together what the options ask for.
 *
 *   resolving -> connecting (every address, both families in turn: RFC 8305) -> [proxy] -> [tls] -> [websocket] -> open
 *
 * Names are resolved by getaddrinfo on a bounded pool of threads (so that nsswitch, mDNS and the hosts file work) and
 * never hold up the loop; an answer that comes after the connection has gone is dropped. There is no time-out here: the
 * owner closes what takes too long. No variable of the environment diverts a connection. Nothing asks a terminal.
 */
#ifndef FOG_CONNECTION_H
#define FOG_CONNECTION_H

#include <stdbool.h>
#include <sys/uio.h>

#include "bytes.h"
#include "loop.h"

/* All text is malloc'ed and belongs to the struct; NULL is not given. Secrets are overwritten when it is freed. */
struct fog_connection_options {
  char *host; /* a name, an IPv4 or an IPv6 address without brackets */
  uint16_t port;
  bool tls;
  char *server_name; /* for SNI and the certificate's name; NULL: host. An address is compared with the certificate's
                        addresses and never sent as SNI (RFC 6066, 3) */
  char *ca_file, *ca_path, *ca_pem; /* each replaces the system's authorities; at most one is given */
  char *cert_file, *key_file, *key_password;
  char *alpn; /* comma-separated protocol names, "mqtt"; NULL: none is offered */
  bool websocket;
  char *path;       /* of the WebSocket request; NULL: "/mqtt" */
  char *headers;    /* more header lines of it, each with its CRLF; NULL: none */
  char *proxy_host; /* HTTP CONNECT (RFC 9110, 9.3.6); NULL: none */
  uint16_t proxy_port;
  char *proxy_user, *proxy_password; /* Basic (RFC 7617); NULL: none */
};

void fog_connection_options_free(struct fog_connection_options *o); /* NULL is harmless */

enum fog_connection_kind {
  FOG_CONNECTION_CLOSED,    /* the other side closed in order: end of file, close_notify, WebSocket close */
  FOG_CONNECTION_NETWORK,   /* a name that does not resolve, refused, reset, unreachable */
  FOG_CONNECTION_TLS,       /* the handshake or the certificate; final says whether trying again can help */
  FOG_CONNECTION_PROXY,     /* the proxy refused, or does not speak HTTP */
  FOG_CONNECTION_WEBSOCKET, /* no "101 Switching Protocols", a wrong accept key, a frame that must not be */
  FOG_CONNECTION_LOCAL      /* a file, a key, a pass phrase, memory, OpenSSL's configuration: the option is named */
};

struct fog_connection_error {
  enum fog_connection_kind kind;
  bool final; /* the same attempt would end the same way: a certificate, a refusal, an option; not what time may heal */
  char text[512]; /* what happened, in words: names the host, the address, the option; no secret */
};

struct fog_connection;

/* What the owner is told, on the loop's thread, never from inside a call of the owner's. After `failed` nothing comes.
 */
struct fog_connection_owner {
  void (*opened)(void *owner);
  void (*readable)(void *owner); /* bytes can be read, or the end was met: fog_connection_read tells */
  void (*writable)(void *owner); /* after a write that took less than all: there is room again */
  void (*failed)(void *owner, const struct fog_connection_error *error); /* before it was open */
};

/* Starts. `o` is used until close and stays the caller's. NULL: no memory. */
struct fog_connection *fog_connection_open(struct fog_loop *loop, const struct fog_connection_options *o,
                                           const struct fog_connection_owner *events, void *owner);

/* Reads what there is, at most len bytes. > 0: so many; 0: nothing now, `readable` follows; -1: the stream is at its
 * end, *error says why. TLS records and frames that were read from the socket already count as readable: `readable` is
 * told again until read gives 0. */
ssize_t fog_connection_read(struct fog_connection *c, char *to, size_t len, struct fog_connection_error *error);

/* Writes, as much as the system takes at once (writev where nothing stands between; never SIGPIPE). >= 0: so many, and
 * `writable` follows where it is less than all; -1: the stream is at its end, *error says why. */
ssize_t fog_connection_write(struct fog_connection *c, const struct iovec *parts, int count,
                             struct fog_connection_error *error);

/* Reading rests (false) or goes on: for back-pressure. While it rests only a broken connection is told, as `readable`.
 */
void fog_connection_reading(struct fog_connection *c, bool on);

/* How long bytes that were sent may stay unacknowledged before the system calls the connection broken
 * (TCP_USER_TIMEOUT; 0: its own rule). Nothing where the system has no such option: then watch fog_connection_flushed.
 * Any state; before it is connected it counts from then on. */
void fog_connection_user_timeout(struct fog_connection *c, unsigned ms);

/* What it is doing, for the error of an owner whose patience has ended: "connecting to broker:8883 (192.0.2.1)". Text
 * is cut at `capacity`. */
void fog_connection_doing(const struct fog_connection *c, char *text, size_t capacity);

/* Whether nothing lies unsent: here (TLS, frames), or in the system (SIOCOUTQ; *unsent, may be NULL, gets how much; -1
 * where the system cannot tell, which then counts as nothing). */
bool fog_connection_flushed(struct fog_connection *c, long *unsent);

/* Says goodbye in its own language (close_notify, WebSocket close) as far as it goes without waiting, closes, frees
 * (the memory after this turn of the loop). Nothing is told any more. `linger`: the last bytes were written and the
 * other side should read them: shuts down writing, and the socket is read and dropped for a short bounded while (1 s,
 * 64 KiB) so that no RST takes them away. */
void fog_connection_close(struct fog_connection *c, bool linger);

/* The end of the process' use: TLS contexts and resolver threads that are kept for the next are freed. */
void fog_connection_forget(void);

#endif
