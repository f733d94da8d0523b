/* SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <openssl/crypto.h>

#include "process.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int init_result;

/* OpenSSL's own exit handler would free its tables under our threads' feet when a script ends with sessions open, so it
 * is told not to register one. curl_global_cleanup is never called for the same reason (traps: C3). */
static void init_once(void) {
  (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
  init_result = (int)curl_global_init(CURL_GLOBAL_DEFAULT);
}

int fog_process_init(void) {
  (void)pthread_once(&once, init_once);
  return init_result;
}
