// SPDX-License-Identifier: Apache-2.0
// The shell around the records: segments are begun, written, synced, sealed and removed here.
//
// A segment is never appended to by a second process, nor after an error: the next one says in its
// head how many of its bytes count. So a sequence number is written at most once in a segment, and
// what was written but not acknowledged is dead as soon as its number is used again.
#include "wal/wal_internal.h"

#include <stdio.h>

#include "os/random.h"

enum { PATH_ROOM = 128 }; // behind the directory, for the names in it

void segment_path(const struct wal *w, uint64_t id, char *out) {
    int n = snprintf(out, DISK_PATH_MAX, "%s/%020llu.wal", w->dir, (unsigned long long)id);
    ASSERT(n > 0 && n < DISK_PATH_MAX);
}

bool segment_id_of(const char *file_name, uint64_t *out) {
    struct str s = str_of(file_name);
    return s.len == 24 && str_ends(s, STR(".wal")) && str_u64(str_sub(s, 0, 20), out) && *out > 0 &&
           *out < SEQ_MAX;
}

// Brings stats up to date with the segments.
static void publish(struct wal *w) {
    struct segment *all = wal_segments(w);
    size_t n = wal_n_segments(w);
    uint64_t bytes = 0, oldest = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += all[i].bytes;
        if (oldest == 0) oldest = all[i].time_ns;
    }
    mutex_lock(&w->lock);
    w->stats.bytes = bytes;
    w->stats.segments = (uint32_t)n;
    w->stats.oldest_time_ns = oldest;
    w->stats.last_seq = w->next_seq - 1;
    mutex_unlock(&w->lock);
}

void wal_stats(struct wal *w, struct wal_stats *out) {
    mutex_lock(&w->lock);
    *out = w->stats;
    mutex_unlock(&w->lock);
}

static enum err timed_sync(struct wal *w) {
    uint64_t start = clock_mono_ns(clock_real());
    enum err e = w->disk->ops->sync(w->file);
    uint64_t took = clock_mono_ns(clock_real()) - start;
    mutex_lock(&w->lock);
    w->stats.sync_count++;
    w->stats.sync_ns_total += took;
    w->stats.sync_ns_last = took;
    mutex_unlock(&w->lock);
    return e;
}

// --- segments ---

// Creates the file; its head goes down with the first write.
static enum err segment_begin(struct wal *w) {
    struct segment seg = { .id = w->next_id, .last_seq = w->next_seq - 1 };
    if (wal_n_segments(w) == WAL_SEGMENTS_MAX) return ERR_LIMIT;
    bool has_room = buf_reserve(&w->segments, sizeof seg);
    w->segments.failed = false;
    if (!has_room) return ERR_NOMEM;
    char path[DISK_PATH_MAX];
    segment_path(w, seg.id, path);
    w->next_id++; // an id is used for one attempt only
    TRY(w->disk->ops->open(w->disk, path, DISK_CREATE, &w->file));
    buf_add(&w->segments, &seg, sizeof seg);
    w->file_end = 0;
    (void)w->disk->ops->reserve(w->file, w->segment_bytes); // a hint
    return ERR_OK;
}

// Ends the segment that is being written where the last good sync was. What is cut off counts no
// more, whether the cut succeeds or not: the next head says so.
static void segment_seal(struct wal *w) {
    if (!w->file) return;
    struct segment *seg = &wal_segments(w)[wal_n_segments(w) - 1];
    char path[DISK_PATH_MAX];
    if (w->file_end) (void)w->disk->ops->truncate(w->file, w->file_end);
    w->disk->ops->close(w->file);
    w->file = NULL;
    if (w->file_end) return;
    segment_path(w, seg->id, path);
    if (w->disk->ops->unlink(w->disk, path) == ERR_OK) w->segments.len -= sizeof *seg;
}

static void encode_head(const struct wal *w, uint8_t dst[SEGMENT_HEAD]) {
    struct segment *seg = &wal_segments(w)[wal_n_segments(w) - 1];
    segment_head_encode(&(struct segment_head){ .id = seg->id,
                                                .first_seq = w->next_seq,
                                                .marker = w->marker,
                                                .prev_id = w->prev_id,
                                                .prev_end = w->prev_end,
                                                .prev_is_torn = w->prev_is_torn },
                        dst);
}

