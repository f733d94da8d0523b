/* SPDX-License-Identifier: MIT
 *
 * Texts, topic names and filters: UTF-8 for every code point and for every form that is none.
 */
#include "../../src/mqtt/text.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

enum { LAST = 0x10FFFF };

/* The code in so many bytes, whether it needs them or not. */
static void encode(unsigned long code, int bytes, unsigned char *to) {
  static const unsigned char LEADS[] = {0, 0, 0xC0, 0xE0, 0xF0, 0xF8, 0xFC};
  for (int i = bytes - 1; i > 0; i--, code >>= 6) to[i] = (unsigned char)(0x80 | (code & 0x3F));
  to[0] = (unsigned char)(LEADS[bytes] | code);
}

/* As it is, and in an allocation of its own, so that reading on is seen. */
static enum fog_text kind(const void *bytes, size_t len) {
  char *exact = malloc(len);
  if (len > 0) memcpy(exact, bytes, len);
  enum fog_text kind = fog_text_kind((struct fog_bytes){exact, len});
  free(exact);
  return kind;
}

static int bytes_for(unsigned long code) { return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; }

static void every_code_point(void) {
  bool fine = true, shortest = true, whole = true;
  for (unsigned long code = 0; code <= LAST; code++) {
    unsigned char to[4];
    int bytes = bytes_for(code);
    bool valid = code != 0 && !(code >= 0xD800 && code <= 0xDFFF);
    encode(code, bytes, to);
    fine &= (kind(to, (size_t)bytes) != FOG_TEXT_BAD) == valid;
    for (int cut = 1; cut < bytes; cut++) whole &= kind(to, (size_t)cut) == FOG_TEXT_BAD;
    if (code % 61 != 0 && code > 0x900) continue; /* all of them twice more is for nothing */
    for (int more = bytes + 1; more <= 4; more++) {
      encode(code, more, to);
      shortest &= kind(to, (size_t)more) == FOG_TEXT_BAD;
    }
  }
  check(fine, "every code point is taken, but for NUL and the surrogates");
  check(whole, "a sequence that is cut short is refused");
  check(shortest, "an overlong form is refused");
}

static void no_code_point(void) {
  unsigned char to[6];
  bool fine = true;
  for (unsigned long code = LAST + 1; code < 0x200000; code += 0x1111) {
    encode(code, 4, to);
    fine &= kind(to, 4) == FOG_TEXT_BAD;
  }
  check(fine, "what lies beyond the last code point is refused");
  fine = true;
  for (int bytes = 5; bytes <= 6; bytes++) {
    encode(0x200000, bytes, to);
    fine &= kind(to, (size_t)bytes) == FOG_TEXT_BAD;
  }
  for (int lead = 0x80; lead < 0xC0; lead++) {
    to[0] = (unsigned char)lead;
    fine &= kind(to, 1) == FOG_TEXT_BAD;
  }
  fine &= kind("\xFE", 1) == FOG_TEXT_BAD && kind("\xFF\xFF", 2) == FOG_TEXT_BAD;
  check(fine, "leads that lead nothing are refused");
  fine = true;
  for (int second = 0; second < 256; second++) {
    const unsigned char two[] = {0xC3, (unsigned char)second};
    fine &= (kind(two, 2) != FOG_TEXT_BAD) == (second >= 0x80 && second < 0xC0);
  }
  check(fine, "a sequence goes on with continuation bytes alone");
}

static void places(void) {
  check(kind("", 0) == FOG_TEXT_PLAIN && fog_text_kind((struct fog_bytes){NULL, 0}) == FOG_TEXT_PLAIN,
        "an empty text is a text");
  check(kind("\xEF\xBB\xBF"
             "a",
             4) == FOG_TEXT_PLAIN,
        "U+FEFF is taken wherever it stands");
  check(kind("\xEF\xBF\xBE\xEF\xB7\x90", 6) == FOG_TEXT_PLAIN, "code points that are no characters are taken");
  check(kind("\x01\x1F\x7F\xC2\x80", 5) == FOG_TEXT_PLAIN, "control characters are taken");
  char long_text[300];
  bool fine = true;
  memset(long_text, 'x', sizeof long_text);
  for (size_t i = 0; i < sizeof long_text; i++) {
    static const char BAD[] = {'\0', '\x80', '\xC0', '\xFF'};
    for (size_t b = 0; b < sizeof BAD; b++) {
      long_text[i] = BAD[b];
      fine &= kind(long_text, sizeof long_text) == FOG_TEXT_BAD;
    }
    long_text[i] = '+';
    fine &= kind(long_text, sizeof long_text) == FOG_TEXT_WILD;
    long_text[i] = '#';
    fine &= kind(long_text, sizeof long_text) == FOG_TEXT_WILD;
    long_text[i] = 'x';
  }
  check(fine, "one bad byte is found at every place, and so is a wildcard");
}

static void filters(void) {
  static const struct {
    const char *filter;
    bool plain, shared; /* valid in 3.1.1; in 5.0 */
  } CASES[] = {
      {"", false, false},
      {"/", true, true},
      {"a", true, true},
      {"a/b", true, true},
      {"//", true, true},
      {" ", true, true},
      {"$SYS/#", true, true},
      {"#", true, true},
      {"a/#", true, true},
      {"/#", true, true},
      {"+", true, true},
      {"+/+", true, true},
      {"a/+/b", true, true},
      {"/+", true, true},
      {"+/#", true, true},
      {"a#", false, false},
      {"#a", false, false},
      {"#/", false, false},
      {"a/#/b", false, false},
      {"##", false, false},
      {"a+", false, false},
      {"+a", false, false},
      {"a/+b", false, false},
      {"a/b+/c", false, false},
      {"++", false, false},
      {"+#", false, false},
      {"a/+#", false, false},
      {"$share", true, true},
      {"$share/", true, false},
      {"$share/g", true, false},
      {"$share/g/", true, false},
      {"$share//a", true, false},
      {"$share/g/a", true, true},
      {"$share/g//", true, true},
      {"$share/g/#", true, true},
      {"$share/g/+/a", true, true},
      {"$share/g/a#", false, false},
      {"$share/+/a", true, false},
      {"$share/#/a", false, false},
      {"$share/g+/a", false, false},
      {"$share/#", true, false},
      {"$shared/a", true, true},
      {"a/$share/g/", true, true},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    struct fog_bytes f = {CASES[i].filter, strlen(CASES[i].filter)};
    char what[80];
    snprintf(what, sizeof what, "the filter \"%s\"", CASES[i].filter);
    check(fog_filter_valid(f, false) == CASES[i].plain && fog_filter_valid(f, true) == CASES[i].shared, what);
  }
}

int main(void) {
  every_code_point();
  no_code_point();
  places();
  filters();
  return finish();
}
