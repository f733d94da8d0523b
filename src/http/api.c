/* SPDX-License-Identifier: MIT */
#include "api.h"

#include <stdlib.h>
#include <string.h>

static const struct fog_endpoint_info endpoints[FOG_ENDPOINTS] = {
    [FOG_TOKEN] =
        {"token", "POST", "/v3/open_api/token/", {"grant_type", "client_id", "client_secret", NULL}, false, true},
    /* The API page does not say that a second call gives the same client, so it is taken to make a second one. */
    [FOG_CREATE_CLIENT] = {"create_client", "POST", "/v3/open_api/mqtt/client/", {"app_id", NULL}, true, false},
    [FOG_GRANT] = {"grant", "POST", "/v3/open_api/mqtt/permission/", {"client_id", "device_id", NULL}, true, true},
    [FOG_REVOKE] = {"revoke", "DELETE", "/v3/open_api/mqtt/permission/", {"client_id", "device_id", NULL}, true, true},
    [FOG_PRODUCTS] = {"products", "GET", "/v3/open_api/product/ids/", {NULL}, true, true},
};

const struct fog_endpoint_info *fog_api_endpoint(enum fog_endpoint e) { return &endpoints[e]; }

static const char hex_digits[] = "0123456789ABCDEF";

static bool unreserved(unsigned char c) { /* RFC 3986, 2.3; spelled out because isalnum follows the locale */
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

static char *put_form(char *out, const char *s, size_t len) {
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)s[i];
    if (unreserved(c)) {
      *out++ = (char)c;
    } else {
      *out++ = '%';
      *out++ = hex_digits[c >> 4];
      *out++ = hex_digits[c & 15];
    }
  }
  return out;
}

/* The most that any encoding needs: six bytes for one (a JSON \u00XX), and the punctuation around a pair. */
static size_t room_for(const struct fog_field *fields, size_t count) {
  size_t room = 3;
  for (size_t i = 0; i < count; i++) room += 6 * (strlen(fields[i].name) + fields[i].value_len) + 6;
  return room;
}

char *fog_api_form(const struct fog_field *fields, size_t count, size_t *len) {
  char *text = malloc(room_for(fields, count));
  if (text == NULL) return NULL;
  char *out = text;
  for (size_t i = 0; i < count; i++) {
    if (i > 0) *out++ = '&';
    out = put_form(out, fields[i].name, strlen(fields[i].name));
    *out++ = '=';
    out = put_form(out, fields[i].value, fields[i].value_len);
  }
  *out = '\0';
  *len = (size_t)(out - text);
  return text;
}

static char *put_json(char *out, const char *s, size_t len) {
  *out++ = '"';
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c < 0x20) {
      const char escaped[] = {'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};
      memcpy(out, escaped, sizeof escaped);
      out += sizeof escaped;
    } else {
      if (c == '"' || c == '\\') *out++ = '\\';
      *out++ = (char)c;
    }
  }
  *out++ = '"';
  return out;
}

char *fog_api_json(const struct fog_field *fields, size_t count, size_t *len) {
  char *text = malloc(room_for(fields, count));
  if (text == NULL) return NULL;
  char *out = text;
  *out++ = '{';
  for (size_t i = 0; i < count; i++) {
    if (i > 0) *out++ = ',';
    out = put_json(out, fields[i].name, strlen(fields[i].name));
    *out++ = ':';
    out = put_json(out, fields[i].value, fields[i].value_len);
  }
  *out++ = '}';
  *out = '\0';
  *len = (size_t)(out - text);
  return text;
}

char *fog_api_url(const char *base, size_t base_len, const char *path) {
  while (base_len > 0 && base[base_len - 1] == '/') base_len--;
  size_t path_len = strlen(path);
  char *url = malloc(base_len + path_len + 1);
  if (url == NULL) return NULL;
  memcpy(url, base, base_len);
  memcpy(url + base_len, path, path_len + 1);
  return url;
}

const char *fog_api_bad_value(const char *value, size_t len) {
  if (len == 0) return "is empty";
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)value[i];
    if (c < 0x20 || c == 0x7f) return "holds a control character";
  }
  return NULL;
}
