/* SPDX-License-Identifier: MIT
 *
 * The mosquitto plugin: passes mosquitto's questions to plugin_rules.c. Option: plugin_opt_store PATH.
 */
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "plugin_rules.h"

#define EXPORT __attribute__((visibility("default")))

static mosquitto_plugin_id_t *plugin_id;

static int on_login(int event, void *data, void *user) {
  const struct mosquitto_evt_basic_auth *e = data;
  (void)event;
  if (e->username == NULL || e->password == NULL) return MOSQ_ERR_AUTH;
  const char *client_id = mosquitto_client_id(e->client);
  bool ok = client_id != NULL && fog_rules_login(user, e->username, e->password, client_id);
  return ok ? MOSQ_ERR_SUCCESS : MOSQ_ERR_AUTH;
}

static int on_access(int event, void *data, void *user) {
  const struct mosquitto_evt_acl_check *e = data;
  const char *username = mosquitto_client_username(e->client);
  enum fog_access access = FOG_READ;
  (void)event;
  if (username == NULL || e->topic == NULL) return MOSQ_ERR_ACL_DENIED;
  if (e->access == MOSQ_ACL_UNSUBSCRIBE) return MOSQ_ERR_SUCCESS;
  if (e->access == MOSQ_ACL_SUBSCRIBE)
    access = FOG_SUBSCRIBE;
  else if (e->access == MOSQ_ACL_WRITE)
    access = FOG_WRITE;
  return fog_rules_allow(user, username, access, e->topic) ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ACL_DENIED;
}

EXPORT int mosquitto_plugin_version(int count, const int *versions);
EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **user, struct mosquitto_opt *opts, int count);
EXPORT int mosquitto_plugin_cleanup(void *user, struct mosquitto_opt *opts, int count);

int mosquitto_plugin_version(int count, const int *versions) {
  for (int i = 0; i < count; i++) {
    if (versions[i] == 5) return 5;
  }
  return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **user, struct mosquitto_opt *opts, int count) {
  const char *path = NULL;
  for (int i = 0; i < count; i++) {
    if (strcmp(opts[i].key, "store") == 0) path = opts[i].value;
  }
  struct fog_rules *rules = path == NULL ? NULL : fog_rules_open(path);
  if (rules == NULL) {
    mosquitto_log_printf(MOSQ_LOG_ERR, "fogcloud: the store '%s' cannot be opened", path == NULL ? "(none)" : path);
    return MOSQ_ERR_INVAL;
  }
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* the broker is the sandbox's child and must not outlive it */
  plugin_id = id;
  *user = rules;
  int rc = mosquitto_callback_register(id, MOSQ_EVT_BASIC_AUTH, on_login, NULL, rules);
  if (rc == MOSQ_ERR_SUCCESS) rc = mosquitto_callback_register(id, MOSQ_EVT_ACL_CHECK, on_access, NULL, rules);
  return rc;
}

int mosquitto_plugin_cleanup(void *user, struct mosquitto_opt *opts, int count) {
  (void)opts;
  (void)count;
  (void)mosquitto_callback_unregister(plugin_id, MOSQ_EVT_BASIC_AUTH, on_login, NULL);
  (void)mosquitto_callback_unregister(plugin_id, MOSQ_EVT_ACL_CHECK, on_access, NULL);
  if (user != NULL) fog_rules_close(user);
  return MOSQ_ERR_SUCCESS;
}
