// SPDX-License-Identifier: Apache-2.0
// A block with one damaged byte gives the answers that it would give without, or says that it is damaged:
// whatever the byte steers, a page or where pages are looked for.
#include "block/batch.h"
#include "block/open.h"
#include "block/oracle_test.h"
#include "block/sample.h"
#include "span/canon.h"

static const char *const names[] = { "spans",     "traces", "events", "links",
                                     "resources", "scopes", "large",  "split" };
enum { FILES = sizeof names / sizeof *names, SPANS = 30, FLIPS = 2500 };
enum { INDEX_STEP = 5 }; // of the page index and the footer a byte of so many is tried; of bloom filters each

// --- all answers of a block, as one number ---------------------------------------------------------

struct asking {
    struct block *block;
    struct block_scan scan;
    const struct asked *fields;
    uint32_t n_fields;
    uint64_t sum; // of all that was answered so far
};

static void note(struct asking *k, const void *p, size_t n) {
    k->sum = hash_u64(k->sum ^ hash_bytes(p, n)) + n;
}

static void note_u64(struct asking *k, uint64_t v) {
    note(k, &v, sizeof v);
}

static enum err ask_ids(struct asking *k) {
    struct block_run runs[BLOCK_RUNS_MAX];
    const uint8_t *ids[SAMPLE_TRACES + 1], *split;
    uint8_t id[SAMPLE_TRACES + 1][16];
    bool held[SAMPLE_TRACES + 1] = { false }, may;
    uint32_t n;
    for (uint32_t i = 0; i <= SAMPLE_TRACES; i++) { // of the last there is nothing
        sample_trace_id(i, id[i]);
        ids[i] = id[i];
        TRY(block_may_hold(k->block, &k->scan, id[i], &may));
        note_u64(k, may);
        TRY(block_find(k->block, &k->scan, id[i], runs, &n));
        for (uint32_t r = 0; r < n; r++) note_u64(k, (uint64_t)runs[r].first << 32 | runs[r].n);
    }
    TRY(block_hold_many(k->block, &k->scan, ids, SAMPLE_TRACES + 1, held));
    note(k, held, sizeof held);
    TRY(block_split(k->block, &k->scan, &split, &n));
    note(k, split, 16ull * n);
    return ERR_OK;
}

// What a row group is skipped by.
static enum err ask_text(struct asking *k, uint32_t group, const struct field *f, struct str text) {
    bool may;
    TRY(block_may_hold_text(k->block, &k->scan, group, f, text, &may));
    note_u64(k, may);
    return ERR_OK;
}

static enum err ask_texts(struct asking *k, uint32_t group) {
    static const char *const texts[] = { "op",   "GET", "/cart",  "gr\xc3\xbc\xc3\x9f",
                                         "shop", "k=v", "nobody", "" };
    for (uint32_t i = 0; i < k->n_fields; i++)
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
            TRY(ask_text(k, group, &k->fields[i].field, str_of(texts[t])));
    // Of what is in no dictionary: some that lie between the least and the greatest.
    for (uint32_t i = 0; i < 16; i++) {
        static const struct field unique = { .scope = FIELD_SPAN, .key = { "request.id", 10 } };
        char text[8];
        (void)snprintf(text, sizeof text, "r%x8", i);
        TRY(ask_text(k, group, &unique, str_of(text)));
    }
    return ERR_OK;
}

static enum err ask_spans(struct asking *k, uint32_t group, struct arena *a) {
    struct span_table t;
    struct buf b;
    enum err e = ERR_OK;
    span_table_init(&t, 256 << 20, NULL);
    buf_init(&b, SIZE_MAX);
    e = block_load(k->block, &k->scan, group, 0, block_group_rows(k->block, group), &t);
    span_table_publish(&t);
    for (uint32_t row = 0; e == ERR_OK && row < t.n; row++) e = canon_span(&t, row, a, &b);
    note(k, b.ptr, b.len);
    buf_fini(&b);
    span_table_fini(&t);
    return e;
}

static void note_value(struct asking *k, const struct value *v) {
    note_u64(k, v->type);
    if (v->type == VALUE_STRING || v->type == VALUE_ANY)
        note(k, v->s.ptr, v->s.len);
    else
        note_u64(k, value_hash(v));
}

