// SPDX-License-Identifier: Apache-2.0
// Traces that lie in a head may lie in blocks too, and some traces lie in several blocks. Those are
// collected as fragments in one map; all others stream by. Start, end and errors of a trace follow
// from its fragments; its counts do not (a span may have come twice), so what ends up on the page
// from the map is loaded whole.
#include "query/search.h"

#include <stdlib.h>

#include "base/json.h"

enum { STATUS_ERROR = 2 }; // STATUS_CODE_ERROR

enum in_range { OUT_OF_RANGE, IN_RANGE, MAYBE_IN_RANGE };

struct fragment { // of a trace in the map: all its fragments together
    uint8_t id[16];
    uint64_t start_ns, end_ns;
    bool errors, service; // some fragment has it
    enum in_range range;
    // The root: the first span without a parent. A block says its name, but not where it stands
    // among those of other fragments, so the trace is looked at when they differ.
    bool has_root, operation, unsure_operation; // operation: the root's name is the one sought
    uint64_t root_start_ns, root_id;            // of the heads' first
};

struct hit {
    uint8_t id[16];
    uint64_t start_ns;
    uint32_t block, group, row; // block SPAN_NONE: from the map
};

enum { FILTER_BITS = 1 << 19 }; // few of them set by the usual number of split traces

struct run {
    struct view *view;
    const struct search *s;
    struct search_result *out;
    struct block_scan scan;
    struct arena arena;
    struct map map;
    struct segvec fragments; // struct fragment
    uint32_t n_fragments;
    uint64_t *filter; // FILTER_BITS: a trace whose bit is clear is not in the map
    struct hit *heap; // the worst of the best on top
    uint32_t n_heap;
    struct str needle; // the service in JSON as traces.parquet has it
};

// --- the page: the best `limit` hits -------------------------------------------------------------------

// Newest first, then by id.
static int compare(uint64_t start_a, const uint8_t *a, uint64_t start_b, const uint8_t *b) {
    if (start_a != start_b) return start_a > start_b ? -1 : 1;
    return memcmp(a, b, 16);
}

static int compare_hits(const void *x, const void *y) {
    const struct hit *a = x, *b = y;
    return compare(a->start_ns, a->id, b->start_ns, b->id);
}

static void sift_down(struct hit *h, uint32_t n, uint32_t i) {
    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && compare_hits(&h[child + 1], &h[child]) > 0) child++;
        if (compare_hits(&h[i], &h[child]) >= 0) return;
        struct hit swap = h[i];
        h[i] = h[child];
        h[child] = swap;
    }
}

static void sift_up(struct hit *h, uint32_t i) {
    for (; i > 0 && compare_hits(&h[i], &h[(i - 1) / 2]) > 0; i = (i - 1) / 2) {
        struct hit swap = h[i];
        h[i] = h[(i - 1) / 2];
        h[(i - 1) / 2] = swap;
    }
}

static void add_hit(struct run *r, const struct hit *hit) {
    const struct search *s = r->s;
    r->out->total++;
    if (s->has_after && compare(hit->start_ns, hit->id, s->after_start_ns, s->after_id) <= 0) return;
    if (r->n_heap < s->limit) {
        r->heap[r->n_heap] = *hit;
        sift_up(r->heap, r->n_heap++);
    } else if (compare_hits(hit, &r->heap[0]) < 0) {
        r->heap[0] = *hit;
        sift_down(r->heap, r->n_heap, 0);
    }
}

// --- matching --------------------------------------------------------------------------------------------

// Of spans that start from `start` to `last`, both of which exist: does one start in the range?
static enum in_range range_of(const struct search *s, uint64_t start, uint64_t last) {
    if (s->start_ns == 0 && s->end_ns == 0) return IN_RANGE;
    if ((start > s->start_ns && start <= s->end_ns) || (last > s->start_ns && last <= s->end_ns))
        return IN_RANGE;
    return start <= s->start_ns && last > s->end_ns ? MAYBE_IN_RANGE : OUT_OF_RANGE;
}

static bool duration_fits(const struct search *s, uint64_t ns) {
    return ns >= s->min_duration_ns && (s->max_duration_ns == 0 || ns <= s->max_duration_ns);
}

static bool is_root(const struct span_table *t, uint32_t row) {
    return SEG_AT(&t->parent_id, row, uint64_t) == 0;
}

