// SPDX-License-Identifier: Apache-2.0
// resources.parquet and scopes.parquet (a row per entity; the spans refer to row numbers), and
// the two small tables large.parquet and split.parquet, which are there only when needed.
#include "block/build.h"

#include <stdlib.h>

#include "span/canon.h"
#include "span/wire.h"

// The attributes of entities, spread into an attribute table so that they become columns.
struct spread {
    struct attr_table attrs;
    struct attr_scratch scratch;
};

static enum err spread_row(struct spread *s, uint32_t row, struct str message, uint32_t field) {
    struct reader r = reader_of(message);
    struct pb_field f;
    attrs_begin(&s->attrs, &s->scratch);
    while (pb_next(&r, &f))
        if (f.number == field && f.wire == PB_BYTES) TRY(attrs_collect(&s->attrs, f.bytes, &s->scratch));
    return attrs_add(&s->attrs, row, s->scratch.in, s->scratch.n, &s->scratch.rest);
}

struct entity_rows {
    uint32_t n;
    struct str *otlp, *schema_url, *name, *version; // "" = absent
};

static enum err read_entities(struct arena *a, const struct segvec *v, uint32_t n, bool is_scope,
                              struct spread *s, struct entity_rows *out) {
    *out =
        (struct entity_rows){ n, ARENA_ARRAY(a, n + 1ull, struct str), ARENA_ARRAY(a, n + 1ull, struct str),
                              ARENA_ARRAY(a, n + 1ull, struct str), ARENA_ARRAY(a, n + 1ull, struct str) };
    if (a->failed) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        struct str message;
        out->otlp[i] = SEG_AT(v, i, struct span_entity).bytes;
        out->name[i] = out->version[i] = STR("");
        canon_entity_split(out->otlp[i], &message, &out->schema_url[i]);
        struct reader r = reader_of(message);
        for (struct pb_field f; is_scope && pb_next(&r, &f);) {
            if (f.number == SCOPE_NAME && f.wire == PB_BYTES) out->name[i] = f.bytes;
            if (f.number == SCOPE_VERSION && f.wire == PB_BYTES) out->version[i] = f.bytes;
        }
        TRY(spread_row(s, i, message, is_scope ? SCOPE_ATTRIBUTE : RESOURCE_ATTRIBUTE));
    }
    return ERR_OK;
}

// A text column without the rows that have none, or whose text no column of text may hold.
static enum err write_present(struct out_file *f, size_t column, struct arena *a, const struct str *s,
                              uint32_t n) {
    uint32_t *rows = ARENA_ARRAY(a, n + 1ull, uint32_t), found = 0;
    struct str *strs = ARENA_ARRAY(a, n + 1ull, struct str);
    if (!rows || !strs) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (s[i].len == 0 || !str_is_utf8(s[i])) continue;
        rows[found] = i;
        strs[found++] = s[i];
    }
    return pq_column_write(f->pq, column,
                           &(struct pq_values){ .rows = rows, .n_values = found, .strs = strs });
}

static enum err write_entities(struct build *b, struct out_file *f, const struct entity_rows *r,
                               struct spread *s, const struct column_choice *choice) {
    struct arena *a = &b->group_arena;
    uint32_t *place = ARENA_ARRAY(a, r->n + 1ull, uint32_t);
    struct gather ga;
    if (!place) return ERR_NOMEM;
    for (uint32_t i = 0; i < r->n; i++) place[i] = i;
    TRY(gather_init(&ga, place, r->n, a));
    TRY(pq_row_group_begin(f->pq, r->n, NULL, 0));
    TRY(pq_column_write(f->pq, NC_OTLP, &(struct pq_values){ .n_values = r->n, .strs = r->otlp }));
    TRY(write_present(f, NC_SCHEMA_URL, a, r->schema_url, r->n));
    TRY(write_present(f, NC_NAME, a, r->name, r->n));
    TRY(write_present(f, NC_VERSION, a, r->version, r->n));
    TRY(build_attrs(b, f, NC_COUNT, &ga, &s->attrs, choice));
    TRY(pq_row_group_end(f->pq));
    return out_file_finish(f);
}