static void note_bounds(struct asking *k, const struct batch_bounds *b) {
    note(k, &b->min, sizeof b->min);
    note(k, &b->max, sizeof b->max);
}

static enum err ask_part(struct asking *k, struct batch *b, const struct batch_part *p, uint32_t n) {
    struct vec v;
    bool may;
    TRY(b->ops->may_hold(b, p, &VALUE_OF_INT(3), &may));
    note_u64(k, may);
    TRY(b->ops->may_hold(b, p, &VALUE_OF_STR(STR("shop")), &may));
    note_u64(k, may);
    TRY(b->ops->load(b, p, n / 3, n / 2, &v));
    TRY(b->ops->load(b, p, 0, n, &v));
    note_u64(k, v.n);
    for (uint32_t i = 0; i < v.n; i++) {
        struct value is = { .type = p->type };
        if (v.form == VEC_CODES) is = p->dict[v.codes[i]];
        if (v.form == VEC_INTS) is = VALUE_OF_INT(v.ints[i]);
        if (v.form == VEC_FLOATS) is.f = v.floats[i];
        if (v.form == VEC_TEXTS) is.s = v.texts[i];
        note_u64(k, v.rows ? v.rows[i] : i);
        note_value(k, &is);
    }
    for (uint32_t i = 0; i < p->n_bounds; i++)
        if (p->bounds[i].has_min_max) note_bounds(k, &p->bounds[i]);
    return ERR_OK;
}

static enum err ask_field(struct asking *k, struct batch *b, const struct asked *q) {
    struct batch_column c;
    uint32_t n = b->n_rows;
    const uint32_t *owners;
    if (q->table != BATCH_SPANS) TRY(b->ops->owners(b, q->table, &owners, &n));
    TRY(b->ops->column(b, q->table, &q->field, &c));
    for (uint32_t i = 0; i < c.n_parts; i++) TRY(ask_part(k, b, &c.parts[i], n));
    return ERR_OK;
}

static enum err ask_batch(struct asking *k, uint32_t group) {
    struct block_batch bb;
    struct batch *b = &bb.batch;
    const struct batch_summary *s;
    const struct batch_bounds *bounds;
    const uint64_t *wide;
    const uint32_t *rows;
    uint32_t n;
    block_scan_reset(&k->scan);
    TRY(block_batch_open(&bb, k->block, &k->scan, group));
    note(k, b->traces, b->n_traces * sizeof *b->traces);
    TRY(b->ops->parents(b, 0, b->n_rows, &rows));
    note(k, rows, b->n_rows * sizeof *rows);
    TRY(b->ops->starts(b, 0, b->n_rows, &wide));
    note(k, wide, b->n_rows * sizeof *wide);
    TRY(b->ops->start_bounds(b, &bounds, &n));
    for (uint32_t i = 0; i < n; i++) note_bounds(k, &bounds[i]);
    TRY(b->ops->summaries(b, NULL, &s));
    for (uint32_t i = 0; i < b->n_traces; i++) {
        note(k, s[i].root_service.ptr, s[i].root_service.len);
        note(k, s[i].root_name.ptr, s[i].root_name.len);
        note(k, s[i].services.ptr, s[i].services.len);
    }
    for (uint32_t i = 0; i < k->n_fields; i++) TRY(ask_field(k, b, &k->fields[i]));
    return ERR_OK;
}

static enum err ask_all(struct asking *k, struct arena *a) {
    TRY(block_open(k->block, &k->scan));
    TRY(ask_ids(k));
    for (uint32_t g = 0; g < block_n_groups(k->block); g++) {
        TRY(ask_texts(k, g));
        TRY(ask_batch(k, g));
        TRY(ask_spans(k, g, a));
    }
    return ERR_OK;
}

// --- the block, whole and damaged ------------------------------------------------------------------

struct sample {
    struct block_meta meta;
    char key[FILES][BLOCK_KEY_MAX];
    struct str file[FILES];
    struct asked *fields;
    uint32_t n_fields;
    struct arena arena; // of the fields
};

