/* SPDX-License-Identifier: MIT
 *
 * The ids of the QoS 2 messages that were delivered and whose PUBREL has not come (MQTT 3.1.1 and 5.0, 4.3.3): the same
 * id is the same message until then. Of one session, over all its links. Paho's receive thread only.
 */
#ifndef FOG_OPEN_IDS_H
#define FOG_OPEN_IDS_H

#include <stdbool.h>
#include <stdint.h>

struct fog_open_ids {
  uint8_t *bits; /* NULL: none is open, and none ever was since the last clear */
};

/* Makes room for ids. False: no memory. */
bool fog_open_ids_ready(struct fog_open_ids *ids);

/* True: the id is new. After ready. */
bool fog_open_ids_add(struct fog_open_ids *ids, uint16_t id);

/* Its PUBREL came. Harmless for an id that is not open. */
void fog_open_ids_remove(struct fog_open_ids *ids, uint16_t id);

/* The broker has forgotten them all; or the session ends. */
void fog_open_ids_clear(struct fog_open_ids *ids);

#endif
