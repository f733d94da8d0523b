/* SPDX-License-Identifier: MIT
 *
 * Who is connected under which client id. MQTT gives an id to whoever comes last with it; here an id is its login's for
 * as long as it is connected. Knows nothing of mosquitto; one thread.
 */
#ifndef FOG_PLUGIN_LINKS_H
#define FOG_PLUGIN_LINKS_H

#include <stdbool.h>

struct fog_links;

/* NULL: no memory. */
struct fog_links *fog_links_new(void);
void fog_links_free(struct fog_links *l);

/* A connection, named by any pointer of its own, comes in as `login`. False: the id is another login's, or there is no
 * memory to note it. */
bool fog_links_enter(struct fog_links *l, const void *connection, const char *client_id, const char *login);

/* It ends; false: it never came in. */
bool fog_links_leave(struct fog_links *l, const void *connection, const char *client_id);

#endif
