// SPDX-License-Identifier: Apache-2.0
#include "ingest/trial.h"

#include <stdlib.h>

#include "base/log.h"
#include "os/thread.h"
#include "otlp/check.h"

static uint64_t now_of(struct clock *c) {
    return ((struct trial *)c)->now_ns;
}

enum err trial_init(struct trial *t, struct trial_opts o) {
    memset(t, 0, sizeof *t);
    log_level_set(getenv("TRIAL_LOG") ? LOG_INFO : LOG_OFF);
    t->clock = (struct clock){ now_of, now_of };
    t->now_ns = TRIAL_NOW_NS;
    model_init(&t->model);
    o.random.rand = o.rand;
    random_init(&t->gen, o.random);
    TRY(disk_sim_new(&(struct disk_sim_opts){ .seed = o.rand(), .size_limit_bytes = o.disk_limit_bytes },
                     &t->disk));
    TRY(o.mem_store ? object_mem_open(&t->store) : object_file_open(t->disk, "/d/store", &t->store));
    t->opts = (struct ingest_opts){ .disk = t->disk,
                                    .clock = &t->clock,
                                    .store = t->store,
                                    .wal_dir = "/d/wal",
                                    .tenant = STR("single-tenant"),
                                    .version = STR("0.0.0-test"),
                                    .wal_segment_bytes = 64 << 10,
                                    .cut_spans = o.cut_spans ? o.cut_spans : 60,
                                    .cut_bytes = 64 << 20,
                                    .cut_age_ns = UINT64_MAX,
                                    .head_budget = &t->head_budget,
                                    .build_budget = &t->build_budget,
                                    .merge = true,
                                    .retry_ns = 1000000 };
    return ERR_OK;
}

void trial_fini(struct trial *t) {
    trial_close(t);
    if (t->store) t->store->ops->close(t->store);
    disk_sim_free(t->disk);
    random_fini(&t->gen);
    model_fini(&t->model);
}

enum err trial_open(struct trial *t) {
    t->why = (struct err_ctx){ 0 };
    return ingest_open(&t->opts, &t->in, &t->replay, &t->why);
}

void trial_close(struct trial *t) {
    ingest_close(TAKE(t->in));
}

enum err trial_crash(struct trial *t, uint64_t seed, bool restart) {
    trial_close(t);
    struct object_store *old = TAKE(t->store); // its open files and its memory die with the process
    old->ops->close(old);
    if (restart)
        disk_sim_restart(t->disk);
    else
        TRY(disk_sim_crash(t->disk, seed));
    TRY(object_file_open(t->disk, "/d/store", &t->store));
    t->opts.store = t->store;
    return ERR_OK;
}

// --- requests ------------------------------------------------------------------------------------

struct answer {
    struct ingest_request rq; // the first member
    struct mutex lock;
    struct cond came;
    bool is_here;
    enum err e;
};

static void answer_init(struct answer *a) {
    *a = (struct answer){ .is_here = false };
    mutex_init(&a->lock);
    cond_init(&a->came);
}

static void take_answer(struct ingest_request *rq, enum err e) {
    struct answer *a = (struct answer *)rq;
    mutex_lock(&a->lock);
    ASSERT(!a->is_here); // exactly once
    a->is_here = true;
    a->e = e;
    cond_broadcast(&a->came);
    mutex_unlock(&a->lock);
}

static bool came_within(struct answer *a, uint64_t timeout_ns) {
    mutex_lock(&a->lock);
    if (!a->is_here) (void)cond_wait_for(&a->came, &a->lock, timeout_ns);
    bool is_here = a->is_here;
    mutex_unlock(&a->lock);
    return is_here;
}

// While the disk is dead heads wait for their blocks, and requests for a head: the process ends then.
static enum err answer_wait(struct trial *t, struct answer *a) {
    while (!came_within(a, 5000000))
        if (t && disk_sim_is_down(t->disk)) trial_close(t);
    cond_fini(&a->came);
    mutex_fini(&a->lock);
    return a->e;
}

static enum err begin(struct ingest *in, struct str body, uint64_t now_ns, struct arena *arena,
                      struct answer *a) {
    struct otlp_check check;
    struct err_ctx ctx = { 0 };
    TRY(otlp_check(body, arena, &check, &ctx));
    answer_init(a);
    a->rq.protobuf = body;
    a->rq.record = (struct record){ .packing = BODY_RAW,
                                    .format = BODY_PROTOBUF,
                                    .unpacked_len = (uint32_t)body.len,
                                    .refused = check.refused,
                                    .n_refused = check.n_refused,
                                    .body = body };
    a->rq.received_ns = now_ns;
    a->rq.done = take_answer;
    ingest_submit(in, &a->rq);
    return ERR_OK;
}

