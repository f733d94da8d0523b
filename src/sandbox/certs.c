/* SPDX-License-Identifier: MIT */
#include "certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400 };

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

bool fog_certs_make(struct fog_certs *out, int days, const char *host) {
  char names[256] = "DNS:localhost,IP:127.0.0.1,IP:::1";
  if (host != NULL) (void)snprintf(names, sizeof names, "DNS:%s", host);
  EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256"), *client_key = EVP_EC_gen("P-256");
  X509 *ca = ca_key == NULL ? NULL : make(ca_key, "fogcloud sandbox CA", NULL, NULL, ca_key, 3650);
  X509 *cert = ca == NULL || key == NULL ? NULL : make(key, host == NULL ? "localhost" : host, names, ca, ca_key, days);
  X509 *client = ca == NULL || client_key == NULL ? NULL : make(client_key, "client", "DNS:client", ca, ca_key, 3650);
  out->ca = cert_text(ca);
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
  if (out->ca != NULL && out->cert != NULL && out->key != NULL && out->client_cert != NULL && out->client_key != NULL)
    return true;
  fog_certs_free(out);
  return false;
}

void fog_certs_free(struct fog_certs *c) {
  free(c->ca);
  free(c->cert);
  if (c->key != NULL) OPENSSL_cleanse(c->key, strlen(c->key));
  if (c->client_key != NULL) OPENSSL_cleanse(c->client_key, strlen(c->client_key));
  free(c->key);
  free(c->client_cert);
  free(c->client_key);
  memset(c, 0, sizeof *c);
}
