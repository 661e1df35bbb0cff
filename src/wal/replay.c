// SPDX-License-Identifier: Apache-2.0
// Opening an existing log. First the heads of all segments are read, and from the newest to the
// oldest it is settled how much of each counts: what the head of its successor says. Then, from the
// oldest to the newest, the records are read.
//   - A segment between one and its successor (by prev_id) never counted: its first commit failed,
//     and so did its removal.
//   - Where the successor's head is damaged, or the successor named is gone, a segment ends where
//     the sequence numbers of the next one begin.
//   - Bytes at the end of the last one that give no record are a torn tail; so are those before good
//     records of its last commit, if nothing else is missing. The head of the next segment remembers
//     that. All other bytes that give no record are damage.
#include "wal/wal_internal.h"

// A segment damaged in more places than this is set aside whole from the last of them on.
enum { PIECES_MAX = 256 };
#define END_UNKNOWN UINT64_MAX

struct found {
    uint64_t id, bytes;
    struct segment_head head; // first_seq is right even when the head is damaged, unless 0
    bool has_head, counts;
    bool may_be_torn;     // its last commit
    uint64_t torn_commit; // the first number of it, when it was; else 0
    uint64_t end;         // END_UNKNOWN: as far as records go
    uint64_t next_seq;    // the first number that belongs to the next segment
    uint64_t time_ns;
};

struct replay {
    struct wal *w;
    struct wal_replay *out;
    uint64_t after_seq;
    void *ctx;
    enum err (*on_record)(void *ctx, const struct wal_record *rec);
    struct buf all;        // of struct found, by id
    uint64_t log_marker;   // of the newest readable head, 0 = there is none
    uint64_t highest_seq;  // that counts
    uint64_t expected_seq; // to hand out next
};

static struct found *all_of(const struct replay *r) {
    return (struct found *)(void *)r->all.ptr;
}
static size_t count_of(const struct replay *r) {
    return r->all.len / sizeof(struct found);
}

// --- which segments there are ---

static enum err find_one(void *ctx, const char *name, bool is_dir) {
    struct replay *r = ctx;
    struct found f = { .end = END_UNKNOWN, .next_seq = SEQ_MAX };
    if (is_dir || !segment_id_of(name, &f.id)) return ERR_OK;
    if (count_of(r) == WAL_SEGMENTS_MAX) return ERR_LIMIT;
    buf_add(&r->all, &f, sizeof f);
    return r->all.failed ? ERR_NOMEM : ERR_OK;
}

static struct scan scan_of(const struct replay *r, const struct found *f) {
    struct scan s = { .segment_id = f->id,
                      .marker = f->head.marker,
                      .off = SEGMENT_HEAD < f->bytes ? SEGMENT_HEAD : f->bytes,
                      .end = f->end < f->bytes ? f->end : f->bytes,
                      .end_is_known = f->end != END_UNKNOWN,
                      .limit_seq = f->next_seq,
                      .last_seq = r->highest_seq,
                      .bad_off = SCAN_GOOD };
    if (s.off > s.end) s.off = s.end;
    if (f->has_head && f->head.first_seq > r->highest_seq) {
        s.last_seq = f->head.first_seq - 1;
        s.last_seq_is_known = true;
    }
    return s;
}

static enum err scan_window(struct scan *s, struct window *v, struct scan_out *out,
                            enum scan_result *result) {
    size_t need = 1;
    for (;;) {
        const uint8_t *p;
        size_t n;
        TRY(window_get(v, s->off, need, &p, &n));
        if (n < need && s->off + n < s->end) s->end = s->off + n; // the file has become shorter
        *result = scan_step(s, p, n, out);
        if (*result != SCAN_MORE) return ERR_OK;
        need = out->need;
    }
}

