// SPDX-License-Identifier: Apache-2.0
#include "block/build.h"
#include "block/kept.h"

#include <stdlib.h>

enum { FIXED_COLUMNS_MAX = 32, COLUMN_KEEP_BYTES = 16 << 20 };

enum err build_open(struct build *b, struct out_file *f, enum block_file file,
                    const struct pq_column_opts *opts, const struct column_choice *choice) {
    const struct schema *s = &block_schemas[file];
    struct pq_column c[FIXED_COLUMNS_MAX + BLOCK_COLUMNS_MAX];
    struct pq_column_opts o[FIXED_COLUMNS_MAX + BLOCK_COLUMNS_MAX] = { 0 };
    char key[BLOCK_KEY_MAX];
    size_t n = s->n;
    bool is_entity = file == FILE_RESOURCES || file == FILE_SCOPES;
    ASSERT(s->n <= FIXED_COLUMNS_MAX);
    for (size_t i = 0; i < s->n; i++) {
        c[i] = s->columns[i];
        o[i] = opts[i];
    }
    for (uint32_t i = 0; choice && i < choice->n; i++, n++) {
        c[n] = attr_column_def(choice->name[i], choice->type[i]);
        // A dictionary says by itself what does not occur.
        o[n].bloom_no_dict = choice->type[i] == ATTR_STRING && !is_entity;
    }
    block_key(key, b->opts->tenant, b->opts->id, s->name);
    return out_file_open(f, b->opts->store, key, c, o, n, b->opts->version);
}

enum err build_attrs(struct build *b, struct out_file *f, size_t first, struct gather *g,
                     const struct attr_table *attrs, const struct column_choice *choice) {
    struct gather one = *g;
    one.arena = &b->column_arena;
    for (uint32_t i = 0; i < choice->n; i++) {
        struct pq_values v;
        uint32_t column = choice->column[i];
        if (column == MAP_NONE) continue;
        arena_reset(&b->column_arena);
        TRY(gather_column(&one, attrs_column(attrs, column), choice->texts[column], &v));
        if (v.n_values > 0) TRY(pq_column_write(f->pq, first + i, &v));
    }
    return ERR_OK;
}

// --- values over 64 KiB ----------------------------------------------------------------------------

// A reference is a hash of the value; two values with one hash get two references by counting on.
enum err build_keep_large(void *ctx, struct str any, uint8_t out_hash[16]) {
    struct build *b = ctx;
    uint64_t h[2] = { hash_xxh64(any.ptr, any.len), any.len };
    for (uint32_t i = 0; i < b->n_large; i++) {
        if (memcmp(b->large[i].hash, h, sizeof h) != 0) continue;
        memcpy(out_hash, h, sizeof h);
        if (str_eq(b->large[i].bytes, any)) return ERR_OK;
        h[0]++;
        i = UINT32_MAX; // from the start again
    }
    memcpy(out_hash, h, sizeof h);
    if (b->n_large == b->cap_large) {
        uint32_t cap = b->cap_large ? b->cap_large * 2 : 16;
        struct large_value *more = ARENA_ARRAY(&b->arena, cap, struct large_value);
        if (!more) return ERR_NOMEM;
        if (b->n_large) memcpy(more, b->large, b->n_large * sizeof *more);
        b->large = more;
        b->cap_large = cap;
    }
    struct large_value *v = &b->large[b->n_large];
    memcpy(v->hash, h, sizeof h);
    v->bytes = str_dup(&b->arena, any);
    if (!v->bytes.ptr) return ERR_NOMEM;
    b->n_large++;
    return ERR_OK;
}

// --- the block ---------------------------------------------------------------------------------------

void build_init(struct build *b, const struct block_write_opts *opts, struct mem_budget *budget) {
    *b = (struct build){ .opts = opts, .main = TIME_RANGE_NONE, .outliers = TIME_RANGE_NONE };
    b->rest = (struct rest_sink){ build_keep_large, b };
    arena_init(&b->arena, SIZE_MAX, budget);
    arena_init(&b->group_arena, SIZE_MAX, budget);
    arena_init(&b->column_arena, SIZE_MAX, budget);
    b->arena.pooled = b->group_arena.pooled = b->column_arena.pooled = true;
    b->column_arena.keep = COLUMN_KEEP_BYTES;
    buf_init(&b->marks, SIZE_MAX);
}

