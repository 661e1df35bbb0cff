// SPDX-License-Identifier: Apache-2.0
// The write-ahead log: an ordered, durable sequence of opaque records in segment files.
// docs/formats/wal.md has the bytes. One process writes a log at a time (the data directory is
// locked by the caller).
// thread: wal_commit and wal_trim by one thread; wal_stats by any.
#pragma once

#include "base/str.h"

enum {
    WAL_TENANT_MAX = 150,
    WAL_RECORD_MAX = 256 << 20, // payload of a record
    WAL_COMMIT_MAX = 1 << 30,   // bytes of one commit; past it ERR_LIMIT
    WAL_COMMIT_RECORDS_MAX = 1 << 16,
    WAL_SEGMENTS_MAX = 1 << 16,
};

struct disk;
struct wal;

struct wal_record {
    uint64_t seq; // given by the log: 1, 2, 3 … without gaps, over all tenants
    uint8_t kind; // the caller's
    struct str tenant;
    uint64_t time_ns; // when it was received, unix time
    // The payload in up to three pieces, so that a caller need not join a header and a body.
    // On replay everything is in payload[0], valid during the callback only.
    struct str payload[3];
};

struct wal_opts {
    struct disk *disk;
    const char *dir;        // of the segments; "<dir>/quarantine" holds what could not be read
    uint64_t segment_bytes; // 0 = WAL_SEGMENT_DEFAULT
    bool read_only;         // replay only; writes nothing, moves nothing; commit and trim: ERR_INVALID
    // Eight bytes that mark the records of a new log, so that what clients send cannot look like a
    // record. 0 = drawn at random; anything else is for tests.
    uint64_t marker;
};
#define WAL_SEGMENT_DEFAULT (64ull << 20)

struct wal_replay {
    uint64_t n_records, bytes;
    uint64_t tail_bytes_cut;    // of a torn commit, the last: never acknowledged
    uint64_t quarantined_bytes; // damage with valid records after it, or in a sealed segment
    uint32_t quarantined_pieces;
    uint64_t n_missing;           // sequence numbers > after_seq of which no record could be read
    uint64_t first_seq, last_seq; // of what was replayed; 0 = none
};

// Opens the log and hands every readable record with seq > after_seq to on_record, in order; what
// it hands out is durable. after_seq must not be less than what was ever given to wal_trim.
// on_record's error stops the opening and is returned. *out_replay is filled in any case. Damage
// stays where it is until its segment is trimmed, so it is counted again by the next opening.
// ERR_UNSUPPORTED: written by a newer program. ERR_IO, ERR_LIMIT, ERR_NOMEM.
NODISCARD enum err wal_open(const struct wal_opts *opts, uint64_t after_seq, void *ctx,
                            enum err (*on_record)(void *ctx, const struct wal_record *rec),
                            struct wal_replay *out_replay, struct wal **out);
void wal_close(struct wal *w);

// Writes the records (filling in their seq) and syncs: one fdatasync for all. ERR_OK means that
// they are durable. On any error none of them counts: the segment is sealed at the last good sync,
// the next commit opens a new one, and their sequence numbers may be used again. (After a crash
// right behind such an error they may be replayed, as if they had been acknowledged.)
// ERR_INVALID or ERR_LIMIT for a record or commit that is too large: nothing was written.
NODISCARD enum err wal_commit(struct wal *w, struct wal_record *recs, size_t n);

// Removes the segments whose records all have seq <= covered_seq (as far as whole segments go).
// The newest stays, unless it is large: then a new one is begun first.
NODISCARD enum err wal_trim(struct wal *w, uint64_t covered_seq);

struct wal_stats {
    uint64_t bytes; // of all segments
    uint32_t segments;
    uint64_t last_seq;
    uint64_t oldest_time_ns; // of the first record still held, 0 = none
    uint64_t sync_count, sync_ns_total, sync_ns_last;
    uint64_t bytes_written_total;
};
void wal_stats(struct wal *w, struct wal_stats *out);