// A damaged head: the marker is that of the record behind it or of the log, the first number that
// of the first record that can be read.
static enum err find_first_record(struct replay *r, struct found *f, struct window *v) {
    struct record_head h;
    struct scan_out out;
    enum scan_result result;
    const uint8_t *p;
    size_t n;
    TRY(window_get(v, SEGMENT_HEAD, RECORD_HEAD, &p, &n));
    bool intact = n >= RECORD_HEAD && record_decode(f->id, p, &h);
    f->head = (struct segment_head){ .id = f->id, .marker = intact ? h.marker : r->log_marker };
    struct scan s = scan_of(r, f);
    TRY(scan_window(&s, v, &out, &result));
    if (result != SCAN_RECORD) return ERR_OK;
    f->head.first_seq = out.head.seq - out.head.index; // a commit lies in one segment
    f->head.marker = out.head.marker;
    f->time_ns = out.head.time_ns;
    return ERR_OK;
}

static enum err read_head(struct replay *r, struct found *f, struct window *v) {
    (void)r;
    struct record_head h;
    const uint8_t *p;
    size_t n;
    TRY(window_get(v, 0, SEGMENT_HEAD + RECORD_HEAD, &p, &n));
    enum err e = n < SEGMENT_HEAD ? ERR_CORRUPT : segment_head_decode(p, &f->head);
    if (e == ERR_OK && f->head.id != f->id) e = ERR_CORRUPT; // a file under a wrong name
    if (e == ERR_CORRUPT) {
        f->head = (struct segment_head){ 0 };
        return ERR_OK;
    }
    if (e != ERR_OK) return e;
    f->has_head = true;
    if (n >= SEGMENT_HEAD + RECORD_HEAD && record_decode(f->id, p + SEGMENT_HEAD, &h)) f->time_ns = h.time_ns;
    return ERR_OK;
}

static enum err with_window(struct replay *r, struct found *f, size_t piece,
                            enum err (*call)(struct replay *r, struct found *f, struct window *v)) {
    char path[DISK_PATH_MAX];
    struct window v;
    segment_path(r->w, f->id, path);
    if (piece > f->bytes) piece = f->bytes > WINDOW_SMALL ? (size_t)f->bytes : WINDOW_SMALL;
    enum err e = window_open(&v, r->w->disk, path, piece);
    // A reader may meet a log whose writer trims it.
    if (e == ERR_NOT_FOUND && r->w->read_only) return ERR_OK;
    if (e == ERR_OK) e = call(r, f, &v);
    window_close(&v);
    return e;
}

static enum err read_heads(struct replay *r) {
    for (size_t i = 0; i < count_of(r); i++) {
        struct found *f = &all_of(r)[i];
        char path[DISK_PATH_MAX];
        struct disk_stat st = { 0 };
        segment_path(r->w, f->id, path);
        enum err e = r->w->disk->ops->stat(r->w->disk, path, &st);
        if (e != ERR_OK && !(e == ERR_NOT_FOUND && r->w->read_only)) return e;
        f->bytes = st.size_bytes;
        TRY(with_window(r, f, WINDOW_SMALL, read_head));
        if (f->has_head) r->log_marker = f->head.marker;
    }
    for (size_t i = 0; i < count_of(r); i++)
        if (!all_of(r)[i].has_head) TRY(with_window(r, &all_of(r)[i], WINDOW_LARGE, find_first_record));
    return ERR_OK;
}

// --- how much of them counts ---

// Returns the last segment that counts, NULL when none does.
static struct found *settle(struct replay *r) {
    struct found *next = NULL, *last = NULL;
    for (size_t i = count_of(r); i-- > 0;) {
        struct found *f = &all_of(r)[i];
        bool named = next && next->has_head && next->head.prev_id == f->id;
        bool between = next && next->has_head && next->head.prev_id < f->id;
        f->counts = named || (!between && (f->has_head || f->head.first_seq));
        if (!f->counts) continue;
        if (named) f->end = next->head.prev_end;
        f->may_be_torn = !next || (named && next->head.prev_is_torn);
        if (next) f->next_seq = next->head.first_seq ? next->head.first_seq : next->next_seq;
        if (!last) last = f;
        next = f;
    }
    return last;
}

