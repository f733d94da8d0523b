/* SPDX-License-Identifier: MIT
 *
 * The libcurl that is there at run time, which may be another one than that of the headers: what it is, and whether it
 * will do.
 */
#ifndef FOG_HTTP_LIBRARY_H
#define FOG_HTTP_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* Its version and that of its TLS library; static text, "none" where there is none. Any of these loads libcurl. */
const char *fog_library_curl_version(void);
const char *fog_library_tls_version(void);

/* Whether it looks names up without holding its caller up. */
bool fog_library_async_dns(void);

/* Whether it will do. False: `why` says what is wrong with it, and where it comes from. */
bool fog_library_fits(char *why, size_t capacity);

#endif