// Writes and syncs; a new segment's folder as well, for a file without a name is no log.
static enum err write_durably(struct wal *w, const struct iovec *iov, int n_iov, uint64_t bytes) {
    TRY(w->disk->ops->write(w->file, w->file_end, iov, n_iov));
    TRY(timed_sync(w));
    if (w->file_end == 0) TRY(w->disk->ops->sync_dir(w->disk, w->dir));
    struct segment *seg = &wal_segments(w)[wal_n_segments(w) - 1];
    w->file_end += bytes;
    seg->bytes = w->file_end;
    w->prev_id = seg->id;
    w->prev_end = w->file_end;
    w->prev_is_torn = false;
    mutex_lock(&w->lock);
    w->stats.bytes_written_total += bytes;
    mutex_unlock(&w->lock);
    return ERR_OK;
}

// --- commit ---

static enum err check_records(const struct wal_record *recs, size_t n, uint64_t *out_bytes) {
    uint64_t total = 0;
    if (n > WAL_COMMIT_RECORDS_MAX) return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) {
        uint64_t len = 0;
        if (recs[i].tenant.len > WAL_TENANT_MAX) return ERR_INVALID;
        for (int k = 0; k < 3; k++) {
            if (recs[i].payload[k].len > WAL_RECORD_MAX) return ERR_LIMIT;
            len += recs[i].payload[k].len;
        }
        if (len > WAL_RECORD_MAX) return ERR_LIMIT;
        total += RECORD_HEAD + recs[i].tenant.len + len;
    }
    *out_bytes = total;
    return total > WAL_COMMIT_MAX ? ERR_LIMIT : ERR_OK;
}

static enum err reserve_scratch(struct wal *w, size_t n) {
    buf_reset(&w->heads);
    buf_reset(&w->pieces);
    bool ok = buf_reserve(&w->heads, SEGMENT_HEAD + n * (RECORD_HEAD + WAL_TENANT_MAX)) &&
              buf_reserve(&w->pieces, (1 + 4 * n) * sizeof(struct iovec));
    return ok ? ERR_OK : ERR_NOMEM;
}

static void add_piece(struct wal *w, const void *p, size_t len) {
    struct iovec iov = { (void *)(uintptr_t)p, len };
    if (len) buf_add(&w->pieces, &iov, sizeof iov);
}

// The scratch was reserved, so that nothing moves while pieces point into it.
static void encode_all(struct wal *w, struct wal_record *recs, size_t n) {
    struct segment *seg = &wal_segments(w)[wal_n_segments(w) - 1];
    uint8_t *dst = (uint8_t *)w->heads.ptr;
    if (w->file_end == 0) {
        encode_head(w, dst);
        add_piece(w, dst, SEGMENT_HEAD);
        dst += SEGMENT_HEAD;
    }
    for (size_t i = 0; i < n; i++) {
        recs[i].seq = w->next_seq + i;
        size_t len = record_encode(seg->id, w->marker, &recs[i], (uint16_t)i, dst);
        add_piece(w, dst, len);
        dst += len;
        for (int k = 0; k < 3; k++) add_piece(w, recs[i].payload[k].ptr, recs[i].payload[k].len);
    }
}

enum err wal_commit(struct wal *w, struct wal_record *recs, size_t n) {
    uint64_t bytes;
    if (w->read_only) return ERR_INVALID;
    if (n == 0) return ERR_OK;
    TRY(check_records(recs, n, &bytes));
    TRY(reserve_scratch(w, n));
    if (w->file && w->file_end > SEGMENT_HEAD && w->file_end + bytes > w->segment_bytes) segment_seal(w);
    if (!w->file) TRY(segment_begin(w));
    encode_all(w, recs, n);
    bytes += w->file_end == 0 ? SEGMENT_HEAD : 0;
    int n_iov = (int)(w->pieces.len / sizeof(struct iovec));
    enum err e = write_durably(w, (struct iovec *)(void *)w->pieces.ptr, n_iov, bytes);
    if (e == ERR_OK) {
        struct segment *seg = &wal_segments(w)[wal_n_segments(w) - 1];
        w->next_seq += n;
        seg->last_seq = w->next_seq - 1;
        if (seg->time_ns == 0) seg->time_ns = recs[0].time_ns;
    } else {
        segment_seal(w);
    }
    publish(w);
    return e;
}

