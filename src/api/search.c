// SPDX-License-Identifier: Apache-2.0
// The list of traces: as Tempo's /api/search has it, and as the web app wants it.
#include "query/search.h"

#include <stdio.h>

#include "api/api_internal.h"
#include "api/print.h"

enum { LIMIT_DEFAULT = 20, SPSS_MAX = 100 };

static bool read_number(struct net_request *rq, struct str name, uint64_t most, uint64_t *out) {
    struct str s = param(rq, name);
    if (!s.ptr) return true;
    if (str_u64(s, out) && *out <= most) return true;
    reply_error(rq, 400, "%.*s=\"%.*s\" is not a number up to %llu", STR_ARG(name),
                (int)(s.len < 40 ? s.len : 40), s.ptr, (unsigned long long)most);
    return false;
}

static bool read_duration(struct net_request *rq, struct str name, uint64_t *out) {
    struct str s = param(rq, name);
    if (!s.ptr || s.len == 0 || parse_duration(s, out)) return true;
    reply_error(rq, 400, "%.*s=\"%.*s\" is not a duration like 250ms, 1.5s or 1h30m", STR_ARG(name),
                (int)(s.len < 40 ? s.len : 40), s.ptr);
    return false;
}

// since, or start and end together; none of them = all time.
static bool read_range(struct api *a, struct net_request *rq, struct search *s) {
    struct str start = param(rq, STR("start")), end = param(rq, STR("end"));
    uint64_t since = 0, now = clock_unix_ns(a->opts.clock);
    if (!read_duration(rq, STR("since"), &since)) return false;
    if (since) {
        s->start_ns = now > since ? now - since : 0;
        s->end_ns = INT64_MAX; // what is newer than our clock is shown too
        return true;
    }
    bool has_start = start.ptr && start.len, has_end = end.ptr && end.len;
    if (!has_start && !has_end) return true;
    if (has_start != has_end) {
        reply_error(rq, 400, "start and end go together");
        return false;
    }
    if (!parse_time(start, &s->start_ns) || !parse_time(end, &s->end_ns)) {
        reply_error(rq, 400, "start and end are unix times in seconds");
        return false;
    }
    if (s->end_ns > s->start_ns) return true;
    reply_error(rq, 400, "end must be after start");
    return false;
}

static bool read_search(struct api *a, struct net_request *rq, struct search *s) {
    uint64_t limit = LIMIT_DEFAULT, spss = 0;
    if (!read_number(rq, STR("limit"), SEARCH_LIMIT_MAX, &limit) ||
        !read_number(rq, STR("spss"), SPSS_MAX, &spss))
        return false;
    if (limit == 0) {
        reply_error(rq, 400, "limit must be greater than 0");
        return false;
    }
    s->limit = (uint32_t)limit;
    return read_duration(rq, STR("minDuration"), &s->min_duration_ns) &&
           read_duration(rq, STR("maxDuration"), &s->max_duration_ns) && read_range(a, rq, s);
}

// false: answered with an error.
static bool run(struct api *a, struct net_request *rq, const struct search *s, struct search_result *out) {
    struct view *v = ingest_view(a->opts.ingest);
    enum err e = search_run(v, s, out);
    view_unref(v);
    if (e != ERR_OK) reply_error(rq, status_of(e), "the search failed: %s", err_text(e));
    return e == ERR_OK;
}

// Hex without leading zeros, as Tempo writes it.
static struct str short_id(const uint8_t id[16], char hex[32]) {
    struct str s = { hex, 32 };
    hex_encode(id, 16, hex);
    while (s.len > 1 && *s.ptr == '0') s = str_sub(s, 1, s.len);
    return s;
}

static void write_stats(struct json_writer *w, const struct trace_summary *t) {
    jw_key(w, STR("serviceStats"));
    jw_object(w);
    for (uint32_t i = 0; i < t->n_services; i++) {
        jw_key(w, t->services[i].name);
        jw_object(w);
        jw_key(w, STR("spanCount"));
        jw_u64(w, t->services[i].spans);
        if (t->services[i].errors) {
            jw_key(w, STR("errorCount"));
            jw_u64(w, t->services[i].errors);
        }
        jw_object_end(w);
    }
    jw_object_end(w);
}

static void write_text(struct json_writer *w, struct str key, struct str value) {
    if (value.len == 0) return;
    jw_key(w, key);
    jw_str(w, value);
}

static void write_trace(struct json_writer *w, const struct trace_summary *t) {
    char hex[32];
    uint64_t ms = t->duration_ns / 1000000;
    jw_object(w);
    write_text(w, STR("traceID"), short_id(t->id, hex));
    write_text(w, STR("rootServiceName"),
               t->has_root ? t->root_service : STR("<root span not yet received>"));
    write_text(w, STR("rootTraceName"), t->has_root ? t->root_name : STR(""));
    jw_key(w, STR("startTimeUnixNano"));
    jw_u64_str(w, t->start_ns);
    if (ms) {
        jw_key(w, STR("durationMs"));
        jw_u64(w, ms < UINT32_MAX ? ms : UINT32_MAX);
    }
    write_stats(w, t);
    jw_object_end(w);
}

