/* SPDX-License-Identifier: MIT */
#include <openssl/crypto.h>

#include "process.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int init_result;

/* OpenSSL's own exit handler would free its tables under our threads' feet when a script ends with sessions open, so it
 * is told not to register one. */
static void init_once(void) { init_result = OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL) == 1 ? 0 : -1; }

int fog_process_init(void) {
  (void)pthread_once(&once, init_once);
  return init_result;
}