// --- trim ---

// Begins a segment that holds nothing yet but its head, so that all before it may go.
static enum err roll(struct wal *w) {
    uint8_t head[SEGMENT_HEAD];
    segment_seal(w);
    TRY(segment_begin(w));
    encode_head(w, head);
    struct iovec iov = { head, sizeof head };
    enum err e = write_durably(w, &iov, 1, sizeof head);
    if (e != ERR_OK) segment_seal(w);
    return e;
}

// Oldest first, each made durable before the next: what is left after a crash has no hole.
static enum err remove_covered(struct wal *w, uint64_t covered_seq) {
    while (wal_n_segments(w) > 1 && wal_segments(w)[0].last_seq <= covered_seq) {
        char path[DISK_PATH_MAX];
        segment_path(w, wal_segments(w)[0].id, path);
        enum err e = w->disk->ops->unlink(w->disk, path);
        if (e != ERR_OK && e != ERR_NOT_FOUND) return e;
        TRY(w->disk->ops->sync_dir(w->disk, w->dir));
        size_t left = w->segments.len - sizeof(struct segment);
        memmove(w->segments.ptr, w->segments.ptr + sizeof(struct segment), left);
        w->segments.len = left;
    }
    return ERR_OK;
}

static enum err trim(struct wal *w, uint64_t covered_seq) {
    TRY(remove_covered(w, covered_seq));
    if (wal_n_segments(w) != 1 || wal_segments(w)[0].last_seq > covered_seq) return ERR_OK;
    if (wal_segments(w)[0].bytes < w->segment_bytes / 4) return ERR_OK;
    TRY(roll(w));
    return remove_covered(w, covered_seq);
}

enum err wal_trim(struct wal *w, uint64_t covered_seq) {
    if (w->read_only) return ERR_INVALID;
    enum err e = trim(w, covered_seq);
    publish(w);
    return e;
}

// --- life ---

static enum err wal_new(const struct wal_opts *opts, struct wal **out) {
    size_t len = strlen(opts->dir);
    if (len == 0 || len > DISK_PATH_MAX - PATH_ROOM) return ERR_INVALID;
    struct wal *w = mem_zalloc(sizeof *w + len + 1);
    if (!w) return ERR_NOMEM;
    w->disk = opts->disk;
    w->dir = memcpy(w + 1, opts->dir, len + 1);
    w->segment_bytes = opts->segment_bytes ? opts->segment_bytes : WAL_SEGMENT_DEFAULT;
    w->read_only = opts->read_only;
    w->marker = opts->marker ? opts->marker : random_u64() | 1;
    w->next_seq = w->next_id = 1;
    buf_init(&w->segments, (WAL_SEGMENTS_MAX + 1) * sizeof(struct segment));
    buf_init(&w->heads, SEGMENT_HEAD + (size_t)WAL_COMMIT_RECORDS_MAX * (RECORD_HEAD + WAL_TENANT_MAX));
    buf_init(&w->pieces, (1 + 4 * (size_t)WAL_COMMIT_RECORDS_MAX) * sizeof(struct iovec));
    mutex_init(&w->lock);
    *out = w;
    return ERR_OK;
}

void wal_close(struct wal *w) {
    if (!w) return;
    segment_seal(w);
    buf_fini(&w->segments);
    buf_fini(&w->heads);
    buf_fini(&w->pieces);
    mutex_fini(&w->lock);
    mem_free(w);
}

enum err wal_open(const struct wal_opts *opts, uint64_t after_seq, void *ctx,
                  enum err (*on_record)(void *ctx, const struct wal_record *rec),
                  struct wal_replay *out_replay, struct wal **out) {
    struct wal *w;
    *out_replay = (struct wal_replay){ 0 };
    TRY(wal_new(opts, &w));
    enum err e = opts->read_only ? ERR_OK : disk_make_dir(opts->disk, opts->dir);
    if (e == ERR_OK) e = wal_replay_all(w, after_seq, ctx, on_record, out_replay);
    if (e != ERR_OK) {
        wal_close(w);
        return e;
    }
    publish(w);
    *out = w;
    return ERR_OK;
}
