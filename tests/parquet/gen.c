// SPDX-License-Identifier: Apache-2.0
// Writes Parquet files and, beside each, what a reader must find in it: gen DIR makes DIR/x.parquet
// and DIR/x.json. check.mjs opens them with readers that others wrote. The other way round, gen read
// FILE checks a file that another writer made, and says what is in it.
//
// JSON: {"columns":[{"name","type","values":[…]}]}; a value is null, a decimal string (integers), 16
// hex digits (the bits of a double), or "x" and hex digits (bytes, text).
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "parquet/parquet.h"

static struct arena arena;
static uint64_t state;

static uint64_t rnd(void) {
    return hash_u64(state += 0x9e3779b97f4a7c15u);
}

static _Noreturn void die(const char *what) {
    fprintf(stderr, "gen: %s\n", what);
    exit(1);
}

static void must(enum err e, const char *what) {
    if (e) die(what);
}

// --- columns -------------------------------------------------------------------------------------

enum nulls { NONE, ALL, SOME, SPARSE, RUNS };

struct spec {
    const char *name;
    enum pq_type type;
    enum pq_logical logical;
    enum nulls nulls;
    struct pq_column_opts opts;
    int kind; // of values: 0 edges and random, 1 few, 2 ascending, 3 long
};

#define OPTS(e, c) \
    { .encoding = (e), .codec = (c) }
