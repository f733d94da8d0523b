/* SPDX-License-Identifier: MIT
 *
 * What a link does for the journal while it can send nothing, and where the journal takes nothing.
 */
#include "link.h"

enum { RETRY_MS = 250 };

void fog_link_store(struct fog_link *link) {
  if (link->kept.journal == NULL)
    fog_outbox_busy(&link->session->outbox);
  else
    fog_outgoing_keep(&link->outgoing, fog_loop_now(link->loop));
}

void fog_link_retry(struct fog_link *link) {
  if (link->kept.trouble == FOG_DURABLE_OK) return;
  (void)fog_loop_set_timer(link->loop, &link->retry, fog_loop_now(link->loop) + RETRY_MS);
}
