/* SPDX-License-Identifier: MIT
 *
 * One direction of a relayed connection: bytes in, the bytes that are left of them out. Knows MQTT's framing, no
 * descriptors and no threads.
 */
#ifndef FOG_RELAY_FLOW_H
#define FOG_RELAY_FLOW_H

#include <stddef.h>

#include "relay.h"

enum {
  FOG_FLOW_READ = 16384,
  FOG_FLOW_OUT = 2 * FOG_FLOW_READ + 1024,
  FOG_FLOW_HEAD = 256,
  FOG_FLOW_CONNECT = 4096,
  FOG_FLOW_HELD = 1024
};

/* A PUBACK that is held back. */
struct fog_held {
  double at; /* when it goes, on the monotonic clock */
  size_t len;
  unsigned char bytes[16];
};

struct fog_flow {
  bool from_client;
  bool cut;          /* what is in out is the last */
  bool refuse_login; /* a CONNECT came that has to be answered with rules.connack */
  int place;         /* in a packet: 0 before it, 1 in its length, 2 in its body */
  unsigned type, shift;
  size_t left, head_len;
  long passed, count;                /* bytes; whole packets */
  unsigned char head[FOG_FLOW_HEAD]; /* the packet's first bytes */
  unsigned char connect[FOG_FLOW_CONNECT];
  size_t connect_len; /* the CONNECT's first bytes, its fixed header left out */
  unsigned char out[FOG_FLOW_OUT];
  size_t out_len;
  double out_at;         /* when it may be sent, on the monotonic clock */
  struct fog_held *held; /* NULL until one is; a ring of FOG_FLOW_HELD */
  size_t held_at, held_len;
};

/* Takes at most FOG_FLOW_READ bytes while out is empty. */
void fog_flow_feed(struct fog_flow *f, const unsigned char *bytes, size_t n, double now,
                   const struct fog_relay_rules *rules);

/* Moves the PUBACKs that were held back long enough to out, between packets. When the next is due; 0: none is held. */
double fog_flow_release(struct fog_flow *f, double now);

void fog_flow_free(struct fog_flow *f);

/* The MQTT version of the CONNECT seen, 0 before. */
int fog_flow_version(const struct fog_flow *f);

/* Whether the CONNECT seen names this client, in its first FOG_FLOW_CONNECT bytes. */
bool fog_flow_is(const struct fog_flow *f, const char *client_id);

#endif
