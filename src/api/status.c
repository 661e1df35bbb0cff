// SPDX-License-Identifier: Apache-2.0
// What the server says of itself: for people, for the web app, for Prometheus.
#include <stdio.h>

#include "api/api_internal.h"
#include "api/guard.h"
#include "api/search.h"
#include "base/pb.h"
#include "intake/pipeline.h"
#include "os/random.h"
#include "otlp/check.h"
#include "query/answers.h"
#include "span/services.h"
#include "span/wire.h"

static const char *const protocol_names[API_LISTENER_COUNT] = { "http", "otlp_grpc", "otlp_http" };

void buildinfo_handle(struct api *a, struct net_request *rq) {
    struct buf out;
    buf_init(&out, 4096);
    struct json_writer w = json_writer_on(&out);
    jw_object(&w);
    jw_key(&w, STR("version"));
    jw_str(&w, a->opts.version);
    jw_key(&w, STR("revision"));
    jw_str(&w, a->opts.revision);
    jw_key(&w, STR("branch"));
    jw_str(&w, STR(""));
    jw_key(&w, STR("buildDate"));
    jw_str(&w, STR(""));
    jw_key(&w, STR("buildUser"));
    jw_str(&w, STR(""));
    jw_key(&w, STR("goVersion"));
    jw_str(&w, STR(""));
    jw_object_end(&w);
    reply_buf(rq, 200, TYPE_JSON, &out);
}

static uint64_t untold_spans(struct api *a) {
    uint64_t n = 0;
    for (int i = 0; i < UNTOLD_COUNT; i++) n += a->opts.untold->of[i];
    return n;
}

static void write_delivery_text(struct api *a, struct buf *b) {
    uint64_t n = untold_spans(a);
    buf_fmt(b, "delivery    %s%.*s\n", a->opts.delivery ? "open" : "closed: ",
            STR_ARG(a->opts.delivery ? STR("") : a->opts.delivery_closed));
    if (n) buf_fmt(b, "untold      %llu spans of pipelines became no event\n", (unsigned long long)n);
}

void status_text_handle(struct api *a, struct net_request *rq) {
    struct ingest_stats s;
    struct answers_stats kept;
    struct buf out;
    buf_init(&out, 64 << 10);
    ingest_stats(a->opts.ingest, &s);
    answers_stats(&kept);
    buf_fmt(&out, "takt %.*s\n\n", STR_ARG(a->opts.version));
    for (int i = 0; i < API_LISTENER_COUNT; i++)
        buf_fmt(&out, "%-10s %.*s\n", protocol_names[i], STR_ARG(a->opts.addresses[i]));
    buf_fmt(&out,
            "\ndata dir    %.*s\nsnapshot    %llu\nblocks      %llu (%llu spans, %llu bytes)\nhead        "
            "%llu spans\n",
            STR_ARG(a->opts.data_dir), (unsigned long long)s.snapshot, (unsigned long long)s.blocks,
            (unsigned long long)s.block_spans, (unsigned long long)s.block_bytes,
            (unsigned long long)s.head_spans);
    buf_fmt(
        &out,
        "log         %llu bytes in %u segments\nreceived    %llu spans in %llu requests\nbusy        %s\n",
        (unsigned long long)s.wal.bytes, s.wal.segments, (unsigned long long)s.spans_total,
        (unsigned long long)s.requests_total, s.busy ? "yes" : "no");
    buf_fmt(&out, "disk        %llu of %llu bytes, facts %llu of them%s\n", (unsigned long long)s.disk_bytes,
            (unsigned long long)s.disk_budget_bytes, (unsigned long long)s.beside_bytes,
            s.disk_full ? ": full, data is refused" : "");
    write_delivery_text(a, &out);
    buf_fmt(&out, "answers     %llu kept, %llu of %llu bytes, found %llu times of %llu\n",
            (unsigned long long)kept.n, (unsigned long long)kept.bytes, (unsigned long long)kept.limit,
            (unsigned long long)kept.hits, (unsigned long long)(kept.hits + kept.misses));
    reply_buf(rq, 200, TYPE_TEXT, &out);
}

// --- the web app -----------------------------------------------------------------------------------------

static void write_ns(struct json_writer *w, struct str key, uint64_t ns) {
    jw_key(w, key);
    if (ns)
        jw_u64_str(w, ns);
    else
        jw_null(w);
}

static void write_number(struct json_writer *w, struct str key, uint64_t v) {
    jw_key(w, key);
    jw_u64(w, v);
}

static uint64_t refused_requests(const struct receiver_stats *s) {
    uint64_t n = 0;
    for (int i = 0; i < REFUSE_COUNT; i++) n += s->refused[i];
    return n;
}

