// SPDX-License-Identifier: Apache-2.0
// The committer: what waits becomes one write and one fdatasync. It starts at once when there is
// something; what arrives meanwhile is the next group.
#include "base/log.h"
#include "ingest/ingest_internal.h"

enum { GROUP_MAX = 512, GROUP_BYTES_MAX = 256 << 20, BEHIND_BYTES = 8 << 20 };
#define BEHIND_SYNC_NS 20000000ull

static enum err write_group(struct ingest *in, struct request_list *group) {
    struct wal_record recs[GROUP_MAX];
    size_t n = 0;
    for (struct ingest_request *rq = group->first; rq; rq = rq->next) {
        if (rq->is_flush) continue;
        recs[n++] = (struct wal_record){ .kind = RECORD_TRACES,
                                         .tenant = in->opts.tenant,
                                         .time_ns = rq->received_ns,
                                         .payload = { buf_view(&rq->head), rq->record.body } };
    }
    if (n == 0) return ERR_OK;
    TRY(wal_commit(in->wal, recs, n));
    n = 0;
    for (struct ingest_request *rq = group->first; rq; rq = rq->next)
        if (!rq->is_flush) rq->seq = recs[n++].seq;
    return ERR_OK;
}

static void judge_pace(struct ingest *in, uint64_t waiting_bytes) {
    struct wal_stats s;
    wal_stats(in->wal, &s);
    in->behind = s.sync_ns_last > BEHIND_SYNC_NS || waiting_bytes > BEHIND_BYTES;
}

static void fail_group(struct ingest *in, struct request_list *group, enum err e) {
    log_error("wal.commit_failed", KV_Z("error", err_text(e)), KV_U64("requests", group->n));
    for (struct ingest_request *rq; (rq = list_take(group));) {
        atomic_fetch_add(&in->failed_requests_total, 1);
        request_done(rq, e);
    }
}

static void trim(struct ingest *in, uint64_t to) {
    enum err e = wal_trim(in->wal, to);
    if (e != ERR_OK) log_warn("wal.trim_failed", KV_Z("error", err_text(e)));
}

void commit_run(void *ctx) {
    struct ingest *in = ctx;
    uint64_t trimmed = 0;
    mutex_lock(&in->lock);
    while (!in->stopping || in->to_commit.n) {
        struct request_list group;
        uint64_t bytes = 0, trim_to = in->trim_to;
        list_init(&group);
        while (group.n < GROUP_MAX && bytes < GROUP_BYTES_MAX && in->to_commit.n) {
            bytes += in->to_commit.first->record.body.len;
            list_add(&group, list_take(&in->to_commit));
        }
        bytes = 0;
        for (struct ingest_request *rq = in->to_commit.first; rq; rq = rq->next) bytes += rq->record.body.len;
        if (group.n == 0 && trim_to == trimmed) {
            cond_wait(&in->submitted, &in->lock);
            continue;
        }
        mutex_unlock(&in->lock);
        enum err e = group.n ? write_group(in, &group) : ERR_OK;
        if (group.n) judge_pace(in, bytes);
        if (e != ERR_OK) fail_group(in, &group, e);
        if (trim_to != trimmed) trim(in, trim_to);
        trimmed = trim_to;
        mutex_lock(&in->lock);
        list_move(&group, &in->to_apply);
        cond_signal(&in->committed);
    }
    in->committer_done = true;
    cond_signal(&in->committed);
    mutex_unlock(&in->lock);
}
