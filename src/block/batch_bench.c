// SPDX-License-Identifier: Apache-2.0
// batch_bench FILE [FIELD]: what it costs to scan columns of blocks and of a head. FILE holds requests (u32
// length + body), as bench/gen.py writes them. Figures are CPU time per span and column, the least of
// some rounds: with all caches warm, in slices of some thousand rows as the engine asks for them.
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "block/batch.h"
#include "block/writer.h"
#include "otlp/check.h"
#include "otlp/decode.h"
#include "span/table_batch.h"

enum { SPANS = 4 * 131072, ROUNDS = 9, ROUNDS_OF_ONE = 1000, SLICE = 16384 };

static int rounds = ROUNDS;

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(enum err e) {
    ASSERT(e == ERR_OK);
}

static uint64_t received(void *ctx, uint32_t row) {
    return SEG_AT(&((const struct span_table *)ctx)->start_ns, row, uint64_t);
}

static bool read_table(const char *path, struct span_table *t) {
    FILE *in = fopen(path, "rb");
    struct otlp_decoder *d;
    struct arena a;
    struct err_ctx ctx = { 0 };
    if (!in) return false;
    arena_init(&a, SIZE_MAX, NULL);
    must(otlp_decoder_new(t, &d));
    for (uint32_t len; t->n < SPANS && fread(&len, 4, 1, in) == 1;) {
        struct otlp_check c;
        uint32_t added;
        char *p = mem_alloc(len + 32);
        if (!p || fread(p, 1, len, in) != len) return false;
        must(otlp_check((struct str){ p, len }, &a, &c, &ctx));
        must(otlp_decode(d, (struct str){ p, len }, c.refused, c.n_refused, &added));
        mem_free(p);
        arena_reset(&a);
    }
    span_table_publish(t);
    otlp_decoder_free(d);
    arena_fini(&a);
    fclose(in);
    return true;
}

// --- what is measured ------------------------------------------------------------------------------

struct scan { // a whole column, opened and decoded
    enum batch_table table;
    struct field field;
};
#define INTRINSIC(id) \
    { \
        BATCH_SPANS, { \
            .scope = FIELD_SPAN, .intrinsic = INTRINSIC_##id, .key = { "", 0 } \
        } \
    }
#define KEY(s, k) \
    { \
        BATCH_SPANS, { \
            .scope = FIELD_##s, .key = { k, sizeof k - 1 } \
        } \
    }
static const struct scan scans[] = {
    INTRINSIC(NAME),
    INTRINSIC(STATUS),
    INTRINSIC(KIND),
    INTRINSIC(DURATION),
    INTRINSIC(STATUS_MESSAGE),
    INTRINSIC(SPAN_ID),
    INTRINSIC(TRACE_ID),
    INTRINSIC(ROOT_NAME),
    INTRINSIC(SCOPE_NAME),
    KEY(RESOURCE, "service.name"),
    KEY(RESOURCE, "k8s.pod.name"),
    KEY(SPAN, "http.request.method"),
    KEY(SPAN, "http.response.status_code"),
    KEY(SPAN, "http.route"),
    KEY(SPAN, "url.path"),
    KEY(SPAN, "user.id"),
    KEY(SPAN, "db.query.text"),
    KEY(SPAN, "server.address"),
    { BATCH_EVENTS, { .scope = FIELD_EVENT, .intrinsic = INTRINSIC_EVENT_NAME, .key = { "", 0 } } },
};
enum { SCANS = sizeof scans / sizeof *scans };

struct figures {
    double open, first, rest, values; // column() alone; column() and all rows
    double bytes;
    char form[24];
};

