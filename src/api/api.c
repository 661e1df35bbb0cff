// SPDX-License-Identifier: Apache-2.0
#include "api/api_internal.h"

#include <stdio.h>
#include "api/guard.h"
#include "api/known.h"
#include "api/print.h"

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
    if (!reply_unless_tool(rq)) return;
    struct flush_call *f = mem_zalloc(sizeof *f);
    if (!f) {
        reply_error(rq, 503, "out of memory");
        return;
    }
    f->rq = rq;
    f->ingest.done = flush_done;
    ingest_flush(a->opts.ingest, &f->ingest);
}

static void delete_done(struct ingest_request *ir, enum err e) {
    struct flush_call *f = (struct flush_call *)ir; // the first member
    struct buf b;
    buf_init(&b, 64);
    buf_fmt(&b, "{\"deletedSpans\":%llu}", (unsigned long long)ir->n_deleted);
    if (e == ERR_OK)
        reply_buf(f->rq, 200, TYPE_JSON, &b);
    else if (e == ERR_NOT_FOUND)
        reply_error(f->rq, 404, f->ingest.is_everything ? "there are no traces" : "trace not found");
    else
        reply_error(f->rq, status_of(e), "the trace cannot be deleted: %s", err_text(e));
    buf_fini(&b);
    mem_free(f);
}

// id NULL: everything.
static void delete_begin(struct api *a, struct net_request *rq, const uint8_t *id) {
    if (!reply_unless_tool(rq)) return;
    struct flush_call *f = mem_zalloc(sizeof *f);
    if (!f) {
        reply_error(rq, 503, "out of memory");
        return;
    }
    f->rq = rq;
    f->ingest.done = delete_done;
    if (id)
        ingest_delete(a->opts.ingest, &f->ingest, id);
    else
        ingest_delete_everything(a->opts.ingest, &f->ingest);
}

static void delete_handle(struct api *a, struct net_request *rq) {
    uint8_t id[16];
    struct str hex = str_sub(rq->path, sizeof "/api/takt/traces/" - 1, rq->path.len);
    if (print_parse_trace_id(hex, id))
        delete_begin(a, rq, id);
    else
        reply_error(rq, 400, "a trace id is up to 32 hexadecimal digits");
}

// Nobody deletes everything by leaving out an id: the request must say it.
static void delete_everything_handle(struct api *a, struct net_request *rq) {
    if (str_eq(param(rq, STR("everything")), STR("yes")))
        delete_begin(a, rq, NULL);
    else
        reply_error(rq, 400, "this deletes every trace there is; if that is meant, add ?everything=yes");
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
    { "GET", "/api/search/tags", ON_WORKER, tags_v1_handle },
    { "GET", "/api/v2/search/tags", ON_WORKER, tags_v2_handle },
    { "GET", "/api/search/tag/*", ON_WORKER, values_v1_handle },
    { "GET", "/api/v2/search/tag/*", ON_WORKER, values_v2_handle },
    { "GET", "/api/metrics/query_range", ON_WORKER, series_range_handle },
    { "GET", "/api/metrics/query", ON_WORKER, series_instant_handle },
    { "POST", "/flush", ON_LOOP, flush_handle },
    { "GET", "/api/takt/status", ON_LOOP, takt_status_handle },
    { "GET", "/api/takt/traces", ON_WORKER, takt_traces_handle },
    { "GET", "/api/takt/traces/*", ON_WORKER, takt_trace_handle },
    { "DELETE", "/api/takt/traces", ON_LOOP, delete_everything_handle },
    { "DELETE", "/api/takt/traces/*", ON_LOOP, delete_handle },
    { "GET", "/api/takt/search", ON_WORKER, takt_search_handle },
    { "GET", "/api/takt/explain", ON_WORKER, takt_explain_handle },
    { "GET", "/api/takt/cohorts", ON_WORKER, takt_cohorts_handle },
    { "GET", "/api/takt/traceql/analyze", ON_WORKER, takt_analyze_handle },
    { "GET", "/api/takt/services", ON_WORKER, takt_services_handle },
    { "POST", "/api/takt/test-span", ON_LOOP, takt_test_span_handle },
    { "GET", "/api/takt/delivery/measures", ON_WORKER, takt_measures_handle },
    { "GET", "/api/takt/delivery/trend", ON_WORKER, takt_trend_handle },
    { "GET", "/api/takt/delivery/profile", ON_WORKER, takt_profile_handle },
    { "GET", "/api/takt/delivery/report", ON_WORKER, takt_report_handle },
    { "GET", "/api/takt/delivery/ready", ON_WORKER, takt_ready_handle },
    { "GET", "/api/takt/delivery/incident", ON_WORKER, takt_incident_handle },
    { "GET", "/api/takt/delivery/incidents", ON_WORKER, takt_incidents_handle },
    { "GET", "/api/takt/delivery/alerts", ON_WORKER, takt_alerts_handle },
    { "GET", "/api/takt/delivery/calendar", ON_WORKER, takt_calendar_handle },
    { "GET", "/api/takt/delivery/deploys", ON_WORKER, takt_deploys_handle },
    { "GET", "/api/takt/delivery/deploy", ON_WORKER, takt_deploy_handle },
    { "GET", "/api/takt/delivery/changed", ON_WORKER, takt_changed_handle },
    { "GET", "/api/takt/delivery/why", ON_WORKER, takt_why_handle },
    { "GET", "/api/takt/delivery/services", ON_WORKER, takt_delivery_services_handle },
    { "GET", "/api/takt/delivery/catalogue", ON_WORKER, takt_catalogue_handle },
    { "GET", "/api/takt/delivery/history", ON_WORKER, takt_history_handle },
    { "POST", "/api/takt/delivery/history", ON_WORKER, takt_history_post_handle },
    { "PUT", "/api/takt/delivery/catalogue", ON_WORKER, takt_catalogue_put_handle },
    { "PUT", "/api/takt/delivery/catalogue/*", ON_WORKER, takt_catalogue_service_put_handle },
    { "DELETE", "/api/takt/delivery/catalogue/*", ON_WORKER, takt_catalogue_service_delete_handle },
    { "GET", "/api/takt/delivery/intake", ON_WORKER, takt_intake_handle },
    { "GET", "/api/takt/delivery/impact", ON_WORKER, takt_impact_handle },
    { "GET", "/api/takt/delivery/versions", ON_WORKER, takt_versions_handle },
    { "GET", "/api/takt/compare", ON_WORKER, takt_compare_handle },
    { "POST", "/api/takt/delivery/reprocess", ON_WORKER, takt_reprocess_handle },
    { "POST", "/events", ON_WORKER, events_handle },
    { "OPTIONS", "/events", ON_LOOP, events_options_handle },
    { "POST", "/hooks/*", ON_WORKER, hooks_handle },
};

