/* SPDX-License-Identifier: MIT
 *
 * The OpenSSL that is there at run time, which may be another one than that of the headers.
 */
#ifndef FOG_TLS_LIBRARY_H
#define FOG_TLS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* Whether it will do. False: `why` says what is wrong with it, and where it comes from. */
bool fog_tls_library_fits(char *why, size_t capacity);

#endif
