/* SPDX-License-Identifier: MIT */
#include "filter.h"

struct fog_layer *fog_proxy_new(struct fog_layer *below, const struct fog_connection_options *o,
                                struct fog_connection_error *error) {
  (void)below;
  (void)o;
  (void)fog_connection_fail(error, FOG_CONNECTION_LOCAL, true, "proxy: not there yet");
  return NULL;
}