// The bytes of the last commit in a segment: the only ones that may not be durable, since a commit
// begins when the one before it is synced. A first commit includes the head.
static enum err find_last_commit(struct replay *r, struct found *f, struct window *v, uint64_t *out_from,
                                 uint64_t *out_to) {
    struct scan s = scan_of(r, f);
    struct scan_out out;
    enum scan_result result;
    uint64_t first_seq = 0;
    bool is_first = true;
    s.skip_seq = r->after_seq;
    s.good_end = s.off;
    *out_from = 0;
    for (;;) {
        TRY(scan_window(&s, v, &out, &result));
        *out_to = s.good_end;
        if (result == SCAN_END) return ERR_OK;
        uint64_t commit = out.head.seq - out.head.index;
        if (commit == first_seq) continue;
        is_first = first_seq == 0 && out.bad_from <= SEGMENT_HEAD;
        first_seq = commit;
        *out_from = is_first ? 0 : out.bad_from;
    }
}

static enum err write_again(struct disk_file *f, struct window *v, uint64_t from, uint64_t to) {
    while (from < to) {
        const uint8_t *p;
        size_t n;
        TRY(window_get(v, from, 1, &p, &n));
        if (n == 0) return ERR_OK;
        if (n > to - from) n = (size_t)(to - from);
        struct iovec iov = { (void *)(uintptr_t)p, n };
        TRY(v->disk->ops->write(f, from, &iov, 1));
        from += n;
    }
    return ERR_OK;
}

// A process that died may have left bytes that can be read but are not on the disk; after a failed
// sync not even another sync brings them there. What is going to be handed out must not be lost
// later: the last commit is written once more, over itself, and synced. Cutting the file to its
// size gives back what was reserved behind its end.
static enum err make_durable(struct replay *r, struct found *last, struct window *v) {
    char path[DISK_PATH_MAX];
    struct disk_file *f;
    struct disk *d = r->w->disk;
    uint64_t from, to;
    TRY(find_last_commit(r, last, v, &from, &to));
    segment_path(r->w, last->id, path);
    TRY(d->ops->open(d, path, DISK_WRITE, &f));
    (void)d->ops->truncate(f, last->bytes);
    enum err e = write_again(f, v, from, to);
    if (e == ERR_OK) e = d->ops->sync(f);
    d->ops->close(f);
    return e == ERR_OK ? d->ops->sync_dir(d, r->w->dir) : e;
}

// --- reading ---

static enum err set_aside(struct replay *r, struct window *v, uint64_t id, uint64_t from, uint64_t to) {
    if (from == to) return ERR_OK;
    r->out->quarantined_bytes += to - from;
    r->out->quarantined_pieces++;
    return r->w->read_only ? ERR_OK : quarantine_copy(r->w, v, id, from, to);
}

static void count_missing(struct replay *r, uint64_t seq) {
    if (seq > r->expected_seq) r->out->n_missing += seq - r->expected_seq;
    if (seq > r->expected_seq) r->expected_seq = seq;
}

// Are all good records from here to the end of the segment of one commit?
static enum err is_last_commit(struct replay *r, struct found *f, const struct scan *from, uint64_t first_seq,
                               bool *out) {
    char path[DISK_PATH_MAX];
    struct window v;
    struct scan s = *from;
    segment_path(r->w, f->id, path);
    enum err e = window_open(&v, r->w->disk, path, WINDOW_LARGE);
    for (*out = true; e == ERR_OK && *out;) {
        struct scan_out found;
        enum scan_result result;
        e = scan_window(&s, &v, &found, &result);
        if (e != ERR_OK || result == SCAN_END) break;
        *out = found.head.seq - found.head.index == first_seq;
    }
    window_close(&v);
    return e;
}

