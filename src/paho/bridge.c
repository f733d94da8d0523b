/* SPDX-License-Identifier: MIT
 *
 * Every function that Paho's threads enter. Paho holds its process-wide lock around them (traps: P3), so none of them
 * waits, and none calls Paho but to free what it was given.
 */
#include <stdlib.h>
#include <string.h>

#include "paho.h"

static struct fog_bytes bytes_of(const MQTTProperties *properties, char **copy) {
  size_t len = 0;
  *copy = properties == NULL || properties->count == 0 ? NULL : paho_copy_properties(properties, &len);
  return (struct fog_bytes){*copy, len};
}

/* The connection
 * -----------------------------------------------------------------------------------------------------*/

void paho_report_down(struct paho_link *link, int code, const char *kind, const char *text,
                      const MQTTProperties *properties) {
  struct fog_event *ev = atomic_exchange(&link->down, NULL), *up = atomic_exchange(&link->up, NULL);
  char tls_text[sizeof link->tls_text], *copy;
  if (up != NULL) up->release(up);
  if (ev == NULL) return;
  (void)pthread_mutex_lock(&link->lock);
  memcpy(tls_text, link->tls_text, sizeof tls_text);
  (void)pthread_mutex_unlock(&link->lock);
  bool was_up = atomic_exchange(&link->is_up, false), by_tls = tls_text[0] != '\0' && !was_up;
  struct fog_report r = {.link = link->options->number,
                         .code = code > 0 ? code : 0,
                         .flag = was_up,
                         .kind = code > 0 ? NULL
                                 : by_tls ? "tls"
                                          : kind,
                         .text = by_tls ? tls_text : text,
                         .properties = bytes_of(properties, &copy)};
  atomic_store(&link->of->session->up, 0);
  fog_session_report_down(link->of->session, ev, &r);
  free(copy);
}

static void on_lost(void *context, char *cause) {
  paho_report_down(context, 0, "closed", cause == NULL ? "the connection was closed" : cause, NULL);
  MQTTAsync_free(cause);
}

static void on_disconnected(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason) {
  paho_report_down(context, (int)reason, "closed", NULL, properties);
}

/* The TLS library's own words are the better ones: "certificate verify failed" against "TCP/TLS connect failure". */
int paho_bridge_tls_error(const char *text, size_t len, void *context) {
  struct paho_link *link = context;
  (void)pthread_mutex_lock(&link->lock);
  if (link->tls_text[0] == '\0') { /* the first line is the cause, the rest follow from it */
    if (len > sizeof link->tls_text - 1) len = sizeof link->tls_text - 1;
    memcpy(link->tls_text, text, len);
    link->tls_text[len] = '\0';
    link->tls_text[strcspn(link->tls_text, "\r\n")] = '\0';
  }
  (void)pthread_mutex_unlock(&link->lock);
  return 1;
}

static void connected(struct paho_link *link, bool present, const MQTTProperties *properties) {
  char *copy;
  struct fog_event *ev = atomic_exchange(&link->up, NULL);
  struct fog_report r = {.link = link->options->number,
                         .code = link->options->version,
                         .flag = present,
                         .properties = bytes_of(properties, &copy)};
  atomic_store(&link->is_up, true);
  atomic_store(&link->of->session->up, link->options->number);
  if (ev != NULL) fog_session_report_up(link->of->session, ev, &r);
  free(copy);
}

static void on_connected(void *context, MQTTAsync_successData *data) {
  connected(context, data != NULL && data->alt.connect.sessionPresent, NULL);
}

static void on_connected5(void *context, MQTTAsync_successData5 *data) {
  struct paho *p = ((struct paho_link *)context)->of;
  int64_t most =
      MQTTProperties_getNumericValue(&data->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM); /* int in 1.3.12 */
  (void)pthread_mutex_lock(&p->lock);
  p->limit = most > 0 ? (size_t)most : 0;
  (void)pthread_mutex_unlock(&p->lock);
  connected(context, data->alt.connect.sessionPresent, &data->properties);
}

static void on_refused(void *context, MQTTAsync_failureData *data) {
  const char *text = data == NULL ? NULL : data->message;
  paho_report_down(context, data == NULL ? 0 : data->code, "network", text == NULL ? "no connection" : text, NULL);
}

static void on_refused5(void *context, MQTTAsync_failureData5 *data) {
  const char *text = data->code == MQTTASYNC_OPERATION_INCOMPLETE ? NULL : data->message; /* unset then, in 1.3.12 */
  paho_report_down(context, data->code, "network", text == NULL ? "no connection" : text, NULL);
}

void paho_bridge_connecting(struct paho_link *link, MQTTAsync_connectOptions *o) {
  o->context = link;
  if (link->options->version == MQTTVERSION_5) {
    o->onSuccess5 = on_connected5;
    o->onFailure5 = on_refused5;
  } else {
    o->onSuccess = on_connected;
    o->onFailure = on_refused;
  }
}

/* What comes
 * ---------------------------------------------------------------------------------------------------------*/

/* Always answers 1: 0 would be no back-pressure, for the acknowledgement goes out whatever we answer (traps: P4). At
 * the inbox's bound the session leaves the broker, which sends what was not acknowledged again. */
