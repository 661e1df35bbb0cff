// SPDX-License-Identifier: Apache-2.0
// The door of delivery: events in, facts and rollouts out. Owns the facts of a data directory
// (facts.db): the record, the facts made from it, and what is derived from those.
//
// An event is durable and its facts are there when delivery_take returns. What is derived per
// service and environment (rollouts, their commits, links, figures) is made anew before it is read:
// delivery_settle. thread: any, except where said.
#pragma once

#include "delivery/record.h"
#include "delivery/series.h"
#include "facts/writer.h"

struct delivery;

struct delivery_opts {
    const char *dir;           // the data directory, NUL-terminated
    bool read_only;            // beside a server: writes nothing; what is stale stays so and is said
    unsigned flag_days;        // a flag unchanged for longer is past its time; 0: MEASURE_FLAG_DAYS
    unsigned failure_severity; // a rollout failed by incidents of this severity and worse; 0: of any
};
// ERR_NOT_FOUND: read_only, and there is no facts.db yet. To be closed also after an error.
NODISCARD enum err delivery_open(const struct delivery_opts *o, struct delivery **out, struct err_ctx *ctx);
void delivery_close(struct delivery *d);               // NULL is fine
unsigned delivery_flag_days(const struct delivery *d); // as it was opened
unsigned delivery_failure_severity(const struct delivery *d);

struct delivery_taken {
    unsigned events, again, unknown,
        aside; // of all: kept before, of a type that says nothing to us, set aside
};
// Keeps the events of a request that intake_read read, and applies their claims: all or none.
NODISCARD enum err delivery_take(struct delivery *d, const struct intake_request *r, const struct intake *in,
                                 struct delivery_taken *out);
// Keeps what Takt itself learnt: the events of a body for a source of ours (hook_takt.c), read into the
// arena.
NODISCARD enum err delivery_tell(struct delivery *d, struct arena *a, struct str source,
                                 const struct buf *body, int64_t now);
// The same without waiting: done is told, on the writer's thread, when the events are durable. The
// call, the request and what intake_read read live until then. ERR_AGAIN: too much waits; then, and
// after any other error, done is not called.
struct delivery_call {
    const struct intake_request *request;
    const struct intake *in;
    void (*done)(void *ctx, enum err e, const struct delivery_taken *taken);
    void *ctx;
    struct delivery *delivery; // private, as all below
    struct delivery_taken taken;
    struct writer_job job;
};
NODISCARD enum err delivery_submit(struct delivery *d, struct delivery_call *call);
NODISCARD enum err delivery_refuse(struct delivery *d, const struct intake_request *r, struct str reason);

struct delivery_stats { // since the start
    uint64_t events, again, unknown, aside;
};
void delivery_stats(struct delivery *d, struct delivery_stats *out);

// Grows with whatever may have changed a fact: what was read before that may be old.
uint64_t delivery_changes(struct delivery *d);

// Throws all facts away and makes them again from the record, in steps; readers see the old ones, then
// the new ones. progress may be NULL: events done, events in all.
NODISCARD enum err delivery_reprocess(struct delivery *d,
                                      void (*progress)(void *ctx, uint64_t done, uint64_t all), void *ctx);
// Derives what events have made stale since. Returns at once when nothing is.
NODISCARD enum err delivery_settle(struct delivery *d);

// A connection to read from, settled; to be given back. Readers do not wait for each other.
NODISCARD enum err delivery_reader(struct delivery *d, struct db **out);
void delivery_reader_done(struct delivery *d, struct db *reader);
// The facts as they stood when event as_of was the newest, made anew in memory; to be given back. Imported
// histories and the catalogue are no events: those are today's.
// *out_since: events that came later. ERR_NOT_FOUND: there is no such event. ERR_LIMIT: more events or bytes
// than can be gone through while somebody waits. ERR_AGAIN: somebody has such facts now; one at a time.
enum { DELIVERY_THEN_EVENTS_MAX = 200000 };
#define DELIVERY_THEN_BYTES_MAX (256ull << 20)
NODISCARD enum err delivery_then(struct delivery *d, int64_t as_of, uint64_t *out_since, struct db **out,
                                 struct err_ctx *ctx);
void delivery_then_done(struct delivery *d, struct db *then);
NODISCARD enum err delivery_backup(struct delivery *d, const char *path,
                                   void (*progress)(void *ctx, int done, int all), void *ctx);
// Runs a job of a transaction on the writer (imports); see facts/writer.h.
NODISCARD enum err delivery_write(struct delivery *d, enum err (*job)(struct db *db, void *ctx), void *ctx);
