/* SPDX-License-Identifier: MIT
 *
 * The Paho calls themselves: making a link from options, sending over it, ending it. The dispatcher's thread only.
 */
#ifndef FOG_LINK_H
#define FOG_LINK_H

#include "bridge.h"

/* Starts connecting s, over the old link's handle where a persistent session continues (Paho then finishes what was in
 * flight), else over a new one. Takes o over. Reports its own failure as FOG_EV_REFUSED. */
void fog_link_connect(struct fog_session *s, struct fog_link_options *o, struct fog_event *up, struct fog_event *down);

/* Sends what there is room for. True: it was a stream of messages, and more will come in a moment. */
bool fog_link_feed(struct fog_session *s);

/* Subscribes or unsubscribes. Takes sub over. */
void fog_link_subscribe(struct fog_session *s, struct fog_subscribing *sub, const char *filter,
                        const struct fog_subscription *how);

/* Disconnects and frees the link; what was in flight is queued again before this returns. Harmless without a link. */
void fog_link_end(struct fog_session *s);

/* A handle that never connects. While it lives, freeing the last link does not stop Paho's threads, which would cost
 * 0.1 s each time (traps: P5). NULL: no memory. */
MQTTAsync fog_link_anchor(void);
void fog_link_anchor_free(MQTTAsync anchor);

#endif