static enum err ask(const struct sample *s, struct object_store *store, uint64_t *out_sum) {
    struct asking k = { .fields = s->fields, .n_fields = s->n_fields };
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(block_new(store, STR("t"), &s->meta, &k.block));
    CHECK_OK(block_scan_init(&k.scan, NULL));
    enum err e = ask_all(&k, &a);
    block_scan_fini(&k.scan);
    block_unref(k.block);
    arena_fini(&a);
    *out_sum = k.sum;
    return e;
}

// What can be asked of the whole block.
static void find_fields(struct sample *s, struct object_store *store) {
    struct block *b;
    struct block_scan scan;
    struct block_batch bb;
    struct asked *q;
    CHECK_OK(block_new(store, STR("t"), &s->meta, &b));
    CHECK_OK(block_scan_init(&scan, NULL));
    CHECK_OK(block_batch_open(&bb, b, &scan, 0));
    s->n_fields = fields_of(&bb.batch, &q);
    s->fields = arena_copy(&s->arena, q, s->n_fields * sizeof *q);
    for (uint32_t i = 0; i < s->n_fields; i++) s->fields[i].field.key = str_dup(&s->arena, q[i].field.key);
    block_scan_fini(&scan);
    block_unref(b);
}

static void sample_init(struct sample *s) {
    struct object_store *store;
    struct span_table t;
    arena_init(&s->arena, SIZE_MAX, NULL);
    span_table_init(&t, SIZE_MAX, NULL);
    CHECK_OK(sample_table(&t, test_rand(), SPANS));
    CHECK_OK(object_mem_open(&store));
    CHECK_OK(sample_write(store, &t, NULL, &s->meta));
    for (int i = 0; i < FILES; i++) {
        uint64_t size;
        block_key(s->key[i], STR("t"), SAMPLE_ID, names[i]);
        s->file[i] = STR("");
        if (store->ops->size(store, str_of(s->key[i]), &size) != ERR_OK) continue;
        char *bytes = arena_alloc(&s->arena, size);
        CHECK_OK(store->ops->read(store, str_of(s->key[i]), 0, bytes, size));
        s->file[i] = (struct str){ bytes, size };
    }
    find_fields(s, store);
    span_table_fini(&t);
    store->ops->close(store);
}

static void sample_fini(struct sample *s) {
    arena_fini(&s->arena);
}

static struct object_store *store_of(const struct sample *s) {
    struct object_store *store;
    CHECK_OK(object_mem_open(&store));
    for (int i = 0; i < FILES; i++)
        if (s->file[i].len) CHECK_OK(store->ops->put_if_absent(store, str_of(s->key[i]), s->file[i]));
    return store;
}

static enum err ask_files(const struct sample *s, uint64_t *out_sum) {
    struct object_store *store = store_of(s);
    enum err e = ask(s, store, out_sum);
    store->ops->close(store);
    return e;
}

// One bit of a file the other way, for as long as it takes to ask.
static enum err ask_flipped(const struct sample *s, int file, uint64_t at, unsigned bit, uint64_t *out_sum) {
    char *p = (char *)s->file[file].ptr + at;
    *p ^= (char)(1u << bit);
    enum err e = ask_files(s, out_sum);
    *p ^= (char)(1u << bit);
    return e;
}

// A footer may look like a form that is not read, or too large, before its checksum is at hand.
static bool is_told(enum err e) {
    return e == ERR_CORRUPT || e == ERR_UNSUPPORTED || e == ERR_LIMIT;
}

TEST(told_or_harmless_is_any_flipped_bit) {
    struct sample s;
    uint64_t whole, now, n_bytes = 0, n_told = 0, n_tried = 0;
    sample_init(&s);
    CHECK_OK(ask_files(&s, &whole));
    for (int f = 0; f < FILES; f++) n_bytes += s.file[f].len;
    uint64_t step = 1 + n_bytes / FLIPS, at = test_below(step);
    for (int f = 0; f < FILES; f++) {
        for (; at < s.file[f].len; at += step) {
            enum err e = ask_flipped(&s, f, at, (unsigned)test_below(8), &now);
            CHECK(e != ERR_OK || now == whole);
            CHECK(e == ERR_OK || is_told(e));
            n_told += e != ERR_OK;
            n_tried++;
        }
        at -= s.file[f].len;
    }
    CHECK(n_told > n_tried / 2); // the rest is what nobody reads twice: the magic, sizes that say the same
    sample_fini(&s);
}

