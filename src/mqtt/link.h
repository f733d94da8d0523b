/* SPDX-License-Identifier: MIT
 *
 * One session of the native driver: its connection, when it has one, and what outlives connections. The driver's thread
 * only.
 *
 *   state      means                                   what may come             and what follows
 *   NONE       no link                                 connect                   OPENING
 *   OPENING    the connection is being made            opened                    GREETING (CONNECT is sent)
 *                                                      failed, time-out, leave   NONE, "down"
 *   GREETING   the broker's word is awaited            CONNACK 0                 UP, "up"
 *                                                      CONNACK, time-out, leave,
 *                                                      end of the stream         NONE, "down"
 *                                                      AUTH                      GREETING, "authenticate"
 *   UP         taken in                                packets (link_packets.c)  UP
 *                                                      DISCONNECT, end of the
 *                                                      stream, a fault, silence  NONE, "down"
 *                                                      leave                     LEAVING
 *   LEAVING    DISCONNECT is on its way out            all written, or a second  NONE, "down"
 *
 * The packets of each state are a table in link_packets.c. Every state is left through one function, fog_link_down.
 */
#ifndef FOG_LINK_H
#define FOG_LINK_H

#include "asks.h"
#include "driver.h"
#include "incoming.h"
#include "loop.h"
#include "outgoing.h"

enum fog_link_state { FOG_NONE, FOG_OPENING, FOG_GREETING, FOG_UP, FOG_LEAVING, FOG_LINK_STATES };

/* A probe (outgoing.h) proves itself by a ping, some time in which nothing but the broker's own doing can end it, and
 * another ping. A link that is cut now and then would fall in that time, and nobody is blamed. What then is sent alone
 * has as much time for its answer; after that the link is LIFTED, and as any other, for nothing was hung up on. */
enum fog_proof { FOG_PROOF_NONE, FOG_PROOF_FIRST, FOG_PROOF_QUIET, FOG_PROOF_SECOND, FOG_PROOF_SENT, FOG_PROOF_LIFTED };

struct fog_link {
  struct fog_loop *loop;
  struct fog_session *session;
  enum fog_link_state state;
  struct fog_link_options *options; /* of the link in force, or of the last one */
  struct fog_connection *connection;
  struct fog_timer timer;
  int64_t deadline_ms; /* of OPENING, GREETING, LEAVING */
  int64_t keepalive_ms, written_ms, received_ms;
  bool pinged; /* and no PINGRESP yet */
  enum fog_proof proof;
  struct fog_timer proof_timer;
  int64_t tried_ms;    /* when the last thing went out, over this link, that wants an answer; 0: nothing has */
  bool resting;        /* the inbox is full, or Lua wants no more: nothing is read */
  struct fog_chunk in; /* what was read and not consumed */
  struct fog_writer writer;
  struct fog_kept kept;
  struct fog_timer retry; /* of what the journal did not take */
  struct fog_outgoing outgoing;
  struct fog_incoming incoming;
  struct fog_asks asks;
  char *client_id;         /* whose session `outgoing` and `incoming` are of; NULL: nobody's */
  struct fog_errand again; /* more to do than one turn may take */
  bool again_posted;
  struct fog_errand *after_leaving; /* what follows the end of LEAVING; NULL: nothing */
};

void fog_link_init(struct fog_link *link, struct fog_loop *loop, struct fog_session *session);

/* Ends everything; what is queued is reported as dropped. The link's memory is the caller's. */
void fog_link_destroy(struct fog_link *link);

/* Takes the options over. */
void fog_link_connect(struct fog_link *link, struct fog_link_options *o);

/* Takes the ask over. */
void fog_link_subscribe(struct fog_link *link, struct fog_ask *ask);

void fog_link_feed(struct fog_link *link);
void fog_link_authenticate(struct fog_link *link, struct fog_bytes properties);

/* With a DISCONNECT where one can be sent, else at once. */
void fog_link_leave(struct fog_link *link, const struct fog_goodbye *goodbye);

/* Between the files of the link, from the lowest: link_end.c, link_out.c, link_greet.c, link_packets.c, link_in.c,
 * link.c. */

struct fog_loss {
  const char *kind; /* see struct fog_report */
  int code;
  const char *text;
  struct fog_bytes properties;
};

/* The one way out of every state but NONE. */
void fog_link_down(struct fog_link *link, const struct fog_loss *loss);

/* A packet that must not be: tells an MQTT 5 broker why (4.13), and ends the link. */
void fog_link_fault(struct fog_link *link, enum fog_packet_type type, const struct fog_packet_fault *fault);

/* Sends CONNECT. */
void fog_link_greet(struct fog_link *link);

/* Nothing can be sent now: what waits is brought to the journal, where there is one. */
void fog_link_store(struct fog_link *link);

/* Has the journal tried again, where it did not take something. */
void fog_link_retry(struct fog_link *link);

/* Counts what has ended, and tells Lua where it waits for that. */
void fog_link_settle(struct fog_link *link);

/* The connection is at its end. */
void fog_link_lost(struct fog_link *link, const struct fog_connection_error *error);
void fog_link_no_memory(struct fog_link *link);

/* link_packets.c: one packet in the state of the link. */
enum fog_step {
  FOG_STEP_ON,
  FOG_STEP_REST, /* no room for it now: the link rests, and the same packet comes again */
  FOG_STEP_FAULT /* *fault says why the link must end */
};
enum fog_step fog_link_packet(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault);

/* What a packet of this type does in this state, in a word; NULL: it must not come. The table itself, for tests and
 * documents. */
const char *fog_link_expects(enum fog_link_state state, enum fog_packet_type type);

/* link_greet.c: decodes in the version of the link; while it is greeted, a CONNACK of 3.1.1 too. */
bool fog_link_decode(struct fog_link *link, const char *bytes, size_t len, struct fog_packet *p,
                     struct fog_packet_fault *fault);
/* CONNACK: up, or down. */
enum fog_step fog_link_connack(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault);

/* link_in.c: reads and consumes what there is. */
void fog_link_readable(struct fog_link *link);
void fog_link_consume(struct fog_link *link);

/* link_out.c: writes what waits, and feeds while that goes on. */
void fog_link_flush(struct fog_link *link);

/* Appends a packet. False: no memory, and the link has ended. */
bool fog_link_append(struct fog_link *link, const struct fog_packet *p);

#endif
