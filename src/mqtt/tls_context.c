/* SPDX-License-Identifier: MIT
 *
 * A context is found by its key: the options that it was made of, with what stat says of each file that was read, so a
 * file that was replaced gives another key. The least recently used of each table makes room.
 */
#include "tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "filter.h"

enum { OPTIONS = 7, ALPN_MAX = 255 };

/* --- why --- */

const char *fog_tls_reason(void) {
  unsigned long code = ERR_peek_error(); /* the first: what follows is how it was passed on */
  if (code == 0) return "no reason is given";
  const char *text = ERR_reason_error_string(code);
  if (text == NULL && ERR_GET_LIB(code) == ERR_LIB_SYS) text = strerror(ERR_GET_REASON(code));
  return text != NULL ? text : "the reason has no name";
}

static bool refuse(struct fog_connection_error *error, const char *option, const char *value) {
  (void)fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "%s: %s%s%s", option, value == NULL ? "" : value,
                            value == NULL ? "" : ": ", fog_tls_reason());
  return false;
}

/* --- the making of a context --- */

/* OpenSSL's own would ask a terminal (traps: P19). */
struct phrase {
  const char *text; /* NULL: none was given */
  bool asked;
};

static int give_phrase(char *to, int room, int writing, void *arg) {
  struct phrase *p = arg;
  size_t len = p == NULL || p->text == NULL ? 0 : strlen(p->text);
  (void)writing;
  if (p != NULL) p->asked = true;
  if (p == NULL || p->text == NULL || room < 0 || len > (size_t)room) return -1;
  memcpy(to, p->text, len);
  return (int)len;
}

static bool read_pem(SSL_CTX *context, const char *pem, struct fog_connection_error *error) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  X509_STORE *store = SSL_CTX_get_cert_store(context);
  int count = 0;
  for (X509 *cert; bio != NULL && (cert = PEM_read_bio_X509_AUX(bio, NULL, give_phrase, NULL)) != NULL; X509_free(cert))
    count += X509_STORE_add_cert(store, cert) == 1;
  unsigned long last = ERR_peek_last_error();
  bool at_end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  BIO_free(bio);
  if (count > 0 && at_end) return true;
  if (count == 0 && at_end) {
    (void)fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "ca_pem: there is no certificate in it");
    return false;
  }
  return refuse(error, "ca_pem", NULL);
}

static bool trust(SSL_CTX *context, const struct fog_connection_options *o, struct fog_connection_error *error) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  if (o->ca_file == NULL && o->ca_path == NULL && o->ca_pem == NULL) {
    return SSL_CTX_set_default_verify_paths(context) == 1 || refuse(error, "TLS", "the system's authorities");
  }
  /* What the user names is trusted as it is, also where it is not the root of its chain. */
  if (X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_PARTIAL_CHAIN) != 1)
    return refuse(error, "TLS", NULL);
  if (o->ca_file != NULL)
    return SSL_CTX_load_verify_locations(context, o->ca_file, NULL) == 1 || refuse(error, "ca_file", o->ca_file);
  if (o->ca_pem != NULL) return read_pem(context, o->ca_pem, error);
  struct stat st;
  if (stat(o->ca_path, &st) == 0 && S_ISDIR(st.st_mode))
    return SSL_CTX_load_verify_locations(context, NULL, o->ca_path) == 1 || refuse(error, "ca_path", o->ca_path);
  (void)fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "ca_path: %s: no such folder", o->ca_path);
  return false;
}

static bool read_key(SSL_CTX *context, const char *file, struct phrase *phrase, struct fog_connection_error *error) {
  if (SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) == 1) return true;
  unsigned long code = ERR_peek_error();
  if (ERR_GET_LIB(code) == ERR_LIB_X509) return refuse(error, "key_file", file); /* another certificate's */
  if (!phrase->asked) return refuse(error, "key_file", file);
  (void)fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "key_password: %s: %s", file,
                            phrase->text == NULL ? "the key is encrypted, and no pass phrase is given"
                                                 : "the pass phrase does not open the key");
  return false;
}

static bool identify(SSL_CTX *context, const struct fog_connection_options *o, struct fog_connection_error *error) {
  struct phrase phrase = {.text = o->key_password};
  const char *key = o->key_file != NULL ? o->key_file : o->cert_file;
  SSL_CTX_set_default_passwd_cb(context, give_phrase);
  SSL_CTX_set_default_passwd_cb_userdata(context, &phrase);
  bool ok = o->cert_file == NULL || SSL_CTX_use_certificate_chain_file(context, o->cert_file) == 1 ||
            refuse(error, "cert_file", o->cert_file);
  ok = ok && (key == NULL || read_key(context, key, &phrase, error));
  ok = ok && (o->cert_file == NULL || SSL_CTX_check_private_key(context) == 1 || refuse(error, "key_file", key));
  SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
  return ok;
}

