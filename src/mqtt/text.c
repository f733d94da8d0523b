/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <string.h>

/* The code point of the sequence at p, of `more` bytes after the lead; false where it is none. The shortest form only:
 * no number below `least`. */
static bool continued(const unsigned char *p, int more, uint32_t code, uint32_t least) {
  for (int i = 1; i <= more; i++) {
    if ((p[i] & 0xC0) != 0x80) return false;
    code = code << 6 | (p[i] & 0x3F);
  }
  return code >= least && code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
}

/* The bytes of the sequence at p, one of more than one byte; 0: malformed. */
static int sequence(const unsigned char *p, const unsigned char *end) {
  static const struct {
    unsigned char mask, mark;
    uint32_t least;
  } FORMS[] = {{0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};
  for (int i = 0; i < 3; i++) {
    if ((*p & FORMS[i].mask) != FORMS[i].mark) continue;
    int more = i + 1;
    bool fine = end - p > more && continued(p, more, *p & (FORMS[i].mask ^ 0xFFu), FORMS[i].least);
    return fine ? more + 1 : 0;
  }
  return 0;
}

enum fog_text fog_text_kind(struct fog_bytes text) {
  if (text.len == 0) return FOG_TEXT_PLAIN; /* data may be NULL */
  const unsigned char *p = (const unsigned char *)text.data, *end = p + text.len;
  enum fog_text kind = FOG_TEXT_PLAIN;
  while (p != end) {
    if (*p >= 0x80) {
      int n = sequence(p, end);
      if (n == 0) return FOG_TEXT_BAD;
      p += n;
      continue;
    }
    if (*p == 0) return FOG_TEXT_BAD;
    if (*p == '#' || *p == '+') kind = FOG_TEXT_WILD;
    p++;
  }
  return kind;
}

bool fog_filter_shared(struct fog_bytes filter) { return filter.len >= 7 && memcmp(filter.data, "$share/", 7) == 0; }

static bool wildcards_fit(struct fog_bytes filter) {
  for (size_t i = 0; i < filter.len; i++) {
    char c = filter.data[i];
    if (c != '+' && c != '#') continue;
    bool first = i == 0 || filter.data[i - 1] == '/', last = i + 1 == filter.len;
    if (!first || !(last || (c == '+' && filter.data[i + 1] == '/'))) return false;
  }
  return filter.len > 0;
}

bool fog_filter_valid(struct fog_bytes filter, bool shared) {
  if (!shared || !fog_filter_shared(filter)) return wildcards_fit(filter);
  size_t name = 0;
  const char *at = filter.data + 7;
  size_t len = filter.len - 7;
  while (name < len && at[name] != '/') {
    if (at[name] == '+' || at[name] == '#') return false;
    name++;
  }
  if (name == 0 || name == len) return false;
  return wildcards_fit((struct fog_bytes){at + name + 1, len - name - 1});
}
