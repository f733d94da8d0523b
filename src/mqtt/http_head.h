/* SPDX-License-Identifier: MIT
 *
 * The head of one HTTP/1.x reply, read through a filter: the answer of a proxy or of a WebSocket server. What comes
 * behind it stays as it is. Bounded; everything in it is a stranger's.
 */
#ifndef FOG_HTTP_HEAD_H
#define FOG_HTTP_HEAD_H

#include "filter.h"

enum { FOG_HTTP_HEAD = 8192 }; /* the longest head, in bytes */

/* Zeroed it is empty. */
struct fog_http_head {
  char *bytes; /* once it is whole: its lines, each ended by 0, then what came behind it */
  size_t len;
  size_t end; /* of the head in bytes; 0: it is not whole */
};

/* 1: it is whole; 0: waits for more; -1: *error, of this kind: no HTTP, or too long. */
int fog_http_head_read(struct fog_http_head *h, struct fog_layer *below, enum fog_connection_kind kind,
                       struct fog_connection_error *error);

/* Its status, 100 to 999, and *reason, the words behind it. Once it is whole. */
int fog_http_head_status(const struct fog_http_head *h, const char **reason);

/* The value of its first field of that name, without blanks around; NULL: none. Valid as long as the head. */
const char *fog_http_head_field(const struct fog_http_head *h, const char *name);

void fog_http_head_free(struct fog_http_head *h);

#endif