static const struct route stream_route = { "POST", "", ON_WORKER, stream_handle };

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
    a->queries_running++;
    if (net_request_canceled(rq))
        net_reply(rq, &(struct net_reply){ .status = 499, .grpc_status = NET_GRPC_CANCELLED });
    else
        r->handle(a, rq);
    a->queries_running--;
    metrics_note_query(a, clock_mono_ns(a->opts.clock) - start);
}

static void dispatch(struct api *a, struct net_request *rq, const struct route *r) {
    struct params p = params_of(rq);
    struct err_ctx why = { 0 };
    struct str own = STR("/api/takt/");
    enum err e = rq->is_grpc ? ERR_OK : params_check(&p, &why);
    if (e == ERR_OK && str_starts(rq->path, own))
        e = known_check(str_sub(rq->path, own.len, rq->path.len), &p, &why);
    if (e != ERR_OK) {
        reply_error(rq, status_of(e), "%s", why.text[0] ? why.text : err_text(e));
        return;
    }
    if (r->where == ON_LOOP) {
        r->handle(a, rq);
        return;
    }
    rq->user = (void *)(uintptr_t)r;
    if (workers_run(a->workers, run_timed, a, rq) == ERR_OK) return;
    if (r->handle == events_handle || r->handle == hooks_handle) a->hooks_refused[HOOK_REFUSE_BUSY]++;
    if (rq->is_grpc)
        net_reply(rq, &(struct net_reply){ .grpc_status = NET_GRPC_RESOURCE_EXHAUSTED,
                                           .grpc_message = STR("too many requests are waiting"),
                                           .retry_after_ms = 1000 });
    else
        reply_busy(rq, "too many requests are waiting\n");
}

static void http_handle(struct api *a, struct net_request *rq) {
    char allowed[64] = "";
    if (!guard_host(a, rq)) return;
    if (rq->is_grpc && stream_knows(rq->path)) {
        dispatch(a, rq, &stream_route);
        return;
    }
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
        bool is_get = strcmp(routes[i].method, "GET") == 0;
        size_t n = strlen(allowed);
        (void)snprintf(allowed + n, sizeof allowed - n, "%s%s", n ? ", " : "",
                       is_get ? "GET, HEAD" : routes[i].method);
    }
    if (allowed[0])
        reply_method(rq, allowed);
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
    a->on_loopback = a->opts.addresses[API_HTTP].len && net_server_is_loopback(s, listener_of[API_HTTP]);
}

void api_set_address(struct api *a, enum api_listener l, struct str address) {
    a->opts.addresses[l] = address;
}

void api_set_ready(struct api *a, bool ready) {
    a->ready = ready;
}