static const struct spec specs[] = {
    { "start", PQ_INT64, PQ_TIMESTAMP_NS, NONE, OPTS(PQ_ENC_DELTA, PQ_CODEC_NONE), 2 },
    { "when?", PQ_INT64, PQ_TIMESTAMP_NS, SOME, OPTS(PQ_ENC_PLAIN, PQ_CODEC_ZSTD), 2 },
    { "naive", PQ_INT64, PQ_NAIVE_NS, SOME, OPTS(PQ_ENC_DELTA, PQ_CODEC_AUTO), 2 },
    { "i64 delta", PQ_INT64, PQ_SIGNED, NONE, OPTS(PQ_ENC_DELTA, PQ_CODEC_NONE), 0 },
    { "i64 delta, some", PQ_INT64, PQ_PLAIN_TYPE, SOME, OPTS(PQ_ENC_DELTA, PQ_CODEC_ZSTD), 0 },
    { "i64 plain", PQ_INT64, PQ_SIGNED, SPARSE, OPTS(PQ_ENC_PLAIN, PQ_CODEC_NONE), 0 },
    { "span.http.response.status_code:int", PQ_INT64, PQ_SIGNED, SOME, OPTS(PQ_ENC_AUTO, PQ_CODEC_AUTO), 1 },
    { "u64 delta", PQ_INT64, PQ_UNSIGNED, RUNS, OPTS(PQ_ENC_DELTA, PQ_CODEC_NONE), 0 },
    { "u64 dict", PQ_INT64, PQ_UNSIGNED, NONE, OPTS(PQ_ENC_DICT, PQ_CODEC_ZSTD), 1 },
    { "i32 delta", PQ_INT32, PQ_SIGNED, NONE, OPTS(PQ_ENC_DELTA, PQ_CODEC_NONE), 0 },
    { "u32 delta", PQ_INT32, PQ_UNSIGNED, SOME, OPTS(PQ_ENC_DELTA, PQ_CODEC_AUTO), 0 },
    { "ref", PQ_INT32, PQ_UNSIGNED, NONE, OPTS(PQ_ENC_DICT, PQ_CODEC_NONE), 1 },
    { "i32 plain", PQ_INT32, PQ_PLAIN_TYPE, RUNS, OPTS(PQ_ENC_PLAIN, PQ_CODEC_ZSTD), 0 },
    { "f64 plain", PQ_DOUBLE, PQ_PLAIN_TYPE, NONE, OPTS(PQ_ENC_PLAIN, PQ_CODEC_NONE), 0 },
    { "f64 dict", PQ_DOUBLE, PQ_PLAIN_TYPE, SOME, OPTS(PQ_ENC_DICT, PQ_CODEC_AUTO), 1 },
    { "bool", PQ_BOOLEAN, PQ_PLAIN_TYPE, NONE, OPTS(PQ_ENC_AUTO, PQ_CODEC_AUTO), 0 },
    { "bool:runs", PQ_BOOLEAN, PQ_PLAIN_TYPE, SOME, OPTS(PQ_ENC_AUTO, PQ_CODEC_ZSTD), 2 },
    { "bool:none", PQ_BOOLEAN, PQ_PLAIN_TYPE, ALL, OPTS(PQ_ENC_AUTO, PQ_CODEC_AUTO), 0 },
    { "span.http.route", PQ_BYTE_ARRAY, PQ_STRING, SOME, OPTS(PQ_ENC_AUTO, PQ_CODEC_AUTO), 1 },
    { "name", PQ_BYTE_ARRAY, PQ_STRING, NONE, OPTS(PQ_ENC_DICT, PQ_CODEC_NONE), 1 },
    { "text plain", PQ_BYTE_ARRAY, PQ_STRING, SPARSE, OPTS(PQ_ENC_PLAIN, PQ_CODEC_ZSTD), 3 },
    { "text delta", PQ_BYTE_ARRAY, PQ_STRING, NONE, OPTS(PQ_ENC_DELTA_LENGTH, PQ_CODEC_NONE), 0 },
    { "text delta zstd", PQ_BYTE_ARRAY, PQ_STRING, SOME, OPTS(PQ_ENC_DELTA_LENGTH, PQ_CODEC_ZSTD), 3 },
    { "bytes", PQ_BYTE_ARRAY, PQ_PLAIN_TYPE, SOME, OPTS(PQ_ENC_AUTO, PQ_CODEC_AUTO), 0 },
    { "bytes plain", PQ_BYTE_ARRAY, PQ_PLAIN_TYPE, NONE, OPTS(PQ_ENC_PLAIN, PQ_CODEC_NONE), 0 },
    { "text none", PQ_BYTE_ARRAY, PQ_STRING, ALL, OPTS(PQ_ENC_AUTO, PQ_CODEC_AUTO), 0 },
    { "id%3a16", PQ_FIXED, PQ_PLAIN_TYPE, NONE, OPTS(PQ_ENC_PLAIN, PQ_CODEC_NONE), 0 },
    { "id dict", PQ_FIXED, PQ_PLAIN_TYPE, SOME, OPTS(PQ_ENC_DICT, PQ_CODEC_ZSTD), 1 },
    { "id none", PQ_FIXED, PQ_PLAIN_TYPE, ALL, OPTS(PQ_ENC_AUTO, PQ_CODEC_AUTO), 0 },
    { "ключ \"with\" 'quotes', spaces.and/ä€\xf0\x9f\x98\x80", PQ_INT64, PQ_SIGNED, SOME,
      OPTS(PQ_ENC_AUTO, PQ_CODEC_AUTO), 1 },
};
enum { N_SPECS = sizeof specs / sizeof *specs, ID_LEN = 16 };

// --- values --------------------------------------------------------------------------------------

struct column {
    struct pq_values v;
    struct str *json; // per row; what is expected
};

static bool present(enum nulls nulls, uint32_t row) {
    switch (nulls) {
    case NONE: return true;
    case ALL: return false;
    case SOME: return rnd() % 5 > 0;
    case SPARSE: return rnd() % 60 == 0;
    case RUNS: return row / 1500 % 2;
    default: return true;
    }
}

static int64_t draw_int(const struct spec *s, uint32_t row) {
    static const int64_t edges[] = { 0, 1, -1, INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, UINT32_MAX };
    if (s->kind == 1) return (int64_t)(200 + rnd() % 9 * 50);
    if (s->kind == 2) return 1700000000000000000 + row * 1000003LL + (int64_t)(rnd() % 997);
    if (rnd() % 8 == 0) return edges[rnd() % 8];
    return (int64_t)(rnd() >> rnd() % 64);
}

