/* SPDX-License-Identifier: MIT
 *
 * Where libcurl is linked and not loaded late (src/late/curl.c), a program that exports one of its own (a static one,
 * linked with -rdynamic), or has loaded one before, is whom our calls reach: the loader takes the first that has the
 * name. An older one lacks what the headers promise, or means something else by it.
 */
#include "library.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>

static const curl_version_info_data *info(void) { return curl_version_info(CURLVERSION_NOW); }

const char *fog_library_curl_version(void) { return info() == NULL ? "none" : info()->version; }

const char *fog_library_tls_version(void) {
  const char *tls = info() == NULL ? NULL : info()->ssl_version;
  return tls == NULL ? "none" : tls;
}

bool fog_library_async_dns(void) { return info() != NULL && (info()->features & CURL_VERSION_ASYNCHDNS) != 0; }

/* The file that our calls reach: where its version stands. */
static const char *origin(void) {
  Dl_info found;
  return dladdr(info()->version, &found) != 0 && found.dli_fname != NULL ? found.dli_fname : "this program";
}

bool fog_library_fits(char *why, size_t capacity) {
  if (info() == NULL) {
    (void)snprintf(why, capacity, "libcurl cannot be loaded: it is not where the system looks for libraries");
    return false;
  }
  if (info()->version_num < LIBCURL_VERSION_NUM) {
    (void)snprintf(
        why, capacity,
        "fogcloud was built for libcurl " LIBCURL_VERSION
        " and later, and the one of %s is %s: the program, or a library that it loaded before, has one of its own",
        origin(), info()->version);
    return false;
  }
  if ((info()->features & CURL_VERSION_SSL) == 0) {
    (void)snprintf(why, capacity, "fogcloud needs a libcurl with TLS, and the one of %s has none", origin());
    return false;
  }
  return true;
}
