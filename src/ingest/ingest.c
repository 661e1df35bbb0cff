// SPDX-License-Identifier: Apache-2.0
#include "ingest/ingest_internal.h"

#include "base/log.h"
#include "os/random.h"

// --- lists of requests ---------------------------------------------------------------------------------

void list_init(struct request_list *l) {
    *l = (struct request_list){ .last = &l->first };
}

void list_add(struct request_list *l, struct ingest_request *rq) {
    rq->next = NULL;
    *l->last = rq;
    l->last = &rq->next;
    l->n++;
}

struct ingest_request *list_take(struct request_list *l) {
    struct ingest_request *rq = l->first;
    if (!rq) return NULL;
    l->first = rq->next;
    if (!l->first) l->last = &l->first;
    l->n--;
    rq->next = NULL;
    return rq;
}

void list_move(struct request_list *from, struct request_list *to) {
    for (struct ingest_request *rq; (rq = list_take(from));) list_add(to, rq);
}

void request_done(struct ingest_request *rq, enum err e) {
    buf_fini(&rq->head);
    buf_fini(&rq->packed);
    rq->done(rq, e);
}

void sink_take(struct ingest *in, const struct span_table *t, uint32_t n_added) {
    const struct batch_sink *s = &in->opts.sink;
    if (s->take && n_added) s->take(s->ctx, t, t->n - n_added, t->n);
}

// --- heads and views -------------------------------------------------------------------------------------

// Beyond the size of a cut a head has room for the requests that make it full.
enum { HEAD_SLACK_BYTES = 512 << 20 };

enum err head_begin(struct ingest *in, struct head **out) {
    return head_new(in->opts.cut_bytes + HEAD_SLACK_BYTES, in->opts.head_budget,
                    clock_unix_ns(in->opts.clock), out);
}

enum err view_publish(struct ingest *in) {
    struct head *heads[FROZEN_MAX + 1] = { in->active };
    struct view *v;
    for (uint32_t i = 0; i < in->n_frozen; i++) heads[1 + i] = in->frozen[in->n_frozen - 1 - i].head;
    TRY(view_new(heads, 1 + in->n_frozen, in->blocks, in->n_blocks, in->catalog.number, &v));
    struct view *old = in->view;
    in->view = v;
    view_unref(old);
    return ERR_OK;
}

enum err head_freeze(struct ingest *in) {
    struct head *fresh, *old = in->active;
    ASSERT(in->n_frozen < FROZEN_MAX);
    TRY(head_begin(in, &fresh));
    in->active = fresh;
    if (old->table.n_published > 0) {
        struct frozen *f = &in->frozen[in->n_frozen++];
        f->head = old;
        list_init(&f->flushes);
    }
    enum err e = view_publish(in);
    if (e != ERR_OK) { // as it was before
        in->active = old;
        if (old->table.n_published > 0) in->n_frozen--;
        head_unref(fresh);
        return e;
    }
    if (old->table.n_published == 0) head_unref(old);
    return ERR_OK;
}

struct view *ingest_view(struct ingest *in) {
    mutex_lock(&in->lock);
    struct view *v = view_ref(in->view);
    mutex_unlock(&in->lock);
    return v;
}

#define RETRY_NS 2000000000ull

// --- opening -----------------------------------------------------------------------------------------------

// A node's name is made once and kept in the store.
static enum err load_node(struct ingest *in) {
    struct object_store *s = in->opts.store;
    char id[ULID_LEN + 1];
    uint8_t random[10];
    enum err e = s->ops->read(s, STR("node"), 0, in->node, ULID_LEN);
    if (e == ERR_NOT_FOUND && !in->opts.read_only) {
        random_bytes(random, sizeof random);
        ulid_make(clock_unix_ns(in->opts.clock) / 1000000, random, id);
        e = s->ops->put_if_absent(s, STR("node"), str_of(id));
        if (e != ERR_OK && e != ERR_EXISTS) return e;
        e = s->ops->read(s, STR("node"), 0, in->node, ULID_LEN);
    }
    if (e == ERR_NOT_FOUND) return ERR_OK; // read-only and never written: nothing is covered
    if (e == ERR_OK && !ulid_valid((struct str){ in->node, ULID_LEN })) return ERR_CORRUPT;
    return e;
}

struct replay {
    struct ingest *in;
    struct arena arena;
    struct buf unpacked, protobuf;
    uint64_t spans;
    struct err_ctx *ctx;
};

// A head that is full while the log is replayed becomes a block at once.
static enum err replay_cut(struct ingest *in) {
    struct head *full = in->active, *fresh;
    TRY(head_begin(in, &fresh));
    TRY(keep_cut(in, full));
    keep_load_blocks(in);
    in->active = fresh;
    head_unref(full);
    return ERR_OK;
}

