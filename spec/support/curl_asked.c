/* SPDX-License-Identifier: MIT
 *
 * For LD_PRELOAD: says to stderr what size the connection cache of a multi handle was given. What a size does there is
 * seen with libcurl 8.14 only, which has none of its own.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>

#undef curl_multi_setopt
CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...) {
  CURLMcode (*next)(CURLM *, CURLMoption, ...) = NULL;
  va_list more;
  va_start(more, option);
  void *value = va_arg(more, void *);
  va_end(more);
  void *libcurl = dlopen("libcurl.so.4", RTLD_LAZY); /* it is there, but not among the program's own */
  *(void **)&next = dlsym(libcurl, "curl_multi_setopt");
  if (option == CURLMOPT_MAXCONNECTS) (void)fprintf(stderr, "maxconnects %ld\n", (long)value);
  return next(multi, option, value);
}
