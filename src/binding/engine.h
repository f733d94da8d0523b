/* SPDX-License-Identifier: MIT
 *
 * One per Lua state: owns the event queue, the HTTP driver and the numbers of the sessions of that state.
 * Lua's thread only; nothing here waits but fog_engine_wait.
 */
#ifndef FOG_ENGINE_H
#define FOG_ENGINE_H

#include "../http/api.h"
#include "../http/http.h"
#include "../mqtt/driver.h"

struct fog_engine;

/* NULL: *error is an errno or a fog_error. */
struct fog_engine *fog_engine_new(size_t max_requests, int *error);

/* Ends the requests in flight without events. Sessions live on until they are closed, before or after: their events
 * then go nowhere; those without a thread are served no more (caller_loop.h). Returns at once, but for goodbyes of the
 * latter; harmless in a forked child. */
void fog_engine_free(struct fog_engine *e);

/* True when the engine was made before this process was forked: every other call must then be refused. */
bool fog_engine_forked(const struct fog_engine *e);

/* The next event, the caller's to release; NULL when there is none now. */
struct fog_event *fog_engine_next(struct fog_engine *e);

/* Waits until next would give something, or timeout_ms (-1: for ever) has passed; drives HTTP meanwhile in the inline
 * mode, and the sessions that have no thread: once, however short the wait is. */
void fog_engine_wait(struct fog_engine *e, int timeout_ms);

/* Sends what sessions without a thread have queued, for whoever does not wait again soon. */
void fog_engine_send(struct fog_engine *e);

/* Readable while events wait. Owned by the engine. */
int fog_engine_fd(const struct fog_engine *e);

/* Makes a wake-up socket: its path, the engine's, or NULL with errno. See mirror.h. */
const char *fog_engine_listen(struct fog_engine *e);

/* From now on the peer that has connected there gets a byte with each wake-up, and a peer before it none. What was
 * queued until now woke nobody: take it first. 0, errno or FOG_ELISTEN. */
int fog_engine_mirror(struct fog_engine *e);

/* Wakes the reader, without an event. */
void fog_engine_wake(struct fog_engine *e);

/* Wakes the readers of all engines of this process, without an event. Any thread. */
void fog_engine_wake_all(void);

/* Its requests; the first one makes it, and loads libcurl. NULL: no memory, no thread, or libcurl cannot be used. */
struct fog_http *fog_engine_http(struct fog_engine *e);

/* Requests have a thread of their own from now on. FOG_OK or FOG_ENOTHREAD. */
int fog_engine_background(struct fog_engine *e);

/* Ends a request without an event. */
void fog_engine_cancel(struct fog_engine *e, uint64_t id);

uint64_t fog_engine_new_id(struct fog_engine *e);

/* Its event queue; whoever keeps it takes a reference. */
struct fog_queue *fog_engine_queue(struct fog_engine *e);

/* A session of this engine, opened at the driver, with one reference for the caller. NULL: *error is FOG_E…. */
struct fog_session *fog_engine_session(struct fog_engine *e, const struct fog_driver *driver,
                                       const struct fog_session_limits *limits, int *error);

#endif
