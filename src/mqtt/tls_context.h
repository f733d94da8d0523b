/* SPDX-License-Identifier: MIT
 *
 * What TLS connections with equal options share: one SSL_CTX, made anew when a file that it was read from has changed,
 * and the sessions that servers gave. Both are bounded and kept for the next connection. Any thread.
 */
#ifndef FOG_TLS_CONTEXT_H
#define FOG_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "connection.h"

enum { FOG_TLS_CONTEXTS = 16, FOG_TLS_SESSIONS = 64 };

/* Whose sessions a connection may resume: SSL_set_app_data. */
struct fog_tls_server {
  char *name;        /* all that makes a server another one: where it is, and whose certificate was checked */
  bool gave_session; /* since somebody set it to false */
};

/* The caller's reference. NULL: *error names the option and OpenSSL's reason. */
SSL_CTX *fog_tls_context(const struct fog_connection_options *o, struct fog_connection_error *error);

/* The last session with this server under this context, the caller's reference; NULL: none. `server` says all that
 * makes a server another one: where it is and whose certificate was checked. */
SSL_SESSION *fog_tls_session(const SSL_CTX *context, const char *server);

/* Keeps one; the reference becomes the cache's. NULL: forgets what there is. */
void fog_tls_keep_session(const SSL_CTX *context, const char *server, SSL_SESSION *session);

/* OpenSSL's reason for what has just failed, in words. Static text. */
const char *fog_tls_reason(void);

/* Frees what is kept. */
void fog_tls_forget(void);

#endif