static void write_receivers(struct api *a, struct json_writer *w) {
    jw_key(w, STR("receivers"));
    jw_array(w);
    for (int i = API_OTLP_GRPC; i <= API_OTLP_HTTP; i++) {
        const struct receiver_stats *s = &a->receivers[i];
        if (a->opts.addresses[i].len == 0) continue;
        jw_object(w);
        jw_key(w, STR("protocol"));
        jw_str(w, str_of(protocol_names[i]));
        jw_key(w, STR("address"));
        jw_str(w, a->opts.addresses[i]);
        jw_key(w, STR("tls"));
        jw_bool(w, a->opts.tls);
        write_number(w, STR("spans_accepted"), s->spans);
        write_number(w, STR("requests"), s->requests);
        write_number(w, STR("refused_requests"), refused_requests(s));
        write_number(w, STR("refused_spans"), s->refused_spans);
        write_ns(w, STR("first_seen_unix_ns"), s->first_ns);
        write_ns(w, STR("last_seen_unix_ns"), s->last_ns);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_refusals(struct api *a, struct json_writer *w) {
    struct refusal list[REFUSALS_MAX];
    uint32_t n = refusals_list(&a->refusals, list);
    jw_key(w, STR("refusals"));
    jw_array(w);
    for (uint32_t i = 0; i < n; i++) {
        jw_object(w);
        write_ns(w, STR("time_unix_ns"), list[i].time_ns);
        jw_key(w, STR("protocol"));
        jw_str(w, str_of(protocol_names[list[i].kind]));
        jw_key(w, STR("peer"));
        jw_str(w, str_of(list[i].peer));
        jw_key(w, STR("reason"));
        jw_str(w, str_of(list[i].reason));
        jw_key(w, STR("text"));
        jw_str(w, str_of(list[i].text));
        write_number(w, STR("count"), list[i].count);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_store(struct api *a, struct json_writer *w) {
    struct ingest_stats s;
    ingest_stats(a->opts.ingest, &s);
    jw_key(w, STR("store"));
    jw_object(w);
    write_number(w, STR("spans"), s.block_spans + s.head_spans);
    write_number(w, STR("blocks"), s.blocks);
    write_number(w, STR("bytes"), s.block_bytes);
    write_ns(w, STR("oldest_unix_ns"), s.oldest_start_ns);
    write_ns(w, STR("newest_unix_ns"), s.newest_start_ns);
    write_number(w, STR("head_spans"), s.head_spans);
    write_number(w, STR("wal_bytes"), s.wal.bytes);
    write_number(w, STR("facts_bytes"), s.beside_bytes);
    write_number(w, STR("disk_bytes"), s.disk_bytes);
    write_number(w, STR("disk_budget_bytes"), s.disk_budget_bytes);
    jw_key(w, STR("disk_full"));
    jw_bool(w, s.disk_full);
    jw_key(w, STR("busy"));
    jw_bool(w, s.busy);
    jw_object_end(w);
}

static void write_delivery(struct api *a, struct json_writer *w) {
    jw_key(w, STR("delivery"));
    jw_object(w);
    jw_key(w, STR("open"));
    jw_bool(w, a->opts.delivery != NULL);
    if (!a->opts.delivery) {
        jw_key(w, STR("closed"));
        jw_str(w, a->opts.delivery_closed);
    }
    jw_key(w, STR("spans_untold"));
    jw_object(w);
    for (int i = 0; i < UNTOLD_COUNT; i++)
        write_number(w, str_of(untold_label((enum untold)i)), a->opts.untold->of[i]);
    jw_object_end(w);
    jw_object_end(w);
}

void takt_status_handle(struct api *a, struct net_request *rq) {
    struct buf out;
    buf_init(&out, 1 << 20);
    struct json_writer w = json_writer_on(&out);
    jw_object(&w);
    jw_key(&w, STR("version"));
    jw_str(&w, a->opts.version);
    write_ns(&w, STR("started_unix_ns"), a->started_ns);
    write_ns(&w, STR("now_unix_ns"), clock_unix_ns(a->opts.clock));
    jw_key(&w, STR("data_dir"));
    jw_str(&w, a->opts.data_dir);
    write_receivers(a, &w);
    write_refusals(a, &w);
    write_store(a, &w);
    write_delivery(a, &w);
    jw_object_end(&w);
    reply_buf(rq, 200, TYPE_JSON, &out);
}

// --- services, for the filters ----------------------------------------------------------------------------

enum { SERVICES_FROM_TRACES = 1000, SERVICES_SHOWN = 1000, OPERATIONS_SHOWN = 200 };

static bool among(const struct str *list, uint32_t n, struct str s) {
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(list[i], s)) return true;
    return false;
}

static void write_operations(struct json_writer *w, const struct find_result *r, struct str service) {
    struct str seen[OPERATIONS_SHOWN];
    uint32_t n = 0;
    jw_array(w);
    for (uint32_t i = 0; i < r->n && n < OPERATIONS_SHOWN; i++) {
        const struct trace_summary *t = &r->traces[i].summary;
        if (!t->has_root || !str_eq(t->root_service, service) || among(seen, n, t->root_name)) continue;
        seen[n++] = t->root_name;
        jw_str(w, t->root_name);
    }
    jw_array_end(w);
}

// Those of a trace that are not among those seen.
static enum err write_unseen(struct ask *k, struct json_writer *w, const struct find_result *r,
                             struct str text, struct str *seen, uint32_t *n) {
    struct services s;
    struct service_count c;
    services_begin(&s, text);
    while (*n < SERVICES_SHOWN && services_next(&s, &c)) {
        if (among(seen, *n, c.name)) continue;
        seen[(*n)++] = str_dup(&k->arena, c.name);
        jw_object(w);
        jw_key(w, STR("name"));
        jw_str(w, c.name);
        jw_key(w, STR("operations"));
        write_operations(w, r, c.name);
        jw_object_end(w);
    }
    TRY(services_end(&s));
    return k->arena.failed ? ERR_NOMEM : ERR_OK;
}

static enum err write_services(struct ask *k, struct json_writer *w, const struct find_result *r) {
    struct str seen[SERVICES_SHOWN];
    uint32_t n = 0;
    jw_object(w);
    jw_key(w, STR("services"));
    jw_array(w);
    for (uint32_t i = 0; i < r->n; i++) TRY(write_unseen(k, w, r, r->traces[i].summary.services, seen, &n));
    jw_array_end(w);
    jw_object_end(w);
    return ERR_OK;
}

// The services of the newest traces, with the names of their roots.
static enum err answer_services(struct ask *k, struct json_writer *w) {
    struct search_ask s = { .q = STR("{ }"), .limit = SERVICES_FROM_TRACES, .bare = true };
    struct find_result r;
    TRY(search_ask_find(k, &s, &r));
    k->next[0] = '\0'; // there is no next page
    enum err e = write_services(k, w, &r);
    find_fini(&r);
    return e;
}

void takt_services_handle(struct api *a, struct net_request *rq) {
    reply_asked(a, rq, answer_services);
}

// --- a test span -------------------------------------------------------------------------------------------

struct test_span {
    struct ingest_request ingest;
    struct net_request *rq;
    struct buf body;
    uint8_t trace_id[16];
};

static void test_span_done(struct ingest_request *ir, enum err e) {
    struct test_span *t = (struct test_span *)ir; // the first member
    char hex[32];
    struct buf out;
    hex_encode(t->trace_id, 16, hex);
    buf_init(&out, 256);
    buf_fmt(&out, "{\"traceId\":\"%.32s\"}", hex);
    if (e == ERR_OK)
        reply_buf(t->rq, 200, TYPE_JSON, &out);
    else
        reply_error(t->rq, status_of(e), "the test span could not be stored: %s", err_text(e));
    buf_fini(&out);
    buf_fini(&t->body);
    mem_free(t);
}

static void put_attribute(struct buf *b, uint32_t field, struct str key, struct str value) {
    struct attr_value v = { .type = ATTR_STRING, .text = value };
    attr_kv_write(b, field, key, &v);
}

static void test_span_body(struct test_span *t, uint64_t now_ns) {
    struct buf *b = &t->body;
    uint8_t span_id[8];
    random_bytes(t->trace_id, sizeof t->trace_id);
    random_bytes(span_id, sizeof span_id);
    t->trace_id[0] |= 1; // never all zero
    span_id[0] |= 1;
    size_t rs = pb_begin(b, REQUEST_RESOURCE_SPANS);
    size_t resource = pb_begin(b, RS_RESOURCE);
    put_attribute(b, RESOURCE_ATTRIBUTE, STR("service.name"), STR("takt-test"));
    pb_end(b, resource);
    size_t ss = pb_begin(b, RS_SCOPE_SPANS), span = pb_begin(b, SS_SPANS);
    pb_bytes(b, SPAN_TRACE_ID, (struct str){ (const char *)t->trace_id, 16 });
    pb_bytes(b, SPAN_SPAN_ID, (struct str){ (const char *)span_id, 8 });
    pb_bytes(b, SPAN_NAME, STR("test span"));
    pb_varint(b, SPAN_KIND, 1);
    pb_fixed64(b, SPAN_START, now_ns - 12000000);
    pb_fixed64(b, SPAN_END, now_ns);
    put_attribute(b, SPAN_ATTRIBUTE, STR("takt.sent_from"), STR("the start page"));
    pb_end(b, span);
    pb_end(b, ss);
    pb_end(b, rs);
}

void takt_test_span_handle(struct api *a, struct net_request *rq) {
    if (!guard_own_page(rq)) return;
    struct test_span *t = mem_zalloc(sizeof *t);
    if (!t) {
        reply_error(rq, 503, "out of memory");
        return;
    }
    t->rq = rq;
    buf_init(&t->body, 4096);
    t->ingest.received_ns = clock_unix_ns(a->opts.clock);
    t->ingest.done = test_span_done;
    test_span_body(t, t->ingest.received_ns);
    t->ingest.protobuf = buf_view(&t->body);
    t->ingest.record = (struct record){ .body = buf_view(&t->body), .unpacked_len = (uint32_t)t->body.len };
    ingest_submit(a->opts.ingest, &t->ingest);
}
