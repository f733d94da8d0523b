/* SPDX-License-Identifier: MIT
 *
 * A certificate authority of the sandbox's own, and a server's and a client's certificate signed by it, as PEM text.
 */
#ifndef FOG_CERTS_H
#define FOG_CERTS_H

#include <stdbool.h>

struct fog_certs {
  char *ca, *cert, *key, *client_cert, *client_key; /* malloc'ed */
};

/* The server's is for localhost, 127.0.0.1 and ::1, or for another host alone (host not NULL); valid from yesterday for ten years; EC
 * keys (P-256). days < 0 makes one that expired so many days ago. False: libcrypto refused. */
bool fog_certs_make(struct fog_certs *out, int days, const char *host);
void fog_certs_free(struct fog_certs *c);

#endif
