/* SPDX-License-Identifier: MIT */
#include "certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, CA_DAYS = 3650 };

static bool extend(X509 *cert, X509 *issuer, int nid, const char *value) {
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
  X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  bool ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
  X509_EXTENSION_free(ext);
  return ok;
}

static bool set_serial(X509 *cert) {
  unsigned char bytes[8];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
  bytes[0] &= 0x7f;
  BIGNUM *n = BN_bin2bn(bytes, sizeof bytes, NULL);
  bool ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
  BN_free(n);
  return ok;
}

/* issuer NULL: signed by itself, and names is not looked at. */
static X509 *make(EVP_PKEY *key, const char *name, const char *names, X509 *issuer, EVP_PKEY *issuer_key, int days) {
  X509 *cert = X509_new();
  if (cert == NULL) return NULL;
  X509_NAME *subject = X509_get_subject_name(cert);
  long from = days < 0 ? 2L * days * DAY : -DAY;
  bool ok = X509_set_version(cert, 2) == 1 && set_serial(cert) &&
            X509_gmtime_adj(X509_getm_notBefore(cert), from) != NULL &&
            X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * DAY) != NULL && X509_set_pubkey(cert, key) == 1 &&
            X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1 &&
            X509_set_issuer_name(cert, issuer == NULL ? subject : X509_get_subject_name(issuer)) == 1;
  if (issuer == NULL) {
    ok = ok && extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE") &&
         extend(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
         extend(cert, cert, NID_subject_key_identifier, "hash");
  } else {
    ok = ok && extend(cert, issuer, NID_subject_alt_name, names) &&
         extend(cert, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  }
  ok = ok && X509_sign(cert, issuer_key, EVP_sha256()) > 0;
  if (ok) return cert;
  X509_free(cert);
  return NULL;
}

static char *take_text(BIO *bio) {
  char *data;
  long len = BIO_get_mem_data(bio, &data);
  char *text = len > 0 ? malloc((size_t)len + 1) : NULL;
  if (text != NULL) {
    memcpy(text, data, (size_t)len);
    text[len] = '\0';
  }
  BIO_free(bio);
  return text;
}

static char *cert_text(X509 *cert) {
  BIO *bio = BIO_new(BIO_s_mem());
  if (bio != NULL && cert != NULL) (void)PEM_write_bio_X509(bio, cert);
  return bio == NULL ? NULL : take_text(bio);
}

static char *key_text(EVP_PKEY *key) {
  BIO *bio = BIO_new(BIO_s_mem());
  if (bio != NULL && key != NULL) (void)PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
  return bio == NULL ? NULL : take_text(bio);
}

static EVP_PKEY *read_key(const char *text) {
  BIO *bio = BIO_new_mem_buf(text, -1);
  EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
  BIO_free(bio);
  return key;
}

static X509 *read_cert(const char *text) {
  BIO *bio = BIO_new_mem_buf(text, -1);
  X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
  BIO_free(bio);
  return cert;
}

static X509 *authority(const struct fog_certs_wish *wish, EVP_PKEY *key) {
  if (key == NULL) return NULL;
  X509 *ca = wish->ca == NULL ? make(key, "fogcloud sandbox CA", NULL, NULL, key, CA_DAYS) : read_cert(wish->ca);
  if (ca == NULL || X509_check_private_key(ca, key) == 1) return ca;
  X509_free(ca);
  return NULL;
}

static X509 *server(const struct fog_certs_wish *wish, EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key) {
  char names[256] = "DNS:localhost,IP:127.0.0.1,IP:::1";
  size_t n = strlen(names);
  if (wish->host != NULL)
    (void)snprintf(names, sizeof names, "DNS:%s", wish->host);
  else if (wish->address != NULL)
    (void)snprintf(names + n, sizeof names - n, ",IP:%s", wish->address);
  return make(key, wish->host == NULL ? "localhost" : wish->host, names, ca, ca_key, wish->days);
}

bool fog_certs_make(struct fog_certs *out, const struct fog_certs_wish *wish) {
  EVP_PKEY *ca_key = wish->ca == NULL ? EVP_EC_gen("P-256") : read_key(wish->ca_key);
  EVP_PKEY *key = EVP_EC_gen("P-256"), *client_key = EVP_EC_gen("P-256");
  X509 *ca = authority(wish, ca_key);
  X509 *cert = ca == NULL || key == NULL ? NULL : server(wish, key, ca, ca_key);
  X509 *client =
      ca == NULL || client_key == NULL ? NULL : make(client_key, "client", "DNS:client", ca, ca_key, CA_DAYS);
  out->ca = cert_text(ca);
  out->ca_key = key_text(ca_key);
  out->cert = cert_text(cert);
  out->key = key_text(key);
  out->client_cert = cert_text(client);
  out->client_key = key_text(client_key);
  X509_free(client);
  EVP_PKEY_free(client_key);
  X509_free(cert);
  X509_free(ca);
  EVP_PKEY_free(key);
  EVP_PKEY_free(ca_key);
  if (out->ca != NULL && out->ca_key != NULL && out->cert != NULL && out->key != NULL && out->client_cert != NULL &&
      out->client_key != NULL)
    return true;
  fog_certs_free(out);
  return false;
}

static void free_key(char *key) {
  if (key != NULL) OPENSSL_cleanse(key, strlen(key));
  free(key);
}

void fog_certs_free(struct fog_certs *c) {
  free(c->ca);
  free_key(c->ca_key);
  free(c->cert);
  free_key(c->key);
  free(c->client_cert);
  free_key(c->client_key);
  memset(c, 0, sizeof *c);
}
