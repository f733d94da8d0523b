/* SPDX-License-Identifier: MIT
 *
 * What the broker sends us, as far as it outlives a connection: which ids of QoS 2 are open, which acknowledgements are
 * owed. Pure: packets in, bytes into a writer out. The driver's thread only.
 *
 * The life of a message of QoS 1 or 2:
 *
 *   PUBLISH -> the inbox -> Lua takes it -> its handlers return -> PUBACK or PUBREC -> (QoS 2) PUBREL -> PUBCOMP
 *
 * With acknowledge = "received" the acknowledgement goes out as soon as the inbox has it. With "handled" it is owed
 * until the program has handled that message and all before it: acknowledgements keep the order of arrival (4.6), and
 * handlers overlap. Messages are counted as they go into the inbox, so "handled" is one number that grows, and what is
 * owed is a ring of (packet id, number).
 *
 * An id of QoS 2 is remembered from its PUBLISH to its PUBREL, over lost links too: the same id is the same message
 * (4.3.3), and is not put into the inbox again, whatever the handlers have made of it meanwhile.
 */
#ifndef FOG_INCOMING_H
#define FOG_INCOMING_H

#include "idmap.h"
#include "inbox.h"
#include "kept.h"
#include "packet.h"
#include "writer.h"

struct fog_owed {
  uint64_t number; /* of the message that must be handled first */
  uint16_t id;
  uint8_t qos;
};

struct fog_alias {
  char *topic;
  size_t len;
};

struct fog_incoming {
  bool handled_mode;
  int version;
  struct fog_inbox *inbox;
  struct fog_kept *kept;
  uint64_t pushed;           /* messages of QoS 1 and 2 that went into the inbox */
  struct fog_idmap received; /* QoS 2 ids without PUBREL: the number of their message, and 1 */
  struct fog_owed *owed;     /* a ring */
  size_t owed_first, owed_count, owed_cap;
  struct fog_alias *aliases; /* of this link: 1 to alias_maximum */
  uint16_t alias_maximum;    /* what we told the broker */
  uint16_t receive_maximum;  /* the same */
  size_t unfinished;         /* of this link: QoS 1 and 2 without PUBACK or PUBCOMP */
};

enum fog_incoming_result {
  FOG_INCOMING_DONE,
  FOG_INCOMING_FULL, /* nothing was taken: stop reading, and give the same packet again once there is room */
  FOG_INCOMING_FAULT /* the link must end with *fault */
};

/* Takes over the ids that an earlier process had open. */
void fog_incoming_init(struct fog_incoming *in, struct fog_inbox *inbox, struct fog_kept *kept, bool handled_mode);
void fog_incoming_destroy(struct fog_incoming *in);

/* A new link is up. present: the broker has kept its half of the session, else the ids of QoS 2 mean nothing any more.
 */
void fog_incoming_begin(struct fog_incoming *in, int version, bool present, uint16_t alias_maximum,
                        uint16_t receive_maximum);

/* The link is gone: what was owed to it is owed to nobody (the broker sends it again). */
void fog_incoming_lost(struct fog_incoming *in);

/* A PUBLISH. Between fog_inbox_begin and _end. */
enum fog_incoming_result fog_incoming_publish(struct fog_incoming *in, const struct fog_packet *p, uint64_t handled,
                                              struct fog_writer *out, struct fog_packet_fault *fault);

/* A PUBREL. False: no memory for the answer. */
bool fog_incoming_release(struct fog_incoming *in, uint16_t id, struct fog_writer *out);

/* The program has handled so many: sends what is due now. False: no memory for it. */
bool fog_incoming_acknowledge(struct fog_incoming *in, uint64_t handled, struct fog_writer *out);

#endif
