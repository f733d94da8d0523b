/* SPDX-License-Identifier: MIT
 *
 * Whose a client id is while somebody is connected under it.
 */
#include "../../src/sandbox/plugin_links.h"

#include <stdio.h>
#include <stdlib.h>

#include "tap.h"

static char connections[10000];

int main(void) {
  struct fog_links *links = fog_links_new();
  if (links == NULL) abort();
  const char *one = &connections[0], *two = &connections[1], *three = &connections[2];
  check(fog_links_enter(links, one, "gateway", "alice"), "an id is free");
  check(!fog_links_enter(links, two, "gateway", "bob"), "it is its login's");
  check(!fog_links_leave(links, two, "gateway"), "who was refused never came in");
  check(!fog_links_enter(links, two, "gateway", "bob"), "and frees nothing by leaving");
  check(fog_links_enter(links, three, "gateway", "alice"), "its login may take it over");
  check(fog_links_leave(links, one, "gateway"), "the first then ends");
  check(!fog_links_enter(links, two, "gateway", "bob"), "and the id is still taken");
  check(fog_links_leave(links, three, "gateway"), "until the last one ends");
  check(!fog_links_leave(links, three, "gateway"), "which it does once");
  check(fog_links_enter(links, two, "gateway", "bob"), "then it is free for another login");
  check(fog_links_enter(links, one, "", ""), "an empty id is one, too");

  bool all = true;
  char id[16];
  for (int i = 2; i < 10000; i++) {
    (void)snprintf(id, sizeof id, "device%d", i);
    all = all && fog_links_enter(links, &connections[i], id, id) && !fog_links_enter(links, &connections[i], id, "x");
  }
  for (int i = 2; i < 10000; i += 2) {
    (void)snprintf(id, sizeof id, "device%d", i);
    all = all && fog_links_leave(links, &connections[i], id) && fog_links_enter(links, &connections[i], id, "x");
  }
  check(all, "ten thousand of them");
  fog_links_free(links);
  return finish();
}
