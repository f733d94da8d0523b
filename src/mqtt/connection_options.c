/* SPDX-License-Identifier: MIT */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"

static void wipe(char *secret) {
  if (secret != NULL) OPENSSL_cleanse(secret, strlen(secret));
  free(secret);
}

void fog_connection_options_free(struct fog_connection_options *o) {
  if (o == NULL) return;
  free(o->host);
  free(o->server_name);
  free(o->ca_file);
  free(o->ca_path);
  free(o->ca_pem);
  free(o->cert_file);
  free(o->key_file);
  wipe(o->key_password);
  free(o->alpn);
  free(o->path);
  wipe(o->headers); /* a token may be among them */
  free(o->proxy_host);
  free(o->proxy_user);
  wipe(o->proxy_password);
  free(o);
}
