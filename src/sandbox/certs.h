/* SPDX-License-Identifier: MIT
 *
 * A certificate authority of the sandbox's own, and a server's and a client's certificate signed by it, as PEM text.
 */
#ifndef FOG_CERTS_H
#define FOG_CERTS_H

#include <stdbool.h>

struct fog_certs {
  char *ca, *ca_key, *cert, *key, *client_cert, *client_key; /* malloc'ed */
};

struct fog_certs_wish {
  int days;                /* life of the server's, from yesterday; negative: it expired so many days ago */
  const char *host;        /* the server's is for this name alone; NULL: for localhost, 127.0.0.1, ::1 and address */
  const char *address;     /* an IPv4 address, may be NULL */
  const char *ca, *ca_key; /* the authority to go on with; NULL: a new one, for ten years */
};

/* EC keys (P-256). False: libcrypto refused, or ca and ca_key are not a certificate and its key. */
bool fog_certs_make(struct fog_certs *out, const struct fog_certs_wish *wish);
void fog_certs_free(struct fog_certs *c);

#endif