enum err trial_send(struct ingest *in, struct str body, uint64_t now_ns) {
    struct arena arena;
    struct answer a;
    arena_init(&arena, SIZE_MAX, NULL);
    enum err e = begin(in, body, now_ns, &arena, &a);
    if (e == ERR_OK) e = answer_wait(NULL, &a);
    arena_fini(&arena);
    return e;
}

static void submit_all(struct trial *t, const struct str *bodies, uint32_t n, bool close, enum err *out) {
    struct arena arena;
    arena_init(&arena, SIZE_MAX, NULL);
    struct answer *a = ARENA_ARRAY(&arena, n, struct answer);
    ASSERT(a != NULL);
    for (uint32_t i = 0; i < n; i++) out[i] = begin(t->in, bodies[i], t->now_ns, &arena, &a[i]);
    if (close) trial_close(t);
    for (uint32_t i = 0; i < n; i++) {
        if (out[i] != ERR_OK) continue; // refused by the check
        if (close && !a[i].is_here) t->n_unanswered++;
        out[i] = close && !a[i].is_here ? ERR_UNAVAILABLE : answer_wait(t, &a[i]);
        enum err e = model_add(&t->model, bodies[i], out[i] == ERR_OK);
        ASSERT(e == ERR_OK);
    }
    arena_fini(&arena);
}

void trial_submit_all(struct trial *t, const struct str *bodies, uint32_t n, enum err *out) {
    submit_all(t, bodies, n, false, out);
}

void trial_submit_and_close(struct trial *t, const struct str *bodies, uint32_t n) {
    enum err *out = mem_alloc(n * sizeof *out);
    ASSERT(out != NULL);
    submit_all(t, bodies, n, true, out);
    mem_free(out);
}

enum err trial_submit(struct trial *t, struct str body) {
    enum err e;
    trial_submit_all(t, &body, 1, &e);
    return e;
}

enum err trial_flush(struct trial *t) {
    struct answer a;
    answer_init(&a);
    a.rq.done = take_answer;
    ingest_flush(t->in, &a.rq);
    return answer_wait(t, &a);
}

enum err trial_delete(struct trial *t, const uint8_t trace_id[16], uint64_t *out_n) {
    struct answer a;
    answer_init(&a);
    a.rq.done = take_answer;
    ingest_delete(t->in, &a.rq, trace_id);
    enum err e = answer_wait(t, &a);
    *out_n = a.rq.n_deleted;
    if (e == ERR_OK) model_drop(&t->model, trace_id);
    if (e != ERR_OK && e != ERR_NOT_FOUND) model_doubt(&t->model, trace_id);
    return e;
}

enum err trial_delete_everything(struct trial *t, uint64_t *out_n) {
    struct answer a;
    answer_init(&a);
    a.rq.done = take_answer;
    ingest_delete_everything(t->in, &a.rq);
    enum err e = answer_wait(t, &a);
    *out_n = a.rq.n_deleted;
    if (e == ERR_OK) t->model.n = 0;
    return e;
}

static void take_none(struct ingest_request *rq, enum err e) {
    (void)rq, (void)e;
}

void trial_flush_begin(struct trial *t) {
    t->unawaited = (struct ingest_request){ .done = take_none };
    ingest_flush(t->in, &t->unawaited);
}

// New traces come all the time, some go on for long.
void trial_random_body(struct trial *t, struct buf *out) {
    for (uint64_t n = t->gen.opts.rand() % 4; n > 0; n--) {
        uint64_t id = t->gen.opts.rand() | 1;
        memcpy(t->gen.trace_ids[1 + t->gen.opts.rand() % (RANDOM_TRACES - 1)], &id, sizeof id);
    }
    random_request(&t->gen, out);
}

void trial_settle(struct trial *t) {
    struct ingest_stats s;
    struct mutex m;
    struct cond never;
    mutex_init(&m);
    cond_init(&never);
    mutex_lock(&m);
    if (t->in)
        for (ingest_stats(t->in, &s); s.busy && !disk_sim_is_down(t->disk); ingest_stats(t->in, &s))
            (void)cond_wait_for(&never, &m, 200000);
    mutex_unlock(&m);
    cond_fini(&never);
    mutex_fini(&m);
}