// --- what steers -----------------------------------------------------------------------------------

struct steering { // ranges of a file, bloom filters first
    struct pq_range at[4096];
    uint32_t n, n_blooms; // the last one is the footer
};

static void add_range(struct steering *r, struct pq_range at) {
    if (at.len == 0) return;
    CHECK(r->n < sizeof r->at / sizeof *r->at);
    r->at[r->n++] = at;
}

static void find_steering(const struct in_file *f, uint64_t size, struct steering *out) {
    uint64_t end = 0;
    *out = (struct steering){ 0 };
    for (size_t g = 0; f->pq && g < f->pq->n_groups; g++)
        for (size_t c = 0; c < f->pq->n_columns; c++) add_range(out, f->pq->groups[g].chunks[c].bloom);
    out->n_blooms = out->n;
    for (size_t g = 0; f->pq && g < f->pq->n_groups; g++)
        for (size_t c = 0; c < f->pq->n_columns; c++) {
            const struct pq_chunk_meta *m = &f->pq->groups[g].chunks[c];
            add_range(out, m->offset_index);
            add_range(out, m->column_index);
        }
    for (uint32_t i = 0; i < out->n; i++)
        if (out->at[i].off + out->at[i].len > end) end = out->at[i].off + out->at[i].len;
    if (f->pq) add_range(out, (struct pq_range){ end, size - end }); // footer, its length, the magic
}

// Every byte in which a file says where to look, or that there is nothing to look for.
TEST(told_or_harmless_is_damage_of_what_steers_reading) {
    struct sample s;
    struct object_store *store;
    struct block *b;
    struct block_scan scan;
    static struct steering r;
    uint32_t n_blooms = 0, n_tried = 0, n_told = 0;
    uint64_t whole;
    sample_init(&s);
    CHECK_OK(ask_files(&s, &whole));
    store = store_of(&s);
    CHECK_OK(block_new(store, STR("t"), &s.meta, &b));
    CHECK_OK(block_scan_init(&scan, NULL));
    CHECK_OK(block_open(b, &scan));
    const struct in_file *files[FILES] = { &b->spans,     &b->traces, &b->events, &b->links,
                                           &b->resources, &b->scopes, &b->large,  &b->split };
    for (int f = 0; f < FILES; f++) {
        find_steering(files[f], s.file[f].len, &r);
        n_blooms += r.n_blooms;
        for (uint32_t i = 0; i < r.n; i++) {
            uint64_t step = i < r.n_blooms ? 1 : INDEX_STEP, now;
            for (uint64_t k = test_below(step); k < r.at[i].len; k += step) {
                enum err e = ask_flipped(&s, f, r.at[i].off + k, (unsigned)test_below(8), &now);
                CHECK(is_told(e) || (e == ERR_OK && now == whole)); // not every column was asked for
                n_told += is_told(e);
                n_tried++;
            }
        }
    }
    CHECK(n_blooms > 2); // of trace ids, and of attributes that have no dictionary
    CHECK(n_told > n_tried / 3);
    block_scan_fini(&scan);
    block_unref(b);
    store->ops->close(store);
    sample_fini(&s);
}

// --- blocks of before ------------------------------------------------------------------------------

// As if the files had no checksums: another key stands in the footer, which nobody asks for.
static void hide_sums(struct sample *s) {
    static const char key[] = "takt.crc";
    for (int f = 0; f < FILES; f++) {
        char *p = memmem(s->file[f].ptr, s->file[f].len, key, sizeof key - 1);
        CHECK(p || !s->file[f].len);
        if (p) memcpy(p, "takt.was", sizeof key - 1);
    }
}

TEST(told_nothing_of_blocks_without_checksums) {
    struct sample s;
    uint64_t whole, now;
    sample_init(&s);
    CHECK_OK(ask_files(&s, &whole));
    hide_sums(&s);
    CHECK(ask_files(&s, &now) == ERR_CORRUPT); // this block must have them
    s.meta.format = BLOCK_FORMAT_FIRST;
    CHECK_OK(ask_files(&s, &now));
    CHECK_U64(now, whole);
    s.meta.format = BLOCK_FORMAT + 1;
    CHECK(ask_files(&s, &now) == ERR_UNSUPPORTED);
    sample_fini(&s);
}
