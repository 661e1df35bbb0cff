// SPDX-License-Identifier: Apache-2.0
// What encoding and decoding a row group costs: build/release/bench/parquet_bench
#include <stdio.h>
#include <time.h>

#include "base/hash.h"
#include "parquet/parquet.h"

enum { ROWS = 131072, DICT = 1000, ROUNDS = 15 };

static uint64_t state;

static uint64_t rnd(void) {
    return hash_u64(state += 0x9e3779b97f4a7c15u);
}

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct file {
    struct buf bytes;
};

static enum err sink(void *ctx, const void *p, size_t n) {
    struct file *f = ctx;
    buf_add(&f->bytes, p, n);
    return f->bytes.failed ? ERR_NOMEM : ERR_OK;
}

static enum err source(void *ctx, uint64_t off, void *dst, size_t n) {
    struct file *f = ctx;
    memcpy(dst, f->bytes.ptr + off, n);
    return ERR_OK;
}

static void must(enum err e) {
    ASSERT(e == ERR_OK);
}

struct work {
    const char *name;
    struct pq_column column;
    struct pq_column_opts opts;
    struct pq_values values;
};

static double encode_once(const struct work *w, struct file *f) {
    struct pq_writer_opts o = {
        .sink = { sink, f }, .columns = &w->column, .opts = &w->opts, .n_columns = 1, .version = STR("0")
    };
    struct pq_writer *pw;
    buf_reset(&f->bytes);
    must(pq_writer_new(&o, &pw));
    double best = 1e18;
    for (int i = 0; i < 2; i++) { // the second finds the writer's memory as it wants it
        must(pq_row_group_begin(pw, ROWS, NULL, 0));
        double start = now_ns();
        must(pq_column_write(pw, 0, &w->values));
        double t = now_ns() - start;
        best = t < best ? t : best;
        must(pq_row_group_end(pw));
    }
    must(pq_writer_finish(pw));
    pq_writer_free(pw);
    return best;
}

static double read_once(struct file *f, struct pq_decoder *d, struct arena *a, uint32_t from, uint32_t to) {
    struct pq_source s = { source, f, f->bytes.len };
    struct pq_reader *r;
    struct err_ctx ctx = { .text = "" };
    struct pq_chunk c;
    struct pq_vector v;
    must(pq_reader_open(&s, &(struct pq_reader_opts){ 0 }, &r, &ctx));
    arena_reset(a);
    double start = now_ns();
    pq_chunk_open(r, 0, 0, d, a, &c);
    must(pq_chunk_read(&c, from, to, a, &v));
    double t = now_ns() - start;
    pq_reader_close(r);
    return t;
}

static void run(const struct work *w) {
    struct file f;
    struct arena a;
    struct pq_decoder *d = pq_decoder_new(0);
    double encode = 1e18, decode = 1e18, tiny = 1e18;
    buf_init(&f.bytes, (size_t)1 << 30);
    arena_init(&a, (size_t)1 << 30, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        double t = encode_once(w, &f);
        encode = t < encode ? t : encode;
        t = read_once(&f, d, &a, 0, ROWS);
        decode = t < decode ? t : decode;
        t = read_once(&f, d, &a, 70000, 70020);
        tiny = t < tiny ? t : tiny;
    }
    double n = (double)w->values.n_values;
    printf("%-34s %6.2f ns/value encode  %6.2f ns/value decode  %7.1f us for 20 rows  %6.2f B/value\n",
           w->name, encode / n, decode / n, tiny / 1000, (double)f.bytes.len / 2 / n);
    buf_fini(&f.bytes);
    arena_fini(&a);
    pq_decoder_free(d);
}

static uint32_t codes[ROWS], rows[ROWS];
static int64_t times[ROWS], durations[ROWS], status[ROWS];
static uint8_t ids[ROWS * 8], trace_ids[ROWS * 16], flags[ROWS];
static struct str dict[ROWS], texts[ROWS];
static char text_space[ROWS][32];
static int32_t refs[DICT];

