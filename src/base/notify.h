/* SPDX-License-Identifier: MIT
 *
 * A word to the service manager: a datagram to the socket that NOTIFY_SOCKET names, as sd_notify(3) of systemd's does,
 * without its library.
 */
#ifndef FOG_NOTIFY_H
#define FOG_NOTIFY_H

#include <stddef.h>

/* Sends text ("READY=1", lines) to the socket at path; one that begins with '@' is an abstract one. 0, or errno. Never
 * waits. */
int fog_notify(const char *path, const char *text, size_t len);

#endif
