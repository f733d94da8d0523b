/* SPDX-License-Identifier: MIT */
#include "bridge.h"

#include <stdlib.h>
#include <string.h>

#include "link_properties.h"

/* Before the event's properties are anybody else's. */
static void attach(struct fog_event *ev, const MQTTProperties *properties) {
  if (ev == NULL || properties->count == 0) return;
  free(ev->properties);
  ev->properties = fog_link_properties_copy(properties, &ev->properties_len);
}

static void push(struct fog_session *s, _Atomic(struct fog_event *) *slot, int code, bool flag, const char *text) {
  struct fog_event *ev = atomic_exchange(slot, NULL);
  if (ev == NULL) return;
  ev->code = code;
  ev->flag = flag;
  fog_event_set_text(ev, text);
  fog_queue_push(s->events, ev);
}

/* The TLS library's own words are the better ones: "certificate verify failed" against "TCP/TLS connect failure". */
void fog_bridge_report_refused(struct fog_link *link, int code, const char *text) {
  char tls_text[FOG_TLS_TEXT];
  struct fog_event *ev = atomic_load(&link->up);
  (void)pthread_mutex_lock(&link->lock);
  memcpy(tls_text, link->tls_text, sizeof tls_text);
  (void)pthread_mutex_unlock(&link->lock);
  if (ev != NULL) {
    ev->type = FOG_EV_REFUSED;
    ev->name = tls_text[0] != '\0' ? "tls" : NULL;
  }
  push(link->session, &link->up, code, false, tls_text[0] != '\0' ? tls_text : text);
}

void fog_bridge_report_lost(struct fog_link *link, int code, const char *text) {
  bool was_up = atomic_exchange(&link->session->up, 0) != 0;
  if (was_up) push(link->session, &link->down, code, false, text);
}

void fog_bridge_report_left(struct fog_link *link) {
  struct fog_event *ev = atomic_load(&link->down);
  if (ev != NULL) ev->name = "left";
  fog_bridge_report_lost(link, 0, "left the broker");
}

static void on_lost(void *context, char *cause) {
  fog_bridge_report_lost(context, 0, cause);
  MQTTAsync_free(cause);
}

/* The broker's DISCONNECT (MQTT 5). Paho closes the connection after this and says no more. */
static void on_disconnected(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason) {
  struct fog_link *link = context;
  attach(atomic_load(&link->down), properties);
  fog_bridge_report_lost(link, (int)reason, NULL);
}

