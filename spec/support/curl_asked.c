/* SPDX-License-Identifier: MIT
 *
 * For LD_PRELOAD, linked with libcurl: says to stderr what size the connection cache of a multi handle was given. What
 * a size does there is seen with libcurl 8.14 only, which has none of its own. Who loads libcurl gets this file in
 * front of it, which $CURL_ASKED names.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *dlopen(const char *name, int flags) {
  void *(*next)(const char *, int) = NULL;
  *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
  return next(name != NULL && strcmp(name, "libcurl.so.4") == 0 ? getenv("CURL_ASKED") : name, flags);
}

#undef curl_multi_setopt
CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...) {
  CURLMcode (*next)(CURLM *, CURLMoption, ...) = NULL;
  va_list more;
  va_start(more, option);
  void *value = va_arg(more, void *);
  va_end(more);
  *(void **)&next = dlsym(RTLD_NEXT, "curl_multi_setopt");
  if (option == CURLMOPT_MAXCONNECTS) (void)fprintf(stderr, "maxconnects %ld\n", (long)value);
  return next(multi, option, value);
}
