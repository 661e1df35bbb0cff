// SPDX-License-Identifier: Apache-2.0
// Histories that a command line elsewhere imports: which commits of a repository are known, and new ones.
// Who may send them is who may send events.
#include "api/api_internal.h"
#include "delivery/answer.h"
#include "delivery/git_wire.h"
#include "delivery/delivery.h"

enum { DEPTH_MAX = 16, MEMORY_MAX = 64 << 20 };

struct sent {
    struct git_batch batch;
    int64_t now;
    uint64_t kept;
};
static enum err keep(struct db *db, void *ctx) {
    struct sent *s = ctx;
    return git_keep_commits(db, &s->batch, s->now, &s->kept);
}

static void reply_kept(struct net_request *rq, const struct sent *s) {
    struct buf body;
    buf_init(&body, 4096);
    buf_fmt(&body, "{\"commits\":%u,\"new\":%llu}", s->batch.n, (unsigned long long)s->kept);
    reply_buf(rq, 200, TYPE_JSON, &body);
}

static bool may_send(struct api *a, struct net_request *rq) {
    struct intake_header headers[INTAKE_HEADERS_MAX];
    struct err_ctx why = { 0 };
    struct intake_request r = {
        .source = STR("events"), .query = rq->query, .headers = headers, .body = rq->body
    };
    for (size_t i = 0; i < rq->n_headers && r.n_headers < INTAKE_HEADERS_MAX; i++)
        headers[r.n_headers++] = (struct intake_header){ rq->headers[i].name, rq->headers[i].value };
    enum err e = hook_may_send(a, rq, &r, &why);
    if (e == ERR_OK && !is_page(rq)) return true;
    reply_error(rq, 401, "%s", why.text[0] ? why.text : "web pages may not ask for this");
    return false;
}

static enum err take(struct api *a, struct net_request *rq, struct arena *arena, struct sent *s,
                     struct err_ctx *why) {
    struct document d;
    TRY(document_read(rq->body, DEPTH_MAX, arena, &d, why));
    TRY(git_take_commits(&d, &s->batch));
    return delivery_write(a->opts.delivery, keep, s);
}

void takt_history_post_handle(struct api *a, struct net_request *rq) {
    struct sent s = { .now = (int64_t)clock_unix_ns(a->opts.clock) };
    struct err_ctx why = { 0 };
    struct arena arena;
    if (!reply_unless_room(a, rq) || !may_send(a, rq)) return;
    arena_init(&arena, MEMORY_MAX, a->opts.work_budget);
    enum err e = take(a, rq, &arena, &s, &why);
    if (e == ERR_OK)
        reply_kept(rq, &s);
    else
        reply_error(rq, status_of(e), "%s", why.text[0] ? why.text : err_text(e));
    arena_fini(&arena);
}
