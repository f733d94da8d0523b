/* SPDX-License-Identifier: MIT
 *
 * What we send the broker, as far as it outlives a connection: what waits, what is in flight and how far it came. Pure:
 * messages out of the outbox and packets in, bytes into a writer out, ends to whoever listens. The driver's thread
 * only.
 *
 * The life of a message:
 *
 *   outbox -> waiting -> (QoS 0) handing -> ended once its last byte was written
 *                     -> (QoS 1) flying  -> PUBACK: ended
 *                     -> (QoS 2) flying  -> PUBREC: released, PUBREL sent -> PUBCOMP: ended
 *
 * Order is kept: what cannot go yet holds up what is behind it. A packet id is given when a message is sent. When a
 * link is lost, `handing` has failed (it may have arrived). On the next link, what was in flight goes first, in the
 * order in which it was sent: as it was, with DUP or as PUBREL, where the broker has kept its half; else as new
 * messages: a broker that has forgotten may have passed a message on, so it may come twice, but it is not lost.
 *
 * What the broker has said that it does not take (CONNACK, MQTT 5) is dropped alone, with the reason that it would
 * give.
 *
 * A message under suspicion (`probe`): on 3.1.1 a broker refuses by hanging up. While a link is a probe, it first has
 * to prove itself (link.h), and then one thing that wants an answer is on the wire at a time, with nothing of QoS 0
 * beside it; so whatever is unanswered when that link falls has made it fall.
 */
#ifndef FOG_OUTGOING_H
#define FOG_OUTGOING_H

#include "alias.h"
#include "idmap.h"
#include "kept.h"
#include "outbox.h"
#include "packet.h"
#include "writer.h"

/* QoS 2 in flight at once on 3.1.1. mosquitto cuts a client off that has more than its max_inflight_messages (20 by
 * default) between PUBLISH and PUBREL, and nothing in 3.1.1 tells a client that number (traps: B2). */
enum { FOG_QOS2_WINDOW = 16 };

/* What the broker takes (MQTT 5.0, 3.2.2.3). */
struct fog_broker_limits {
  uint16_t receive_maximum;     /* 65535 where it said nothing */
  uint8_t maximum_qos;          /* 2 */
  bool retain_available;        /* true */
  uint32_t maximum_packet_size; /* 0: none */
  uint16_t topic_alias_maximum; /* 0 */
};

/* How a message ended. */
enum fog_end { FOG_END_ACKNOWLEDGED, FOG_END_FAILED, FOG_END_DROPPED };

struct fog_outgoing {
  struct fog_outbox *outbox;
  struct fog_kept *kept; /* what of it outlives the process, too */
  /* Takes m over. code: 0, the broker's reason, or one of ours below 0. */
  void (*ended)(void *owner, struct fog_message *m, enum fog_end how, int code, struct fog_bytes properties);
  void *owner;
  struct fog_message_list waiting, flying, handing;
  struct fog_message *resend; /* of those in flight, the next that has to go over this link again; NULL: none */
  size_t window, flying_count, flying_qos2;
  size_t here_count;    /* of those in flight, the ones that were sent over this link */
  struct fog_idmap ids; /* the message behind each id */
  uint16_t last_id;
  bool (*id_taken)(void *owner, uint16_t id); /* by a SUBSCRIBE or UNSUBSCRIBE */
  int version;
  struct fog_broker_limits limits;
  struct fog_aliases aliases;
  struct fog_outcome outcome;     /* not settled yet */
  bool probe, proven;             /* of this link */
  const struct fog_message *lent; /* whose payload the writer has borrowed */
  char *scratch;                  /* properties that are made for one packet */
  size_t scratch_cap;
};

/* Codes of our own; diagnosis.lua has the words. */
enum { FOG_LOST_EXPIRED = -10, FOG_LOST_TOO_LARGE = -11, FOG_LOST_LINK = -13, FOG_LOST_POISON = -14 };

void fog_outgoing_init(struct fog_outgoing *o, struct fog_outbox *outbox, struct fog_kept *kept, size_t window);

/* Takes over what an earlier process had in flight, and brings what waits in the outbox to the disk, whether a link is
 * up or not. Nothing to do without a journal. */
void fog_outgoing_resume(struct fog_outgoing *o, int64_t now_ms);
void fog_outgoing_keep(struct fog_outgoing *o, int64_t now_ms);

/* Ends what is left as dropped, and frees; what is in the journal stays there. */
void fog_outgoing_destroy(struct fog_outgoing *o);

/* A new link is up. present: the broker has kept its half of the session that these messages are of. */
void fog_outgoing_begin(struct fog_outgoing *o, int version, bool present, const struct fog_broker_limits *limits,
                        bool probe);

/* Sends what may go now: as much as the windows and `bound` bytes in the writer allow. now_ms on the monotonic clock.
 * False: no memory, and the link must end. */
bool fog_outgoing_feed(struct fog_outgoing *o, struct fog_writer *out, size_t bound, int64_t now_ms);

/* PUBACK, PUBREC or PUBCOMP. 0, or the reason with which the link must end. */
int fog_outgoing_answered(struct fog_outgoing *o, const struct fog_packet *p, struct fog_writer *out);

/* The sender has written more: QoS 0 up to there is over. */
void fog_outgoing_written(struct fog_outgoing *o, const struct fog_writer *out);

/* The link is gone. */
void fog_outgoing_lost(struct fog_outgoing *o);

/* What was sent first, over this link, of what has no answer; NULL: nothing. Before fog_outgoing_lost. */
const struct fog_message *fog_outgoing_suspect(const struct fog_outgoing *o);

/* Drops the message of that number, if it is still there, as one that the broker does not take. While no link is up. */
void fog_outgoing_discard(struct fog_outgoing *o, uint64_t number);

/* A packet id that nothing has; 0: all are taken. */
uint16_t fog_outgoing_free_id(struct fog_outgoing *o);

#endif