static void scan_column(struct batch *b, const struct scan *s, struct figures *f) {
    struct batch_column c;
    uint32_t n = b->n_rows;
    const uint32_t *owners;
    uint64_t before = b->bytes_read;
    if (s->table != BATCH_SPANS) must(b->ops->owners(b, s->table, &owners, &n));
    double t0 = now_ns();
    must(b->ops->column(b, s->table, &s->field, &c));
    f->open += now_ns() - t0;
    for (uint32_t p = 0; p < c.n_parts; p++)
        for (uint32_t at = 0; at < n; at += SLICE) {
            struct vec v;
            must(b->ops->load(b, &c.parts[p], at, at + SLICE < n ? at + SLICE : n, &v));
            f->values += v.n;
        }
    f->rest += now_ns() - t0;
    f->bytes += (double)(b->bytes_read - before);
    if (f->form[0]) return; // of the first batch
    if (c.n_parts == 0)
        snprintf(f->form, sizeof f->form, "none");
    else if (c.parts[0].dict)
        snprintf(f->form, sizeof f->form, "dict %u", c.parts[0].n_dict);
    else
        snprintf(f->form, sizeof f->form, "%s", c.parts[0].type == VALUE_STRING ? "texts" : "numbers");
}

static void print_header(const char *what) {
    printf("\n%-28s %10s %10s %10s %10s\n", what, "ns/span", "us/open", "values", "B/span");
}

static void print_row(struct str name, const struct figures *best, uint32_t n_spans, uint32_t n_batches) {
    printf("%-28.*s %10.3f %10.1f %10.0f %10.2f  %s\n", STR_ARG(name), best->rest / n_spans,
           best->open / 1e3 / n_batches, best->values, best->bytes / n_spans, best->form);
}

static struct str name_of(const struct scan *s) {
#define X(id, name, type, scope) { name, sizeof name - 1 },
    static const struct str names[] = { INTRINSIC_TABLE(X) };
#undef X
    return s->field.intrinsic ? names[s->field.intrinsic] : s->field.key;
}

// --- blocks ----------------------------------------------------------------------------------------

static struct block *make_block(struct object_store *store, struct span_table *t) {
    struct block_meta meta;
    struct block *b;
    struct block_write_opts o = { .store = store,
                                  .tenant = STR("t"),
                                  .id = "01HF7YAT00AAAAAAAAAAAAAAAA",
                                  .table = t,
                                  .n_rows = span_table_count(t),
                                  .received_ns = received,
                                  .received_ctx = t,
                                  .version = STR("0") };
    double t0 = now_ns();
    must(block_write(&o, &meta));
    printf("block: %.1f B/span, %.0f ns/span to write\n", (double)meta.bytes / (double)meta.n_spans,
           (now_ns() - t0) / (double)meta.n_spans);
    must(block_new(store, STR("t"), &meta, &b));
    return b;
}

typedef void visit(struct batch *b, const void *ctx, struct figures *f);

static void visit_column(struct batch *b, const void *ctx, struct figures *f) {
    scan_column(b, ctx, f);
}

static void visit_nothing(struct batch *b, const void *ctx, struct figures *f) {
    (void)b, (void)ctx, (void)f;
}

static void visit_parents(struct batch *b, const void *ctx, struct figures *f) {
    const uint32_t *rows;
    (void)ctx;
    double t0 = now_ns();
    must(b->ops->parents(b, 0, b->n_rows, &rows));
    f->rest += now_ns() - t0;
}

static void visit_starts(struct batch *b, const void *ctx, struct figures *f) {
    const uint64_t *starts;
    (void)ctx;
    double t0 = now_ns();
    must(b->ops->starts(b, 0, b->n_rows, &starts));
    f->rest += now_ns() - t0;
}

static void visit_summaries(struct batch *b, const void *ctx, struct figures *f) {
    const struct batch_summary *s;
    (void)ctx;
    double t0 = now_ns();
    must(b->ops->summaries(b, NULL, &s));
    f->rest += now_ns() - t0;
}

static const struct {
    struct str name;
    visit *visit;
} others[] = { { { "(open)", 6 }, visit_nothing },
               { { "(parents)", 9 }, visit_parents },
               { { "(starts)", 8 }, visit_starts },
               { { "(summaries)", 11 }, visit_summaries } };

