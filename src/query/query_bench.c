// SPDX-License-Identifier: Apache-2.0
// What questions cost on a data directory: build/release/bench/query_bench DIR [LIMIT [TRACEQL …]]
// prints CPU of all threads, the least of some runs. LIMIT below 0: everything is looked at, but only the
// first -LIMIT are shown.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "os/disk.h"
#include "query/find.h"
#include "query/series.h"

enum { RUNS = 5, KEEP_BYTES = 32 << 20 };

// BENCH_RUNS=50: for a profile.
static int runs_of(void) {
    const char *asked = getenv("BENCH_RUNS");
    return asked ? atoi(asked) : RUNS;
}

static double cpu_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void must(enum err e, const struct err_ctx *ctx) {
    if (e == ERR_OK) return;
    (void)fprintf(stderr, "%s: %s\n", err_text(e), ctx->text);
    exit(1);
}

struct times {
    uint64_t first_ns, last_ns;
};

static struct times times_of(struct view *v) {
    struct times t = { UINT64_MAX, 0 };
    for (uint32_t i = 0; i < v->n_blocks; i++) {
        const struct block_meta *m = block_meta(v->blocks[i]);
        if (m->main.min_ns < t.first_ns) t.first_ns = m->main.min_ns;
        if (m->main.max_ns > t.last_ns) t.last_ns = m->main.max_ns;
    }
    return t;
}

static uint64_t run_find(struct view *v, const struct ql_query *q, int limit, uint64_t *bytes) {
    struct find f = { .query = q, .limit = (uint32_t)abs(limit), .spans_per_set = 3, .count = limit < 0 };
    struct find_result r;
    struct err_ctx ctx = { 0 };
    must(find_run(v, &f, &r, &ctx), &ctx);
    uint64_t n = limit < 0 ? r.total : r.n;
    *bytes = r.stats.bytes;
    find_fini(&r);
    return n;
}

static uint64_t run_series(struct view *v, const struct ql_query *q, struct times t, uint64_t *bytes) {
    uint64_t step = 60000000000ull;
    struct series_query s = { .query = q, .step_ns = step, .exemplars = 100 };
    struct series_answer r;
    struct err_ctx ctx = { 0 };
    s.bounds.start_ns = t.first_ns / step * step - step;
    s.bounds.end_ns = (t.last_ns / step + 1) * step;
    must(series_run(v, &s, &r, &ctx), &ctx);
    uint64_t n = r.n;
    *bytes = r.stats.bytes;
    series_fini(&r);
    return n;
}

static void measure(struct view *v, const char *text, int limit, struct times t) {
    struct ql_query *q;
    struct arena a;
    struct err_ctx ctx = { 0 };
    double best = 1e18;
    uint64_t n = 0, bytes = 0;
    arena_init(&a, SIZE_MAX, NULL);
    must(ql_parse(&a, str_of(text), &q, &ctx), &ctx);
    for (int i = 0, runs = runs_of(); i < runs; i++) {
        double start = cpu_ms();
        n = q->is_metrics ? run_series(v, q, t, &bytes) : run_find(v, q, limit, &bytes);
        double took = cpu_ms() - start;
        if (took < best) best = took;
        if (getenv("BENCH_EACH")) printf("%.1f ", took);
    }
    printf("%9.2f ms %8llu found %8.1f MB  %s\n", best, (unsigned long long)n, (double)bytes / 1e6, text);
    ql_free(q);
    arena_fini(&a);
}

static const char *const questions[] = {
    "{resource.service.name=\"checkout\" && name=\"GET /api/v2/checkout/list\"}",
    "{span.user.id=\"user-rare-7f3a91\"}",
    "{duration>2s}",
    "{status=error}",
    "{span.url.path=~\"/api/v2/order/4[0-9]{3}\"}",
    "{resource.service.name=\"frontend-web\"} >> {resource.service.name=\"payment\" && status=error}",
    "{status=error} | count() > 5",
    "{resource.service.name=\"payment\"} | by(name) | avg(duration) > 100ms",
    "{span.order.total>500.0}",
    "{span.cache.hit=false && resource.service.name=\"cart\"}",
    "{event.exception.type=\"PaymentDeclinedError\"}",
    "{span.db.query.text=~\".*GROUP BY status.*\"}",
    "{} | rate() by (resource.service.name)",
    "{} | quantile_over_time(duration,.99) by (name)",
    "{status=error} | count_over_time() by (resource.service.name)",
};

int main(int argc, char **argv) {
    struct object_store *store;
    struct ingest *in;
    struct ingest_replay replay;
    struct err_ctx ctx = { 0 };
    char wal[1024];
    if (argc < 2) return 2;
    mallopt(M_MMAP_THRESHOLD, KEEP_BYTES); // as the server keeps memory
    mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
    must(object_file_open(disk_real(), argv[1], &store), &ctx);
    (void)snprintf(wal, sizeof wal, "%s/wal", argv[1]);
    struct ingest_opts o = { .disk = disk_real(),
                             .clock = clock_real(),
                             .store = store,
                             .wal_dir = wal,
                             .tenant = STR("single-tenant"),
                             .version = STR("bench"),
                             .read_only = true,
                             .cut_spans = UINT32_MAX,
                             .cut_bytes = UINT64_MAX / 4 };
    must(ingest_open(&o, &in, &replay, &ctx), &ctx);
    struct view *v = ingest_view(in);
    struct times t = times_of(v);
    int limit = argc > 2 ? atoi(argv[2]) : 100000;
    if (argc > 3)
        for (int i = 3; i < argc; i++) measure(v, argv[i], limit, t);
    else
        for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) measure(v, questions[i], limit, t);
    view_unref(v);
    ingest_close(in);
    store->ops->close(store);
    return 0;
}