// Looks at the spans of a trace: does one start in the range, and is the root the one sought?
static enum err judge_by_spans(struct run *r, const uint8_t id[16], bool *range, bool *operation) {
    struct trace t;
    TRY(trace_load(r->view, id, &(struct trace_limits){ 0 }, &t));
    *range = *operation = false;
    for (uint32_t i = 0; i < t.n && !*range; i++) {
        uint64_t start = SEG_AT(&t.table.start_ns, t.rows[i], uint64_t);
        *range = start > r->s->start_ns && start <= r->s->end_ns;
    }
    uint32_t root = 0;
    while (root < t.n && !is_root(&t.table, t.rows[root])) root++;
    if (root < t.n) *operation = str_eq(span_name(&t.table, t.rows[root]), r->s->operation);
    trace_fini(&t);
    return ERR_OK;
}

// --- the map of fragments ----------------------------------------------------------------------------------

static struct fragment *fragment_at(const struct segvec *v, uint32_t i) {
    return (struct fragment *)segvec_at(v, i, sizeof(struct fragment));
}

static bool fragment_eq(const void *ctx, uint32_t i, const void *key) {
    return memcmp(fragment_at(ctx, i)->id, key, 16) == 0;
}

static uint64_t fragment_hash(const void *ctx, uint32_t i) {
    return hash_bytes(fragment_at(ctx, i)->id, 16);
}

static struct fragment *find_fragment(const struct run *r, const uint8_t id[16]) {
    uint64_t hash = hash_bytes(id, 16);
    if (!(r->filter[hash % FILTER_BITS / 64] >> hash % 64 & 1)) return NULL;
    uint32_t i = map_get(&r->map, hash, fragment_eq, &r->fragments, id);
    return i == MAP_NONE ? NULL : fragment_at(&r->fragments, i);
}

static enum err put_fragment(struct run *r, const uint8_t id[16], struct fragment **out) {
    *out = find_fragment(r, id);
    if (*out) return ERR_OK;
    if (!segvec_room(&r->fragments, &r->arena, r->n_fragments, sizeof(struct fragment))) return ERR_NOMEM;
    struct fragment *f = fragment_at(&r->fragments, r->n_fragments);
    uint64_t hash = hash_bytes(id, 16);
    *f = (struct fragment){ .start_ns = UINT64_MAX };
    memcpy(f->id, id, 16);
    TRY(map_put(&r->map, hash, r->n_fragments, fragment_hash, &r->fragments));
    r->filter[hash % FILTER_BITS / 64] |= 1ull << hash % 64;
    r->n_fragments++;
    *out = f;
    return ERR_OK;
}

static void join_range(struct fragment *f, enum in_range range) {
    if (f->range == IN_RANGE || range == OUT_OF_RANGE) return;
    f->range = range;
}

// A root of a head: the first of all by start, then id, decides; of two with both equal the bytes
// would have to.
static void join_root(struct fragment *f, const struct span_table *t, uint32_t row, struct str operation) {
    uint64_t start = SEG_AT(&t->start_ns, row, uint64_t);
    uint64_t id = __builtin_bswap64(SEG_AT(&t->span_id, row, uint64_t));
    bool same = str_eq(span_name(t, row), operation);
    if (f->has_root && (start > f->root_start_ns || (start == f->root_start_ns && id > f->root_id))) return;
    if (f->has_root && start == f->root_start_ns && id == f->root_id) {
        f->unsure_operation |= same != f->operation;
        return;
    }
    f->has_root = true;
    f->root_start_ns = start;
    f->root_id = id;
    f->operation = same;
    f->unsure_operation = false;
}

// A block's root, after those of all heads.
static void join_block_root(struct fragment *f, bool operation) {
    if (f->has_root)
        f->unsure_operation |= operation != f->operation;
    else
        f->operation = operation;
    f->has_root = true;
}

static enum err add_splits(struct run *r) {
    for (uint32_t b = 0; b < r->view->n_blocks; b++) {
        const uint8_t *ids;
        uint32_t n;
        struct fragment *f;
        TRY(block_split(r->view->blocks[b], &r->scan, &ids, &n));
        for (uint32_t i = 0; i < n; i++) TRY(put_fragment(r, ids + 16ull * i, &f));
    }
    return ERR_OK;
}

