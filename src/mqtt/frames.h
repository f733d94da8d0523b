/* SPDX-License-Identifier: MIT
 *
 * The frames of WebSockets as a client reads and writes them (RFC 6455, 5). Pure: bytes in, bytes out. MQTT is a stream
 * to which frames mean nothing (MQTT 5.0, 6.0), so the payload of data frames is what is read, however it was cut.
 */
#ifndef FOG_FRAMES_H
#define FOG_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  FOG_FRAME_BINARY = 2,
  FOG_FRAME_CLOSE = 8,
  FOG_FRAME_PING = 9,
  FOG_FRAME_PONG = 10,
  FOG_FRAME_CONTROL = 125, /* the longest payload of the last three */
  FOG_FRAME_HEAD = 8       /* the longest head that is written */
};

/* A longer frame is refused. Four times the longest packet of MQTT: no server needs one. */
#define FOG_FRAME_MAX ((uint64_t)1 << 30)

/* What came so far. Zeroed it is at the beginning. */
struct fog_frames {
  uint64_t left; /* of the payload that is being read */
  unsigned char head[10];
  uint8_t head_len;
  bool in_payload;
  bool in_message;     /* a fragment came and the last one did not */
  uint8_t control_len; /* of the control frame that is being read, then of the close frame */
  uint8_t ping_len;
  bool ping;       /* one came that was not answered: the last one counts (5.5.3). The reader clears it */
  bool closed;     /* a close frame came; nothing is read behind it */
  const char *why; /* what was wrong: static text; nothing is read any more. NULL: nothing */
  unsigned char control[FOG_FRAME_CONTROL], pinged[FOG_FRAME_CONTROL];
};

/* Reads `len` bytes, and moves the payload among them to their beginning. Returns how much that is. */
size_t fog_frames_read(struct fog_frames *f, char *bytes, size_t len);

/* Once it is closed: the code, 1005 where none was given, and the reason, *len bytes that are not terminated. */
unsigned fog_frames_close_code(const struct fog_frames *f, const char **reason, size_t *len);

/* Writes the head of a masked frame of `len` bytes, at most 65,535, in one piece, so that it ends before `end`, and
 * returns where it begins: 6 or 8 bytes before that. */
char *fog_frames_head(char *end, unsigned opcode, size_t len, const unsigned char mask[4]);

/* to[i] = from[i] ^ mask[(at + i) % 4]. The same place or apart. */
void fog_frames_mask(char *to, const char *from, size_t len, const unsigned char mask[4], size_t at);

#endif
