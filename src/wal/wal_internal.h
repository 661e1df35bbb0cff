// SPDX-License-Identifier: Apache-2.0
// What the parts of the log share: the struct itself, its segments, and how a segment is read.
#pragma once

#include "os/clock.h"
#include "os/disk.h"
#include "os/thread.h"
#include "wal/record.h"

// A segment file that is still there.
struct segment {
    uint64_t id;
    uint64_t bytes;    // of the file
    uint64_t last_seq; // of its records, or of those before it when it has none
    uint64_t time_ns;  // of its first record, 0 = it has none
};

struct wal {
    struct disk *disk;
    char *dir;
    uint64_t segment_bytes;
    bool read_only;
    uint64_t marker;
    uint64_t next_seq, next_id;
    // The last segment that counts and how far: what the head of the next one will say.
    uint64_t prev_id, prev_end;
    bool prev_is_torn;
    struct buf segments; // of struct segment, oldest first; the one being written is the last

    struct disk_file *file;   // being written; NULL: the next commit begins a segment
    uint64_t file_end;        // of the last good sync; 0: not even its head is there yet
    struct buf heads, pieces; // scratch of a commit: encoded heads, struct iovec

    struct mutex lock; // of stats
    struct wal_stats stats;
};

static inline struct segment *wal_segments(const struct wal *w) {
    return (struct segment *)(void *)w->segments.ptr;
}
static inline size_t wal_n_segments(const struct wal *w) {
    return w->segments.len / sizeof(struct segment);
}

// "<dir>/<id, 20 digits>.wal" into out (DISK_PATH_MAX bytes).
void segment_path(const struct wal *w, uint64_t id, char *out);
bool segment_id_of(const char *file_name, uint64_t *out);

// Reads a file through a window, so that only one record need be in memory.
struct window {
    struct disk *disk;
    struct disk_file *file;
    uint8_t *bytes;
    size_t piece; // how much is read at a time
    size_t cap, n;
    uint64_t off; // of bytes[0] in the file
};
enum { WINDOW_SMALL = 4 << 10, WINDOW_LARGE = 2 << 20 };
NODISCARD enum err window_open(struct window *v, struct disk *disk, const char *path, size_t piece);
void window_close(struct window *v);
// At least `need` bytes from off on, or all there are: *out_n says how many.
NODISCARD enum err window_get(struct window *v, uint64_t off, size_t need, const uint8_t **out,
                              size_t *out_n);
// Where the bytes [from, to) end if zeros at the end do not count.
NODISCARD enum err window_trim_zeros(struct window *v, uint64_t from, uint64_t to, uint64_t *out);

// Copies bytes that could not be read into "<dir>/quarantine/<segment>-<offset>.bin", durably;
// nothing happens when they are there.
NODISCARD enum err quarantine_copy(struct wal *w, struct window *v, uint64_t segment_id, uint64_t from,
                                   uint64_t to);

// Everything that wal_open does to an existing log.
NODISCARD enum err wal_replay_all(struct wal *w, uint64_t after_seq, void *ctx,
                                  enum err (*on_record)(void *ctx, const struct wal_record *rec),
                                  struct wal_replay *out);
