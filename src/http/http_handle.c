/* SPDX-License-Identifier: MIT */
#include "http_handle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct fog_http_handle *fog_http_handle_new(void) {
  struct fog_http_handle *h = calloc(1, sizeof *h);
  if (h == NULL) return NULL;
  h->easy = curl_easy_init();
  if (h->easy != NULL) return h;
  free(h);
  return NULL;
}

static void forget_url(struct fog_http_handle *h) {
  curl_url_cleanup(h->url);
  free(h->text);
  h->url = NULL;
  h->text = NULL;
}

void fog_http_handle_free(struct fog_http_handle *h) {
  curl_easy_cleanup(h->easy);
  fog_http_profile_unref(h->profile);
  forget_url(h);
  free(h);
}

void fog_http_handle_reset(struct fog_http_handle *h, struct fog_http_profile *profile) {
  curl_easy_reset(h->easy);
  forget_url(h);
  fog_http_profile_unref(h->profile);
  h->profile = fog_http_profile_ref(profile);
}

void fog_http_handle_aim(struct fog_http_handle *h, const char *url) {
  if (h->text != NULL && strcmp(h->text, url) == 0) return;
  forget_url(h);
  h->url = curl_url(); /* a new one: what is no whole URL would be taken as a part of the last */
  if (h->url != NULL && curl_url_set(h->url, CURLUPART_URL, url, 0) == CURLUE_OK) h->text = strdup(url);
  bool known = h->text != NULL; /* else libcurl refuses it later, in the words for that */
  (void)curl_easy_setopt(h->easy, CURLOPT_URL, known ? NULL : url);
  (void)curl_easy_setopt(h->easy, CURLOPT_CURLU, known ? h->url : NULL);
}