static int on_message(void *context, char *topic, int topic_len, MQTTAsync_message *m) {
  struct paho_link *link = context;
  struct fog_session *s = link->of->session;
  char *copy;
  struct fog_bytes properties = bytes_of(&m->properties, &copy);
  struct fog_message_view view = {.topic = topic,
                                  .topic_len = (uint32_t)(topic_len > 0 ? (size_t)topic_len : strlen(topic)),
                                  .payload = m->payload,
                                  .payload_len = (uint32_t)m->payloadlen,
                                  .properties = properties.data,
                                  .properties_len = (uint32_t)properties.len,
                                  .qos = (uint8_t)m->qos,
                                  .retained = m->retained != 0,
                                  .dup = m->dup != 0};
  fog_inbox_begin(&s->inbox);
  bool taken = fog_inbox_push_beyond(&s->inbox, &view);
  if (fog_inbox_end(&s->inbox)) fog_session_announce(s, &s->messages);
  if (!taken && !atomic_exchange(&link->full, true)) paho_wake(link->of);
  free(copy);
  MQTTAsync_freeMessage(&m);
  MQTTAsync_free(topic);
  return 1;
}

int paho_bridge_install(struct paho_link *link) {
  int rc = MQTTAsync_setCallbacks(link->handle, link, on_lost, on_message, NULL);
  if (rc == MQTTASYNC_SUCCESS && link->options->version == MQTTVERSION_5)
    rc = MQTTAsync_setDisconnected(link->handle, link, on_disconnected);
  return rc;
}

/* What goes
 * ----------------------------------------------------------------------------------------------------------*/

void paho_requeue(struct paho *p, struct fog_message *m) {
  struct fog_message *next = p->waiting.head;
  while (next != NULL && next->event.id < m->event.id) next = next->next;
  m->next = next;
  m->prev = next == NULL ? p->waiting.tail : next->prev;
  *(m->prev == NULL ? &p->waiting.head : &m->prev->next) = m;
  *(next == NULL ? &p->waiting.tail : &next->prev) = m;
}

/* The end is counted in the same moment as it is told: a handler that looks at the numbers finds it there. */
void paho_end_message(struct paho *p, struct fog_message *m, int code, bool dropped) {
  struct fog_session *s = p->session;
  struct fog_outcome outcome = {.bytes = fog_message_cost(m)};
  *(dropped ? &outcome.dropped : code == 0 ? &outcome.acknowledged : &outcome.failed) = 1;
  m->event.session = s->id;
  m->event.code = code;
  m->event.flag = dropped;
  bool told = code != 0 || dropped || m->notify;
  if (fog_outbox_settle(&s->outbox, &outcome, told ? s->events : NULL, told ? &m->event : NULL))
    fog_session_announce(s, &s->drained);
  if (!told) fog_message_free(m);
}

/* code: 0, the broker's reason, or Paho's below 0. What a lost link cut short goes again, but for QoS 0. */
static void sent(struct paho_sending *sending, int code) {
  struct paho *p = sending->of;
  struct fog_message *m = sending->message;
  (void)pthread_mutex_lock(&p->lock);
  fog_message_remove(&p->flying, m);
  atomic_store(&p->session->outbox.in_flight, --p->flying_count);
  if (code < 0 && m->qos > 0) {
    paho_requeue(p, m);
  } else {
    paho_end_message(p, m, code, false);
  }
  (void)pthread_mutex_unlock(&p->lock);
  free(sending);
  paho_wake(p);
}

static void on_sent(void *context, MQTTAsync_successData *data) {
  (void)data;
  sent(context, 0);
}

static void on_sent5(void *context, MQTTAsync_successData5 *data) {
  int reason = data == NULL ? 0 : (int)data->reasonCode;
  sent(context, reason >= 0x80 ? reason : 0);
}

static void on_not_sent(void *context, MQTTAsync_failureData *data) {
  (void)data;
  sent(context, MQTTASYNC_FAILURE);
}

static void on_not_sent5(void *context, MQTTAsync_failureData5 *data) {
  bool answered = data != NULL && data->code == 0 && data->reasonCode >= 0x80; /* else 1.3.12 leaves the rest unset */
  sent(context, answered ? (int)data->reasonCode : MQTTASYNC_FAILURE);
}

void paho_bridge_publishing(struct paho_sending *sending, MQTTAsync_responseOptions *o, int version) {
  o->context = sending;
  if (version == MQTTVERSION_5) {
    o->onSuccess5 = on_sent5;
    o->onFailure5 = on_not_sent5;
  } else {
    o->onSuccess = on_sent;
    o->onFailure = on_not_sent;
  }
}

void paho_answer(struct fog_ask *ask, int code, bool was_sent, const MQTTProperties *properties) {
  struct paho *p = ask->owner;
  char *copy;
  struct fog_bytes bytes = bytes_of(properties, &copy);
  (void)pthread_mutex_lock(&p->lock);
  struct fog_ask **at = &p->asks;
  while (*at != NULL && *at != ask) at = &(*at)->next;
  if (*at != NULL) *at = ask->next;
  (void)pthread_mutex_unlock(&p->lock);
  fog_ask_answer(p->session, ask, code, was_sent, bytes);
  free(copy);
}

static void on_asked(void *context, MQTTAsync_successData *data) {
  paho_answer(context, data == NULL ? 0 : data->alt.qos, true, NULL);
}

static void on_asked5(void *context, MQTTAsync_successData5 *data) {
  paho_answer(context, (int)data->reasonCode, true, &data->properties);
}

static void on_denied(void *context, MQTTAsync_failureData *data) {
  int code = data == NULL ? 0 : data->code;
  paho_answer(context, code > 0 ? code : -1, true, NULL);
}

static void on_denied5(void *context, MQTTAsync_failureData5 *data) {
  bool answered = data != NULL && data->reasonCode > 0;
  paho_answer(context, answered ? (int)data->reasonCode : -1, true, answered ? &data->properties : NULL);
}

void paho_bridge_subscribing(struct fog_ask *ask, MQTTAsync_responseOptions *o, int version) {
  o->context = ask;
  if (version == MQTTVERSION_5) {
    o->onSuccess5 = on_asked5;
    o->onFailure5 = on_denied5;
  } else {
    o->onSuccess = on_asked;
    o->onFailure = on_denied;
  }
}
