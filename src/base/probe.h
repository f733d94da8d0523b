/* SPDX-License-Identifier: MIT
 *
 * One connection, step by step, for `fogcloud doctor`: name, TCP, TLS, and what certificate is shown. Blocks.
 */
#ifndef FOG_PROBE_H
#define FOG_PROBE_H

#include <stdbool.h>

enum fog_probe_stage { FOG_PROBE_RESOLVE, FOG_PROBE_CONNECT, FOG_PROBE_TLS, FOG_PROBE_DONE };

struct fog_probe {
  enum fog_probe_stage stage; /* where it ended: DONE, or the step that failed */
  char error[256];            /* of that step */
  char address[64];           /* the first that answered, or was tried last */
  double seconds;             /* of the TCP connection */
  bool verified;              /* the chain is trusted and the certificate is for this host */
  char verdict[128];          /* else what OpenSSL says of it */
  char subject[256], issuer[256];
  double not_before, not_after; /* seconds since the epoch; 0: no certificate was seen */
};

/* Connects to host and port; with tls, shakes hands, whatever the certificate. ca_file: PEM of the authorities, NULL
 * for the system's. timeout: seconds, up to an hour, for each of TCP (with all addresses) and TLS; the look-up takes as
 * long as the resolver lets it. */
void fog_probe(const char *host, const char *port, bool tls, const char *ca_file, double timeout,
               struct fog_probe *result);

#endif