static void over_block(struct block *k, struct block_scan *s, struct str name, visit *v, const void *ctx) {
    struct figures best = { .rest = 1e18 };
    uint32_t n_spans = 0;
    for (int round = 0; round < rounds; round++) {
        struct figures f = { 0 };
        n_spans = 0;
        for (uint32_t g = 0; g < block_n_groups(k); g++) {
            struct block_batch b;
            arena_reset(&s->arena);
            double t0 = now_ns();
            must(block_batch_open(&b, k, s, g));
            if (v == visit_nothing) f.rest += now_ns() - t0;
            v(&b.batch, ctx, &f);
            n_spans += b.batch.n_rows;
        }
        if (f.rest < best.rest) best = f;
    }
    print_row(name, &best, n_spans, block_n_groups(k));
}

static bool is_wanted(struct str name, const char *only) {
    return !only || str_eq(name, str_of(only));
}

static void bench_block(struct span_table *t, const char *only) {
    struct object_store *store;
    struct block_scan s;
    must(object_mem_open(&store));
    struct block *k = make_block(store, t);
    must(block_scan_init(&s, NULL));
    must(block_open(k, &s));
    print_header("block");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (is_wanted(others[i].name, only)) over_block(k, &s, others[i].name, others[i].visit, NULL);
    for (int i = 0; i < SCANS; i++)
        if (is_wanted(name_of(&scans[i]), only))
            over_block(k, &s, name_of(&scans[i]), visit_column, &scans[i]);
    block_unref(k);
    block_scan_fini(&s);
    store->ops->close(store);
}

// --- heads -----------------------------------------------------------------------------------------

static void over_table(struct span_table *t, struct table_index *x, struct str name, visit *v,
                       const void *ctx) {
    struct figures best = { .rest = 1e18 };
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    for (int round = 0; round < rounds; round++) {
        struct figures f = { 0 };
        struct table_batch b;
        arena_reset(&a);
        table_batch_open(&b, t, x, &a);
        v(&b.batch, ctx, &f);
        if (f.rest < best.rest) best = f;
    }
    print_row(name, &best, x->n_rows, 1);
    arena_fini(&a);
}

static void bench_table(struct span_table *t) {
    struct table_index x;
    struct figures best = { .rest = 1e18 };
    print_header("head");
    for (int i = 0; i < rounds; i++) {
        double t0 = now_ns();
        must(table_index_make(t, span_table_count(t), &x));
        double took = now_ns() - t0;
        if (took < best.rest) best.rest = took;
        if (i + 1 < rounds) table_index_fini(&x);
    }
    print_row(STR("(index)"), &best, x.n_rows, 1);
    for (size_t i = 1; i < sizeof others / sizeof *others; i++)
        over_table(t, &x, others[i].name, others[i].visit, NULL);
    for (int i = 0; i < SCANS; i++) over_table(t, &x, name_of(&scans[i]), visit_column, &scans[i]);
    table_index_fini(&x);
}

int main(int argc, char **argv) {
    struct span_table t;
    enum { KEEP_BYTES = 32 << 20 }; // as the server does: memory is kept, not unmapped
    mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);
    mallopt(M_TRIM_THRESHOLD, 4 * KEEP_BYTES);
    span_table_init(&t, SIZE_MAX, NULL);
    if (argc < 2 || argc > 3 || !read_table(argv[1], &t)) {
        fprintf(stderr, "usage: %s FILE [FIELD]\n", argv[0]);
        return 2;
    }
    printf("%u spans, %u traces\n", span_table_count(&t), t.n_traces);
    if (argc > 2) rounds = ROUNDS_OF_ONE;
    bench_block(&t, argc > 2 ? argv[2] : NULL);
    if (argc == 2) bench_table(&t);
    span_table_fini(&t);
    return 0;
}
