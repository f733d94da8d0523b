/* SPDX-License-Identifier: MIT
 *
 * What stands between a malicious broker and Paho: a look at each packet before its last byte is handed over. Knows
 * MQTT's packets (3.1.1, 5.0), no sockets, no threads, and nothing of Paho.
 */
#ifndef FOG_PAHO_LEAN_GUARD_H
#define FOG_PAHO_LEAN_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct fog_guard;

/* One connection. NULL: no memory. */
struct fog_guard *fog_guard_new(void);

/* NULL is allowed. */
void fog_guard_free(struct fog_guard *g);

/* Bytes that Paho has sent, in any pieces: which packet ids wait for which answer. False: no memory. A connection that
 * does not begin with CONNECT is not MQTT's (but WebSocket's), and is not looked at. */
bool fog_guard_sent(struct fog_guard *g, const unsigned char *bytes, size_t n);

/* How many of n received bytes may be handed over. Fewer than n: what follows is a packet that the broker must not
 * send, of which not all was handed over; the connection has to end. One thread at a time, as for fog_guard_sent. */
size_t fog_guard_received(struct fog_guard *g, const unsigned char *bytes, size_t n);

#endif
