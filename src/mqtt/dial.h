/* SPDX-License-Identifier: MIT
 *
 * From a name to a connected socket: every address, the families in turn, the next one when a quarter of a second has
 * passed or the last has failed; the first that connects wins (RFC 8305). The loop's thread only.
 */
#ifndef FOG_DIAL_H
#define FOG_DIAL_H

#include "connection.h"

enum {
  FOG_DIAL_ADDRESSES = 32, /* more of one name are not tried */
  FOG_DIAL_STAGGER_MS = 250,
  FOG_ADDRESS_TEXT = 64 /* an IPv6 address with its zone */
};

struct fog_dial;

/* The end of it, never from inside fog_dial_start. fd: non-blocking, close-on-exec, the callee's; `address` in figures.
 * fd -1: *error names the host and each address that was tried. The dial is gone then. */
typedef void fog_dial_done(void *owner, int fd, const char *address, const struct fog_connection_error *error);

/* `what` goes before the host in errors ("proxy ", or ""); it and the host must live as long as the dial. NULL: no
 * memory. */
struct fog_dial *fog_dial_start(struct fog_loop *loop, const char *what, const char *host, uint16_t port,
                                fog_dial_done *done, void *owner);

/* Nothing is told any more. */
void fog_dial_cancel(struct fog_dial *d);

void fog_dial_doing(const struct fog_dial *d, char *text, size_t capacity);

/* "broker:8883" or "[2001:db8::1]:8883". */
void fog_dial_name(const char *host, uint16_t port, char *text, size_t capacity);

#endif
