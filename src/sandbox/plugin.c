/* SPDX-License-Identifier: MIT
 *
 * The mosquitto plugin: passes mosquitto's questions to plugin_rules.c, and what it sees to the sandbox (tap.h).
 * Options: plugin_opt_store PATH, plugin_opt_tap PATH.
 */
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "plugin_links.h"
#include "plugin_rules.h"
#include "tap.h"

#define EXPORT __attribute__((visibility("default")))

static mosquitto_plugin_id_t *plugin_id;

struct plugin {
  struct fog_rules *rules;
  struct fog_links *links;
  struct fog_tap *tap; /* NULL: nobody wants to see anything */
};

static void note(struct plugin *p, struct fog_tap_note n) {
  if (p->tap != NULL) fog_tap_note(p->tap, n);
}

static int on_login(int event, void *data, void *user) {
  const struct mosquitto_evt_basic_auth *e = data;
  struct plugin *p = user;
  (void)event;
  const char *client_id = mosquitto_client_id(e->client);
  bool ok = e->username != NULL && e->password != NULL && client_id != NULL &&
            fog_rules_login(p->rules, e->username, e->password, client_id) &&
            fog_links_enter(p->links, e->client, client_id, e->username);
  note(p, (struct fog_tap_note){
              .kind = ok ? FOG_TAP_LOGIN : FOG_TAP_LOGIN_REFUSED, .client = client_id, .login = e->username});
  return ok ? MOSQ_ERR_SUCCESS : MOSQ_ERR_AUTH;
}

/* Of a client and a message: one that it sends, or is to get, or what it asks to get. */
static struct fog_tap_note about(enum fog_tap_kind kind, struct mosquitto *client, const char *topic,
                                 const void *payload, uint32_t len, uint8_t qos, bool retain) {
  return (struct fog_tap_note){.kind = kind,
                               .client = mosquitto_client_id(client),
                               .login = mosquitto_client_username(client),
                               .topic = topic,
                               .payload = payload,
                               .payload_len = len,
                               .size = len,
                               .qos = qos,
                               .retain = retain};
}

/* What is allowed to write is noted as a message; what is allowed to read, as that message already. */
static void note_access(struct plugin *p, const struct mosquitto_evt_acl_check *e, bool ok) {
  enum fog_tap_kind kind = FOG_TAP_MESSAGE_REFUSED;
  if (ok && e->access != MOSQ_ACL_SUBSCRIBE) return;
  if (e->access == MOSQ_ACL_SUBSCRIBE)
    kind = ok ? FOG_TAP_SUBSCRIBE : FOG_TAP_SUBSCRIBE_REFUSED;
  else if (e->access == MOSQ_ACL_READ)
    kind = FOG_TAP_WITHHELD;
  note(p, about(kind, e->client, e->topic, e->payload, e->payloadlen, e->qos, e->retain));
}

static int on_access(int event, void *data, void *user) {
  const struct mosquitto_evt_acl_check *e = data;
  const char *username = mosquitto_client_username(e->client);
  enum fog_access access = FOG_READ;
  struct plugin *p = user;
  (void)event;
  if (username == NULL || e->topic == NULL) return MOSQ_ERR_ACL_DENIED;
  if (e->access == MOSQ_ACL_UNSUBSCRIBE) return MOSQ_ERR_SUCCESS;
  if (e->access == MOSQ_ACL_SUBSCRIBE)
    access = FOG_SUBSCRIBE;
  else if (e->access == MOSQ_ACL_WRITE)
    access = FOG_WRITE;
  bool ok = fog_rules_allow(p->rules, username, access, e->topic);
  note_access(p, e, ok);
  return ok ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ACL_DENIED;
}

static int on_message(int event, void *data, void *user) {
  const struct mosquitto_evt_message *e = data;
  (void)event;
  note(user, about(FOG_TAP_MESSAGE, e->client, e->topic, e->payload, e->payloadlen, e->qos, e->retain));
  return MOSQ_ERR_SUCCESS;
}

/* Of those who came in: mosquitto tells of every connection that ends. */
static int on_disconnect(int event, void *data, void *user) {
  const struct mosquitto_evt_disconnect *e = data;
  struct plugin *p = user;
  const char *client_id = mosquitto_client_id(e->client);
  (void)event;
  if (client_id == NULL || !fog_links_leave(p->links, e->client, client_id)) return MOSQ_ERR_SUCCESS;
  note(p,
       (struct fog_tap_note){.kind = FOG_TAP_BYE, .client = client_id, .login = mosquitto_client_username(e->client)});
  return MOSQ_ERR_SUCCESS;
}