static double draw_double(const struct spec *s) {
    static const double edges[] = { 0.0, -0.0, 1.5, -1e308, 5e-324, __builtin_inf(), -__builtin_inf() };
    if (s->kind == 1) return (double)(rnd() % 7) / 8;
    uint64_t pick = rnd() % 16;
    if (pick < 7) return edges[pick];
    if (pick == 7) return __builtin_nan("");
    return (double)(int64_t)rnd() / 1024;
}

static struct str draw_bytes(const struct spec *s, uint32_t row) {
    static const char *const words[] = { "",      "a",      "GET /api/v1/items/{id}",
                                         "größe", "日本語", "\xf0\x9f\x98\x80" };
    if (s->kind == 1) return str_fmt(&arena, "%s #%d", words[rnd() % 6], (int)(rnd() % 20));
    if (s->logical != PQ_STRING && rnd() % 2) {
        uint64_t r = rnd();
        return str_dup(&arena, (struct str){ (const char *)&r, rnd() % 9 });
    }
    struct str word = str_fmt(&arena, "%s%s", words[rnd() % 6], words[rnd() % 6]);
    if (s->kind != 3) return word;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (uint64_t n = rnd() % 40; n; n--) buf_fmt(&b, "%.*s-%u;", STR_ARG(word), row % 50);
    struct str out = str_dup(&arena, buf_view(&b));
    buf_fini(&b);
    return out;
}

static struct str hex_json(struct str s) {
    char *p = arena_alloc(&arena, s.len * 2 + 3);
    if (!p) die("memory");
    p[0] = '"', p[1] = 'x';
    hex_encode(s.ptr, s.len, p + 2);
    p[s.len * 2 + 2] = '"';
    return (struct str){ p, s.len * 2 + 3 };
}

static struct str int_json(const struct spec *s, int64_t v) {
    bool is_unsigned = s->logical == PQ_UNSIGNED;
    if (s->type == PQ_INT32) v = is_unsigned ? (int64_t)(uint32_t)v : (int32_t)v;
    return is_unsigned ? str_fmt(&arena, "\"%llu\"", (unsigned long long)v)
                       : str_fmt(&arena, "\"%lld\"", (long long)v);
}

// Draws value k of the column for a row, and says what it is.
static struct str put(const struct spec *s, struct column *c, size_t k, uint32_t row) {
    struct pq_values *v = &c->v;
    switch (s->type) {
    case PQ_BOOLEAN: {
        bool b = s->kind == 2 ? row / 300 % 2 : rnd() % 2;
        ((uint8_t *)v->bools)[k] = b;
        return b ? STR("\"1\"") : STR("\"0\"");
    }
    case PQ_INT32: {
        int64_t x = draw_int(s, row);
        ((int32_t *)v->i32)[k] = (int32_t)x;
        return int_json(s, x);
    }
    case PQ_INT64: {
        int64_t x = draw_int(s, row);
        ((int64_t *)v->i64)[k] = x;
        return int_json(s, x);
    }
    case PQ_DOUBLE: {
        double d = draw_double(s);
        uint64_t bits;
        memcpy(&bits, &d, sizeof bits);
        ((double *)v->f64)[k] = d;
        return str_fmt(&arena, "\"%016llx\"", (unsigned long long)bits);
    }
    case PQ_FIXED: {
        uint8_t *p = (uint8_t *)v->fixed + k * ID_LEN;
        for (int i = 0; i < ID_LEN; i++) p[i] = (uint8_t)(s->kind == 1 ? (i < 15 ? 7 : rnd() % 30) : rnd());
        return hex_json((struct str){ (const char *)p, ID_LEN });
    }
    case PQ_BYTE_ARRAY:
    default: ((struct str *)v->strs)[k] = draw_bytes(s, row); return hex_json(v->strs[k]);
    }
}

