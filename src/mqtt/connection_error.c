/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>

#include "filter.h"

int fog_connection_fail(struct fog_connection_error *error, enum fog_connection_kind kind, bool final,
                        const char *format, ...) {
  va_list args;
  error->kind = kind;
  error->final = final;
  va_start(args, format);
  (void)vsnprintf(error->text, sizeof error->text, format, args);
  va_end(args);
  for (char *at = error->text; *at != '\0'; at++) {
    if ((unsigned char)*at < ' ' || *at == 127) *at = '?';
  }
  return -1;
}
