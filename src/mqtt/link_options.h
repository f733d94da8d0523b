/* SPDX-License-Identifier: MIT
 *
 * How to make one link, and how to subscribe over it: what the commands of a driver carry.
 */
#ifndef FOG_LINK_OPTIONS_H
#define FOG_LINK_OPTIONS_H

#include "../base/event.h"
#include "connection.h"

/* All text is malloc'ed and belongs to the struct; NULL is not given. */
struct fog_link_options {
  uint64_t number;             /* the link's: events of an older link can be told by it */
  struct fog_event *up, *down; /* its reports (driver.h), made by prepare; NULL once pushed */
  int version;                 /* FOG_MQTT_3 or FOG_MQTT_5 */
  struct fog_connection_options *to;
  char *client_id, *username, *password;
  size_t password_len;
  bool clean;
  int keepalive_s;        /* 0 to 65535; 0: none */
  int connect_timeout_ms; /* until CONNACK */
  struct {
    char *topic, *payload, *properties; /* topic NULL: no will */
    size_t payload_len, properties_len;
    int qos;
    bool retained;
  } will;
  char *properties; /* of CONNECT (MQTT 5), as on the wire */
  size_t properties_len;
  uint16_t topic_alias_maximum; /* what those properties say, for what comes from the broker */
  uint16_t receive_maximum;     /* the same; 0: not said */
  uint32_t maximum_packet_size; /* the same; 0: not said */
  int quiet_ms;                 /* something is under suspicion, and the link a probe: see link.h; 0: it is none */
  uint64_t discard;             /* the number of a message that the broker does not take, to be dropped; 0: none */
};

/* Makes what the link will be reported with in this session. False: no memory. */
bool fog_link_options_prepare(struct fog_link_options *o, uint32_t session);

void fog_link_options_free(struct fog_link_options *o); /* NULL is harmless; secrets are overwritten */

/* How to subscribe (qos 0 to 2) or unsubscribe (qos -1). What follows qos is of MQTT 5. */
struct fog_subscription {
  int qos;
  bool no_local, retain_as_published;
  int retain_handling;
  const char *properties; /* as on the wire */
  size_t properties_len;
};

#endif
