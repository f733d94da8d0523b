/* SPDX-License-Identifier: MIT
 *
 * An easy handle of libcurl, kept from one request to the next: making one costs more than a request on a kept
 * connection. It remembers the profile that it is prepared for and the URL that it leads to, so that neither is told to
 * it twice. The driver's thread only.
 */
#ifndef FOG_HTTP_HANDLE_H
#define FOG_HTTP_HANDLE_H

#include "http_profile.h"

struct fog_http_handle {
  CURL *easy;
  struct fog_http_profile *profile; /* a reference; NULL: not prepared */
  CURLU *url;
  char *text; /* that url was made of; NULL: it is to be made */
};

/* NULL: no memory, or libcurl gave none. */
struct fog_http_handle *fog_http_handle_new(void);

void fog_http_handle_free(struct fog_http_handle *h);

/* Makes the handle as good as new for another profile, of which it takes a reference. */
void fog_http_handle_reset(struct fog_http_handle *h, struct fog_http_profile *profile);

/* Where the next request goes. libcurl takes a URL apart for each request, which is a fifth of all that it does for
 * one: it is done here when it changes. */
void fog_http_handle_aim(struct fog_http_handle *h, const char *url);

#endif
