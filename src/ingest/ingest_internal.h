// SPDX-License-Identifier: Apache-2.0
// Inside `ingest` only: the state that the three threads share.
#pragma once

#include "ingest/ingest.h"
#include "ingest/judge.h"
#include "os/thread.h"

enum { FROZEN_MAX = 2 }; // heads that wait for their block; then the applier waits

struct request_list {
    struct ingest_request *first, **last;
    uint32_t n;
};
void list_init(struct request_list *l);
void list_add(struct request_list *l, struct ingest_request *rq);
struct ingest_request *list_take(struct request_list *l); // NULL = empty
void list_move(struct request_list *from, struct request_list *to);
// Frees what ingest added to the request and answers it.
void request_done(struct ingest_request *rq, enum err e);

struct catalog_change {
    const struct block_meta *added;
    uint32_t n_added;
    const char (*removed)[ULID_LEN + 1];
    uint32_t n_removed;
    uint64_t covered_seq; // of this node's log; 0 = as it is
};

struct ingest {
    struct ingest_opts opts;
    struct wal *wal;
    char node[ULID_LEN + 1];

    struct mutex lock; // of all below, but for what a comment says
    struct cond submitted, committed, frozen_changed;
    struct request_list to_commit, to_apply;
    bool stopping, committer_done; // done: nothing will be added to to_apply
    bool applier_busy;
    uint64_t trim_to; // records up to here are in blocks; the committer trims the log

    struct head *active; // written by the applier only
    struct frozen {
        struct head *head;
        struct request_list flushes; // answered when its block is committed
    } frozen[FROZEN_MAX];            // oldest first
    uint32_t n_frozen;
    enum err cut_error;          // of the last try to make a block; while there is one, nobody waits for room
    struct request_list deletes; // of traces; all that came before them is in blocks
    bool want_keeper;            // something may have changed for it
    bool keeper_busy;

    struct arena catalog_arena;    // of the keeper
    struct catalog catalog;        // written by the keeper
    const struct head *written_of; // the keeper has written its block, but could not commit it yet
    struct block_meta written;
    struct block **blocks; // as in the catalog
    uint32_t n_blocks;
    struct view *view;
    char (*unmergeable)[ULID_LEN + 1]; // of the keeper: live blocks that could not be merged
    uint32_t n_unmergeable;
    uint64_t lists_swept; // of the keeper: the snapshot after which lists of the catalog were swept

    struct judge judge;

    struct thread committer, applier, keeper;
    _Atomic bool behind; // the committer is: bodies get packed
    _Atomic bool disk_full;
    _Atomic uint64_t stored_bytes; // as the keeper saw them last: log and blocks
    _Atomic uint64_t spans_total, requests_total, bytes_total, failed_requests_total, cuts_total,
        merges_total, dropped_blocks_total, dropped_spans_total, expired_spans_total, cut_failures_total,
        equal_spans_total, deleted_traces_total, deleted_spans_total;
};

// Tells the sink of the newest rows of the active head.
void sink_take(struct ingest *in, const struct span_table *t, uint32_t n_added);

void commit_run(void *ingest);
void apply_run(void *ingest);
void keep_run(void *ingest);

// Publishes heads and blocks as they are now. Holding the lock. ERR_NOMEM: the old view stays.
NODISCARD enum err view_publish(struct ingest *in);
// Makes the active head a frozen one and begins a new one. Holding the lock; n_frozen < FROZEN_MAX.
NODISCARD enum err head_freeze(struct ingest *in);
NODISCARD enum err head_begin(struct ingest *in, struct head **out);
// Writes the block of a head and commits it. By the keeper, or before it starts.
NODISCARD enum err keep_cut(struct ingest *in, struct head *h);
NODISCARD enum err keep_sweep_lists(struct ingest *in);
void keep_load_blocks(struct ingest *in); // in->blocks from in->catalog