// Are the unreadable bytes before a good record what a crash left of the last commit? Pages of a
// write reach the disk in any order, so good records may follow; they are kept, since nothing tells
// whether it was synced. It is damage if more is missing than records of this commit: what was
// before them had been synced when it was begun.
static enum err find_torn(struct replay *r, struct found *f, const struct scan *s,
                          const struct scan_out *found, bool *out) {
    uint64_t first_seq = found->head.seq - found->head.index, before = found->before_seq;
    if (before == 0) before = r->highest_seq > r->after_seq ? r->highest_seq : r->after_seq;
    if (found->before_seq == 0 && f->has_head) before = f->head.first_seq - 1;
    *out = f->torn_commit == first_seq;
    if (*out || !f->may_be_torn || before + 1 < first_seq) return ERR_OK;
    TRY(is_last_commit(r, f, s, first_seq, out));
    if (*out) f->torn_commit = first_seq;
    return ERR_OK;
}

static enum err hand_out(struct replay *r, const struct scan_out *found, bool is_torn) {
    const struct record_head *h = &found->head;
    if (h->seq <= r->highest_seq) return ERR_OK; // heads that contradict each other
    r->highest_seq = h->seq;
    if (h->seq <= r->after_seq) return ERR_OK;
    count_missing(r, is_torn ? h->seq - h->index : h->seq);
    r->expected_seq = h->seq + 1;
    const char *body = (const char *)found->at + RECORD_HEAD;
    struct wal_record rec = { .seq = h->seq,
                              .kind = h->kind,
                              .tenant = { body, h->tenant_len },
                              .time_ns = h->time_ns,
                              .payload = { { body + h->tenant_len, h->payload_len } } };
    struct wal_replay *out = r->out;
    if (out->first_seq == 0) out->first_seq = h->seq;
    out->last_seq = h->seq;
    out->n_records++;
    out->bytes += record_bytes(h);
    return r->on_record ? r->on_record(r->ctx, &rec) : ERR_OK;
}

// The end of a segment: [from, to) gave no record. Where no number is missing before the next
// segment, whose head is damaged, it is what was left of a commit that failed.
static enum err finish(struct replay *r, struct found *f, struct window *v, const struct scan *s,
                       const struct scan_out *end) {
    uint64_t from = end->bad_from, to = end->bad_to;
    bool is_last = f->next_seq == SEQ_MAX;
    if (!s->end_is_known) TRY(window_trim_zeros(v, from, to, &to));
    if (!is_last && !s->end_is_known && s->good_seq + 1 == f->next_seq) return ERR_OK;
    if (!is_last) return set_aside(r, v, f->id, from, to);
    r->out->tail_bytes_cut += to - from;
    return ERR_OK;
}

struct reading {
    struct scan s;
    unsigned n_pieces;
    bool head_is_done;
};

// A good record, and what was before it.
static enum err take_record(struct replay *r, struct found *f, struct window *v, struct reading *k,
                            const struct scan_out *found) {
    bool is_bad = found->bad_from != found->bad_to, is_torn = false;
    if (is_bad || !k->head_is_done) TRY(find_torn(r, f, &k->s, found, &is_torn));
    TRY(hand_out(r, found, is_torn)); // first: the window moves when bytes are set aside
    if (is_torn && f->next_seq == SEQ_MAX) r->out->tail_bytes_cut += found->bad_to - found->bad_from;
    if (!k->head_is_done && !is_torn) TRY(set_aside(r, v, f->id, 0, SEGMENT_HEAD));
    k->head_is_done = true;
    if (!is_bad || is_torn) return ERR_OK;
    bool rest = ++k->n_pieces == PIECES_MAX;
    if (k->n_pieces > PIECES_MAX) return ERR_OK;
    return set_aside(r, v, f->id, found->bad_from, rest ? k->s.end : found->bad_to);
}