static enum err add_head(struct run *r, const struct head *h) {
    const struct span_table *t = &h->table;
    const struct search *s = r->s;
    uint32_t n = span_table_count(t), n_traces = atomic_load_explicit(&t->n_traces, memory_order_acquire);
    struct fragment **of_trace = arena_zalloc(&r->arena, (n_traces + 1ull) * sizeof *of_trace);
    if (!of_trace) return ERR_NOMEM;
    for (uint32_t row = 0; row < n; row++) {
        uint64_t start = SEG_AT(&t->start_ns, row, uint64_t), end = start + span_duration_ns(t, row);
        uint32_t trace = SEG_AT(&t->trace, row, uint32_t);
        if (!of_trace[trace]) TRY(put_fragment(r, span_trace_at(t, trace)->id, &of_trace[trace]));
        struct fragment *f = of_trace[trace];
        if (start < f->start_ns) f->start_ns = start;
        if (end > f->end_ns) f->end_ns = end;
        f->errors |= SEG_AT(&t->status, row, uint8_t) == STATUS_ERROR;
        if (s->service.len) f->service |= str_eq(span_service(t, row), s->service);
        if (s->operation.len && is_root(t, row)) join_root(f, t, row, s->operation);
        join_range(f, range_of(s, start, start));
    }
    return ERR_OK;
}

static enum err hits_of_map(struct run *r) {
    const struct search *s = r->s;
    for (uint32_t i = 0; i < r->n_fragments; i++) {
        struct fragment *f = fragment_at(&r->fragments, i);
        bool in = true, operation = true;
        if (f->start_ns == UINT64_MAX) continue; // a split trace whose spans are gone
        r->out->inspected++;
        if (!duration_fits(s, f->end_ns - f->start_ns) || (s->errors && !f->errors)) continue;
        if (f->range == OUT_OF_RANGE || (s->service.len && !f->service)) continue;
        if (s->operation.len && !f->operation && !f->unsure_operation) continue;
        if (f->range == MAYBE_IN_RANGE || f->unsure_operation) TRY(judge_by_spans(r, f->id, &in, &operation));
        if ((f->range == MAYBE_IN_RANGE && !in) || (f->unsure_operation && !operation)) continue;
        struct hit hit = { .start_ns = f->start_ns, .block = SPAN_NONE };
        memcpy(hit.id, f->id, 16);
        add_hit(r, &hit);
    }
    return ERR_OK;
}

// --- blocks
// --------------------------------------------------------------------------------------------------

// A name begins behind { or a comma: behind anything else the needle is the end of a longer name.
static bool has_service(const struct run *r, struct str services) {
    const char *end = services.ptr + services.len, *at = services.ptr;
    while ((at = memmem(at, (size_t)(end - at), r->needle.ptr, r->needle.len)) != NULL) {
        if (at > services.ptr && (at[-1] == '{' || at[-1] == ',')) return true;
        at++;
    }
    return false;
}

static enum err scan_trace(struct run *r, const struct block_traces *t, uint32_t i, struct hit hit) {
    const struct search *s = r->s;
    uint64_t start = (uint64_t)t->start_ns[i], duration = (uint64_t)t->duration_ns[i];
    bool service = !s->service.len || has_service(r, t->services[i]);
    bool operation = !s->operation.len || (t->has_root[i] && str_eq(t->root_name[i], s->operation));
    enum in_range range = range_of(s, start, start + (uint64_t)t->last_ns[i]);
    struct fragment *f = r->n_fragments ? find_fragment(r, t->id + 16ull * i) : NULL;
    if (f) {
        if (start < f->start_ns) f->start_ns = start;
        if (start + duration > f->end_ns) f->end_ns = start + duration;
        f->errors |= t->errors[i] > 0;
        f->service |= service;
        if (t->has_root && t->has_root[i]) join_block_root(f, operation);
        join_range(f, range);
        return ERR_OK;
    }
    r->out->inspected++;
    if (range == OUT_OF_RANGE || !service || !operation || !duration_fits(s, duration)) return ERR_OK;
    if (s->errors && t->errors[i] == 0) return ERR_OK;
    memcpy(hit.id, t->id + 16ull * i, 16);
    hit.start_ns = start;
    hit.row = i;
    bool in = true, ignored;
    if (range == MAYBE_IN_RANGE) // reads through a scan of its own: the arrays stay
        TRY(judge_by_spans(r, hit.id, &in, &ignored));
    if (in) add_hit(r, &hit);
    return ERR_OK;
}

