/* SPDX-License-Identifier: MIT
 * shared with the plugin */
#include "password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { SALT = 16, HASH = 32, ITERATIONS = 1000 };
static const size_t DOLLAR = 2 * (size_t)SALT; /* where it stands in the text */

static void to_hex(const unsigned char *bytes, size_t n, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < n; i++) {
    *out++ = digits[bytes[i] >> 4];
    *out++ = digits[bytes[i] & 15];
  }
  *out = '\0';
}

static bool from_hex(const char *text, size_t n, unsigned char *out) {
  for (size_t i = 0; i < n; i++) {
    char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
    if (strspn(pair, "0123456789abcdef") != 2) return false;
    out[i] = (unsigned char)strtoul(pair, NULL, 16);
  }
  return true;
}

static bool derive(const char *secret, size_t len, const unsigned char *salt, unsigned char *hash) {
  return PKCS5_PBKDF2_HMAC(secret, (int)len, salt, SALT, ITERATIONS, EVP_sha256(), HASH, hash) == 1;
}

bool fog_password_hash(const char *secret, size_t len, char out[FOG_PASSWORD_TEXT]) {
  unsigned char salt[SALT], hash[HASH];
  if (RAND_bytes(salt, SALT) != 1 || !derive(secret, len, salt, hash)) return false;
  to_hex(salt, SALT, out);
  out[DOLLAR] = '$';
  to_hex(hash, HASH, out + DOLLAR + 1);
  return true;
}

bool fog_password_matches(const char *secret, size_t len, const char *stored) {
  unsigned char salt[SALT], wanted[HASH], hash[HASH];
  if (strlen(stored) != FOG_PASSWORD_TEXT - 1 || stored[DOLLAR] != '$') return false;
  if (!from_hex(stored, SALT, salt) || !from_hex(stored + DOLLAR + 1, HASH, wanted)) return false;
  return derive(secret, len, salt, hash) && CRYPTO_memcmp(hash, wanted, HASH) == 0;
}