void build_fini(struct build *b) {
    buf_fini(&b->marks);
    arena_fini(&b->column_arena);
    arena_fini(&b->group_arena);
    arena_fini(&b->arena);
}

enum err build_begin(struct build *b) {
    TRY(spans_open(b));
    TRY(traces_open(b));
    if (b->has_events) TRY(events_open(b));
    return b->has_links ? links_open(b) : ERR_OK;
}

enum err build_invert(struct build *b, struct arena *a) {
    b->inverse = ARENA_ARRAY(a, b->n_rows + 1ull, uint32_t);
    if (!b->inverse) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_rows; i++) b->inverse[i] = SPAN_NONE;
    for (uint32_t i = 0; i < b->order.n_rows; i++) b->inverse[b->order.rows[i]] = i;
    return ERR_OK;
}

// A block that cannot be opened is no reason not to write one.
static enum err open_like(const struct block_write_opts *o, uint32_t n, struct block **out) {
    struct block_scan s;
    enum err e = ERR_OK;
    TRY(block_scan_init(&s, o->budget));
    for (uint32_t i = 0; i < n && e != ERR_NOMEM; i++) {
        arena_reset(&s.arena);
        e = block_open(o->like[i], &s);
        out[i] = e == ERR_OK ? o->like[i] : NULL;
    }
    block_scan_fini(&s);
    return e == ERR_NOMEM ? e : ERR_OK;
}

static enum err find_kept(struct build *b) {
    static const enum block_file files[] = { FILE_SPANS, FILE_EVENTS, FILE_LINKS, FILE_RESOURCES,
                                             FILE_SCOPES };
    struct block *like[BLOCK_LIKE_MAX];
    uint32_t n = b->opts->n_like < BLOCK_LIKE_MAX ? b->opts->n_like : BLOCK_LIKE_MAX;
    if (n == 0) return ERR_OK;
    TRY(open_like(b->opts, n, like));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        TRY(kept_columns(like, n, files[i], &b->arena, &b->kept[files[i]]));
    return ERR_OK;
}

static enum err plan(struct build *b) {
    const struct span_table *t = b->t;
    const struct block_write_opts *o = b->opts;
    TRY(order_make(t, b->n_rows, o->received_ns, o->received_ctx, &b->arena, &b->order));
    TRY(build_invert(b, &b->arena));
    b->has_events = t->events.n > 0;
    b->has_links = t->links.n > 0;
    TRY(find_kept(b));
    TRY(column_choose(&t->attrs, STR("span"), BLOCK_COLUMNS_MAX, &b->kept[FILE_SPANS], &b->arena,
                      &b->span_attrs));
    TRY(column_choose(&t->events.attrs, STR("event"), BLOCK_COLUMNS_MAX, &b->kept[FILE_EVENTS], &b->arena,
                      &b->event_attrs));
    return column_choose(&t->links.attrs, STR("link"), BLOCK_COLUMNS_MAX, &b->kept[FILE_LINKS], &b->arena,
                         &b->link_attrs);
}

// A request that broke off half-way left rows in the table that are not ours, up to the t->n'th.
enum err build_group(struct build *b, const struct order_group *og) {
    struct group g = { og, b->order.rows + og->first, og->n, NULL, NULL };
    uint32_t n_place = b->t->n + 1;
    arena_reset(&b->group_arena);
    g.place = ARENA_ARRAY(&b->group_arena, n_place, uint32_t);
    g.orphans = arena_zalloc(&b->group_arena, og->n_runs);
    if (!g.place || !g.orphans) return ERR_NOMEM;
    for (uint32_t i = b->n_rows; i < n_place; i++) g.place[i] = SPAN_NONE;
    for (uint32_t i = 0; i < b->n_rows; i++) // far past the group, by wrapping, for other groups' rows
        g.place[i] = b->inverse[i] == SPAN_NONE ? SPAN_NONE : b->inverse[i] - og->first;
    TRY(spans_group(b, &g));
    TRY(traces_group(b, &g));
    if (b->has_events) TRY(events_group(b, &g));
    return b->has_links ? links_group(b, &g) : ERR_OK;
}