static enum err entity_file(struct build *b, enum block_file file, const struct segvec *v, uint32_t n,
                            bool is_scope, uint64_t *bytes) {
    struct arena *a = &b->group_arena;
    struct pq_column_opts o[NC_COUNT] = { [NC_OTLP] = { .encoding = PQ_ENC_DELTA_LENGTH,
                                                        .no_min_max = true } };
    struct spread s;
    struct entity_rows rows;
    struct column_choice choice;
    struct out_file f = { 0 };
    arena_reset(a);
    attrs_init(&s.attrs, a);
    attr_scratch_init(&s.scratch);
    enum err e = read_entities(a, v, n, is_scope, &s, &rows);
    if (e == ERR_OK)
        e = column_choose(&s.attrs, is_scope ? STR("scope") : STR("resource"), BLOCK_COLUMNS_MAX,
                          &b->kept[file], a, &choice);
    if (e == ERR_OK) e = build_open(b, &f, file, o, &choice);
    if (e == ERR_OK) e = write_entities(b, &f, &rows, &s, &choice);
    out_file_abort(&f);
    *bytes += f.bytes;
    attr_scratch_fini(&s.scratch);
    attrs_fini(&s.attrs);
    return e;
}

enum err entities_write(struct build *b, uint64_t *bytes) {
    TRY(entity_file(b, FILE_RESOURCES, &b->t->resources, b->t->n_resources, false, bytes));
    return entity_file(b, FILE_SCOPES, &b->t->scopes, b->t->n_scopes, true, bytes);
}

enum err large_write(struct build *b, uint64_t *bytes) {
    if (b->n_large == 0) return ERR_OK;
    struct pq_column_opts o[] = { { .no_min_max = true }, { .encoding = PQ_ENC_PLAIN, .no_min_max = true } };
    uint8_t *hashes = ARENA_ARRAY(&b->arena, b->n_large * 16ull, uint8_t);
    struct str *values = ARENA_ARRAY(&b->arena, b->n_large, struct str);
    struct out_file f = { 0 };
    if (!hashes || !values) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_large; i++) {
        memcpy(hashes + i * 16ull, b->large[i].hash, 16);
        values[i] = b->large[i].bytes;
    }
    enum err e = build_open(b, &f, FILE_LARGE, o, NULL);
    if (e == ERR_OK) e = pq_row_group_begin(f.pq, b->n_large, NULL, 0);
    if (e == ERR_OK)
        e = pq_column_write(f.pq, 0, &(struct pq_values){ .n_values = b->n_large, .fixed = hashes });
    if (e == ERR_OK)
        e = pq_column_write(f.pq, 1, &(struct pq_values){ .n_values = b->n_large, .strs = values });
    if (e == ERR_OK) e = pq_row_group_end(f.pq);
    if (e == ERR_OK) e = out_file_finish(&f);
    out_file_abort(&f);
    *bytes += f.bytes;
    return e;
}

enum err split_write(struct build *b, const uint8_t *ids, uint32_t n, uint64_t *bytes) {
    if (n == 0) return ERR_OK;
    struct pq_column_opts po[] = { { .encoding = PQ_ENC_PLAIN, .codec = PQ_CODEC_NONE } };
    struct out_file f = { 0 };
    enum err e = build_open(b, &f, FILE_SPLIT, po, NULL);
    if (e == ERR_OK) e = pq_row_group_begin(f.pq, n, NULL, 0);
    if (e == ERR_OK) e = pq_column_write(f.pq, 0, &(struct pq_values){ .n_values = n, .fixed = ids });
    if (e == ERR_OK) e = pq_row_group_end(f.pq);
    if (e == ERR_OK) e = out_file_finish(&f);
    out_file_abort(&f);
    *bytes += f.bytes;
    return e;
}
