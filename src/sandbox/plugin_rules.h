/* SPDX-License-Identifier: MIT
 *
 * Who may log in and what a permission allows, asked of the sandbox's SQLite file. Knows nothing of mosquitto. One
 * thread.
 */
#ifndef FOG_PLUGIN_RULES_H
#define FOG_PLUGIN_RULES_H

#include <stdbool.h>

struct fog_rules;

enum fog_access { FOG_SUBSCRIBE, FOG_READ, FOG_WRITE };

/* NULL: the file cannot be read. */
struct fog_rules *fog_rules_open(const char *path);
void fog_rules_close(struct fog_rules *r);

/* A client logs in with its login name, password and its own client id; a device with its id and password. */
bool fog_rules_login(struct fog_rules *r, const char *username, const char *password, const char *client_id);

/* A client may subscribe to and read d2c/<device>/# and write c2d/<device>/# of the devices it has permission for; a
 * device the mirror image for its own id. A wildcard in the device's place may be subscribed to: reading is asked again
 * for every message. */
bool fog_rules_allow(struct fog_rules *r, const char *username, enum fog_access access, const char *topic);

#endif
