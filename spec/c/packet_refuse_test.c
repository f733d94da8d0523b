/* SPDX-License-Identifier: MIT
 *
 * Every form of packet_forms.h is refused with its reason code, or taken where it says so.
 */
#include "packet_forms.h"

int main(void) {
  for (size_t i = 0; i < FORM_COUNT; i++) {
    struct exact wire = from_text(FORMS[i].wire);
    struct fog_packet p;
    struct fog_packet_fault fault = {FOG_SUCCESS, "taken"};
    bool taken = fog_packet_decode(FORMS[i].version, (enum fog_sender)FORMS[i].from, wire.data, wire.len, &p, &fault);
    bool fine = taken == (FORMS[i].reason == TAKEN) && (int)fault.reason == FORMS[i].reason;
    /* So that none is refused for a slip of this file. */
    bool whole =
        fog_packet_length(wire.data, wire.len) == (int64_t)wire.len || strstr(FORMS[i].name, "a length") != NULL;
    fine &= whole;
    if (!fine) printf("# 0x%02x, %s\n", (unsigned)fault.reason, fault.text);
    check(fine, FORMS[i].name);
    free(wire.data);
  }
  return finish();
}
