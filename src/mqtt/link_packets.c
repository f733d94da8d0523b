/* SPDX-License-Identifier: MIT
 *
 * What each packet of the broker's does in each state of a link: a table. What is not in it is a protocol error.
 */
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "properties.h"

typedef enum fog_step on_packet(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault);

static enum fog_step refuse(struct fog_packet_fault *fault, enum fog_reason reason, const char *text) {
  *fault = (struct fog_packet_fault){reason, text};
  return FOG_STEP_FAULT;
}

static enum fog_step ignore(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault) {
  (void)link, (void)p, (void)fault;
  return FOG_STEP_ON;
}

static enum fog_step on_publish(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault) {
  if (atomic_load(&link->session->hold)) return FOG_STEP_REST;
  uint64_t handled = atomic_load(&link->session->handled);
  switch (fog_incoming_publish(&link->incoming, p, handled, &link->writer, fault)) {
    case FOG_INCOMING_FULL:
      return FOG_STEP_REST;
    case FOG_INCOMING_FAULT:
      return FOG_STEP_FAULT;
    case FOG_INCOMING_DONE:
      break;
  }
  return FOG_STEP_ON;
}

static enum fog_step on_answer(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault) {
  int reason = fog_outgoing_answered(&link->outgoing, p, &link->writer);
  if (reason == 0) return FOG_STEP_ON;
  return refuse(fault, (enum fog_reason)reason, "it does not fit the message with its id");
}

static enum fog_step on_release(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault) {
  if (fog_incoming_release(&link->incoming, p->id, &link->writer)) return FOG_STEP_ON;
  return refuse(fault, FOG_UNSPECIFIED, "not enough memory");
}

static enum fog_step on_asked(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault) {
  int reason = fog_asks_answered(&link->asks, link->session, p, &link->outgoing, &link->writer);
  if (!fog_asks_idle(&link->asks) && link->proof != FOG_PROOF_LIFTED) link->tried_ms = fog_loop_now(link->loop);
  if (reason == 0) return FOG_STEP_ON;
  return refuse(fault, (enum fog_reason)reason, "it does not fit the request with its id");
}

static enum fog_step on_pong(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault) {
  (void)p, (void)fault;
  link->pinged = false;
  if (link->proof == FOG_PROOF_FIRST) {
    link->proof = FOG_PROOF_QUIET;
    (void)fog_loop_set_timer(link->loop, &link->proof_timer, fog_loop_now(link->loop) + link->options->quiet_ms);
  } else if (link->proof == FOG_PROOF_SECOND) {
    link->proof = FOG_PROOF_NONE;
    link->outgoing.proven = true; /* what is under suspicion may go now */
  }
  return FOG_STEP_ON;
}

static enum fog_step on_disconnect(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault) {
  if (link->options->version != FOG_MQTT_5)
    return refuse(fault, FOG_PROTOCOL_ERROR, "it is the client's alone in 3.1.1");
  fog_link_down(link, &(struct fog_loss){.code = p->reason, .properties = p->properties});
  return FOG_STEP_ON;
}

/* Each AUTH has the method of our CONNECT, and none comes where that had none (MQTT-4.12.0-5, MQTT-4.12.0-6). A success
 * may have been cut down to nothing. */
static bool same_method(const struct fog_link_options *o, struct fog_bytes properties) {
  enum { AUTHENTICATION_METHOD = 21 };
  struct fog_property ours, theirs;
  if (!fog_properties_find((struct fog_bytes){o->properties, o->properties_len}, AUTHENTICATION_METHOD, &ours))
    return false;
  if (properties.len == 0) return true;
  return fog_properties_find(properties, AUTHENTICATION_METHOD, &theirs) && theirs.text_len == ours.text_len &&
         memcmp(theirs.text, ours.text, ours.text_len) == 0;
}

static enum fog_step on_auth(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault) {
  if (!same_method(link->options, p->properties))
    return refuse(fault, FOG_PROTOCOL_ERROR, "it was not asked for, or has another method");
  struct fog_event *ev = fog_event_new(FOG_EV_AUTHENTICATE, link->session->id);
  if (ev != NULL) fog_event_set_properties(ev, p->properties.data, p->properties.len);
  if (ev == NULL || ev->properties_len != p->properties.len) { /* without what it says nobody could answer it */
    if (ev != NULL) ev->release(ev);
    return refuse(fault, FOG_UNSPECIFIED, "not enough memory");
  }
  ev->id = link->options->number;
  ev->code = p->reason;
  fog_queue_push(link->session->events, ev);
  return FOG_STEP_ON;
}

static const struct {
  const char *name;
  on_packet *run;
} TABLE[FOG_LINK_STATES][FOG_AUTH + 1] = {
    [FOG_GREETING] = {[FOG_CONNACK] = {"greeted", fog_link_connack}, [FOG_AUTH] = {"authenticate", on_auth}},
    [FOG_UP] =
        {
            [FOG_PUBLISH] = {"receive", on_publish},
            [FOG_PUBACK] = {"answered", on_answer},
            [FOG_PUBREC] = {"answered", on_answer},
            [FOG_PUBREL] = {"release", on_release},
            [FOG_PUBCOMP] = {"answered", on_answer},
            [FOG_SUBACK] = {"asked", on_asked},
            [FOG_UNSUBACK] = {"asked", on_asked},
            [FOG_PINGRESP] = {"pong", on_pong},
            [FOG_DISCONNECT] = {"disconnected", on_disconnect},
            [FOG_AUTH] = {"authenticate", on_auth},
        },
    [FOG_LEAVING] =
        {
            [FOG_PUBLISH] = {"ignored", ignore},
            [FOG_PUBACK] = {"answered", on_answer},
            [FOG_PUBREC] = {"ignored", ignore},
            [FOG_PUBREL] = {"ignored", ignore},
            [FOG_PUBCOMP] = {"answered", on_answer},
            [FOG_SUBACK] = {"asked", on_asked},
            [FOG_UNSUBACK] = {"asked", on_asked},
            [FOG_PINGRESP] = {"ignored", ignore},
            [FOG_DISCONNECT] = {"ignored", ignore},
            [FOG_AUTH] = {"ignored", ignore},
        },
};

const char *fog_link_expects(enum fog_link_state state, enum fog_packet_type type) { return TABLE[state][type].name; }

enum fog_step fog_link_packet(struct fog_link *link, const struct fog_packet *p, struct fog_packet_fault *fault) {
  on_packet *run = TABLE[link->state][p->type].run;
  if (run == NULL) return refuse(fault, FOG_PROTOCOL_ERROR, "not at this point");
  return run(link, p, fault);
}
