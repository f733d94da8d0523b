/* SPDX-License-Identifier: MIT
 *
 * What stands between MQTT clients and the broker and spoils what passes. One thread serves all connections. It ends
 * the clients' TLS itself, so that packets are seen on both listeners. Rules hold for the connections that they meet,
 * those that are open too.
 */
#ifndef FOG_RELAY_H
#define FOG_RELAY_H

#include <stdbool.h>
#include <stdint.h>

struct fog_relay;

enum fog_relay_puback { FOG_PUBACK_PASS, FOG_PUBACK_SWALLOW, FOG_PUBACK_DUPLICATE };

struct fog_relay_rules {
  bool refuse;                  /* new connections are closed at once */
  bool silent;                  /* half-open: nothing passes, nothing is closed */
  bool mid;                     /* cut_packets cuts after the first byte of the next packet */
  int connack;                  /* this code answers a CONNECT, then the connection ends; -1: none */
  long cut_packets;             /* cut once a client has sent so many packets; -1: none */
  long cut_bytes;               /* cut once so many bytes passed in one direction; -1: none */
  unsigned delay_ms;            /* bytes are held back so long */
  unsigned puback_delay_ms;     /* the broker's PUBACKs are held back so long, and the rest is not */
  long rate;                    /* bytes per second and direction; 0: no limit */
  enum fog_relay_puback puback; /* what becomes of the broker's PUBACKs */
  long count;                   /* how many connections they meet; 0: any number */
  double probability;           /* with which they meet one */
};

/* The rules that spoil nothing. */
extern const struct fog_relay_rules fog_relay_no_rules;

/* NULL: no memory or no thread. seed: of what probability decides. */
struct fog_relay *fog_relay_new(uint32_t seed);

/* The certificate and key (PEM) of what listens with tls from now on; with client_ca (or NULL) clients must show a
 * certificate of it. False: libssl does not take them. */
bool fog_relay_tls(struct fog_relay *r, const char *cert, const char *key, const char *client_ca);

/* Listens on address:port (0: a free one) for the broker's private plain port on the loopback address. The port, or -1.
 * Two listeners at most. */
int fog_relay_listen(struct fog_relay *r, const char *address, int port, int broker_port, bool tls);

void fog_relay_set(struct fog_relay *r, const struct fog_relay_rules *rules);

/* How many connections have met the rules of now. */
long fog_relay_struck(struct fog_relay *r);

/* Closes the connections of a client id, of all with NULL; how many. */
int fog_relay_kick(struct fog_relay *r, const char *client_id);

/* Ends the thread and closes everything. */
void fog_relay_free(struct fog_relay *r);

#endif