static struct column draw(const struct spec *s, uint32_t n_rows) {
    struct column c = { 0 };
    size_t width = s->type == PQ_BYTE_ARRAY ? sizeof(struct str) : s->type == PQ_FIXED ? ID_LEN : 8;
    void *data = arena_alloc(&arena, n_rows * width);
    uint32_t *rows = ARENA_ARRAY(&arena, n_rows, uint32_t);
    c.json = ARENA_ARRAY(&arena, n_rows, struct str);
    if (!data || !rows || !c.json) die("memory");
    switch (s->type) {
    case PQ_BOOLEAN: c.v.bools = data; break;
    case PQ_INT32: c.v.i32 = data; break;
    case PQ_INT64: c.v.i64 = data; break;
    case PQ_DOUBLE: c.v.f64 = data; break;
    case PQ_FIXED: c.v.fixed = data; break;
    case PQ_BYTE_ARRAY:
    default: c.v.strs = data;
    }
    for (uint32_t row = 0; row < n_rows; row++) {
        c.json[row] = STR("null");
        if (!present(s->nulls, row)) continue;
        rows[c.v.n_values] = row;
        c.json[row] = put(s, &c, c.v.n_values, row);
        c.v.n_values++;
    }
    c.v.rows = s->nulls == NONE ? NULL : rows;
    return c;
}

// --- files ---------------------------------------------------------------------------------------

static enum err to_file(void *ctx, const void *p, size_t n) {
    return fwrite(p, 1, n, ctx) == n ? ERR_OK : ERR_IO;
}

static enum err from_file(void *ctx, uint64_t off, void *dst, size_t n) {
    return fseek(ctx, (long)off, SEEK_SET) == 0 && fread(dst, 1, n, ctx) == n ? ERR_OK : ERR_IO;
}

static FILE *open_file(const char *dir, const char *name, const char *mode) {
    FILE *f = fopen(str_z(&arena, str_fmt(&arena, "%s/%s", dir, name)), mode);
    if (!f) die("cannot open a file");
    return f;
}

static void json_text(FILE *f, const char *s) {
    fputc('"', f);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') fputc('\\', f);
        fputc(*s, f);
    }
    fputc('"', f);
}

struct file {
    struct column columns[8][N_SPECS]; // [row group][column]
    uint32_t n_rows[8];
    size_t n_groups;
};

static void write_json(const char *dir, const char *name, const struct file *t, size_t n_columns) {
    FILE *f = open_file(dir, name, "w");
    fputs("{\"columns\":[\n", f);
    for (size_t i = 0; i < n_columns; i++) {
        fprintf(f, "%s{\"name\":", i ? ",\n" : "");
        json_text(f, specs[i].name);
        fprintf(f, ",\"type\":%d,\"logical\":%d,\"values\":[", (int)specs[i].type, (int)specs[i].logical);
        for (size_t g = 0, n = 0; g < t->n_groups; g++)
            for (uint32_t row = 0; row < t->n_rows[g]; row++)
                fprintf(f, "%s%.*s", n++ ? "," : "", STR_ARG(t->columns[g][i].json[row]));
        fputs("]}", f);
    }
    fputs("\n]}\n", f);
    if (fclose(f)) die("cannot write");
}

static struct pq_writer *start(FILE *f, size_t n_columns, const struct pq_writer_opts *like) {
    struct pq_writer_opts o = *like;
    struct pq_column columns[N_SPECS];
    struct pq_column_opts opts[N_SPECS];
    for (size_t i = 0; i < n_columns; i++) {
        const struct spec *s = &specs[i];
        columns[i] = (struct pq_column){ .name = str_of(s->name),
                                         .type = s->type,
                                         .logical = s->logical,
                                         .optional = s->nulls != NONE,
                                         .fixed_len = s->type == PQ_FIXED ? ID_LEN : 0 };
        opts[i] = s->opts;
        opts[i].bloom = i % 3 == 0 && s->type != PQ_BOOLEAN;
    }
    o.sink = (struct pq_sink){ to_file, f };
    o.columns = columns;
    o.opts = opts;
    o.n_columns = n_columns;
    o.version = STR("0.0.0");
    struct pq_writer *w;
    must(pq_writer_new(&o, &w), "pq_writer_new");
    return w;
}

