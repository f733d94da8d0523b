/* SPDX-License-Identifier: MIT
 *
 * Bytes that somebody else owns, as the whole of src/mqtt hands them on.
 */
#ifndef FOG_BYTES_H
#define FOG_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct fog_bytes {
  const char *data; /* NULL: absent; not terminated */
  size_t len;
};

#endif
