/* SPDX-License-Identifier: MIT
 *
 * One message of the outgoing ones as a PUBLISH: with an alias where its topic has one, its expiry interval reduced by
 * the time that it has waited (MQTT 5.0, 3.3.2.3.3), its payload borrowed where it is large.
 */
#ifndef FOG_PUBLISH_H
#define FOG_PUBLISH_H

#include "outgoing.h"

/* The most bytes that m takes on the wire; 0: it cannot be sent. */
size_t fog_publish_size(const struct fog_outgoing *o, const struct fog_message *m);

/* Appends m. False: no memory; nothing was appended. */
bool fog_publish_write(struct fog_outgoing *o, struct fog_message *m, struct fog_writer *out, int64_t now_ms);

#endif