static void finish(struct pq_writer *w, FILE *f) {
    must(pq_writer_kv(w, STR("takt.format"), STR("test")), "pq_writer_kv");
    must(pq_writer_finish(w), "pq_writer_finish");
    pq_writer_free(w);
    if (fclose(f)) die("cannot write");
}

// n_groups row groups of about n_rows rows.
static void make(const char *dir, const char *name, uint32_t n_rows, size_t n_groups, size_t n_columns,
                 const uint32_t *borders, size_t n_borders, struct file *t) {
    FILE *f = open_file(dir, str_z(&arena, str_fmt(&arena, "%s.parquet", name)), "wb");
    struct pq_writer *w = start(f, n_columns, &(struct pq_writer_opts){ .page_bytes = n_borders ? 3000 : 0 });
    t->n_groups = n_groups;
    for (size_t g = 0; g < n_groups; g++) {
        t->n_rows[g] = n_rows + (uint32_t)g * 7;
        must(pq_row_group_begin(w, t->n_rows[g], borders, n_borders), "pq_row_group_begin");
        for (size_t i = 0; i < n_columns; i++) {
            t->columns[g][i] = draw(&specs[i], t->n_rows[g]);
            if (t->columns[g][i].v.n_values)
                must(pq_column_write(w, i, &t->columns[g][i].v), "pq_column_write");
        }
        must(pq_row_group_end(w), "pq_row_group_end");
    }
    finish(w, f);
    write_json(dir, str_z(&arena, str_fmt(&arena, "%s.json", name)), t, n_columns);
}

// The columns that a copy can lose: all behind the first NARROW are optional or left out there.
enum { NARROW = 13, REF = 11 };

// Copies the row groups of narrow.parquet into a file with more columns; values of "ref" grow by one.
static void copy(const char *dir, struct file *t) {
    FILE *in = open_file(dir, "narrow.parquet", "rb");
    FILE *out = open_file(dir, "copied.parquet", "wb");
    if (fseek(in, 0, SEEK_END)) die("seek");
    struct pq_source source = { from_file, in, (uint64_t)ftell(in) };
    struct pq_reader *r;
    struct err_ctx ctx = { .text = "" };
    must(pq_reader_open(&source, &(struct pq_reader_opts){ 0 }, &r, &ctx), ctx.text);
    struct pq_decoder *d = pq_decoder_new(0);
    static uint32_t map[4096];
    for (uint32_t i = 0; i < 4096; i++) map[i] = i + 1;
    struct pq_remap remap = { str_of(specs[REF].name), map, 4096 };
    struct pq_column columns[NARROW + 2];
    for (size_t i = 0; i < NARROW; i++) columns[i] = r->columns[i];
    columns[NARROW] = (struct pq_column){ .name = STR("new text"), .type = PQ_BYTE_ARRAY, .optional = true };
    columns[NARROW + 1] = (struct pq_column){ .name = STR("new int"), .type = PQ_INT64, .optional = true };
    struct pq_writer_opts o = { .sink = { to_file, out }, .columns = columns, .n_columns = NARROW + 2 };
    struct pq_writer *w;
    must(pq_writer_new(&o, &w), "pq_writer_new");
    for (size_t g = 0; g < r->n_groups; g++)
        must(pq_copy_row_group(w, r, g, d, &remap, 1), pq_decoder_why(d));
    finish(w, out);
    pq_reader_close(r);
    pq_decoder_free(d);
    (void)fclose(in);
    for (size_t g = 0; g < t->n_groups; g++)
        for (size_t k = 0; k < t->n_rows[g]; k++) {
            struct column *c = &t->columns[g][REF];
            c->json[k] = int_json(&specs[REF], c->v.i32[k] + 1);
        }
    write_json(dir, "copied.json", t, NARROW);
}