// A head that cannot take the request is cut and the next one tried, as it was when the request came.
// What no head holds was not acknowledged then: it is left out.
static enum err replay_apply(struct ingest *in, struct str protobuf, const struct wal_record *rec,
                             const struct record *body, uint32_t *added) {
    for (int i = 0;; i++) {
        enum err e = in->active->failed ? ERR_NOMEM
                                        : head_apply(in->active, protobuf, body->refused, body->n_refused,
                                                     rec->seq, rec->time_ns, added);
        if (e == ERR_LIMIT && i > 0) {
            log_error("replay.record_left_out", KV_U64("seq", rec->seq));
            *added = 0;
            return ERR_OK;
        }
        bool is_full = e == ERR_NOMEM || e == ERR_LIMIT;
        if (!is_full || i > 0 || in->opts.read_only) return e;
        TRY(replay_cut(in));
    }
}

static enum err replay_body(struct replay *r, const struct wal_record *rec, const struct record *body) {
    struct ingest *in = r->in;
    struct str unpacked, protobuf;
    uint32_t added;
    buf_reset(&r->unpacked);
    buf_reset(&r->protobuf);
    unpacked = body->body;
    if (body->packing != BODY_RAW) {
        TRY(body_unpack(body->packing, body->body, body->unpacked_len, &r->unpacked, r->ctx));
        unpacked = buf_view(&r->unpacked);
    }
    TRY(body_to_protobuf(body->format, unpacked, &r->protobuf, &protobuf, r->ctx));
    TRY(replay_apply(in, protobuf, rec, body, &added));
    r->spans += added;
    bool full = in->active->table.n >= in->opts.cut_spans ||
                arena_filled(&in->active->table.arena) >= in->opts.cut_bytes;
    if (!in->opts.read_only) sink_take(in, &in->active->table, added);
    return full && !in->opts.read_only ? replay_cut(in) : ERR_OK;
}

static enum err replay_record(void *ctx, const struct wal_record *rec) {
    struct replay *r = ctx;
    struct record body;
    if (r->in->opts.should_stop && r->in->opts.should_stop(r->in->opts.should_stop_ctx)) return ERR_CANCELED;
    if (rec->kind != RECORD_TRACES || !str_eq(rec->tenant, r->in->opts.tenant))
        return err_set(r->ctx, ERR_UNSUPPORTED,
                       "record %llu of the log is of a kind or tenant that this version does not know",
                       (unsigned long long)rec->seq);
    arena_reset(&r->arena);
    enum err e = record_read(rec->payload[0], &r->arena, &body);
    if (e == ERR_OK) e = replay_body(r, rec, &body);
    if (e != ERR_OK)
        return err_set(r->ctx, e, "record %llu of the log cannot be replayed: %s",
                       (unsigned long long)rec->seq, err_text(e));
    return ERR_OK;
}

static enum err open_log(struct ingest *in, struct ingest_replay *replay, struct err_ctx *ctx) {
    struct replay r = { .in = in, .ctx = ctx };
    struct wal_opts o = { .disk = in->opts.disk,
                          .dir = in->opts.wal_dir,
                          .segment_bytes = in->opts.wal_segment_bytes,
                          .read_only = in->opts.read_only };
    uint64_t start = clock_mono_ns(in->opts.clock);
    arena_init(&r.arena, SIZE_MAX, NULL);
    buf_init(&r.unpacked, SIZE_MAX);
    buf_init(&r.protobuf, SIZE_MAX);
    enum err e =
        wal_open(&o, catalog_covered(&in->catalog, in->node), &r, replay_record, &replay->wal, &in->wal);
    arena_fini(&r.arena);
    buf_fini(&r.unpacked);
    buf_fini(&r.protobuf);
    replay->spans = r.spans;
    replay->ns = clock_mono_ns(in->opts.clock) - start;
    return e == ERR_OK ? e : err_set(ctx, e, "cannot open the log in %s: %s", in->opts.wal_dir, err_text(e));
}

static enum err open_all(struct ingest *in, struct ingest_replay *replay, struct err_ctx *ctx) {
    TRY(load_node(in));
    TRY(catalog_load(in->opts.store, in->opts.tenant, &in->catalog_arena, &in->catalog, ctx));
    if (!in->opts.read_only) {
        TRY(catalog_sweep(in->opts.store, in->opts.tenant, &in->catalog, &replay->swept_blocks));
        TRY(keep_sweep_lists(in));
    }
    keep_load_blocks(in);
    TRY(head_begin(in, &in->active));
    TRY(open_log(in, replay, ctx));
    return view_publish(in);
}