static void write_metrics(struct json_writer *w, const struct search_result *r) {
    jw_key(w, STR("metrics"));
    jw_object(w);
    if (r->inspected) {
        jw_key(w, STR("inspectedTraces"));
        jw_u64(w, r->inspected);
    }
    if (r->bytes_read) {
        jw_key(w, STR("inspectedBytes"));
        jw_u64_str(w, r->bytes_read);
    }
    if (r->blocks_total) {
        jw_key(w, STR("totalBlocks"));
        jw_u64(w, r->blocks_total);
    }
    jw_key(w, STR("completedJobs"));
    jw_u64(w, r->blocks_read + 1ull);
    jw_key(w, STR("totalJobs"));
    jw_u64(w, r->blocks_total + 1ull);
    jw_object_end(w);
}

void search_handle(struct api *a, struct net_request *rq) {
    struct search s = { .service = STR(""), .operation = STR("") };
    struct search_result r;
    struct str q = param(rq, STR("q")), tags = param(rq, STR("tags"));
    if ((q.ptr && q.len) || (tags.ptr && tags.len)) {
        reply_error(
            rq, 501,
            "searching with q or tags is not supported yet; without them the newest traces are listed");
        return;
    }
    if (!read_search(a, rq, &s)) return;
    if (!run(a, rq, &s, &r)) return;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    struct json_writer w = json_writer_on(&out);
    jw_object(&w);
    jw_key(&w, STR("traces"));
    jw_array(&w);
    for (uint32_t i = 0; i < r.n; i++) write_trace(&w, &r.traces[i]);
    jw_array_end(&w);
    write_metrics(&w, &r);
    jw_object_end(&w);
    search_fini(&r);
    reply_buf(rq, 200, TYPE_JSON, &out);
}

// --- the web app -----------------------------------------------------------------------------------------

// The place after a trace: start and id, "<start ns>-<32 hex digits>".
static bool read_cursor(struct net_request *rq, struct search *s) {
    struct str cursor = param(rq, STR("cursor")), start, id;
    if (!cursor.ptr || cursor.len == 0) return true;
    s->has_after = str_cut(cursor, '-', &start, &id) && str_u64(start, &s->after_start_ns) &&
                   print_parse_trace_id(id, s->after_id);
    if (!s->has_after) reply_error(rq, 400, "the cursor is not one of ours");
    return s->has_after;
}

static void write_takt_trace(struct json_writer *w, const struct trace_summary *t) {
    char hex[32];
    hex_encode(t->id, 16, hex);
    jw_object(w);
    jw_key(w, STR("traceId"));
    jw_str(w, (struct str){ hex, 32 });
    jw_key(w, STR("rootService"));
    if (t->has_root)
        jw_str(w, t->root_service);
    else
        jw_null(w);
    jw_key(w, STR("rootName"));
    if (t->has_root)
        jw_str(w, t->root_name);
    else
        jw_null(w);
    jw_key(w, STR("startUnixNano"));
    jw_u64_str(w, t->start_ns);
    jw_key(w, STR("durationNano"));
    jw_u64_str(w, t->duration_ns);
    jw_key(w, STR("spans"));
    jw_u64(w, t->spans);
    jw_key(w, STR("errors"));
    jw_u64(w, t->errors);
    jw_key(w, STR("services"));
    jw_array(w);
    for (uint32_t i = 0; i < t->n_services; i++) {
        jw_object(w);
        jw_key(w, STR("name"));
        jw_str(w, t->services[i].name);
        jw_key(w, STR("spans"));
        jw_u64(w, t->services[i].spans);
        jw_key(w, STR("errors"));
        jw_u64(w, t->services[i].errors);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}

static void write_page(struct json_writer *w, const struct search *s, const struct search_result *r) {
    jw_object(w);
    jw_key(w, STR("traces"));
    jw_array(w);
    for (uint32_t i = 0; i < r->n; i++) write_takt_trace(w, &r->traces[i]);
    jw_array_end(w);
    jw_key(w, STR("total"));
    jw_u64(w, r->total);
    jw_key(w, STR("complete"));
    jw_bool(w, true);
    jw_key(w, STR("cursor"));
    if (r->n == s->limit && r->n < r->total) {
        char text[64], hex[33] = { 0 };
        hex_encode(r->traces[r->n - 1].id, 16, hex);
        (void)snprintf(text, sizeof text, "%llu-%s", (unsigned long long)r->traces[r->n - 1].start_ns, hex);
        jw_str(w, str_of(text));
    } else {
        jw_null(w);
    }
    jw_object_end(w);
}

void takt_traces_handle(struct api *a, struct net_request *rq) {
    struct search s = { .service = param(rq, STR("service")), .operation = param(rq, STR("operation")) };
    struct search_result r;
    struct str errors = param(rq, STR("errors"));
    s.errors = errors.ptr && str_eq(errors, STR("1"));
    if (!read_search(a, rq, &s) || !read_cursor(rq, &s)) return;
    if (!run(a, rq, &s, &r)) return;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    struct json_writer w = json_writer_on(&out);
    write_page(&w, &s, &r);
    search_fini(&r);
    reply_buf(rq, 200, TYPE_JSON, &out);
}
