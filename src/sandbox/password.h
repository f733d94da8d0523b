/* SPDX-License-Identifier: MIT
 *
 * Secrets at rest: PBKDF2-HMAC-SHA256 with a salt, as "salt$hash" in hex. The iterations are few, for this is a cloud
 * on a laptop whose broker must log in thousands of clients in a test; nothing here guards a real account.
 */
#ifndef FOG_PASSWORD_H
#define FOG_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

enum { FOG_PASSWORD_TEXT = 2 * 16 + 1 + 2 * 32 + 1 };

/* Writes the hash of secret with a random salt, a C string. False: no randomness. */
bool fog_password_hash(const char *secret, size_t len, char out[FOG_PASSWORD_TEXT]);

/* True when secret is what stored was made from. Takes the same time wherever they differ. */
bool fog_password_matches(const char *secret, size_t len, const char *stored);

#endif