static enum err start_threads(struct ingest *in) {
    if (in->opts.read_only) return ERR_OK;
    TRY(thread_start(&in->committer, "takt-commit", commit_run, in));
    TRY(thread_start(&in->applier, "takt-apply", apply_run, in));
    return thread_start(&in->keeper, "takt-keep", keep_run, in);
}

enum err ingest_open(const struct ingest_opts *opts, struct ingest **out, struct ingest_replay *replay,
                     struct err_ctx *ctx) {
    struct ingest *in = mem_zalloc(sizeof *in);
    *replay = (struct ingest_replay){ 0 };
    if (!in) return ERR_NOMEM;
    in->opts = *opts;
    if (in->opts.retry_ns == 0) in->opts.retry_ns = RETRY_NS;
    mutex_init(&in->lock);
    cond_init(&in->submitted);
    cond_init(&in->committed);
    cond_init(&in->frozen_changed);
    list_init(&in->to_commit);
    list_init(&in->to_apply);
    list_init(&in->deletes);
    arena_init(&in->catalog_arena, SIZE_MAX, NULL);
    enum err e = open_all(in, replay, ctx);
    if (e == ERR_OK) e = start_threads(in);
    if (e != ERR_OK) {
        err_set(ctx, e, "cannot open the store: %s", err_text(e));
        ingest_close(in);
        return e;
    }
    *out = in;
    return ERR_OK;
}

static void answer_frozen(struct ingest *in) {
    for (uint32_t i = 0; i < in->n_frozen; i++)
        for (struct ingest_request *rq; (rq = list_take(&in->frozen[i].flushes));)
            request_done(rq, ERR_UNAVAILABLE);
    for (struct ingest_request *rq; (rq = list_take(&in->deletes));) request_done(rq, ERR_UNAVAILABLE);
}

void ingest_close(struct ingest *in) {
    if (!in) return;
    mutex_lock(&in->lock);
    in->stopping = true;
    cond_broadcast(&in->submitted);
    cond_broadcast(&in->committed);
    cond_broadcast(&in->frozen_changed);
    mutex_unlock(&in->lock);
    thread_join(&in->committer);
    thread_join(&in->applier);
    thread_join(&in->keeper);
    answer_frozen(in);
    view_unref(in->view);
    head_unref(in->active);
    for (uint32_t i = 0; i < in->n_frozen; i++) head_unref(in->frozen[i].head);
    for (uint32_t i = 0; i < in->n_blocks; i++) block_unref(in->blocks[i]);
    mem_free(in->blocks);
    mem_free(in->unmergeable);
    mem_free(in->judge.ring);
    wal_close(in->wal);
    arena_fini(&in->catalog_arena);
    cond_fini(&in->submitted);
    cond_fini(&in->committed);
    cond_fini(&in->frozen_changed);
    mutex_fini(&in->lock);
    mem_free(in);
}

// --- requests
// ------------------------------------------------------------------------------------------------

static enum err prepare(struct ingest *in, struct ingest_request *rq) {
    bool pack = in->opts.wal_pack == WAL_PACK_ALWAYS || (in->opts.wal_pack == WAL_PACK_AUTO && in->behind);
    buf_init(&rq->head, SIZE_MAX);
    buf_init(&rq->packed, SIZE_MAX);
    if (pack && rq->record.packing == BODY_RAW && body_pack_lz4(rq->record.body, &rq->packed) == ERR_OK) {
        rq->record.packing = BODY_LZ4;
        rq->record.body = buf_view(&rq->packed);
    }
    record_head_write(&rq->record, &rq->head);
    if (in->disk_full) return ERR_LIMIT;
    return rq->head.failed ? ERR_NOMEM : ERR_OK;
}

// Holding the lock.
static enum err admit(const struct ingest *in, const struct ingest_request *rq) {
    if (in->stopping || in->opts.read_only) return ERR_UNAVAILABLE;
    if (in->n_frozen < FROZEN_MAX || in->cut_error == ERR_OK || rq->is_flush) return ERR_OK;
    return in->cut_error == ERR_LIMIT ? ERR_LIMIT : ERR_UNAVAILABLE; // memory fills and cannot be emptied
}

static void enqueue(struct ingest *in, struct ingest_request *rq) {
    mutex_lock(&in->lock);
    enum err e = admit(in, rq);
    if (e == ERR_OK) {
        list_add(&in->to_commit, rq);
        cond_signal(&in->submitted);
    }
    mutex_unlock(&in->lock);
    if (e != ERR_OK) request_done(rq, e);
}

void ingest_submit(struct ingest *in, struct ingest_request *rq) {
    rq->is_flush = rq->is_delete = false;
    enum err e = prepare(in, rq);
    if (e == ERR_OK)
        enqueue(in, rq);
    else
        request_done(rq, e);
}