static enum err scan_block(struct run *r, uint32_t index) {
    struct block *b = r->view->blocks[index];
    bool texts = r->s->service.len || r->s->operation.len;
    TRY(block_open(b, &r->scan));
    for (uint32_t g = 0; g < block_n_groups(b); g++) {
        struct block_traces t;
        TRY(block_read_traces(b, &r->scan, g, texts, &t));
        for (uint32_t i = t.n; i-- > 0;) // the newest first, so that few get on the page and off again
            TRY(scan_trace(r, &t, i, (struct hit){ .block = index, .group = g }));
    }
    r->out->blocks_read++;
    return ERR_OK;
}

// --- the summaries of the page -----------------------------------------------------------------------------

static int by_service(const void *x, const void *y) {
    return str_cmp(((const struct trace_service *)x)->name, ((const struct trace_service *)y)->name);
}

static enum err count_services(const struct trace *t, struct arena *a, struct trace_summary *out) {
    uint32_t n_res = t->table.n_resources, n = 0;
    struct trace_service *all = ARENA_ARRAY(a, n_res + 1ull, struct trace_service);
    if (!all) return ERR_NOMEM;
    for (uint32_t i = 0; i < n_res; i++)
        all[i] = (struct trace_service){ span_resource_at(&t->table, i)->service, 0, 0 };
    for (uint32_t i = 0; i < t->n; i++) {
        struct trace_service *s = &all[SEG_AT(&t->table.resource, t->rows[i], uint32_t)];
        s->spans++;
        s->errors += SEG_AT(&t->table.status, t->rows[i], uint8_t) == STATUS_ERROR;
    }
    if (n_res > 1) qsort(all, n_res, sizeof *all, by_service);
    for (uint32_t i = 0; i < n_res; i++) {
        if (all[i].spans == 0) continue;
        if (n > 0 && str_eq(all[n - 1].name, all[i].name)) {
            all[n - 1].spans += all[i].spans;
            all[n - 1].errors += all[i].errors;
        } else {
            all[n++] = all[i];
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        all[i].name = str_dup(a, all[i].name);
        out->errors += all[i].errors;
    }
    out->services = all;
    out->n_services = n;
    return ERR_OK;
}

enum err trace_summarise(struct trace *t, struct arena *a, struct trace_summary *out) {
    const struct span_table *tb = &t->table;
    uint64_t start = UINT64_MAX, end = 0;
    struct trace_summary s = { .spans = t->n, .root_service = STR(""), .root_name = STR("") };
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t row = t->rows[i];
        uint64_t from = SEG_AT(&tb->start_ns, row, uint64_t), to = from + span_duration_ns(tb, row);
        if (from < start) start = from;
        if (to > end) end = to;
        if (s.has_root || !is_root(tb, row)) continue;
        s.has_root = true;
        s.root_service = str_dup(a, span_service(tb, row));
        s.root_name = str_dup(a, span_name(tb, row));
    }
    s.start_ns = t->n ? start : 0;
    s.duration_ns = t->n ? end - start : 0;
    if (t->n) memcpy(s.id, span_trace_id(tb, t->rows[0]), 16);
    TRY(count_services(t, a, &s));
    *out = s;
    return a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err summary_of_map(struct run *r, const struct hit *hit, struct trace_summary *out) {
    struct trace t;
    TRY(trace_load(r->view, hit->id, &(struct trace_limits){ 0 }, &t));
    enum err e = trace_summarise(&t, &r->out->arena, out);
    r->out->bytes_read += t.bytes_read;
    trace_fini(&t);
    return e;
}

// {"name":[spans,errors],…}
static enum err parse_services(struct arena *a, struct str json, struct trace_summary *out) {
    struct json j;
    struct err_ctx ctx = { 0 };
    uint32_t n = 0, cap = 1;
    for (size_t i = 0; i < json.len; i++) cap += json.ptr[i] == '[';
    out->services = ARENA_ARRAY(a, cap, struct trace_service);
    if (!out->services) return ERR_NOMEM;
    json_init(&j, json, 4, &ctx);
    if (json_next(&j) != JSON_OBJECT) return ERR_CORRUPT;
    while (json_next(&j) == JSON_KEY && n < cap) {
        struct trace_service *s = &out->services[n++];
        struct buf name;
        uint64_t spans = 0, errors = 0;
        buf_init(&name, SIZE_MAX);
        json_text(&j, &name);
        s->name = str_dup(a, buf_view(&name));
        buf_fini(&name);
        bool ok = json_next(&j) == JSON_ARRAY && json_next(&j) == JSON_NUMBER && json_u64(j.text, &spans) &&
                  json_next(&j) == JSON_NUMBER && json_u64(j.text, &errors) &&
                  json_next(&j) == JSON_ARRAY_END;
        if (!ok) return ERR_CORRUPT;
        s->spans = (uint32_t)spans;
        s->errors = (uint32_t)errors;
    }
    out->n_services = n;
    return j.kind == JSON_OBJECT_END && !a->failed ? ERR_OK : ERR_CORRUPT;
}

static enum err summary_of_block(struct run *r, const struct block_traces *t, const struct hit *hit,
                                 struct trace_summary *out) {
    struct arena *a = &r->out->arena;
    uint32_t i = hit->row;
    *out = (struct trace_summary){ .start_ns = hit->start_ns,
                                   .duration_ns = (uint64_t)t->duration_ns[i],
                                   .has_root = t->has_root[i],
                                   .root_service = str_dup(a, t->root_service[i]),
                                   .root_name = str_dup(a, t->root_name[i]),
                                   .spans = (uint32_t)t->rows[i],
                                   .errors = (uint32_t)t->errors[i] };
    memcpy(out->id, hit->id, 16);
    return parse_services(a, t->services[i], out);
}

static int by_place(const void *x, const void *y) {
    const struct hit *a = *(const struct hit *const *)x, *b = *(const struct hit *const *)y;
    if (a->block != b->block) return a->block < b->block ? -1 : 1;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

// Each row group that has hits is read once more, with its texts.
static enum err summaries(struct run *r) {
    struct search_result *out = r->out;
    const struct hit **order = ARENA_ARRAY(&r->arena, r->n_heap + 1ull, const struct hit *);
    struct block_traces t;
    if (r->n_heap > 1) qsort(r->heap, r->n_heap, sizeof *r->heap, compare_hits);
    out->traces = ARENA_ARRAY(&out->arena, r->n_heap + 1ull, struct trace_summary);
    if (!order || !out->traces) return ERR_NOMEM;
    for (uint32_t i = 0; i < r->n_heap; i++) order[i] = &r->heap[i];
    if (r->n_heap > 1) qsort(order, r->n_heap, sizeof *order, by_place);
    for (uint32_t i = 0; i < r->n_heap; i++) {
        const struct hit *h = order[i];
        struct trace_summary *s = &out->traces[h - r->heap];
        if (h->block == SPAN_NONE) {
            TRY(summary_of_map(r, h, s));
            continue;
        }
        if (i == 0 || order[i - 1]->block != h->block || order[i - 1]->group != h->group)
            TRY(block_read_traces(r->view->blocks[h->block], &r->scan, h->group, true, &t));
        TRY(summary_of_block(r, &t, h, s));
    }
    out->n = r->n_heap;
    return ERR_OK;
}

static enum err run_all(struct run *r) {
    struct buf needle;
    buf_init(&needle, SIZE_MAX);
    struct json_writer w = json_writer_on(&needle);
    jw_str(&w, r->s->service);
    buf_str(&needle, STR(":["));
    r->needle = str_dup(&r->arena, buf_view(&needle));
    buf_fini(&needle);
    r->heap = ARENA_ARRAY(&r->arena, r->s->limit + 1ull, struct hit);
    r->filter = arena_zalloc(&r->arena, FILTER_BITS / 8);
    if (!r->heap || !r->filter || !r->needle.ptr) return ERR_NOMEM;
    TRY(add_splits(r));
    for (uint32_t i = 0; i < r->view->n_heads; i++) TRY(add_head(r, r->view->heads[i]));
    for (uint32_t i = r->view->n_blocks; i-- > 0;) TRY(scan_block(r, i));
    TRY(hits_of_map(r));
    return summaries(r);
}

enum err search_run(struct view *v, const struct search *s, struct search_result *out) {
    struct run r = { .view = v, .s = s, .out = out };
    *out = (struct search_result){ .blocks_total = v->n_blocks };
    if (s->limit == 0 || s->limit > SEARCH_LIMIT_MAX) return ERR_INVALID;
    arena_init(&out->arena, SIZE_MAX, NULL);
    arena_init(&r.arena, SIZE_MAX, NULL);
    map_init(&r.map, UINT32_MAX);
    enum err e = block_scan_init(&r.scan, NULL);
    if (e == ERR_OK) e = run_all(&r);
    out->bytes_read += r.scan.bytes_read;
    block_scan_fini(&r.scan);
    map_fini(&r.map);
    arena_fini(&r.arena);
    if (e != ERR_OK) search_fini(out);
    return e;
}

void search_fini(struct search_result *r) {
    arena_fini(&r->arena);
}
