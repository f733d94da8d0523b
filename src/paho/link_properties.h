/* SPDX-License-Identifier: MIT
 *
 * Properties between the wire's bytes (properties.h) and Paho's array of them.
 */
#ifndef FOG_LINK_PROPERTIES_H
#define FOG_LINK_PROPERTIES_H

#include <MQTTAsync.h>

/* Adds those in the block to Paho's, which copies them; the caller frees Paho's. 0, or Paho's error. */
int fog_link_properties_add(MQTTProperties *to, const char *bytes, size_t len);

/* A malloc'ed block with Paho's properties and its length. NULL: there are none, or no memory. */
char *fog_link_properties_copy(const MQTTProperties *from, size_t *len);

#endif
