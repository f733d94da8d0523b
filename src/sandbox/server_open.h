/* SPDX-License-Identifier: MIT
 *
 * What the two halves of the server share: server.c takes requests in, server_reply.c answers them. Nobody else
 * includes this.
 */
#ifndef FOG_SERVER_OPEN_H
#define FOG_SERVER_OPEN_H

#include <microhttpd.h>

#include "hangups.h"
#include "server.h"

struct open_request {
  struct fog_server_request request; /* first */
  struct fog_server *server;
  struct MHD_Connection *connection;
  struct fog_peer_watch *watch; /* NULL without memory */
  struct open_request *prev_open, *next_open;
  size_t body_cap;
  bool complete, cut, hang_up, answered, hurried;
  bool asleep;    /* suspended until wake_at: the reply is delayed, or its next byte trickles */
  double wake_at; /* on the monotonic clock */
  unsigned status;
  struct MHD_Response *response;
  struct fog_stream {
    char *bytes; /* of a reply without an end: what was pushed and is not sent */
    size_t len, cap;
  } stream;
};

struct fog_server {
  struct MHD_Daemon *daemon;
  uint64_t last_id;
  struct open_request *open;
  struct fog_server_request *ready, **ready_tail, *taken;
  struct fog_hangups hangups;
};

#endif
