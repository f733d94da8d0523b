/* SPDX-License-Identifier: MIT
 *
 * The five calls of the FogCloud v3 open API as pure functions over strings: which method and path, which parameters in
 * which encoding, and whether libcurl may send the request again on a fresh connection by itself.
 */
#ifndef FOG_API_H
#define FOG_API_H

#include <stdbool.h>
#include <stddef.h>

enum fog_endpoint { FOG_TOKEN, FOG_CREATE_CLIENT, FOG_GRANT, FOG_REVOKE, FOG_PRODUCTS, FOG_ENDPOINTS };

struct fog_endpoint_info {
  const char *name; /* the word in errors, "token" */
  const char *method;
  const char *path;
  const char *fields[4]; /* parameter names, NULL-terminated */
  bool authorized;       /* carries the bearer token */
  bool repeatable;       /* a second delivery does no harm */
};

const struct fog_endpoint_info *fog_api_endpoint(enum fog_endpoint e);

struct fog_field {
  const char *name;
  const char *value;
  size_t value_len;
};

/* application/x-www-form-urlencoded, RFC 6749 4.4.2 and appendix B: everything but unreserved characters is %-escaped
 * byte by byte. A malloc'ed C string, *len its length. NULL: no memory. */
char *fog_api_form(const struct fog_field *fields, size_t count, size_t *len);

/* One JSON object of strings, RFC 8259. Values must be UTF-8 (the Lua layer checks). A malloc'ed C string. NULL: no
 * memory. */
char *fog_api_json(const struct fog_field *fields, size_t count, size_t *len);

/* base without trailing slashes, then the path. A malloc'ed C string. NULL: no memory. */
char *fog_api_url(const char *base, size_t base_len, const char *path);

/* NULL, or why the value must not go into a header line or an id: it is empty, or holds a control character (CR, LF,
 * NUL, …). */
const char *fog_api_bad_value(const char *value, size_t len);

#endif
