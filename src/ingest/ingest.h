// SPDX-License-Identifier: Apache-2.0
// The way of a span: admitted → log → head → cut → block. Requests pass three threads in order:
// the committer writes and syncs many in one go, the applier puts them into the head and answers,
// the keeper turns frozen heads into blocks, merges blocks and lets old ones go.
// thread: any, except where said.
#pragma once

#include "ingest/record.h"
#include "ingest/view.h"
#include "os/clock.h"
#include "span/sink.h"
#include "wal/wal.h"

struct disk;
struct ingest;

enum wal_pack { WAL_PACK_NEVER, WAL_PACK_AUTO, WAL_PACK_ALWAYS };

struct ingest_opts {
    struct disk *disk;
    struct clock *clock;
    struct object_store *store; // outlives the ingest
    const char *wal_dir;
    struct str tenant;  // outlives the ingest
    struct str version; // of the program
    bool read_only;     // replay into memory; no threads, nothing is written
    uint64_t wal_segment_bytes, wal_limit_bytes;
    enum wal_pack wal_pack;
    uint32_t cut_spans;
    uint64_t cut_bytes, cut_age_ns;
    struct mem_budget *head_budget;  // of all heads
    struct mem_budget *build_budget; // of a block being built
    uint64_t retention_ns;           // by received time
    uint64_t disk_budget_bytes;      // 0 = none
    uint64_t (*beside)(void *ctx);   // bytes that others keep within the same budget; NULL: none
    void *beside_ctx;
    bool drop_oldest; // at the disk budget: let the oldest block go instead of refusing
    bool merge;
    uint64_t retry_ns; // after a cut that failed; 0 = 2 s
    // Has the trace a root and every parent? Asked a minute after the cut for traces that had not.
    // NULL: they are taken to be partial.
    enum err (*is_whole)(struct view *v, const uint8_t id[16], bool *out);
    struct batch_sink sink; // hears of new spans, also of those that are replayed; take NULL: nobody
    // Asked before each record of the log that is replayed, when set: true ends the opening with
    // ERR_CANCELED. The log keeps what no block holds.
    bool (*should_stop)(void *ctx);
    void *should_stop_ctx;
};

struct ingest_replay {
    struct wal_replay wal;
    uint64_t spans, ns;
    uint32_t swept_blocks; // left by a crash before they were committed
};

// Opens catalog and log, replays what no block holds yet. ERR_CORRUPT, ERR_UNSUPPORTED, ERR_IO …
// with text; ERR_CANCELED by should_stop.
NODISCARD enum err ingest_open(const struct ingest_opts *opts, struct ingest **out,
                               struct ingest_replay *replay, struct err_ctx *ctx);
// Is there room for what others keep within the disk budget? What drops the oldest block makes it, as long
// as blocks are in the way. Asks `beside`. thread: any.
bool ingest_has_room(struct ingest *in);
// Answers what waits with ERR_UNAVAILABLE and stops the threads; nothing is cut, the log has it.
void ingest_close(struct ingest *in);

// A checked request. Everything belongs to the caller and lives until done.
struct ingest_request {
    struct str protobuf;  // of which the spans are taken
    struct record record; // what the log keeps; body: as received
    uint64_t received_ns; // unix time
    // Exactly once, on a thread of ingest or within ingest_submit. ERR_OK: durable and visible.
    // ERR_LIMIT: the disk budget is reached. ERR_INVALID: no head can hold it. Otherwise the spans may or may
    // not come back after a restart; a retry does no harm.
    void (*done)(struct ingest_request *rq, enum err e);
    // private
    struct ingest_request *next;
    struct buf head, packed;
    uint64_t seq;
    uint32_t n_added;
    bool is_flush, is_delete, is_everything;
    uint8_t trace_id[16];
    uint64_t n_deleted; // spans
};
void ingest_submit(struct ingest *in, struct ingest_request *rq);
// Cuts what came before and calls done once its blocks are in the catalog. Only `done` is used.
void ingest_flush(struct ingest *in, struct ingest_request *rq);
// Deletes what was acknowledged of a trace before the call: flushes, then writes the blocks that hold
// it anew without it. ERR_OK: no later view shows it and no restart brings it back; rq->n_deleted spans
// are gone. Spans of it that come meanwhile may be deleted too; later ones are kept, as of any trace.
// ERR_NOT_FOUND: there were none. After ERR_IO they may be gone or not, but all of them; else they are
// still there.
void ingest_delete(struct ingest *in, struct ingest_request *rq, const uint8_t trace_id[16]);
// The same for all traces of the tenant: one snapshot names no block any more.
void ingest_delete_everything(struct ingest *in, struct ingest_request *rq);

// The newest view; the caller unrefs it.
struct view *ingest_view(struct ingest *in);

struct ingest_stats {
    uint64_t spans_total, requests_total, bytes_total; // applied since the start; body bytes as received
    uint64_t failed_requests_total;
    uint64_t head_spans, head_bytes, frozen_heads;
    uint64_t cuts_total, merges_total, dropped_blocks_total, dropped_spans_total, expired_spans_total;
    uint64_t cut_failures_total;
    uint64_t deleted_traces_total, deleted_spans_total;
    uint64_t equal_spans_total; // left out of blocks because an equal one was there
    // Traces, each when its first spans were cut; of them those with an error, and those that were
    // not whole: they wait a minute as suspects, then are partial, rebuilt by late spans, or unknown.
    uint64_t cut_traces_total, error_traces_total, suspect_traces, partial_traces_total, rebuilt_traces_total,
        unknown_traces_total;
    uint64_t blocks, block_spans, block_traces, block_bytes;
    uint64_t queued_requests;
    uint64_t oldest_request_ns, oldest_head_ns; // unix time: when what waits for its answer, or for a block,
                                                // came (a head's first spans); 0 = nothing waits
    uint64_t snapshot;
    // When spans begin, but for outliers where there are others; 0 = none.
    uint64_t oldest_start_ns, newest_start_ns;
    uint64_t disk_bytes, beside_bytes, disk_budget_bytes; // all that is compared with the budget; 0 = none
    bool disk_full, busy;                                 // busy: something is queued, frozen or being merged
    struct wal_stats wal;
};
void ingest_stats(struct ingest *in, struct ingest_stats *out);
