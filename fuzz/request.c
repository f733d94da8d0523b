/* SPDX-License-Identifier: MIT
 *
 * Request building: what the encoders write is read back by decoders of our own and is the same; a form holds nothing
 * but unreserved characters, so that no value can end its field or its line; a URL begins with its base.
 * Input: an endpoint's number, then a line for each field, the base on the last.
 */
#include "../src/http/api.h"
#include "fuzz.h"

enum { FIELDS = 3 };

static int hex(char c) { return c <= '9' ? c - '0' : c - 'A' + 10; }

static size_t unescape_form(const char *s, size_t len, char *out) {
  size_t n = 0;
  for (size_t i = 0; i < len; i++) {
    if (s[i] == '%') {
      must(i + 2 < len);
      out[n++] = (char)(hex(s[i + 1]) * 16 + hex(s[i + 2]));
      i += 2;
    } else {
      must(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", s[i]) != NULL && s[i] != '\0');
      out[n++] = s[i];
    }
  }
  return n;
}

static void check_form(const struct fog_field *fields, size_t count) {
  size_t len, seen = 0;
  char *form = fog_api_form(fields, count, &len);
  must(form != NULL && form[len] == '\0' && strlen(form) == len);
  for (char *p = form; count > 0 && p != NULL; seen++) {
    char *end = strchr(p, '&'), *equals = strchr(p, '=');
    const struct fog_field *f = &fields[seen];
    must(seen < count && equals != NULL && (end == NULL || equals < end));
    size_t n = end == NULL ? strlen(equals + 1) : (size_t)(end - equals - 1);
    char *value = malloc(n + 1);
    must(value != NULL);
    must(unescape_form(equals + 1, n, value) == f->value_len);
    must(memcmp(value, f->value, f->value_len) == 0);
    must((size_t)(equals - p) == strlen(f->name) && memcmp(p, f->name, strlen(f->name)) == 0);
    free(value);
    p = end == NULL ? NULL : end + 1;
  }
  must(seen == count);
  free(form);
}

/* Reads one JSON string of the kind that the encoder writes; what follows it. */
static const char *read_json_string(const char *p, char *out, size_t *n) {
  must(*p++ == '"');
  for (*n = 0; *p != '"'; p++) {
    must((unsigned char)*p >= 0x20);
    if (*p != '\\') {
      out[(*n)++] = *p;
    } else if (*++p == 'u') {
      must(p[1] == '0' && p[2] == '0');
      out[(*n)++] = (char)(hex(p[3]) * 16 + hex(p[4]));
      p += 4;
    } else {
      must(*p == '"' || *p == '\\');
      out[(*n)++] = *p;
    }
  }
  return p + 1;
}

static void check_json(const struct fog_field *fields, size_t count) {
  size_t len, n;
  char *json = fog_api_json(fields, count, &len), *out = malloc(len == 0 ? 1 : len + 1);
  must(json != NULL && out != NULL && json[len] == '\0' && strlen(json) == len && json[0] == '{');
  const char *p = json + 1;
  for (size_t i = 0; i < count; i++) {
    if (i > 0) must(*p++ == ',');
    p = read_json_string(p, out, &n);
    must(n == strlen(fields[i].name) && memcmp(out, fields[i].name, n) == 0 && *p++ == ':');
    p = read_json_string(p, out, &n);
    must(n == fields[i].value_len && memcmp(out, fields[i].value, n) == 0);
  }
  must(strcmp(p, "}") == 0);
  free(out);
  free(json);
}

static void check_url(const char *base, size_t len, const char *path) {
  char *url = fog_api_url(base, len, path);
  must(url != NULL);
  size_t kept = strlen(path) <= strlen(url) ? strlen(url) - strlen(path) : 0;
  if (strlen(base) == len) { /* a NUL inside is refused before */
    must(strcmp(url + kept, path) == 0 && kept <= len && memcmp(url, base, kept) == 0);
    must(kept == 0 || url[kept - 1] != '/');
    must(strspn(base + kept, "/") == len - kept);
  }
  free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  const struct fog_endpoint_info *info = fog_api_endpoint((enum fog_endpoint)(take_byte(&in) % FOG_ENDPOINTS));
  struct fog_field fields[FIELDS];
  char *values[FIELDS];
  size_t count = 0;
  for (; info->fields[count] != NULL; count++) {
    must(count < FIELDS);
    values[count] = take_line(&in, &fields[count].value_len);
    fields[count].name = info->fields[count];
    fields[count].value = values[count];
    bool control = false;
    for (size_t i = 0; i < fields[count].value_len; i++)
      control = control || (unsigned char)values[count][i] < 32 || values[count][i] == 127;
    must((fog_api_bad_value(values[count], fields[count].value_len) == NULL) ==
         (fields[count].value_len > 0 && !control));
  }
  check_form(fields, count);
  check_json(fields, count);
  size_t len;
  char *base = take_line(&in, &len);
  check_url(base, len, info->path);
  free(base);
  while (count > 0) free(values[--count]);
  return 0;
}