enum err build_finish(struct build *b, const uint8_t *split_ids, uint32_t n_split, uint64_t *bytes) {
    struct out_file *files[] = { &b->spans, &b->traces, &b->events, &b->links };
    if (b->marks.failed) return ERR_NOMEM;
    TRY(pq_writer_kv(b->spans.pq, STR(MARKS_KEY), buf_view(&b->marks)));
    for (int i = 0; i < 4; i++) {
        if (!files[i]->pq) continue;
        TRY(out_file_finish(files[i]));
        *bytes += files[i]->bytes;
    }
    TRY(entities_write(b, bytes));
    TRY(large_write(b, bytes));
    return split_write(b, split_ids, n_split, bytes);
}

// Traces that other blocks or heads hold too, or that lie in two row groups of this one.
static enum err split_ids(struct build *b, uint8_t **out, uint32_t *out_n) {
    const struct order *o = &b->order;
    uint8_t *ids = ARENA_ARRAY(&b->arena, o->n_runs * 16ull + 1, uint8_t);
    uint32_t *seen = arena_zalloc(&b->arena, (b->t->n_traces + 1ull) * sizeof *seen), n = 0;
    if (!ids || !seen) return ERR_NOMEM;
    for (uint32_t i = 0; i < o->n_runs; i++) seen[o->runs[i].trace]++;
    for (uint32_t i = 0; i < o->n_runs; i++) {
        uint32_t trace = o->runs[i].trace;
        bool split = seen[trace] > 1 || (seen[trace] == 1 && b->opts->is_split && b->opts->is_split[trace]);
        seen[trace] = 0; // each trace once
        if (split) memcpy(ids + 16ull * n++, span_trace_at(b->t, trace)->id, 16);
    }
    *out = ids;
    *out_n = n;
    return ERR_OK;
}

static enum err write_files(struct build *b, uint64_t *bytes) {
    uint8_t *ids;
    uint32_t n;
    TRY(build_begin(b));
    for (uint32_t i = 0; i < b->order.n_groups; i++) {
        const struct order_group *g = &b->order.groups[i];
        TRY(build_group(b, g));
        buf_char(&b->marks, mark_letter((struct group_mark){ g->is_outlier, false }));
    }
    TRY(split_ids(b, &ids, &n));
    return build_finish(b, ids, n, bytes);
}

static enum err remove_one(void *ctx, struct str key, uint64_t size) {
    struct object_store *s = ctx;
    (void)size;
    return s->ops->remove(s, key);
}

// What an uncommitted block left goes away now or when the store is opened next.
void build_abort(struct build *b) {
    char prefix[BLOCK_KEY_MAX];
    struct object_store *s = b->opts->store;
    out_file_abort(&b->spans);
    out_file_abort(&b->traces);
    out_file_abort(&b->events);
    out_file_abort(&b->links);
    block_prefix(prefix, b->opts->tenant, b->opts->id);
    enum err ignored = s->ops->list(s, str_of(prefix), STR(""), s, remove_one);
    (void)ignored;
}

enum err block_write(const struct block_write_opts *opts, struct block_meta *out) {
    struct build b;
    uint64_t bytes = 0;
    build_init(&b, opts, opts->budget);
    b.t = opts->table;
    b.n_rows = opts->n_rows;
    enum err e = plan(&b);
    if (e == ERR_OK) e = write_files(&b, &bytes);
    if (e != ERR_OK)
        build_abort(&b);
    else {
        *out = (struct block_meta){ .level = opts->level,
                                    .format = BLOCK_FORMAT,
                                    .n_spans = b.order.n_rows,
                                    .n_traces = b.order.n_runs,
                                    .bytes = bytes,
                                    .main = b.main,
                                    .outliers = b.outliers,
                                    .received = opts->received };
        memcpy(out->id, opts->id, sizeof out->id);
    }
    build_fini(&b);
    return e;
}