int fog_bridge_tls_error(const char *text, size_t len, void *context) {
  struct fog_link *link = context;
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

static void deliver(void *context, const struct fog_message_view *m) {
  struct fog_link *link = context;
  struct fog_session *s = link->session;
  bool first;
  enum fog_inbox_result result = fog_inbox_push(&s->inbox, m, &first);
  if (first) fog_session_announce(s, &s->messages);
  if (result == FOG_INBOX_OVERFLOW && !atomic_exchange(&s->leaving, true)) (void)fog_dispatcher_leave(s);
}

/* Always answers 1: 0 would be no back-pressure, for the acknowledgement goes out whatever we answer (traps: P4). */
static int on_message(void *context, char *topic, int topic_len, MQTTAsync_message *m) {
  struct fog_message_view view = {.topic = topic,
                                  .topic_len = (uint32_t)(topic_len > 0 ? (size_t)topic_len : strlen(topic)),
                                  .payload = m->payload,
                                  .payload_len = (uint32_t)m->payloadlen,
                                  .qos = (uint8_t)m->qos,
                                  .retained = m->retained != 0,
                                  .dup = m->dup != 0};
  char *properties = NULL;
  if (m->properties.count > 0) {
    size_t len;
    view.properties = properties = fog_link_properties_copy(&m->properties, &len);
    view.properties_len = (uint32_t)len;
  }
  deliver(context, &view);
  free(properties);
  MQTTAsync_freeMessage(&m);
  MQTTAsync_free(topic);
  return 1;
}

int fog_bridge_install(struct fog_link *link) {
  link->direct = (struct fog_direct){
      .session = link->session, .version = link->options->version, .deliver = deliver, .link = link};
  int rc = MQTTAsync_setCallbacks(link->handle, link, on_lost, on_message, NULL);
  if (rc == MQTTASYNC_SUCCESS && link->options->version == MQTTVERSION_5)
    rc = MQTTAsync_setDisconnected(link->handle, link, on_disconnected);
  return rc;
}

static void connected(struct fog_link *link, bool session_present, size_t receive_maximum) {
  fog_outbox_limit(&link->session->outbox, receive_maximum);
  if (!session_present) fog_open_ids_clear(&link->session->open_ids);
  fog_direct_open(&link->direct, link->options->uri);
  atomic_store(&link->session->up, link->options->number);
  push(link->session, &link->up, link->options->version, session_present, NULL);
}

static void on_connected(void *context, MQTTAsync_successData *data) {
  connected(context, data != NULL && data->alt.connect.sessionPresent, 0);
}

static void on_connected5(void *context, MQTTAsync_successData5 *data) {
  struct fog_link *link = context;
  MQTTProperties *properties = &data->properties;
  int maximum = 0;
  if (MQTTProperties_hasProperty(properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM))
    maximum = (int)MQTTProperties_getNumericValue(properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM);
  attach(atomic_load(&link->up), properties);
  connected(link, data->alt.connect.sessionPresent, maximum > 0 ? (size_t)maximum : 0);
}

static void on_refused(void *context, MQTTAsync_failureData *data) {
  fog_bridge_report_refused(context, data == NULL ? MQTTASYNC_FAILURE : data->code,
                            data == NULL ? NULL : data->message);
}

/* The CONNACK's reason is in `code`; of its properties Paho gives none, and it leaves the rest unset in one place. */
static void on_refused5(void *context, MQTTAsync_failureData5 *data) {
  fog_bridge_report_refused(context, data->code, data->code == MQTTASYNC_OPERATION_INCOMPLETE ? NULL : data->message);
}

void fog_bridge_connecting(struct fog_link *link, MQTTAsync_connectOptions *o) {
  o->context = link;
  if (link->options->version == MQTTVERSION_5) {
    o->onSuccess5 = on_connected5;
    o->onFailure5 = on_refused5;
  } else {
    o->onSuccess = on_connected;
    o->onFailure = on_refused;
  }
}

/* A success is reported only to those who asked; a failure always, with its message. */
void fog_bridge_end_message(struct fog_message *m, int code) {
  struct fog_session *s = m->session;
  struct fog_outbox_after after = fog_outbox_end(&s->outbox, m, code);
  if (code != 0 || m->notify)
    fog_queue_push(s->events, &m->event);
  else
    m->event.release(&m->event);
  if (after.awaited) fog_session_announce(s, &s->drained);
  if (after.hungry && fog_session_may_send(s)) fog_dispatcher_feed(s);
}

static void on_published(void *context, MQTTAsync_successData *data) {
  (void)data;
  fog_bridge_end_message(context, 0);
}

/* MQTT 5 acknowledges with a reason, 4.13: from 0x80 on it is a refusal. */
static void on_published5(void *context, MQTTAsync_successData5 *data) {
  int reason = data == NULL ? 0 : (int)data->reasonCode;
  fog_bridge_end_message(context, reason >= 0x80 ? reason : 0);
}

/* The link went before the acknowledgement came. QoS 1 and 2 go again with the next link; QoS 0 may have arrived, and
 * sending it twice is what it forbids. */
static void publish_failed(struct fog_message *m, int code) {
  bool link_gone =
      code == MQTTASYNC_OPERATION_INCOMPLETE || code == MQTTASYNC_DISCONNECTED || code == MQTTASYNC_FAILURE;
  if (m->qos > 0 && link_gone)
    fog_outbox_requeue(&m->session->outbox, m);
  else
    fog_bridge_end_message(m, code == 0 ? MQTTASYNC_FAILURE : code);
}

static void on_publish_failed(void *context, MQTTAsync_failureData *data) {
  publish_failed(context, data == NULL ? MQTTASYNC_FAILURE : data->code);
}

static void on_publish_failed5(void *context, MQTTAsync_failureData5 *data) {
  struct fog_message *m = context;
  int code = data == NULL ? MQTTASYNC_FAILURE : data->code;
  if (code == 0 && data->reasonCode >= 0x80) { /* an answer; in other cases Paho 1.3.12 leaves the rest unset */
    code = (int)data->reasonCode;
    attach(&m->event, &data->properties);
  }
  publish_failed(m, code);
}

void fog_bridge_publishing(struct fog_message *m, MQTTAsync_responseOptions *o, int version) {
  o->context = m;
  if (version == MQTTVERSION_5) {
    o->onSuccess5 = on_published5;
    o->onFailure5 = on_publish_failed5;
  } else {
    o->onSuccess = on_published;
    o->onFailure = on_publish_failed;
  }
}

void fog_bridge_report_subscribed(struct fog_subscribing *sub, int code, const char *text) {
  sub->event->code = code;
  fog_event_set_text(sub->event, text);
  fog_queue_push(sub->session->events, sub->event);
  atomic_fetch_sub(&sub->session->subscribing, 1);
  fog_session_unref(sub->session);
  free(sub);
}

static void on_subscribed(void *context, MQTTAsync_successData *data) {
  fog_bridge_report_subscribed(context, data == NULL ? 0 : data->alt.qos, NULL);
}

static void on_subscribed5(void *context, MQTTAsync_successData5 *data) {
  struct fog_subscribing *sub = context;
  attach(sub->event, &data->properties);
  fog_bridge_report_subscribed(sub, (int)data->reasonCode, NULL);
}

static void on_subscribe_failed(void *context, MQTTAsync_failureData *data) {
  int code = data == NULL ? MQTTASYNC_FAILURE : data->code;
  fog_bridge_report_subscribed(context, code == 0 ? MQTTASYNC_FAILURE : code, data == NULL ? NULL : data->message);
}

static void on_subscribe_failed5(void *context, MQTTAsync_failureData5 *data) {
  struct fog_subscribing *sub = context;
  int code = data == NULL ? MQTTASYNC_FAILURE : data->code;
  if (data != NULL && data->reasonCode > 0) code = (int)data->reasonCode;
  if (data != NULL) attach(sub->event, &data->properties);
  fog_bridge_report_subscribed(sub, code == 0 ? MQTTASYNC_FAILURE : code, data == NULL ? NULL : data->message);
}

void fog_bridge_subscribing(struct fog_subscribing *sub, MQTTAsync_responseOptions *o, int version) {
  o->context = sub;
  if (version == MQTTVERSION_5) {
    o->onSuccess5 = on_subscribed5;
    o->onFailure5 = on_subscribe_failed5;
  } else {
    o->onSuccess = on_subscribed;
    o->onFailure = on_subscribe_failed;
  }
}
