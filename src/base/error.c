/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <string.h>

const char *fog_error_text(int code) {
  switch (code) {
    case FOG_ENOMEMORY:
      return "not enough memory";
    case FOG_ENOTHREAD:
      return "no thread could be started";
    case FOG_EFORKED:
      return "fogcloud was started before this process was forked, and its threads did not survive";
    case FOG_EFULL:
      return "as many as may be are at work";
    case FOG_EOPENSSL:
      return "OpenSSL could not be initialised";
    case FOG_ELISTEN:
      return "nothing listens for it";
    default:
      return strerror(code);
  }
}
