/* SPDX-License-Identifier: MIT
 *
 * HTTP CONNECT (RFC 9110, 9.3.6): asks, reads the answer, and is taken off again. Nothing may come behind the answer:
 * every protocol that goes through here lets the client speak first.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dial.h"
#include "filter.h"
#include "http_head.h"

enum { NAME_TEXT = 320, CREDENTIALS = 1024 };

struct proxy {
  struct fog_layer layer;
  const struct fog_connection_options *o;
  bool asked;
  struct fog_http_head head;
};

/* Base64 of "user:password" into `to`. False: they are too long. */
static bool basic(const struct fog_connection_options *o, char *to, size_t capacity) {
  char pair[CREDENTIALS];
  int len = snprintf(pair, sizeof pair, "%s:%s", o->proxy_user, o->proxy_password == NULL ? "" : o->proxy_password);
  bool fits = len >= 0 && (size_t)len < sizeof pair && (size_t)len * 4 / 3 + 5 <= capacity;
  if (fits) (void)EVP_EncodeBlock((unsigned char *)to, (const unsigned char *)pair, len);
  OPENSSL_cleanse(pair, sizeof pair);
  return fits;
}

static int ask(struct proxy *p, struct fog_connection_error *error) {
  const struct fog_connection_options *o = p->o;
  char *request = fog_loop_gather(p->layer.loop), name[NAME_TEXT], credentials[CREDENTIALS * 2] = "";
  if (o->proxy_user != NULL && !basic(o, credentials, sizeof credentials))
    return fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "proxy: the user and the password are too long");
  fog_dial_name(o->host, o->port, name, sizeof name);
  bool has = credentials[0] != '\0';
  int len = snprintf(request, FOG_LOOP_GATHER, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", name, name,
                     has ? "Proxy-Authorization: Basic " : "", credentials, has ? "\r\n" : "");
  int rc = p->layer.below->does->put(p->layer.below, request, (size_t)len, error);
  OPENSSL_cleanse(credentials, sizeof credentials);
  OPENSSL_cleanse(request, (size_t)len);
  p->asked = true;
  return rc;
}

static int judge(const struct proxy *p, struct fog_connection_error *error) {
  const char *reason;
  int status = fog_http_head_status(&p->head, &reason);
  bool later = status == 408 || status == 429 || status >= 500;
  if (status == 407)
    return fog_connection_fail(error, FOG_CONNECTION_PROXY, true, "407 %s: the proxy wants %s user and password",
                               reason, p->o->proxy_user == NULL ? "a" : "another");
  if (status < 200 || status > 299)
    return fog_connection_fail(error, FOG_CONNECTION_PROXY, !later, "the proxy refused the connection: %d %s", status,
                               reason);
  if (p->head.len > p->head.end)
    return fog_connection_fail(error, FOG_CONNECTION_PROXY, false, "bytes that nobody asked for follow the answer");
  return 1;
}

static int shake(struct fog_layer *l, struct fog_connection_error *error) {
  struct proxy *p = (struct proxy *)l;
  if (!p->asked && ask(p, error) != 0) return -1;
  int rc = fog_http_head_read(&p->head, l->below, FOG_CONNECTION_PROXY, error);
  if (rc < 0 && error->kind == FOG_CONNECTION_CLOSED)
    return fog_connection_fail(error, FOG_CONNECTION_PROXY, false, "the proxy closed the connection without an answer");
  return rc > 0 ? judge(p, error) : rc;
}

static void forget(struct fog_layer *l) {
  struct proxy *p = (struct proxy *)l;
  fog_http_head_free(&p->head);
  free(p);
}

struct fog_layer *fog_proxy_new(struct fog_layer *below, const struct fog_connection_options *o,
                                struct fog_connection_error *error) {
  static const struct fog_layer_functions functions = {.doing = "CONNECT through", .shake = shake, .forget = forget};
  struct proxy *p = calloc(1, sizeof *p);
  if (p == NULL) {
    (void)fog_connection_fail(error, FOG_CONNECTION_LOCAL, false, "proxy: no memory");
    return NULL;
  }
  p->layer = (struct fog_layer){.does = &functions, .below = below, .loop = below->loop};
  p->o = o;
  return &p->layer;
}