static void fill(void) {
    for (int i = 0; i < ROWS; i++) {
        codes[i] = (uint32_t)(rnd() % DICT * (rnd() % 4 > 0));
        rows[i] = (uint32_t)i;
        times[i] = 1700000000000000000 + (int64_t)i * 100000 + (int64_t)(rnd() % 10000000);
        durations[i] = (int64_t)(rnd() >> (40 + rnd() % 16));
        status[i] = rnd() % 50 ? 200 : 500;
        flags[i] = rnd() % 10 == 0;
        uint64_t id = rnd();
        memcpy(ids + i * 8, &id, 8);
        if (i % 12 && i)
            memcpy(trace_ids + i * 16, trace_ids + i * 16 - 16, 16);
        else
            memcpy(trace_ids + i * 16, &id, 8);
        int len = snprintf(text_space[i], 32, "/api/items/%08llx", (unsigned long long)(id & 0xffffffff));
        texts[i] = (struct str){ text_space[i], (size_t)len };
        dict[i] = texts[i];
    }
    for (int i = 0; i < DICT; i++) refs[i] = (int32_t)(rnd() % 100000);
}

int main(void) {
    fill();
    uint32_t n = 0;
    for (uint32_t i = 0; i < ROWS; i++)
        if (rnd() % 10 < 7) rows[n++] = i;
    const struct pq_column text = { .name = STR("c"), .type = PQ_BYTE_ARRAY, .logical = PQ_STRING };
    struct pq_column maybe = text;
    maybe.optional = true;
    const struct pq_column i64 = { .name = STR("c"), .type = PQ_INT64 };
    const struct pq_column ref = { .name = STR("c"), .type = PQ_INT32, .logical = PQ_UNSIGNED };
    const struct pq_column id = { .name = STR("c"), .type = PQ_FIXED, .fixed_len = 8 };
    const struct pq_column trace = { .name = STR("c"), .type = PQ_FIXED, .fixed_len = 16 };
    const struct pq_column flag = { .name = STR("c"), .type = PQ_BOOLEAN };
    const struct pq_column_opts none = { .codec = PQ_CODEC_NONE };
    const struct pq_column_opts delta = { .encoding = PQ_ENC_DELTA, .codec = PQ_CODEC_NONE };
    const struct pq_column_opts bloom = { .bloom = true };
    const struct work all[] = {
        { "text, 1000 entries, codes",
          text,
          none,
          { .codes = codes, .dict = dict, .n_dict = DICT, .n_values = ROWS } },
        { "the same, optional, 70 %",
          maybe,
          none,
          { .codes = codes, .dict = dict, .n_dict = DICT, .rows = rows, .n_values = n } },
        { "the same, codec by trial",
          text,
          { 0 },
          { .codes = codes, .dict = dict, .n_dict = DICT, .n_values = ROWS } },
        { "ref, dictionary forced",
          ref,
          { .encoding = PQ_ENC_DICT },
          { .codes = codes, .dict_i32 = refs, .n_dict = DICT, .n_values = ROWS } },
        { "start, delta", i64, delta, { .i64 = times, .n_values = ROWS } },
        { "duration, delta", i64, delta, { .i64 = durations, .n_values = ROWS } },
        { "duration, plain + zstd",
          i64,
          { .encoding = PQ_ENC_PLAIN, .codec = PQ_CODEC_ZSTD },
          { .i64 = durations, .n_values = ROWS } },
        { "status code, by value", i64, { 0 }, { .i64 = status, .n_values = ROWS } },
        { "span id, plain", id, none, { .fixed = ids, .n_values = ROWS } },
        { "trace id, zstd", trace, { 0 }, { .fixed = trace_ids, .n_values = ROWS } },
        { "trace id, zstd, bloom", trace, bloom, { .fixed = trace_ids, .n_values = ROWS } },
        { "unique text, by value", text, { 0 }, { .strs = texts, .n_values = ROWS } },
        { "unique text, codes", text, none, { .codes = rows, .dict = dict, .n_dict = ROWS, .n_values = n } },
        { "flag", flag, { 0 }, { .bools = flags, .n_values = ROWS } },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].values.codes == rows) { // as many rows as values
            struct work w = all[i];
            w.values.n_values = ROWS;
            for (uint32_t k = 0; k < ROWS; k++) rows[k] = k;
            run(&w);
        } else {
            run(&all[i]);
        }
    }
    return 0;
}