/* "mqtt,http/1.1" as TLS has it: each name behind its length. */
static bool offer(SSL_CTX *context, const char *names, struct fog_connection_error *error) {
  unsigned char wire[ALPN_MAX + 1];
  size_t at = 0;
  if (names == NULL) return true;
  for (const char *name = names; *name != '\0';) {
    size_t len = strcspn(name, ",");
    if (len == 0 || len > 255 || at + 1 + len > ALPN_MAX) {
      (void)fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "alpn: names of 1 to 255 bytes, 254 together");
      return false;
    }
    wire[at] = (unsigned char)len;
    memcpy(wire + at + 1, name, len);
    at += 1 + len;
    name += len + (name[len] == ',');
  }
  return SSL_CTX_set_alpn_protos(context, wire, (unsigned)at) == 0 || refuse(error, "alpn", NULL);
}

static int on_session(SSL *ssl, SSL_SESSION *session) {
  struct fog_tls_server *server = SSL_get_app_data(ssl);
  if (server == NULL) return 0;
  server->gave_session = true;
  fog_tls_keep_session(SSL_get_SSL_CTX(ssl), server->name, session);
  return 1;
}

/* TLS 1.2 at the least; what the system's configuration asks for beyond that stays. */
static bool set_least_version(SSL_CTX *context) {
  return SSL_CTX_get_min_proto_version(context) >= TLS1_2_VERSION ||
         SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
}

/* A configuration that names what is not there gives NULL, or a context without a cipher (traps: P20). */
static SSL_CTX *make(const struct fog_connection_options *o, struct fog_connection_error *error) {
  ERR_clear_error();
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  bool ok = context != NULL && set_least_version(context);
  if (!ok) {
    (void)refuse(error, "TLS", "OpenSSL is not usable as it is configured");
  } else if (sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(context)) <= 0) {
    ok = fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "TLS: OpenSSL's configuration leaves no cipher") == 0;
  }
  if (ok && trust(context, o, error) && identify(context, o, error) && offer(context, o->alpn, error)) {
    (void)SSL_CTX_set_mode(
        context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
    SSL_CTX_set_read_ahead(context, 1); /* header and body of a record by one call of the system */
    return context;
  }
  SSL_CTX_free(context);
  ERR_clear_error();
  return NULL;
}

/* --- what is kept --- */

struct key {
  char *bytes;
  size_t len;
};

static struct kept_context {
  struct key key;
  SSL_CTX *context;
  unsigned long used;
} contexts[FOG_TLS_CONTEXTS];

