/* SPDX-License-Identifier: MIT
 *
 * TLS on a connection of hiredis', which has it from version 1.0 on.
 */
#ifndef FOG_REDIS_TLS_H
#define FOG_REDIS_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct redisContext;
struct fog_redis_options;

/* Whether this build has TLS. */
bool fog_redis_has_tls(void);

/* OpenSSL's connection, which the context owns. */
struct ssl_st;

/* Begins the handshake on a connected, non-blocking context; it goes on with reading and writing. The server's
 * certificate must be of a trusted authority and name options->host. NULL: why says what is wrong. */
struct ssl_st *fog_redis_start_tls(struct redisContext *c, const struct fog_redis_options *options, char *why,
                                   size_t capacity);

/* Whether a connection that broke did so for a reason of TLS', which why then has. hiredis says nothing of it. */
bool fog_redis_tls_broke(struct ssl_st *tls, char *why, size_t capacity);

#endif
