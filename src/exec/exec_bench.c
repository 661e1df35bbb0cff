// SPDX-License-Identifier: Apache-2.0
// What metrics cost for a batch of columns that are in memory: build/release/bench/exec_bench
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/hash.h"
#include "exec/metrics.h"

enum { ROWS = 131072, TRACE = 8, STRETCH = 4096, SERVICES = 12, NAMES = 200, ROUNDS = 30 };

static uint64_t state;

static uint64_t rnd(void) {
    return hash_u64(state += 0x9e3779b97f4a7c15u);
}

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(enum err e) {
    ASSERT(e == ERR_OK);
}

// --- the batch -------------------------------------------------------------------------------------

static uint64_t starts[ROWS], bitmap[ROWS / 64];
static int64_t durations[ROWS], sizes[ROWS];
static uint32_t services[ROWS], names[ROWS], size_rows[ROWS], n_sizes;
static struct value service_dict[SERVICES], name_dict[NAMES];
static char texts[NAMES][16];
static struct batch_trace traces[ROWS / TRACE];
static struct batch_bounds bounds[ROWS / STRETCH];
static struct batch_part service_part = { .dict = service_dict, .n_dict = SERVICES, .source = services };
static struct batch_part name_part = { .dict = name_dict, .n_dict = NAMES, .source = names };
static struct batch_part duration_part = { .type = VALUE_DURATION, .source = durations };
static struct batch_part size_part = { .type = VALUE_INT, .source = sizes };

static enum err column(struct batch *b, enum batch_table table, const struct field *f,
                       struct batch_column *out) {
    (void)b;
    (void)table;
    bool is_there = !f->intrinsic || f->intrinsic == INTRINSIC_NAME || f->intrinsic == INTRINSIC_DURATION;
    *out = (struct batch_column){ NULL, is_there };
    out->parts = f->intrinsic == INTRINSIC_NAME       ? &name_part
                 : f->intrinsic == INTRINSIC_DURATION ? &duration_part
                 : f->scope == FIELD_RESOURCE         ? &service_part
                                                      : &size_part;
    return ERR_OK;
}

static enum err load(struct batch *b, const struct batch_part *p, uint32_t from, uint32_t to,
                     struct vec *out) {
    (void)b;
    *out = (struct vec){ .form = p->dict ? VEC_CODES : VEC_INTS, .n = to - from };
    if (p->dict) out->codes = (const uint32_t *)p->source + from;
    if (!p->dict) out->ints = (const int64_t *)p->source + from;
    if (p == &size_part) { // sparse, and loaded as a whole
        ASSERT(from == 0 && to == ROWS);
        out->rows = size_rows;
        out->n = n_sizes;
    }
    return ERR_OK;
}

static enum err get_starts(struct batch *b, uint32_t from, uint32_t to, const uint64_t **out) {
    (void)b;
    (void)to;
    *out = starts + from;
    return ERR_OK;
}

static enum err get_bounds(struct batch *b, const struct batch_bounds **out, uint32_t *n) {
    (void)b;
    *out = bounds;
    *n = ROWS / STRETCH;
    return ERR_OK;
}

static enum err get_keys(struct batch *b, enum field_scope s, void (*each)(void *ctx, struct str key),
                         void *ctx) {
    (void)b;
    if (s == FIELD_SPAN) each(ctx, STR("size"));
    if (s == FIELD_RESOURCE) each(ctx, STR("service.name"));
    return ERR_OK;
}

static const struct batch_ops ops = {
    .column = column, .load = load, .starts = get_starts, .start_bounds = get_bounds, .keys = get_keys
};

// A second of spans; durations from microseconds to seconds.
static void fill(void) {
    for (uint32_t i = 0; i < NAMES; i++) {
        int n = snprintf(texts[i], sizeof texts[i], "name-%u", i);
        name_dict[i] = VALUE_OF_STR(((struct str){ texts[i], (size_t)n }));
        if (i < SERVICES) service_dict[i] = name_dict[i];
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        struct batch_trace *t = &traces[i / TRACE];
        uint64_t id[2] = { rnd(), rnd() };
        if (i % TRACE == 0) memcpy(t->id, id, sizeof id);
        t->first = i - i % TRACE;
        t->n = TRACE;
        starts[i] = 1000000000u + (uint64_t)i * 7629 + rnd() % 20000000;
        durations[i] = (int64_t)exp((double)(rnd() % 14000) / 1000 + 7);
        services[i] = (uint32_t)(rnd() % SERVICES);
        names[i] = (uint32_t)(rnd() % NAMES);
        if (rnd() % 3 == 0) {
            size_rows[n_sizes] = i;
            sizes[n_sizes++] = (int64_t)(rnd() % 500);
        }
        struct batch_bounds *at = &bounds[i / STRETCH];
        int64_t start = (int64_t)starts[i];
        if (at->n++ == 0) *at = (struct batch_bounds){ i, 1, false, start, start, true };
        if (start < at->min) at->min = start;
        if (start > at->max) at->max = start;
    }
}