static void read_column(const struct pq_reader *r, size_t i, struct pq_decoder *d) {
    const struct pq_column *column = &r->columns[i];
    struct spec s = { .type = column->type, .logical = column->logical };
    printf("%s{\"name\":\"%.*s\",\"values\":[", i ? ",\n" : "", STR_ARG(column->name));
    for (size_t g = 0, n = 0; g < r->n_groups; g++) {
        struct pq_chunk c;
        struct pq_vector v;
        pq_chunk_open(r, g, i, d, &arena, &c);
        must(pq_chunk_read(&c, 0, c.n_rows, &arena, &v), pq_decoder_why(d));
        for (uint32_t row = 0, k = 0; row < c.n_rows; row++) {
            struct str out = STR("null");
            if (k < v.n_values && (!v.rows || v.rows[k] == row)) {
                uint32_t at = v.repr == PQ_CODES ? v.codes[k] : k;
                struct pq_dict plain = { .fixed = v.fixed };
                const struct pq_dict *p = v.repr == PQ_CODES ? v.dict : &plain;
                if (s.type == PQ_INT32) out = int_json(&s, p->i32[at]);
                if (s.type == PQ_INT64) out = int_json(&s, p->i64[at]);
                if (s.type == PQ_BOOLEAN) out = p->fixed[at] ? STR("\"1\"") : STR("\"0\"");
                if (s.type == PQ_BYTE_ARRAY) out = hex_json(p->strs[at]);
                if (s.type == PQ_FIXED)
                    out = hex_json((struct str){ (const char *)p->fixed + (size_t)at * column->fixed_len,
                                                 column->fixed_len });
                if (s.type == PQ_DOUBLE) out = str_fmt(&arena, "\"%016llx\"", (unsigned long long)p->i64[at]);
                k++;
            }
            printf("%s%.*s", n++ ? "," : "", STR_ARG(out));
        }
    }
    printf("]}");
}

static void read_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) die("cannot open the file");
    struct pq_source source = { from_file, f, (uint64_t)ftell(f) };
    struct pq_reader *r;
    struct err_ctx ctx = { .text = "" };
    must(pq_reader_open(&source, &(struct pq_reader_opts){ 0 }, &r, &ctx), ctx.text);
    struct pq_decoder *d = pq_decoder_new(0);
    must(pq_validate(r, d, 1 << 28), pq_decoder_why(d));
    printf("{\"columns\":[\n");
    for (size_t i = 0; i < r->n_columns; i++) read_column(r, i, d);
    printf("\n]}\n");
    pq_reader_close(r);
    pq_decoder_free(d);
    (void)fclose(f);
}

int main(int argc, char **argv) {
    static struct file t;
    static const uint32_t borders[] = { 1, 2, 50, 51, 777, 1500, 1501 };
    arena_init(&arena, (size_t)4 << 30, NULL);
    if (argc == 3 && strcmp(argv[1], "read") == 0) {
        read_file(argv[2]);
        arena_fini(&arena);
        return 0;
    }
    if (argc != 2) die("usage: gen DIR | gen read FILE");
    make(argv[1], "wide", 20000, 2, N_SPECS, NULL, 0, &t);
    make(argv[1], "borders", 1800, 3, N_SPECS, borders, sizeof borders / sizeof *borders, &t);
    make(argv[1], "one", 1, 1, N_SPECS, NULL, 0, &t);
    make(argv[1], "empty", 0, 0, N_SPECS, NULL, 0, &t);
    make(argv[1], "narrow", 5000, 2, NARROW, NULL, 0, &t);
    copy(argv[1], &t);
    arena_fini(&arena);
    return 0;
}