static void obey(struct plugin *p, const struct fog_tap_note *order) {
  if (order->kind == FOG_TAP_KICK) {
    (void)mosquitto_kick_client_by_clientid(*order->client == '\0' ? NULL : order->client, true);
    return;
  }
  const void *payload = order->payload_len == 0 ? NULL : order->payload;
  if (mosquitto_broker_publish_copy(NULL, order->topic, (int)order->payload_len, payload, order->qos, order->retain,
                                    NULL) == MOSQ_ERR_SUCCESS)
    note(p, (struct fog_tap_note){.kind = FOG_TAP_MESSAGE,
                                  .topic = order->topic,
                                  .payload = order->payload,
                                  .payload_len = order->payload_len,
                                  .size = order->size,
                                  .qos = order->qos,
                                  .retain = order->retain});
}

/* Ten times a second, and whenever the broker has work. */
static int on_tick(int event, void *data, void *user) {
  struct plugin *p = user;
  struct fog_tap_note order;
  (void)event;
  (void)data;
  while (p->tap != NULL && fog_tap_take_order(p->tap, &order)) obey(p, &order);
  return MOSQ_ERR_SUCCESS;
}

static const struct {
  int event;
  int (*handler)(int event, void *data, void *user);
} handlers[] = {
    {MOSQ_EVT_BASIC_AUTH, on_login}, {MOSQ_EVT_ACL_CHECK, on_access},      {MOSQ_EVT_MESSAGE, on_message},
    {MOSQ_EVT_TICK, on_tick},        {MOSQ_EVT_DISCONNECT, on_disconnect},
};

enum { HANDLERS = sizeof handlers / sizeof *handlers };

EXPORT int mosquitto_plugin_version(int count, const int *versions);
EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **user, struct mosquitto_opt *opts, int count);
EXPORT int mosquitto_plugin_cleanup(void *user, struct mosquitto_opt *opts, int count);

int mosquitto_plugin_version(int count, const int *versions) {
  for (int i = 0; i < count; i++) {
    if (versions[i] == 5) return 5;
  }
  return -1;
}

static const char *option(const struct mosquitto_opt *opts, int count, const char *name) {
  for (int i = 0; i < count; i++) {
    if (strcmp(opts[i].key, name) == 0) return opts[i].value;
  }
  return NULL;
}

static void destroy(struct plugin *p) {
  if (p->rules != NULL) fog_rules_close(p->rules);
  if (p->links != NULL) fog_links_free(p->links);
  if (p->tap != NULL) fog_tap_close(p->tap);
  free(p);
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **user, struct mosquitto_opt *opts, int count) {
  const char *store = option(opts, count, "store"), *tap = option(opts, count, "tap");
  struct plugin *p = calloc(1, sizeof *p);
  if (p == NULL) return MOSQ_ERR_NOMEM;
  p->links = fog_links_new();
  p->rules = store == NULL ? NULL : fog_rules_open(store);
  if (p->rules == NULL || p->links == NULL) {
    mosquitto_log_printf(MOSQ_LOG_ERR, "fogcloud: the store '%s' cannot be opened", store == NULL ? "(none)" : store);
    destroy(p);
    return MOSQ_ERR_INVAL;
  }
  if (tap != NULL) p->tap = fog_tap_open(tap, false);
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* the broker is the sandbox's child and must not outlive it */
  plugin_id = id;
  *user = p;
  int rc = MOSQ_ERR_SUCCESS;
  for (size_t i = 0; i < HANDLERS && rc == MOSQ_ERR_SUCCESS; i++)
    rc = mosquitto_callback_register(id, handlers[i].event, handlers[i].handler, NULL, p);
  return rc;
}

int mosquitto_plugin_cleanup(void *user, struct mosquitto_opt *opts, int count) {
  (void)opts;
  (void)count;
  for (size_t i = 0; i < HANDLERS; i++)
    (void)mosquitto_callback_unregister(plugin_id, handlers[i].event, handlers[i].handler, NULL);
  if (user != NULL) destroy(user);
  return MOSQ_ERR_SUCCESS;
}
