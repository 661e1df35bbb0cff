// SPDX-License-Identifier: Apache-2.0
// /metrics in OpenMetrics text. Source: the OpenMetrics specification, 1.0.
#include <math.h>
#include <stdio.h>

#include "api/api_internal.h"
#include "base/pool.h"
#include "delivery/delivery.h"
#include "delivery/gauges_keeper.h"
#include "intake/pipeline.h"
#include "otlp/check.h"
#include "query/answers.h"
#include "query/memory.h"

enum { METRICS_BYTES_MAX = 4 << 20 }; // the longest names of all services included

static void family(struct buf *b, const char *name, const char *type, const char *help) {
    buf_fmt(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void value(struct buf *b, const char *name, uint64_t v) {
    buf_fmt(b, "%s %llu\n", name, (unsigned long long)v);
}

static void gauge(struct buf *b, const char *name, const char *help, double v) {
    family(b, name, "gauge", help);
    buf_fmt(b, "%s %.17g\n", name, v);
}

static void counter(struct buf *b, const char *name, const char *help, uint64_t v) {
    family(b, name, "counter", help);
    buf_fmt(b, "%s_total %llu\n", name, (unsigned long long)v);
}

static const char *const protocols[API_LISTENER_COUNT] = { "http", "otlp_grpc", "otlp_http" };

static void write_receivers(struct api *a, struct buf *b) {
    family(b, "takt_spans_received", "counter", "Spans accepted, durable and visible.");
    for (int i = 0; i < API_LISTENER_COUNT; i++)
        buf_fmt(b, "takt_spans_received_total{protocol=\"%s\"} %llu\n", protocols[i],
                (unsigned long long)a->receivers[i].spans);
    family(b, "takt_requests_refused", "counter", "Requests that were refused as a whole, by reason.");
    for (int i = 0; i < API_LISTENER_COUNT; i++)
        for (int r = 0; r < REFUSE_COUNT; r++)
            buf_fmt(b, "takt_requests_refused_total{protocol=\"%s\",reason=\"%s\"} %llu\n", protocols[i],
                    refuse_label((enum refuse)r), (unsigned long long)a->receivers[i].refused[r]);
    family(b, "takt_spans_refused", "counter",
           "Spans refused one by one, with the reason told to the sender.");
    for (int i = 0; i < OTLP_REFUSE_COUNT; i++)
        buf_fmt(b, "takt_spans_refused_total{reason=\"%s\"} %llu\n", otlp_refuse_label((enum otlp_refuse)i),
                (unsigned long long)a->refused_by_reason[i]);
    family(b, "takt_unknown_fields", "counter",
           "Fields of OTLP that this version does not know and does not keep.");
    uint64_t unknown = 0;
    for (int i = 0; i < API_LISTENER_COUNT; i++) unknown += a->receivers[i].unknown_fields;
    value(b, "takt_unknown_fields_total", unknown);
}

static void write_net(struct api *a, struct buf *b) {
    family(b, "takt_connections_open", "gauge", "Connections now.");
    for (unsigned l = 0; a->server && l < API_LISTENER_COUNT; l++) {
        struct net_stats s;
        if (a->opts.addresses[l].len == 0) continue;
        net_server_stats(a->server, a->listener_of[l], &s);
        buf_fmt(b, "takt_connections_open{protocol=\"%s\"} %llu\n", protocols[l], (unsigned long long)s.open);
    }
}

static void write_traces(struct buf *b, const struct ingest_stats *s) {
    uint64_t judged = s->cut_traces_total - s->suspect_traces;
    counter(b, "takt_traces_cut", "Traces, each counted when its first spans went into a block.",
            s->cut_traces_total);
    counter(b, "takt_traces_error", "Those of them with an error.", s->error_traces_total);
    counter(b, "takt_traces_partial",
            "Those without a root or with a parent missing, a minute after the cut.",
            s->partial_traces_total);
    gauge(b, "takt_traces_partial_ratio", "Share of partial traces among those judged since the start.",
          judged ? (double)s->partial_traces_total / (double)judged : 0);
    family(b, "takt_trace_rebuild", "counter",
           "Traces that were not whole at the cut, looked at again a minute later, by what they were then.");
    buf_fmt(b, "takt_trace_rebuild_total{result=\"whole\"} %llu\n",
            (unsigned long long)s->rebuilt_traces_total);
    buf_fmt(b, "takt_trace_rebuild_total{result=\"partial\"} %llu\n",
            (unsigned long long)s->partial_traces_total);
    buf_fmt(b, "takt_trace_rebuild_total{result=\"unknown\"} %llu\n",
            (unsigned long long)s->unknown_traces_total);
}

// 0: nothing waits.
static double age_of(const struct api *a, uint64_t since_ns) {
    uint64_t now = clock_unix_ns(a->opts.clock);
    return since_ns && now > since_ns ? (double)(now - since_ns) / 1e9 : 0;
}

static void write_store(struct api *a, struct buf *b) {
    struct ingest_stats s;
    ingest_stats(a->opts.ingest, &s);
    family(b, "takt_spans_dropped", "counter", "Acknowledged spans that are gone, by reason.");
    buf_fmt(b, "takt_spans_dropped_total{reason=\"disk_budget\"} %llu\n",
            (unsigned long long)s.dropped_spans_total);
    counter(b, "takt_spans_expired", "Spans that retention let go.", s.expired_spans_total);
    counter(b, "takt_spans_equal", "Spans left out of blocks because one equal in every field was there.",
            s.equal_spans_total);
    counter(b, "takt_ingest_failed_requests", "Requests that could not be stored.", s.failed_requests_total);
    write_traces(b, &s);
    counter(b, "takt_cuts", "Heads written as blocks.", s.cuts_total);
    counter(b, "takt_cut_failures", "Blocks that could not be written; they are tried again.",
            s.cut_failures_total);
    counter(b, "takt_deleted_traces", "Traces deleted on request.", s.deleted_traces_total);
    counter(b, "takt_deleted_spans", "Spans of those.", s.deleted_spans_total);
    counter(b, "takt_merges", "Merges of blocks.", s.merges_total);
    gauge(b, "takt_head_spans", "Spans in memory that are not in blocks yet.", (double)s.head_spans);
    gauge(b, "takt_head_bytes", "Memory of those.", (double)s.head_bytes);
    gauge(b, "takt_blocks", "Live blocks.", (double)s.blocks);
    gauge(b, "takt_block_spans", "Spans in blocks.", (double)s.block_spans);
    gauge(b, "takt_block_bytes", "Bytes of blocks.", (double)s.block_bytes);
    family(b, "takt_disk_bytes", "gauge",
           "Bytes on disk that count in the disk budget, by what they are of.");
    buf_fmt(b, "takt_disk_bytes{of=\"blocks\"} %llu\n", (unsigned long long)s.block_bytes);
    buf_fmt(b, "takt_disk_bytes{of=\"wal\"} %llu\n", (unsigned long long)s.wal.bytes);
    buf_fmt(b, "takt_disk_bytes{of=\"facts\"} %llu\n", (unsigned long long)s.beside_bytes);
    gauge(b, "takt_disk_budget_bytes", "The disk budget.", (double)s.disk_budget_bytes);
    gauge(b, "takt_disk_full", "1: the disk budget is used up, and data is refused.", s.disk_full ? 1 : 0);
    gauge(b, "takt_wal_bytes", "Bytes of the write-ahead log.", (double)s.wal.bytes);
    counter(b, "takt_wal_syncs", "Syncs of the write-ahead log.", s.wal.sync_count);
    counter(b, "takt_wal_written_bytes", "Bytes written to the write-ahead log.", s.wal.bytes_written_total);
    gauge(b, "takt_queued_requests", "Requests between arrival and answer.", (double)s.queued_requests);
    family(
        b, "takt_queue_age_seconds", "gauge",
        "How long the oldest has waited: of requests for their answer, of spans in memory for their block.");
    buf_fmt(b, "takt_queue_age_seconds{queue=\"requests\"} %.3f\n", age_of(a, s.oldest_request_ns));
    buf_fmt(b, "takt_queue_age_seconds{queue=\"head\"} %.3f\n", age_of(a, s.oldest_head_ns));
    gauge(b, "takt_busy", "1 while something is queued, cut or merged; 0 at rest.", s.busy ? 1 : 0);
    gauge(b, "takt_ingest_saturation", "How near to refusing data ingest is, from 0 to 1.",
          saturation_of(a, &s));
    double spans = (double)s.block_spans, traces = (double)s.block_traces;
    if (spans > 0)
        gauge(b, "takt_storage_bytes_per_span", "Bytes of blocks per span.", (double)s.block_bytes / spans);
    if (traces > 0)
        gauge(b, "takt_storage_cost_per_million_traces",
              "Monthly cost of storage per million traces, at the price of storage.price.",
              (double)s.block_bytes / 1e9 * a->opts.price_per_gb_month / traces * 1e6);
    if (s.oldest_start_ns)
        gauge(b, "takt_retention_days", "Age of the oldest span.",
              (double)(clock_unix_ns(a->opts.clock) - s.oldest_start_ns) / 86400e9);
}

static void write_untold(struct api *a, struct buf *b) {
    family(b, "takt_delivery_spans_untold", "counter",
           "Spans of pipelines that did not become an event of delivery, by reason.");
    for (int i = 0; i < UNTOLD_COUNT; i++)
        buf_fmt(b, "takt_delivery_spans_untold_total{reason=\"%s\"} %llu\n", untold_label((enum untold)i),
                (unsigned long long)a->opts.untold->of[i]);
}

static void write_hooks_refused(struct api *a, struct buf *b) {
    static const char *const labels[] = {
#define X(name, label) label,
        HOOK_REFUSE_TABLE(X)
#undef X
    };
    family(b, "takt_delivery_requests_refused", "counter",
           "Requests with events that were refused, by reason.");
    for (int r = 0; r < HOOK_REFUSE_COUNT; r++)
        buf_fmt(b, "takt_delivery_requests_refused_total{reason=\"%s\"} %llu\n", labels[r],
                (unsigned long long)a->hooks_refused[r]);
}

static void write_delivery(struct api *a, struct buf *b) {
    struct delivery_stats s;
    gauge(b, "takt_delivery_open", "1: the facts of delivery are open; 0: events are refused for now.",
          a->opts.delivery != NULL);
    write_hooks_refused(a, b);
    write_untold(a, b);
    if (!a->opts.delivery) return;
    delivery_stats(a->opts.delivery, &s);
    counter(b, "takt_delivery_events", "Events of delivery that were taken in.", s.events);
    counter(b, "takt_delivery_events_again", "Of these, those that had come before.", s.again);
    counter(b, "takt_delivery_events_unknown", "Of these, those of a type that says nothing to Takt.",
            s.unknown);
    counter(b, "takt_delivery_events_aside", "Of these, those that were set aside.", s.aside);
}

static const struct {
    const char *name, *help;
} gauge_families[GAUGE_COUNT] = {
    [GAUGE_LEAD_TIME] = { "takt_dora_lead_time_seconds",
                          "Lead time for changes, from commit to production: the median over" },
    [GAUGE_FREQUENCY] = { "takt_dora_deployments_per_day", "Deployments to production, per day of" },
    [GAUGE_FAILURE_RATE] = { "takt_dora_change_failure_ratio",
                             "Share of the deployments to production that failed, over" },
    [GAUGE_RECOVERY_TIME] = { "takt_dora_recovery_time_seconds",
                              "Recovery time of failed deployments: the median over" },
    [GAUGE_REWORK_RATE] = { "takt_dora_rework_ratio", "Share of hotfixes, rollbacks and reverts among the "
                                                      "deployments to production, over" },
};

static void write_label(struct buf *b, struct str text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\' || c == '"') buf_char(b, '\\');
        if (c == '\n')
            buf_str(b, STR("\\n"));
        else
            buf_char(b, c);
    }
}

static void write_of_service(struct buf *b, const char *name, struct str service, double v) {
    buf_fmt(b, "%s{service=\"", name);
    write_label(b, service);
    buf_fmt(b, "\",environment=\"production\"} %.17g\n", v);
}

static void write_gauges(void *ctx, const struct gauges *g) {
    struct buf *b = ctx;
    char help[200];
    if (!g->to) return; // not read yet
    for (unsigned f = 0; f < GAUGE_COUNT; f++) {
        (void)snprintf(help, sizeof help, "%s the last %d days.", gauge_families[f].help, GAUGES_DAYS);
        family(b, gauge_families[f].name, "gauge", help);
        for (uint32_t i = 0; i < g->n; i++)
            if (!isnan(g->services[i].values[f]))
                write_of_service(b, gauge_families[f].name, g->services[i].name, g->services[i].values[f]);
    }
    (void)snprintf(help, sizeof help, "Deployments that these are made of: those of the last %d days.",
                   GAUGES_DAYS);
    family(b, "takt_dora_deployments", "gauge", help);
    for (uint32_t i = 0; i < g->n; i++)
        write_of_service(b, "takt_dora_deployments", g->services[i].name, (double)g->services[i].deployments);
    (void)snprintf(
        help, sizeof help,
        "Services without takt_dora_ figures: beyond the %d that deploy the most, or of too long a "
        "name.",
        GAUGES_SERVICES_MAX);
    gauge(b, "takt_dora_services_left_out", help, g->left_out);
    gauge(b, "takt_dora_window_end_seconds", "End of the days of takt_dora_, in seconds since 1970.",
          (double)g->to / 1e9);
}

static void write_cache(struct buf *b) {
    struct block_cache_stats s;
    struct block_memo_stats memo;
    block_cache_stats(&s);
    block_memo_stats(&memo);
    family(b, "takt_index_bytes", "gauge", "Memory of what questions look up in blocks, by what it is.");
    buf_fmt(b, "takt_index_bytes{of=\"dictionaries\"} %llu\n", (unsigned long long)memo.dicts);
    buf_fmt(b, "takt_index_bytes{of=\"traces\"} %llu\n", (unsigned long long)memo.traces);
    gauge(b, "takt_filter_bytes", "Memory of the filters that tell which row groups cannot match.",
          (double)memo.filters);
    gauge(b, "takt_column_cache_bytes", "Memory of unpacked columns that are kept for later questions.",
          (double)s.bytes);
    counter(b, "takt_column_cache_hits", "Columns of a row group that a question found unpacked.", s.hits);
    counter(b, "takt_column_cache_misses", "Columns of a row group that a question unpacked.", s.misses);
}

// What lies idle or between what is used: it is part of what the process has, and of no other gauge.
static void write_pages(struct buf *b) {
    struct block_cache_stats columns;
    struct block_memo_stats memo;
    block_cache_stats(&columns);
    block_memo_stats(&memo);
    gauge(b, "takt_idle_memory_bytes", "Memory that questions gave back, and the next ones will use.",
          (double)arena_pool_bytes());
    family(b, "takt_large_pages_bytes", "gauge",
           "Pages of 2 MiB that columns and traces are kept in and answers written in, used or not.");
    buf_fmt(b, "takt_large_pages_bytes{of=\"columns\"} %llu\n", (unsigned long long)columns.pages);
    buf_fmt(b, "takt_large_pages_bytes{of=\"traces\"} %llu\n", (unsigned long long)memo.trace_pages);
    buf_fmt(b, "takt_large_pages_bytes{of=\"answers\"} %llu\n", (unsigned long long)pool_bytes());
}

static void write_answers(struct buf *b) {
    struct answers_stats s;
    answers_stats(&s);
    gauge(b, "takt_query_cache_bytes", "Memory of what row groups answered, kept for the same question.",
          (double)s.bytes);
    gauge(b, "takt_query_cache_answers", "Answers of row groups that are kept.", (double)s.n);
    counter(b, "takt_query_cache_hits", "Row groups whose answer was kept.", s.hits);
    counter(b, "takt_query_cache_misses", "Row groups whose answer was looked for and was not kept.",
            s.misses);
    counter(b, "takt_query_cache_evictions", "Answers of row groups that went for newer ones.", s.evictions);
}

static void write_memory(const struct api *a, struct buf *b) {
    struct query_memory_stats s;
    if (!a->opts.query_memory) return;
    query_memory_stats(a->opts.query_memory, &s);
    gauge(b, "takt_query_memory_bytes", "Memory that queries have taken, all together, by pieces of 1 MiB.",
          (double)s.bytes);
    gauge(b, "takt_query_memory_limit_bytes", "What they may take (query.max_memory_total).",
          (double)s.limit);
    counter(b, "takt_query_memory_waits", "How often a query waited for memory that others had.", s.waits);
    counter(b, "takt_query_memory_refused", "Queries that ended because others had the memory.", s.refused);
}

static void write_queries(struct api *a, struct buf *b) {
    static const char *const bounds[QUERY_BUCKETS] = { "0.001", "0.002", "0.005", "0.01", "0.02", "0.05",
                                                       "0.1",   "0.2",   "0.5",   "1",    "5",    "+Inf" };
    uint64_t sum = 0;
    family(b, "takt_query_duration_seconds", "histogram", "Time of queries on the workers.");
    for (int i = 0; i < QUERY_BUCKETS; i++) {
        sum += a->query_buckets[i];
        buf_fmt(b, "takt_query_duration_seconds_bucket{le=\"%s\"} %llu\n", bounds[i],
                (unsigned long long)sum);
    }
    buf_fmt(b, "takt_query_duration_seconds_sum %.9f\n", (double)a->query_ns_total / 1e9);
    value(b, "takt_query_duration_seconds_count", sum);
    gauge(b, "takt_queries_running", "Queries on the workers.", (double)a->queries_running);
    counter(b, "takt_queries_canceled", "Queries that stopped because nobody waited for the answer any more.",
            a->queries_canceled_total);
    gauge(b, "takt_answers_waiting_bytes", "Bytes of large answers that their clients have not read yet.",
          (double)reply_waiting_bytes());
    counter(b, "takt_answers_refused", "Answers that were refused because large ones wait for slow clients.",
            reply_waiting_refused());
}

void metrics_handle(struct api *a, struct net_request *rq) {
    struct buf out;
    buf_init(&out, METRICS_BYTES_MAX);
    write_receivers(a, &out);
    write_net(a, &out);
    write_store(a, &out);
    write_queries(a, &out);
    write_delivery(a, &out);
    if (a->opts.gauges) gauges_keeper_see(a->opts.gauges, write_gauges, &out);
    write_cache(&out);
    write_pages(&out);
    write_answers(&out);
    write_memory(a, &out);
    family(&out, "takt_build", "info", "The version that runs.");
    buf_fmt(&out, "takt_build_info{version=\"%.*s\"} 1\n# EOF\n", STR_ARG(a->opts.version));
    reply_buf(rq, 200, STR("application/openmetrics-text; version=1.0.0; charset=utf-8"), &out);
}

void metrics_note_query(struct api *a, uint64_t ns) {
    static const uint64_t bounds_ns[QUERY_BUCKETS - 1] = { 1000000,   2000000,    5000000,   10000000,
                                                           20000000,  50000000,   100000000, 200000000,
                                                           500000000, 1000000000, 5000000000 };
    int i = 0;
    while (i < QUERY_BUCKETS - 1 && ns > bounds_ns[i]) i++;
    atomic_fetch_add(&a->query_buckets[i], 1);
    atomic_fetch_add(&a->query_ns_total, ns);
}

void metrics_note_end(struct api *a, enum err e) {
    if (e == ERR_CANCELED) a->queries_canceled_total++;
}
