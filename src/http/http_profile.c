/* SPDX-License-Identifier: MIT */
#include "http_profile.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same(const char *a, const char *b) { return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0); }

static bool fits(const struct fog_http_profile *p, const struct fog_http_options *o) {
  return p != NULL && same(p->authorization, o->authorization) && p->content_type == o->content_type &&
         same(p->user_agent, o->user_agent) && same(p->ca_file, o->ca_file) && same(p->proxy, o->proxy) &&
         same(p->ca_pem, o->ca_pem) && same(p->cert_file, o->cert_file) && same(p->key_file, o->key_file) &&
         same(p->key_password, o->key_password);
}

static bool copy(char **to, const char *from) {
  if (from == NULL) return true;
  *to = strdup(from);
  return *to != NULL;
}

static bool add_header(struct fog_http_profile *p, const char *line) {
  if (line == NULL) return true;
  struct curl_slist *list = curl_slist_append(p->headers, line);
  if (list == NULL) return false;
  p->headers = list;
  return true;
}

/* As a header it costs libcurl less than as its option, which it writes down twice for each request. A proxy is told
 * by the option only. */
static bool add_user_agent(struct fog_http_profile *p) {
  static const char name[] = "User-Agent: ";
  if (p->user_agent == NULL || p->proxy != NULL) return true;
  size_t room = sizeof name + strlen(p->user_agent);
  char *line = malloc(room);
  if (line == NULL) return false;
  (void)snprintf(line, room, "%s%s", name, p->user_agent);
  bool added = add_header(p, line);
  free(line);
  return added;
}

static struct fog_http_profile *make(const struct fog_http_options *o) {
  struct fog_http_profile *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  atomic_init(&p->refs, 1);
  p->content_type = o->content_type;
  if (copy(&p->user_agent, o->user_agent) && copy(&p->ca_file, o->ca_file) && copy(&p->ca_pem, o->ca_pem) &&
      copy(&p->cert_file, o->cert_file) && copy(&p->key_file, o->key_file) && copy(&p->key_password, o->key_password) &&
      copy(&p->proxy, o->proxy) && copy(&p->authorization, o->authorization) && add_header(p, o->content_type) &&
      add_header(p, o->authorization) && add_user_agent(p))
    return p;
  fog_http_profile_unref(p);
  return NULL;
}

struct fog_http_profile *fog_http_profile_ref(struct fog_http_profile *p) {
  (void)atomic_fetch_add(&p->refs, 1);
  return p;
}

struct fog_http_profile *fog_http_profile_get(struct fog_http_profiles *all, const struct fog_http_options *o) {
  for (size_t i = 0; i < FOG_HTTP_PROFILES; i++) {
    if (fits(all->kept[i], o)) return fog_http_profile_ref(all->kept[i]);
  }
  struct fog_http_profile *made = make(o);
  if (made == NULL) return NULL;
  fog_http_profile_unref(all->kept[all->next]);
  all->kept[all->next] = made;
  all->next = (all->next + 1) % FOG_HTTP_PROFILES;
  return fog_http_profile_ref(made);
}

static void free_wiped(char *s) {
  if (s != NULL) explicit_bzero(s, strlen(s));
  free(s);
}

void fog_http_profile_unref(struct fog_http_profile *p) {
  if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1) return;
  for (struct curl_slist *h = p->headers; h != NULL; h = h->next) explicit_bzero(h->data, strlen(h->data));
  curl_slist_free_all(p->headers);
  free_wiped(p->authorization);
  free_wiped(p->proxy); /* may hold a password */
  free_wiped(p->key_password);
  free(p->user_agent);
  free(p->ca_file);
  free(p->ca_pem);
  free(p->cert_file);
  free(p->key_file);
  free(p);
}

void fog_http_profiles_clear(struct fog_http_profiles *all) {
  for (size_t i = 0; i < FOG_HTTP_PROFILES; i++) fog_http_profile_unref(all->kept[i]);
  memset(all, 0, sizeof *all);
}
