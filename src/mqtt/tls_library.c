/* SPDX-License-Identifier: MIT
 *
 * A program that exports an OpenSSL of its own (a static one, linked with -rdynamic) is whom the module's calls reach.
 * Another major version means something else by the same names, and an older minor one lacks some of them.
 */
#include "tls_library.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <stdio.h>

/* OpenSSL's numbers are 0xMNN00PP0 from 3.0 on, and 0xMNNFFPPS before. */
static unsigned long major_of(unsigned long number) { return number >> 28; }

static unsigned long minor_of(unsigned long number) { return number >> 20; }

bool fog_tls_library_fits(char *why, size_t capacity) {
  static const unsigned long built = OPENSSL_VERSION_NUMBER;
  unsigned long here = OpenSSL_version_num();
  if (major_of(here) == major_of(built) && minor_of(here) >= minor_of(built)) return true;
  Dl_info found;
  const char *text = OpenSSL_version(OPENSSL_VERSION);
  bool known = dladdr(text, &found) != 0 && found.dli_fname != NULL;
  (void)snprintf(why, capacity,
                 "fogcloud was built for " OPENSSL_VERSION_TEXT
                 ", and that of %s is %s: the program, or a library that it loaded before, has one of its own",
                 known ? found.dli_fname : "this program", text);
  return false;
}
