/* SPDX-License-Identifier: MIT
 *
 * One end of a relayed connection: a socket that does not block, with TLS above it where the client speaks TLS.
 */
#ifndef FOG_RELAY_PEER_H
#define FOG_RELAY_PEER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct fog_peer {
  int fd;
  SSL *ssl;      /* NULL: plain */
  size_t unsent; /* TLS: what the last write could not send; the next one has to begin with it */
};

/* A server's context for this certificate and key (PEM). With a CA the client has to show a certificate of it. NULL:
 * libssl refused. Freed by SSL_CTX_free. */
SSL_CTX *fog_peer_context(const char *cert, const char *key, const char *client_ca);

/* Puts TLS on the peer; the handshake is made while reading. False without memory. */
bool fog_peer_secure(struct fog_peer *p, SSL_CTX *context);

/* The count; 0: nothing at the moment; -1: the end. */
ssize_t fog_peer_read(struct fog_peer *p, void *buf, size_t n);
ssize_t fog_peer_write(struct fog_peer *p, const void *buf, size_t n);

void fog_peer_close(struct fog_peer *p);

#endif