static struct kept_session {
  const SSL_CTX *context; /* one of those above */
  char *server;
  SSL_SESSION *session;
  unsigned long used;
} sessions[FOG_TLS_SESSIONS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long uses;

/* Somebody else may have been at the tables when the process was forked. */
static void in_child(void) {
  (void)pthread_mutex_init(&lock, NULL);
  memset(contexts, 0, sizeof contexts);
  memset(sessions, 0, sizeof sessions);
}

static void watch_forks(void) { (void)pthread_atfork(NULL, NULL, in_child); }

static void free_key(struct key *key) {
  if (key->bytes != NULL) OPENSSL_cleanse(key->bytes, key->len);
  free(key->bytes);
  key->bytes = NULL;
}

static bool make_key(const struct fog_connection_options *o, struct key *key) {
  const char *texts[OPTIONS] = {o->ca_file, o->ca_path, o->cert_file, o->key_file, o->ca_pem, o->key_password, o->alpn};
  enum { FILES = 4 };
  struct stat stats[FILES];
  memset(stats, 0, sizeof stats); /* padding is compared, too */
  key->len = sizeof stats;
  for (int i = 0; i < OPTIONS; i++) key->len += 1 + (texts[i] == NULL ? 0 : strlen(texts[i]) + 1);
  char *at = key->bytes = malloc(key->len);
  if (at == NULL) return false;
  for (int i = 0; i < OPTIONS; i++) {
    size_t len = texts[i] == NULL ? 0 : strlen(texts[i]) + 1;
    *at++ = texts[i] != NULL ? 1 : 0;
    if (len > 0) memcpy(at, texts[i], len);
    at += len;
  }
  for (int i = 0; i < FILES; i++) {
    if (texts[i] == NULL || stat(texts[i], &stats[i]) != 0) memset(&stats[i], 0, sizeof stats[i]);
    memset(&stats[i].st_atime, 0,
           sizeof(struct timespec)); /* to be read is no change; the half of it by its old name */
  }
  memcpy(at, stats, sizeof stats);
  return true;
}

static void drop_session(struct kept_session *s) {
  if (s->session != NULL) SSL_SESSION_free(s->session);
  free(s->server);
  *s = (struct kept_session){0};
}

static void drop_context(struct kept_context *c) {
  for (int i = 0; c->context != NULL && i < FOG_TLS_SESSIONS; i++) {
    if (sessions[i].context == c->context) drop_session(&sessions[i]);
  }
  free_key(&c->key);
  SSL_CTX_free(c->context);
  *c = (struct kept_context){0};
}

static SSL_CTX *find_context(const struct key *key) {
  for (int i = 0; i < FOG_TLS_CONTEXTS; i++) {
    struct kept_context *c = &contexts[i];
    if (c->context == NULL || c->key.len != key->len || memcmp(c->key.bytes, key->bytes, key->len) != 0) continue;
    c->used = ++uses;
    return SSL_CTX_up_ref(c->context) == 1 ? c->context : NULL;
  }
  return NULL;
}

/* Takes the key over. */
static void keep_context(struct key key, SSL_CTX *context) {
  struct kept_context *oldest = &contexts[0];
  for (int i = 1; i < FOG_TLS_CONTEXTS; i++) {
    if (contexts[i].used < oldest->used) oldest = &contexts[i];
  }
  drop_context(oldest);
  if (SSL_CTX_up_ref(context) != 1) {
    free_key(&key);
    return;
  }
  *oldest = (struct kept_context){.key = key, .context = context, .used = ++uses};
}

SSL_CTX *fog_tls_context(const struct fog_connection_options *o, struct fog_connection_error *error) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct key key;
  (void)pthread_once(&once, watch_forks);
  if (!make_key(o, &key)) {
    (void)fog_connection_fail(error, FOG_CONNECTION_LOCAL, false, "TLS: no memory");
    return NULL;
  }
  (void)pthread_mutex_lock(&lock);
  SSL_CTX *context = find_context(&key);
  bool found = context != NULL;
  if (!found && (context = make(o, error)) != NULL) keep_context(key, context);
  (void)pthread_mutex_unlock(&lock);
  if (found || context == NULL) free_key(&key);
  return context;
}

static struct kept_session *find_session(const SSL_CTX *context, const char *server) {
  for (int i = 0; i < FOG_TLS_SESSIONS; i++) {
    if (sessions[i].context == context && strcmp(sessions[i].server, server) == 0) return &sessions[i];
  }
  return NULL;
}

SSL_SESSION *fog_tls_session(const SSL_CTX *context, const char *server) {
  SSL_SESSION *session = NULL;
  (void)pthread_mutex_lock(&lock);
  struct kept_session *s = find_session(context, server);
  if (s != NULL && SSL_SESSION_up_ref(s->session) == 1) {
    session = s->session;
    s->used = ++uses;
  }
  (void)pthread_mutex_unlock(&lock);
  return session;
}

/* A context that is kept no more keeps no sessions either. */
static bool is_kept(const SSL_CTX *context) {
  for (int i = 0; i < FOG_TLS_CONTEXTS; i++) {
    if (contexts[i].context == context) return true;
  }
  return false;
}

static void replace(struct kept_session *s, const SSL_CTX *context, const char *server, SSL_SESSION *session) {
  drop_session(s);
  s->server = strdup(server);
  if (s->server == NULL) {
    SSL_SESSION_free(session);
    return;
  }
  s->context = context;
  s->session = session;
  s->used = ++uses;
}

void fog_tls_keep_session(const SSL_CTX *context, const char *server, SSL_SESSION *session) {
  (void)pthread_mutex_lock(&lock);
  struct kept_session *s = find_session(context, server), *oldest = &sessions[0];
  for (int i = 1; s == NULL && i < FOG_TLS_SESSIONS; i++) {
    if (sessions[i].used < oldest->used) oldest = &sessions[i];
  }
  if (session == NULL) {
    if (s != NULL) drop_session(s);
  } else if (is_kept(context)) {
    replace(s != NULL ? s : oldest, context, server, session);
  } else {
    SSL_SESSION_free(session);
  }
  (void)pthread_mutex_unlock(&lock);
}

void fog_tls_forget(void) {
  (void)pthread_mutex_lock(&lock);
  for (int i = 0; i < FOG_TLS_CONTEXTS; i++) drop_context(&contexts[i]);
  (void)pthread_mutex_unlock(&lock);
}
