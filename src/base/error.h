/* SPDX-License-Identifier: MIT
 *
 * What a function of the core returns that can fail for a reason of its own: one of these. (What fails for the system's
 * reason returns an errno, and says so.)
 */
#ifndef FOG_ERROR_H
#define FOG_ERROR_H

enum fog_error {
  FOG_OK = 0,
  FOG_ENOMEMORY = -1, /* malloc gave nothing */
  FOG_ENOTHREAD = -2, /* a thread could not be started */
  FOG_EFORKED = -3,   /* it was started before this process was forked, and its threads did not survive */
  FOG_EFULL = -4,     /* as many as may be are at work */
  FOG_EOPENSSL = -5,  /* OpenSSL could not be initialised */
  FOG_ELISTEN = -6    /* nothing listens that one could connect to */
};

/* What one of these, or an errno, is in words; static, or the C library's. */
const char *fog_error_text(int code);

#endif
