/* SPDX-License-Identifier: MIT
 *
 * Included before every file of the core for the tests that the Makefile names under FAILING_ALLOC: its allocations,
 * and nobody else's, go through functions of the test that fail on demand and know what is still allocated.
 */
#ifndef FOG_FAILING_ALLOC_H
#define FOG_FAILING_ALLOC_H

#include <stdlib.h>
#include <string.h>

void *fog_test_malloc(size_t n);
void *fog_test_calloc(size_t count, size_t n);
void *fog_test_realloc(void *p, size_t n);
char *fog_test_strdup(const char *s);
void fog_test_free(void *p);

#define malloc(n) fog_test_malloc(n)
#define realloc(p, n) fog_test_realloc(p, n)
#define calloc(count, n) fog_test_calloc(count, n)
#define strdup(s) fog_test_strdup(s)
#define free(p) fog_test_free(p)

#endif
