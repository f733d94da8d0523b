/* SPDX-License-Identifier: MIT
 *
 * A TLS server of OpenSSL's for tests, one connection in a thread, with a certificate of an authority of its own; and
 * files with what the client is given.
 */
#ifndef FOG_TLS_PEER_H
#define FOG_TLS_PEER_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include "../../src/sandbox/certs.h"
#include "link.h"

struct server {
  struct peer peer;
  SSL_CTX *context;
  void (*talk)(SSL *ssl); /* after the handshake; NULL: echoes */
  bool accepted, resumed; /* after server_end */
  char name[128];         /* what the client asked for */
  char protocol[64];      /* the application protocol that was chosen */
};

static struct fog_certs certs;
static char folder[] = "/tmp/fogcloud-tls-XXXXXX";

static inline X509 *read_cert(const char *pem) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  BIO_free(bio);
  return cert;
}

static inline EVP_PKEY *read_key(const char *pem) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
  BIO_free(bio);
  return key;
}

/* Uses the certificate and the key of these. */
static inline SSL_CTX *server_context(const struct fog_certs *of) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  X509 *cert = read_cert(of->cert);
  EVP_PKEY *key = read_key(of->key);
  if (SSL_CTX_use_certificate(context, cert) != 1 || SSL_CTX_use_PrivateKey(context, key) != 1) exit(1);
  X509_free(cert);
  EVP_PKEY_free(key);
  return context;
}

/* Wants a certificate of the client's, signed by our authority. */
static inline void demand_client(SSL_CTX *context) {
  X509 *ca = read_cert(certs.ca);
  (void)X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
  X509_free(ca);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  (void)SSL_CTX_set_session_id_context(context, (const unsigned char *)"test", 4);
}

static inline bool write_all(SSL *ssl, const char *bytes, int len) {
  for (int n; len > 0; bytes += n, len -= n) {
    if ((n = SSL_write(ssl, bytes, len)) <= 0) return false;
  }
  return true;
}

static inline void tls_echo(SSL *ssl) {
  char bytes[16384];
  for (int n; (n = SSL_read(ssl, bytes, sizeof bytes)) > 0;) {
    if (!write_all(ssl, bytes, n)) break;
  }
  (void)SSL_shutdown(ssl);
}

static inline void serve_tls(int fd, void *arg) {
  struct server *s = arg;
  SSL *ssl = SSL_new(s->context);
  (void)SSL_set_fd(ssl, fd);
  s->accepted = SSL_accept(ssl) == 1;
  if (s->accepted) {
    const unsigned char *protocol = NULL;
    unsigned len = 0;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_get0_alpn_selected(ssl, &protocol, &len);
    (void)snprintf(s->name, sizeof s->name, "%s", name == NULL ? "" : name);
    (void)snprintf(s->protocol, sizeof s->protocol, "%.*s", (int)len, (const char *)protocol);
    s->resumed = SSL_session_reused(ssl) == 1;
    (s->talk == NULL ? tls_echo : s->talk)(ssl);
  }
  ERR_clear_error();
  SSL_free(ssl);
  (void)shutdown(fd, SHUT_WR);
  char sink[4096]; /* so that no reset takes an alert away */
  while (recv(fd, sink, sizeof sink, 0) > 0) continue;
  (void)close(fd);
}

/* At 127.0.0.1 and this port; 0: any. */
static inline void server_start(struct server *s, const char *address, SSL_CTX *context, void (*talk)(SSL *)) {
  *s = (struct server){.context = context, .talk = talk};
  peer_start(&s->peer, address, serve_tls, s);
}

static inline void server_end(struct server *s) { peer_end(&s->peer); }

/* A file of that name in the folder, with this text; 0600. Returns its path, of which a test may have sixteen. */
static inline const char *file(const char *name, const char *text) {
  static char paths[16][96];
  static int next;
  char *path = paths[next++ % 16];
  (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  FILE *f = fopen(path, "w");
  if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0) exit(1);
  (void)chmod(path, 0600);
  return path;
}

/* The client's key under a pass phrase, in the form of PKCS #8 or in the old one. */
static inline const char *locked_key_in(const char *phrase, bool old) {
  EVP_PKEY *key = read_key(certs.client_key);
  BIO *bio = BIO_new(BIO_s_mem());
  char *text, copy[4096];
  if (old)
    (void)PEM_write_bio_PrivateKey_traditional(bio, key, EVP_aes_256_cbc(), (const unsigned char *)phrase,
                                               (int)strlen(phrase), NULL, NULL);
  else
    (void)PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), phrase, (int)strlen(phrase), NULL, NULL);
  long len = BIO_get_mem_data(bio, &text);
  (void)snprintf(copy, sizeof copy, "%.*s", (int)len, text);
  BIO_free(bio);
  EVP_PKEY_free(key);
  return file("locked.pem", copy);
}

static inline const char *locked_key(const char *phrase) { return locked_key_in(phrase, false); }

static inline void tls_setup(void) {
  if (mkdtemp(folder) == NULL || !fog_certs_make(&certs, &(struct fog_certs_wish){.days = 30})) exit(1);
}

static inline void tls_teardown(void) {
  char command[64];
  (void)snprintf(command, sizeof command, "rm -r %s", folder);
  if (system(command) != 0) exit(1);
  fog_certs_free(&certs);
}

/* Our side: over TLS to 127.0.0.1, or where the server listens, trusting the authority. */
static inline struct fog_connection_options over_tls(const char *host, const struct server *s) {
  return (struct fog_connection_options){
      .host = (char *)(uintptr_t)host, .port = (uint16_t)s->peer.port, .tls = true, .ca_pem = certs.ca};
}

/* Opens; true where it did. */
static inline bool opens(const struct fog_connection_options *o) {
  link_open(&me, o);
  return UNTIL(me.opened || me.failed) && me.opened == 1;
}

#endif
