/* SPDX-License-Identifier: MIT */
#include "http_head.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char start[] = "HTTP/1.";
enum { START = sizeof start - 1, STATUS = START + 2 }; /* "HTTP/1.1 101 …" */

/* Behind the empty line that ends the head, looked for from `from` on; 0: it has not come. Lines end with CR LF, or
 * with LF alone (RFC 9112, 2.2). */
static size_t find_end(const struct fog_http_head *h, size_t from) {
  for (size_t i = from; i < h->len; i++) {
    if (h->bytes[i] != '\n' || i == 0) continue;
    if (h->bytes[i - 1] == '\n' || (i > 1 && h->bytes[i - 1] == '\r' && h->bytes[i - 2] == '\n')) return i + 1;
  }
  return 0;
}

static bool is_status_line(const char *line) {
  return strncmp(line, start, START) == 0 && isdigit((unsigned char)line[START]) && line[START + 1] == ' ' &&
         line[STATUS] >= '1' && isdigit((unsigned char)line[STATUS]) && isdigit((unsigned char)line[STATUS + 1]) &&
         isdigit((unsigned char)line[STATUS + 2]) && (line[STATUS + 3] == ' ' || line[STATUS + 3] == '\0');
}

static void cut_lines(struct fog_http_head *h) {
  for (size_t i = 0; i < h->end; i++) {
    if (h->bytes[i] != '\n') continue;
    h->bytes[i] = '\0';
    if (i > 0 && h->bytes[i - 1] == '\r') h->bytes[i - 1] = '\0';
  }
}

int fog_http_head_read(struct fog_http_head *h, struct fog_layer *below, enum fog_connection_kind kind,
                       struct fog_connection_error *error) {
  if (h->bytes == NULL && (h->bytes = calloc(1, FOG_HTTP_HEAD)) == NULL)
    return fog_connection_fail(error, FOG_CONNECTION_LOCAL, false, "no memory for an HTTP reply");
  while (h->end == 0) {
    if (h->len == FOG_HTTP_HEAD)
      return fog_connection_fail(error, kind, false, "the head of the HTTP reply is longer than 8192 bytes");
    ssize_t n = below->does->read(below, h->bytes + h->len, FOG_HTTP_HEAD - h->len, error);
    if (n <= 0) return (int)n;
    size_t before = h->len;
    h->len += (size_t)n;
    if (memcmp(h->bytes, start, h->len < START ? h->len : START) != 0)
      return fog_connection_fail(error, kind, true, "the answer is not HTTP");
    h->end = find_end(h, before);
  }
  bool nul = memchr(h->bytes, '\0', h->end) != NULL;
  cut_lines(h);
  if (nul || !is_status_line(h->bytes)) return fog_connection_fail(error, kind, true, "the answer is not HTTP");
  return 1;
}

int fog_http_head_status(const struct fog_http_head *h, const char **reason) {
  const char *digits = h->bytes + STATUS;
  *reason = digits + 3;
  while (**reason == ' ') ++*reason;
  return (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
}

const char *fog_http_head_field(const struct fog_http_head *h, const char *name) {
  size_t len = strlen(name);
  for (char *line = h->bytes + strlen(h->bytes); line < h->bytes + h->end; line += strlen(line)) {
    while (line < h->bytes + h->end && *line == '\0') line++;
    if (line == h->bytes + h->end) break;
    if (strncasecmp(line, name, len) != 0 || line[len] != ':') continue;
    char *value = line + len + 1, *last = value + strlen(value);
    while (last > value && (last[-1] == ' ' || last[-1] == '\t')) *--last = '\0';
    return value + strspn(value, " \t");
  }
  return NULL;
}

void fog_http_head_free(struct fog_http_head *h) {
  free(h->bytes);
  *h = (struct fog_http_head){0};
}
