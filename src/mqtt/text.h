/* SPDX-License-Identifier: MIT
 *
 * What MQTT takes for a text, a topic name and a topic filter. Pure.
 */
#ifndef FOG_TEXT_H
#define FOG_TEXT_H

#include <stdbool.h>

#include "bytes.h"

enum fog_text {
  FOG_TEXT_BAD, /* not UTF-8, or with a NUL, a surrogate or an overlong form (5.0: 1.5.4; 3.1.1: 1.5.3) */
  FOG_TEXT_PLAIN,
  FOG_TEXT_WILD /* well-formed, with a '+' or '#' in it, which no topic name may have */
};

/* One walk. U+FEFF and the code points that are no characters are taken, as 1.5.4 asks. */
enum fog_text fog_text_kind(struct fog_bytes text);

/* Well-formed UTF-8 without NUL. */
static inline bool fog_text_valid(struct fog_bytes text) { return fog_text_kind(text) != FOG_TEXT_BAD; }

/* Whether the wildcards of a well-formed text stand where a topic filter may have them (4.7.1), and where `shared`,
 * whether a "$share/" is followed by a name and a filter (5.0: 4.8.2). */
bool fog_filter_valid(struct fog_bytes filter, bool shared);

/* Begins with "$share/". */
bool fog_filter_shared(struct fog_bytes filter);

#endif
