/* SPDX-License-Identifier: MIT
 *
 * MQTTAsync_destroy of Paho 1.3.12 forgets topic and payload of each PUBLISH that waits in its command queue, "freed in
 * RemovePublication", which knows only what was sent: with our window, up to 128 messages for each link that ends under
 * load. Left out, MQTTAsync_freeCommands frees them, as it does for every other command. Nobody else has them: a
 * command leaves the queue before its publication is made, and without persistence (link.c) none comes back.
 */
#include "paho_lean.h"

#ifdef FOG_PAHO_LEAN

void __wrap_MQTTAsync_NULLPublishCommands(void *client);
void __wrap_MQTTAsync_NULLPublishCommands(void *client) { (void)client; }

#else
typedef int fog_paho_lean_leak_unused;
#endif