static enum err read_records(struct replay *r, struct found *f, struct window *v) {
    struct reading k = { .s = scan_of(r, f), .head_is_done = f->has_head };
    uint64_t start = k.s.off;
    k.s.skip_seq = r->after_seq;
    k.s.good_end = k.s.off;
    for (;;) {
        struct scan_out found;
        enum scan_result result;
        TRY(scan_window(&k.s, v, &found, &result));
        if (k.s.good_seq > r->highest_seq && k.s.good_seq <= r->after_seq) r->highest_seq = k.s.good_seq;
        if (result == SCAN_END) {
            if (f->end == END_UNKNOWN) f->end = k.s.good_end;
            if (!k.head_is_done) TRY(set_aside(r, v, f->id, 0, start));
            return finish(r, f, v, &k.s, &found);
        }
        TRY(take_record(r, f, v, &k, &found));
    }
}

static enum err read_segment(struct replay *r, struct found *f) {
    if (f->has_head) count_missing(r, f->head.first_seq);
    if (f->has_head && f->head.first_seq > r->highest_seq) r->highest_seq = f->head.first_seq - 1;
    bool is_covered = f->next_seq != SEQ_MAX && f->next_seq - 1 <= r->after_seq;
    if (!is_covered) TRY(with_window(r, f, WINDOW_LARGE, read_records));
    if (is_covered && f->next_seq - 1 > r->highest_seq) r->highest_seq = f->next_seq - 1;
    return ERR_OK;
}

static enum err read_all(struct replay *r) {
    struct wal *w = r->w;
    for (size_t i = 0; i < count_of(r); i++) {
        struct found *f = &all_of(r)[i];
        if (f->counts) {
            TRY(read_segment(r, f));
            w->prev_id = f->id;
            w->prev_end = f->end;
            w->prev_is_torn = f->torn_commit != 0;
        }
        struct segment seg = { f->id, f->bytes, r->highest_seq, f->time_ns };
        if (f->counts && f->next_seq != SEQ_MAX) seg.last_seq = f->next_seq - 1;
        buf_add(&w->segments, &seg, sizeof seg);
        if (w->segments.failed) return ERR_NOMEM;
        w->next_id = f->id + 1;
    }
    return ERR_OK;
}

// The beginning of a segment, of which nothing remained.
static enum err count_torn(struct replay *r, struct found *f, struct window *v) {
    uint64_t end;
    TRY(window_trim_zeros(v, 0, f->bytes, &end));
    r->out->tail_bytes_cut += end;
    return ERR_OK;
}

static enum err replay_found(struct replay *r) {
    struct wal *w = r->w;
    TRY(read_heads(r));
    struct found *last = settle(r);
    if (r->log_marker) w->marker = r->log_marker;
    if (last && !w->read_only) TRY(with_window(r, last, WINDOW_LARGE, make_durable));
    for (size_t i = 0; i < count_of(r); i++) {
        struct found *f = &all_of(r)[i];
        bool torn = !f->counts && !f->has_head && (!last || f->id > last->id);
        if (torn) TRY(with_window(r, f, WINDOW_LARGE, count_torn));
    }
    TRY(read_all(r));
    w->next_seq = (r->highest_seq > r->after_seq ? r->highest_seq : r->after_seq) + 1;
    return ERR_OK;
}

enum err wal_replay_all(struct wal *w, uint64_t after_seq, void *ctx,
                        enum err (*on_record)(void *ctx, const struct wal_record *rec),
                        struct wal_replay *out) {
    struct replay r = { .w = w,
                        .out = out,
                        .after_seq = after_seq,
                        .ctx = ctx,
                        .on_record = on_record,
                        .expected_seq = after_seq + 1 };
    buf_init(&r.all, WAL_SEGMENTS_MAX * sizeof(struct found));
    enum err e = w->disk->ops->list(w->disk, w->dir, &r, find_one);
    if (e == ERR_NOT_FOUND && w->read_only) e = ERR_OK; // a log that nobody began yet
    if (e == ERR_OK) e = replay_found(&r);
    buf_fini(&r.all);
    return e;
}
