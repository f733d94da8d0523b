/* SPDX-License-Identifier: MIT
 *
 * What the requests of one cloud have in common: whom to trust, through which proxy, with which headers. Made once and
 * shared by all requests that name the same, so that headers are built once per token and a kept easy handle that was
 * prepared for a profile needs nothing but the next request's own options.
 */
#ifndef FOG_HTTP_PROFILE_H
#define FOG_HTTP_PROFILE_H

#include <curl/curl.h>
#include <stdatomic.h>
#include <stddef.h>

#include "http.h"

struct fog_http_profile {
  atomic_int refs;
  char *user_agent, *ca_file, *ca_pem, *cert_file, *key_file, *key_password, *proxy, *authorization;
  const char *content_type;
  struct curl_slist *headers;
};

enum { FOG_HTTP_PROFILES = 4 };

/* Those that were used last; the owner's thread only. All zero is empty. */
struct fog_http_profiles {
  struct fog_http_profile *kept[FOG_HTTP_PROFILES];
  size_t next; /* whose place a new one takes */
};

/* The profile that o asks for, with a reference for the caller. NULL: no memory. */
struct fog_http_profile *fog_http_profile_get(struct fog_http_profiles *all, const struct fog_http_options *o);

struct fog_http_profile *fog_http_profile_ref(struct fog_http_profile *p);

/* Any thread. The last one overwrites its secrets before it frees. NULL is allowed. */
void fog_http_profile_unref(struct fog_http_profile *p);

/* Forgets all. */
void fog_http_profiles_clear(struct fog_http_profiles *all);

#endif