static void enqueue_flush(struct ingest *in, struct ingest_request *rq) {
    rq->is_flush = true;
    buf_init(&rq->head, 0);
    buf_init(&rq->packed, 0);
    enqueue(in, rq);
}

void ingest_flush(struct ingest *in, struct ingest_request *rq) {
    rq->is_delete = false;
    enqueue_flush(in, rq);
}

static void enqueue_delete(struct ingest *in, struct ingest_request *rq, bool is_everything) {
    rq->is_delete = true;
    rq->is_everything = is_everything;
    rq->n_deleted = 0;
    enqueue_flush(in, rq);
}

void ingest_delete(struct ingest *in, struct ingest_request *rq, const uint8_t trace_id[16]) {
    memcpy(rq->trace_id, trace_id, sizeof rq->trace_id);
    enqueue_delete(in, rq, false);
}

void ingest_delete_everything(struct ingest *in, struct ingest_request *rq) {
    enqueue_delete(in, rq, true);
}

// --- figures ---------------------------------------------------------------------------------------------

static void add_block(struct ingest_stats *s, const struct block_meta *m) {
    s->blocks++;
    s->block_spans += m->n_spans;
    s->block_traces += m->n_traces;
    s->block_bytes += m->bytes;
}

// Spans of odd times would make all time very long; where there are no others they are all there is.
static void set_starts(const struct ingest *in, struct ingest_stats *s) {
    struct time_range main = TIME_RANGE_NONE, outliers = TIME_RANGE_NONE;
    for (uint32_t i = 0; i < in->n_blocks; i++) {
        time_range_join(&main, block_meta(in->blocks[i])->main);
        time_range_join(&outliers, block_meta(in->blocks[i])->outliers);
    }
    for (uint32_t i = 0; i <= in->n_frozen; i++) {
        const struct head *h = i < in->n_frozen ? in->frozen[i].head : in->active;
        time_range_join(&main, (struct time_range){ h->start_min_ns, h->start_max_ns });
    }
    if (main.min_ns > main.max_ns) main = outliers;
    if (main.min_ns > main.max_ns) return;
    s->oldest_start_ns = main.min_ns;
    s->newest_start_ns = main.max_ns;
}

// The first one came first; what asks for a flush has no time.
static uint64_t oldest_of(const struct request_list *l, uint64_t other) {
    uint64_t ns = l->n ? l->first->received_ns : 0;
    return ns && (!other || ns < other) ? ns : other;
}

void ingest_stats(struct ingest *in, struct ingest_stats *out) {
    *out = (struct ingest_stats){ .spans_total = in->spans_total,
                                  .requests_total = in->requests_total,
                                  .bytes_total = in->bytes_total,
                                  .failed_requests_total = in->failed_requests_total,
                                  .cuts_total = in->cuts_total,
                                  .merges_total = in->merges_total,
                                  .dropped_blocks_total = in->dropped_blocks_total,
                                  .dropped_spans_total = in->dropped_spans_total,
                                  .expired_spans_total = in->expired_spans_total,
                                  .cut_failures_total = in->cut_failures_total,
                                  .equal_spans_total = in->equal_spans_total,
                                  .deleted_traces_total = in->deleted_traces_total,
                                  .deleted_spans_total = in->deleted_spans_total,
                                  .beside_bytes = in->opts.beside ? in->opts.beside(in->opts.beside_ctx) : 0,
                                  .disk_budget_bytes = in->opts.disk_budget_bytes,
                                  .disk_full = in->disk_full };
    wal_stats(in->wal, &out->wal);
    judge_stats(in, out);
    mutex_lock(&in->lock);
    out->head_spans = span_table_count(&in->active->table);
    for (uint32_t i = 0; i < in->n_frozen; i++)
        out->head_spans += span_table_count(&in->frozen[i].head->table);
    out->head_bytes = in->opts.head_budget ? in->opts.head_budget->used : 0;
    out->frozen_heads = in->n_frozen;
    out->queued_requests = in->to_commit.n + in->to_apply.n;
    out->oldest_request_ns = oldest_of(&in->to_apply, oldest_of(&in->to_commit, 0));
    const struct head *oldest = in->n_frozen ? in->frozen[0].head : in->active;
    out->oldest_head_ns = span_table_count(&oldest->table) ? SEG_AT(&oldest->batch_ns, 0, uint64_t) : 0;
    out->snapshot = in->catalog.number;
    out->busy = out->queued_requests || in->applier_busy || in->n_frozen || in->deletes.n ||
                in->keeper_busy || in->want_keeper;
    for (uint32_t i = 0; i < in->n_blocks; i++) add_block(out, block_meta(in->blocks[i]));
    set_starts(in, out);
    mutex_unlock(&in->lock);
    out->disk_bytes = out->block_bytes + out->wal.bytes + out->beside_bytes;
}
