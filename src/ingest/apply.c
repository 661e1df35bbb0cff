// SPDX-License-Identifier: Apache-2.0
// The applier: the one writer of the head. It puts durable requests into columns, publishes them,
// answers, and cuts the head when it is large or old enough.
#include "base/log.h"
#include "ingest/ingest_internal.h"

#define TICK_NS 1000000000ull

static bool is_full(const struct ingest *in, const struct head *h) {
    return h->table.n >= in->opts.cut_spans || arena_filled(&h->table.arena) >= in->opts.cut_bytes;
}

static bool is_old(const struct ingest *in, const struct head *h, uint64_t now_ns) {
    return h->table.n > 0 && now_ns - h->opened_ns >= in->opts.cut_age_ns;
}

static bool log_is_long(struct ingest *in) {
    struct wal_stats s;
    wal_stats(in->wal, &s);
    return in->opts.wal_limit_bytes && s.bytes > in->opts.wal_limit_bytes;
}

// Waits until a frozen head may be added, then cuts; not while blocks cannot be written. Holding
// the lock.
static enum err cut(struct ingest *in) {
    while (in->n_frozen == FROZEN_MAX && !in->stopping && in->cut_error == ERR_OK)
        cond_wait(&in->frozen_changed, &in->lock);
    if (in->stopping || in->n_frozen == FROZEN_MAX) return ERR_UNAVAILABLE;
    TRY(head_freeze(in));
    in->want_keeper = true;
    cond_broadcast(&in->frozen_changed);
    return ERR_OK;
}

// The head is full in the middle of a request, or broken by one: a new one takes the request. When
// the memory of all heads is used up, that waits until their blocks are written.
static enum err apply_anew(struct ingest *in, struct ingest_request *rq) {
    enum err e;
    mutex_lock(&in->lock);
    e = cut(in);
    while (e == ERR_OK && in->n_frozen > 0 && !in->stopping && in->cut_error == ERR_OK)
        cond_wait(&in->frozen_changed, &in->lock);
    mutex_unlock(&in->lock);
    if (e != ERR_OK) return e;
    struct head *h = in->active;
    e = head_apply(h, rq->protobuf, rq->record.refused, rq->record.n_refused, rq->seq, rq->received_ns,
                   &rq->n_added);
    return e == ERR_LIMIT ? ERR_INVALID : e; // too large for any head: to send it again is no use
}

static void apply(struct ingest *in, struct ingest_request *rq) {
    struct head *h = in->active;
    enum err e = ERR_NOMEM;
    if (!h->failed)
        e = head_apply(h, rq->protobuf, rq->record.refused, rq->record.n_refused, rq->seq, rq->received_ns,
                       &rq->n_added);
    if (e == ERR_NOMEM || e == ERR_LIMIT) e = apply_anew(in, rq);
    if (e == ERR_OK) {
        atomic_fetch_add(&in->spans_total, rq->n_added);
        atomic_fetch_add(&in->requests_total, 1);
        atomic_fetch_add(&in->bytes_total, rq->record.body.len);
    } else {
        atomic_fetch_add(&in->failed_requests_total, 1);
        log_error("head.apply_failed", KV_Z("error", err_text(e)), KV_U64("seq", rq->seq));
    }
    const struct span_table *t = &in->active->table;
    uint32_t added = e == ERR_OK ? rq->n_added : 0;
    request_done(rq, e);
    sink_take(in, t, added);
}

// Everything that came before is in the head: it is cut, and the keeper answers once the last
// frozen head is a block. Holding the lock.
static void flush(struct ingest *in, struct ingest_request *rq) {
    enum err e = in->active->table.n > 0 ? cut(in) : ERR_OK;
    if (e == ERR_OK && in->n_frozen > 0) {
        list_add(&in->frozen[in->n_frozen - 1].flushes, rq);
        return;
    }
    in->want_keeper = true; // whoever asks for a flush also asks what is due
    cond_broadcast(&in->frozen_changed);
    if (e == ERR_OK && rq->is_delete) {
        list_add(&in->deletes, rq);
        return;
    }
    mutex_unlock(&in->lock);
    request_done(rq, e);
    mutex_lock(&in->lock);
}

static void maybe_cut(struct ingest *in) {
    struct head *h = in->active;
    bool due = is_full(in, h) || is_old(in, h, clock_unix_ns(in->opts.clock)) ||
               (h->table.n > 0 && in->n_frozen == 0 && log_is_long(in));
    if (!due || h->table.n == 0) return;
    enum err e = cut(in);
    if (e != ERR_OK && e != ERR_UNAVAILABLE) log_warn("head.cut_failed", KV_Z("error", err_text(e)));
}

void apply_run(void *ctx) {
    struct ingest *in = ctx;
    mutex_lock(&in->lock);
    while (!in->committer_done || in->to_apply.n) { // what is in the log is answered
        struct ingest_request *rq = list_take(&in->to_apply);
        if (!rq) {
            in->applier_busy = false;
            (void)cond_wait_for(&in->committed, &in->lock, TICK_NS);
            maybe_cut(in);
            continue;
        }
        in->applier_busy = true;
        if (rq->is_flush) {
            flush(in, rq);
            continue;
        }
        mutex_unlock(&in->lock);
        apply(in, rq);
        mutex_lock(&in->lock);
        maybe_cut(in);
    }
    in->applier_busy = false;
    mutex_unlock(&in->lock);
}
