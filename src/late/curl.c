/* SPDX-License-Identifier: MIT
 *
 * libcurl, loaded by the first call of the API: with the thirty libraries that it stands on it takes longer, and more
 * memory, than all else of fogcloud, and a program that speaks MQTT alone has no use for it. The functions of libcurl
 * that src/http uses are defined here, hidden inside of the module, and hand on to the library once it is there; so
 * nothing else knows of it, and what links libcurl itself (archives, tests) leaves this file out.
 *
 * curl_global_init and curl_version_info load it. Whoever calls another of them has called one of these before.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>

#ifdef __APPLE__
#define LIBRARY "libcurl.4.dylib"
#else
#define LIBRARY "libcurl.so.4"
#endif

/* Those of curl.h that check the types of their arguments are macros as well. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

/* clang-format off */
#define FUNCTIONS(X) \
  X(curl_easy_cleanup) X(curl_easy_getinfo) X(curl_easy_init) X(curl_easy_reset) X(curl_easy_setopt) \
  X(curl_easy_strerror) X(curl_global_init) X(curl_multi_add_handle) X(curl_multi_cleanup) X(curl_multi_info_read) \
  X(curl_multi_init) X(curl_multi_perform) X(curl_multi_poll) X(curl_multi_remove_handle) X(curl_multi_setopt) \
  X(curl_multi_strerror) X(curl_multi_wakeup) X(curl_slist_append) X(curl_slist_free_all) X(curl_url) \
  X(curl_url_cleanup) X(curl_url_set) X(curl_version_info)
/* clang-format on */

#define FIELD(name) __typeof__(name) *(name);
static struct { FUNCTIONS(FIELD) } real;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool loaded;

static void load(void) {
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return;
  bool all = true;
#define FIND(name)                                      \
  *(void **)(void *)&real.name = dlsym(library, #name); \
  all = all && real.name != NULL;
  FUNCTIONS(FIND)
  loaded = all;
}

static bool is_loaded(void) {
  (void)pthread_once(&once, load);
  return loaded;
}

CURLcode curl_global_init(long flags) { return is_loaded() ? real.curl_global_init(flags) : CURLE_FAILED_INIT; }

curl_version_info_data *curl_version_info(CURLversion age) { return is_loaded() ? real.curl_version_info(age) : NULL; }

/* The type of the argument is that of the option's range (curl.h, CURLOPTTYPE_…). */
CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...) {
  va_list args;
  CURLcode code = CURLE_UNKNOWN_OPTION;
  va_start(args, option);
  const int kind = (int)option / CURLOPTTYPE_OBJECTPOINT * CURLOPTTYPE_OBJECTPOINT;
  if (kind == CURLOPTTYPE_LONG) code = real.curl_easy_setopt(easy, option, va_arg(args, long));
  if (kind == CURLOPTTYPE_OBJECTPOINT || kind == CURLOPTTYPE_BLOB)
    code = real.curl_easy_setopt(easy, option, va_arg(args, void *));
  if (kind == CURLOPTTYPE_FUNCTIONPOINT) code = real.curl_easy_setopt(easy, option, va_arg(args, void (*)(void)));
  if (kind == CURLOPTTYPE_OFF_T) code = real.curl_easy_setopt(easy, option, va_arg(args, curl_off_t));
  va_end(args);
  return code;
}

/* All of ours are numbers. */
CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...) {
  va_list args;
  va_start(args, option);
  CURLMcode code = real.curl_multi_setopt(multi, option, va_arg(args, long));
  va_end(args);
  return code;
}

CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...) {
  va_list args;
  va_start(args, info);
  CURLcode code = real.curl_easy_getinfo(easy, info, va_arg(args, void *));
  va_end(args);
  return code;
}

CURL *curl_easy_init(void) { return real.curl_easy_init(); }
void curl_easy_cleanup(CURL *easy) { real.curl_easy_cleanup(easy); }
void curl_easy_reset(CURL *easy) { real.curl_easy_reset(easy); }
const char *curl_easy_strerror(CURLcode code) { return real.curl_easy_strerror(code); }

CURLM *curl_multi_init(void) { return real.curl_multi_init(); }
CURLMcode curl_multi_cleanup(CURLM *multi) { return real.curl_multi_cleanup(multi); }
CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy) { return real.curl_multi_add_handle(multi, easy); }
CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *easy) { return real.curl_multi_remove_handle(multi, easy); }
CURLMsg *curl_multi_info_read(CURLM *multi, int *left) { return real.curl_multi_info_read(multi, left); }
CURLMcode curl_multi_perform(CURLM *multi, int *running) { return real.curl_multi_perform(multi, running); }
CURLMcode curl_multi_wakeup(CURLM *multi) { return real.curl_multi_wakeup(multi); }
const char *curl_multi_strerror(CURLMcode code) { return real.curl_multi_strerror(code); }
CURLMcode curl_multi_poll(CURLM *multi, struct curl_waitfd extra[], unsigned count, int timeout_ms, int *ready) {
  return real.curl_multi_poll(multi, extra, count, timeout_ms, ready);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text) {
  return real.curl_slist_append(list, text);
}
void curl_slist_free_all(struct curl_slist *list) { real.curl_slist_free_all(list); }

CURLU *curl_url(void) { return real.curl_url(); }
void curl_url_cleanup(CURLU *url) { real.curl_url_cleanup(url); }
CURLUcode curl_url_set(CURLU *url, CURLUPart what, const char *part, unsigned flags) {
  return real.curl_url_set(url, what, part, flags);
}
