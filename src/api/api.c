// SPDX-License-Identifier: Apache-2.0
#include "api/api_internal.h"

enum api_where { ON_LOOP, ON_WORKER };

struct route {
    const char *method;
    const char *path; // with a '*' at the end: a prefix
    enum api_where where;
    void (*handle)(struct api *a, struct net_request *rq);
};

static void echo_handle(struct api *a, struct net_request *rq) {
    (void)a;
    reply_static(rq, 200, TYPE_TEXT, STR("echo"));
}

static void ready_handle(struct api *a, struct net_request *rq) {
    if (a->ready)
        reply_static(rq, 200, TYPE_TEXT, STR("ready"));
    else
        reply_error(rq, 503, "starting: the log is being replayed");
}

struct flush_call {
    struct ingest_request ingest;
    struct net_request *rq;
};

static void flush_done(struct ingest_request *ir, enum err e) {
    struct flush_call *f = (struct flush_call *)ir; // the first member
    if (e == ERR_OK)
        reply_static(f->rq, 200, TYPE_TEXT, STR("flushed\n"));
    else
        reply_error(f->rq, status_of(e), "flush failed: %s", err_text(e));
    mem_free(f);
}

void flush_handle(struct api *a, struct net_request *rq) {
    struct flush_call *f = mem_zalloc(sizeof *f);
    if (!f) {
        reply_error(rq, 503, "out of memory");
        return;
    }
    f->rq = rq;
    f->ingest.done = flush_done;
    ingest_flush(a->opts.ingest, &f->ingest);
}

static const struct route routes[] = {
    { "GET", "/api/echo", ON_LOOP, echo_handle },
    { "GET", "/ready", ON_LOOP, ready_handle },
    { "GET", "/api/status/buildinfo", ON_LOOP, buildinfo_handle },
    { "GET", "/status", ON_LOOP, status_text_handle },
    { "GET", "/metrics", ON_LOOP, metrics_handle },
    { "GET", "/api/traces/*", ON_WORKER, trace_v1_handle },
    { "GET", "/api/v2/traces/*", ON_WORKER, trace_v2_handle },
    { "GET", "/api/search", ON_WORKER, search_handle },
    { "POST", "/flush", ON_LOOP, flush_handle },
    { "GET", "/api/takt/status", ON_LOOP, takt_status_handle },
    { "GET", "/api/takt/traces", ON_WORKER, takt_traces_handle },
    { "GET", "/api/takt/traces/*", ON_WORKER, takt_trace_handle },
    { "GET", "/api/takt/services", ON_WORKER, takt_services_handle },
    { "POST", "/api/takt/test-span", ON_LOOP, takt_test_span_handle },
};

static bool path_matches(const char *pattern, struct str path) {
    size_t n = strlen(pattern);
    if (pattern[n - 1] != '*') return str_eq(path, (struct str){ pattern, n });
    return path.len > n - 1 && str_starts(path, (struct str){ pattern, n - 1 });
}

// HEAD is answered like GET; net leaves the body out.
static bool method_matches(const char *method, struct str sent) {
    return str_eq(sent, str_of(method)) || (str_eq(sent, STR("HEAD")) && strcmp(method, "GET") == 0);
}

static void run_timed(struct api *a, struct net_request *rq) {
    uint64_t start = clock_mono_ns(a->opts.clock);
    const struct route *r = rq->user;
    if (net_request_canceled(rq))
        reply_error(rq, 499, "the client went away");
    else
        r->handle(a, rq);
    metrics_note_query(a, clock_mono_ns(a->opts.clock) - start);
}

static void dispatch(struct api *a, struct net_request *rq, const struct route *r) {
    if (r->where == ON_LOOP) {
        r->handle(a, rq);
        return;
    }
    rq->user = (void *)(uintptr_t)r;
    if (workers_run(a->workers, run_timed, a, rq) != ERR_OK) reply_busy(rq, "too many queries are waiting\n");
}

static void http_handle(struct api *a, struct net_request *rq) {
    const char *allowed = NULL;
    if (rq->is_grpc) {
        net_reply(rq, &(struct net_reply){ .grpc_status = NET_GRPC_UNIMPLEMENTED,
                                           .grpc_message = STR("no such method") });
        return;
    }
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!path_matches(routes[i].path, rq->path)) continue;
        if (method_matches(routes[i].method, rq->method)) {
            dispatch(a, rq, &routes[i]);
            return;
        }
        allowed = routes[i].method;
    }
    if (allowed)
        reply_method(rq, strcmp(allowed, "GET") == 0 ? "GET, HEAD" : allowed);
    else
        app_handle(a, rq);
}

void api_handle(void *ctx, struct net_request *rq) {
    struct api *a = ctx;
    if (rq->kind == API_HTTP)
        http_handle(a, rq);
    else
        otlp_handle(a, rq);
}

enum err api_new(const struct api_opts *opts, struct api **out) {
    struct api *a = mem_zalloc(sizeof *a);
    if (!a) return ERR_NOMEM;
    a->opts = *opts;
    a->started_ns = clock_unix_ns(opts->clock);
    refusals_init(&a->refusals);
    enum err e = workers_new(opts->n_workers, opts->max_queued, &a->workers);
    if (e != ERR_OK)
        api_free(a);
    else
        *out = a;
    return e;
}

void api_stop(struct api *a) {
    if (!a) return;
    a->ready = false;
    workers_stop(a->workers);
}

void api_free(struct api *a) {
    if (!a) return;
    workers_free(a->workers);
    refusals_fini(&a->refusals);
    mem_free(a);
}

void api_set_server(struct api *a, const struct net_server *s,
                    const unsigned listener_of[API_LISTENER_COUNT]) {
    memcpy(a->listener_of, listener_of, sizeof a->listener_of);
    a->server = s;
}

void api_set_address(struct api *a, enum api_listener l, struct str address) {
    a->opts.addresses[l] = address;
}

void api_set_ready(struct api *a, bool ready) {
    a->ready = ready;
}
