// SPDX-License-Identifier: Apache-2.0
// The one writer of a store: a thread that runs the jobs of all others, many to a transaction, so
// that one sync makes many requests durable (group commit). thread: any, except where said.
#pragma once

#include "facts/db.h"

struct writer;

enum { WRITER_BATCH_MAX = 1024, WRITER_QUEUE_MAX = 4096 };

// Takes the db over, also when it fails.
NODISCARD enum err writer_start(struct db *d, struct writer **out);
// What is queued is done first. Closes the db. NULL is fine.
void writer_stop(struct writer *w);
// A job that its caller does not wait for. Memory: the caller's, until done is called.
struct writer_job {
    enum err (*run)(struct db *d, void *ctx);
    void (*done)(void *ctx, enum err e); // on the writer's thread, after the commit; may free the job
    void *ctx;
    bool alone, finished; // private, as all below
    enum err result;
    struct writer_job *next;
};
// As writer_run, but returns at once; done tells. ERR_AGAIN: the queue is full, and done is not called.
NODISCARD enum err writer_submit(struct writer *w, struct writer_job *j);
// Runs a job on the writer's thread, inside a transaction, and returns when it is committed: ERR_OK
// means durable. A job that fails leaves nothing behind and disturbs no other; its error is
// returned. ERR_AGAIN: the queue is full. Not from inside a job.
NODISCARD enum err writer_run(struct writer *w, enum err (*job)(struct db *d, void *ctx), void *ctx);
// A job that ends transactions of its own (a migration, a rebuild in steps): outside of one.
NODISCARD enum err writer_run_alone(struct writer *w, enum err (*job)(struct db *d, void *ctx), void *ctx);
struct writer_stats {
    uint64_t jobs, commits;
    uint32_t queued;
};
struct writer_stats writer_stats(struct writer *w);
