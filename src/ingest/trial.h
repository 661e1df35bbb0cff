// SPDX-License-Identifier: Apache-2.0
// Test-only: nothing that ships may include this.
//
// A whole ingest on a simulated disk, with a clock that stands still, and the model of what it was
// given. Log and blocks lie on one disk, so that a crash takes from both.
// thread: one at a time, but for what says otherwise.
#pragma once

#include "ingest/ingest.h"
#include "ingest/model.h"
#include "os/disk_sim.h"
#include "otlp/random.h"

struct trial {
    struct clock clock; // the first member
    _Atomic uint64_t now_ns;
    struct disk *disk;
    struct object_store *store;
    struct ingest_opts opts; // may be changed between trial_close and trial_open
    struct mem_budget head_budget, build_budget;
    struct ingest *in; // NULL = closed
    struct ingest_replay replay;
    struct err_ctx why; // of an opening that failed
    struct random_otlp gen;
    struct model model;
    struct ingest_request unawaited; // a flush
    uint32_t n_unanswered;           // of trial_submit_and_close
};

// Received times begin here; spans of otlp/random start in the hour before.
#define TRIAL_NOW_NS 1700003600000000000ull

struct trial_opts {
    uint64_t (*rand)(void);
    struct random_opts random; // rand is set from above
    uint32_t cut_spans;        // 0 = 60
    uint64_t disk_limit_bytes;
    bool mem_store; // blocks in memory instead of on the disk
};

NODISCARD enum err trial_init(struct trial *t, struct trial_opts opts); // closed
void trial_fini(struct trial *t);
NODISCARD enum err trial_open(struct trial *t);
void trial_close(struct trial *t);
// Closes if need be, then power failure (or, with restart, only the end of the process).
NODISCARD enum err trial_crash(struct trial *t, uint64_t seed, bool restart);

// Hands a body in and waits for the answer. What was acknowledged goes into the model as sure, else
// as possible. When the disk goes down meanwhile, the ingest is closed.
enum err trial_submit(struct trial *t, struct str body);
// n requests, whose answers are waited for together: they may share a commit.
void trial_submit_all(struct trial *t, const struct str *bodies, uint32_t n, enum err *out);
// The same, but the ingest is closed before anybody waits: everyone is answered all the same.
void trial_submit_and_close(struct trial *t, const struct str *bodies, uint32_t n);
enum err trial_flush(struct trial *t);
enum err trial_delete(struct trial *t, const uint8_t trace_id[16], uint64_t *out_n); // also in the model
enum err trial_delete_everything(struct trial *t, uint64_t *out_n);
void trial_flush_begin(struct trial *t); // the answer is not waited for; the next trial_close takes it
void trial_random_body(struct trial *t, struct buf *out); // appends
// Waits until nothing is queued, frozen or due to be merged, or the disk is down.
void trial_settle(struct trial *t);
// The check and the submission alone, by any thread; nothing goes into the model.
enum err trial_send(struct ingest *in, struct str body, uint64_t now_ns);