// --- work ------------------------------------------------------------------------------------------

static const double quantiles[] = { 0.5, 0.99 };
static const struct field by_service[] = { { .scope = FIELD_RESOURCE, .key = { "service.name", 12 } } };
static const struct field by_name[] = { { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME } };
static const struct field by_size[] = { { .scope = FIELD_SPAN, .key = { "size", 4 } } };
static const struct field by_both[] = { { .scope = FIELD_RESOURCE, .key = { "service.name", 12 } },
                                        { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME } };
#define OF_DURATION .of = { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_DURATION }

static const struct {
    const char *name;
    struct ql_metric metric;
} works[] = {
    { "rate()", { .function = QL_RATE } },
    { "rate() by(service)", { .function = QL_RATE, .by = by_service, .n_by = 1 } },
    { "rate() by(name)", { .function = QL_RATE, .by = by_name, .n_by = 1 } },
    { "rate() by(service, name)", { .function = QL_RATE, .by = by_both, .n_by = 2 } },
    { "rate() by(sparse int)", { .function = QL_RATE, .by = by_size, .n_by = 1 } },
    { "avg(duration) by(name)", { .function = QL_AVG_OVER_TIME, .by = by_name, .n_by = 1, OF_DURATION } },
    { "max(sparse int) by(name)",
      { .function = QL_MAX_OVER_TIME,
        .by = by_name,
        .n_by = 1,
        .of = { .scope = FIELD_SPAN, .key = { "size", 4 } } } },
    { "quantile(duration) by(name)",
      { .function = QL_QUANTILE_OVER_TIME,
        .by = by_name,
        .n_by = 1,
        OF_DURATION,
        .quantiles = quantiles,
        .n_quantiles = 2 } },
    { "histogram(duration)", { .function = QL_HISTOGRAM_OVER_TIME, OF_DURATION } },
    { "compare()", { .function = QL_COMPARE, .top = 10 } },
};

// The least of some rounds, in ms for the batch.
static double run(const struct ql_metric *m, uint64_t step_ns, uint32_t exemplars) {
    struct metric_range range = {
        .start_ns = 999999999, .end_ns = 3000000000u, .step_ns = step_ns, .exemplars = exemplars
    };
    struct arena plan_arena, a;
    struct metric_plan *p;
    struct metric_acc *acc;
    double best = 1e18;
    arena_init(&plan_arena, SIZE_MAX, NULL);
    arena_init(&a, SIZE_MAX, NULL);
    must(metric_plan_new(&plan_arena, m, &range, &p));
    must(metric_acc_new(p, NULL, NULL, &acc));
    for (int i = 0; i < ROUNDS; i++) {
        struct batch b = {
            .ops = &ops, .arena = &a, .n_rows = ROWS, .n_traces = ROWS / TRACE, .traces = traces
        };
        struct rows *rows;
        uint32_t n;
        double start = now_ns();
        const struct field *fields = metric_plan_fields(p, &n);
        must(rows_new(&b, fields, n, &rows));
        must(metric_add(acc, &b, 0, rows, bitmap, NULL));
        double t = now_ns() - start;
        if (t < best) best = t;
        arena_reset(&a);
    }
    metric_acc_free(acc);
    arena_fini(&plan_arena);
    arena_fini(&a);
    return best / 1e6;
}

int main(void) {
    fill();
    memset(bitmap, 0xff, sizeof bitmap);
    printf("ms for a batch of %d rows     one interval   and exemplars   of 100 ms   and exemplars\n", ROWS);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        printf("%-32s", works[i].name);
        printf(" %9.3f %15.3f", run(&works[i].metric, 10000000000u, 0),
               run(&works[i].metric, 10000000000u, 100));
        printf(" %11.3f %15.3f\n", run(&works[i].metric, 100000000u, 0),
               run(&works[i].metric, 100000000u, 100));
    }
    return 0;
}
