// SPDX-License-Identifier: Apache-2.0
// What traces.parquet says of the traces of a row group.
#include "block/batch_internal.h"

#include "base/json.h"

static enum err read_i32(struct block_batch *b, enum trace_column c, uint32_t n, const int32_t **out) {
    struct pq_vector v;
    TRY(batch_read(b, &b->block->traces, c, 0, n, &v));
    return vector_i32(&v, &b->scan->arena, out);
}

static enum err read_i64(struct block_batch *b, enum trace_column c, uint32_t n, const int64_t **out) {
    struct pq_vector v;
    TRY(batch_read(b, &b->block->traces, c, 0, n, &v));
    return vector_i64(&v, &b->scan->arena, out);
}

// Runs follow each other, so first_row need not be read. They must leave no row out: all else relies
// on it.
enum err batch_read_traces(struct block_batch *b) {
    struct arena *a = &b->scan->arena;
    uint32_t n = b->block->traces.pq->groups[b->group].n_rows, at = 0;
    const int32_t *rows;
    const int64_t *start, *duration, *last;
    const uint8_t *ids;
    struct pq_vector v;
    if (memo_traces_find(b->block, b->group, &b->batch.traces, &b->batch.n_traces)) return ERR_OK;
    struct batch_trace *out = ARENA_ARRAY(a, n + 1ull, struct batch_trace);
    if (!out) return ERR_NOMEM;
    TRY(batch_read(b, &b->block->traces, TC_TRACE_ID, 0, n, &v));
    TRY(vector_fixed(&v, a, 16, &ids));
    TRY(read_i32(b, TC_ROWS, n, &rows));
    TRY(read_i64(b, TC_START, n, &start));
    TRY(read_i64(b, TC_DURATION, n, &duration));
    TRY(read_i64(b, TC_LAST, n, &last));
    for (uint32_t i = 0; i < n; i++) {
        struct batch_trace *tr = &out[i];
        if (start[i] < 0 || duration[i] < 0 || last[i] < 0 || rows[i] <= 0 ||
            (uint32_t)rows[i] > b->batch.n_rows - at)
            return ERR_CORRUPT;
        memcpy(tr->id, ids + 16ull * i, 16);
        tr->start_ns = (uint64_t)start[i];
        tr->end_ns = tr->start_ns + (uint64_t)duration[i];
        tr->last_start_ns = tr->start_ns + (uint64_t)last[i];
        tr->first = at;
        tr->n = (uint32_t)rows[i];
        at += tr->n;
    }
    if (at != b->batch.n_rows) return ERR_CORRUPT;
    memo_traces_keep(b->block, b->group, out, n);
    b->batch.traces = out;
    b->batch.n_traces = n;
    return ERR_OK;
}

enum err batch_trace_codes(struct block_batch *b, const uint32_t **out) {
    struct batch_memo *m = b->memo;
    if (!m->trace_of) {
        uint32_t *codes = ARENA_ARRAY(&b->scan->arena, b->batch.n_rows + 1ull, uint32_t);
        if (!codes) return ERR_NOMEM;
        for (uint32_t i = 0; i < b->batch.n_traces; i++) {
            const struct batch_trace *tr = &b->batch.traces[i];
            for (uint32_t row = tr->first; row < tr->first + tr->n; row++) codes[row] = i;
        }
        m->trace_of = codes;
    }
    *out = m->trace_of;
    return ERR_OK;
}

static enum err read_roots(struct block_batch *b, size_t column, uint32_t from, uint32_t to,
                           struct value *out) {
    struct pq_vector v;
    const struct str *texts;
    TRY(batch_read(b, &b->block->traces, column, from, to, &v));
    TRY(vector_strs(&v, &b->scan->arena, &texts));
    for (uint32_t i = from; i < to; i++) out[i] = VALUE_OF_NIL;
    for (uint32_t i = 0; i < v.n_values; i++) out[from + (v.rows ? v.rows[i] : i)] = VALUE_OF_STR(texts[i]);
    return ERR_OK;
}

enum err batch_roots(struct block_batch *b, size_t column, struct value *out) {
    return read_roots(b, column, 0, b->batch.n_traces, out);
}

// --- services ------------------------------------------------------------------------------------

struct services {
    struct arena *arena;
    struct batch_service *at;
    uint32_t n, cap;
};

static struct batch_service *service_add(struct services *s) {
    if (s->n == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 16;
        struct batch_service *more = ARENA_ARRAY(s->arena, cap, struct batch_service);
        if (!more) return NULL;
        if (s->n) memcpy(more, s->at, s->n * sizeof *more);
        s->at = more;
        s->cap = cap;
    }
    return &s->at[s->n++];
}

static bool read_count(const char **p, const char *end, char close, uint32_t *out) {
    uint64_t n = 0;
    const char *first = *p;
    while (*p < end && **p >= '0' && **p <= '9' && n <= UINT32_MAX) n = n * 10 + (uint64_t)(*(*p)++ - '0');
    if (*p == first || *p == end || n > UINT32_MAX || *(*p)++ != close) return false;
    *out = (uint32_t)n;
    return true;
}

// {"name":[spans,errors],…} as it is written, when no name holds an escape. false: ask the reader of
// all JSON.
static bool parse_plain(struct str json, struct services *s) {
    const char *p = json.ptr, *end = p + json.len;
    if (json.len < 2 || *p++ != '{') return false;
    while (p < end && *p == '"') {
        const char *name = ++p, *quote = memchr(p, '"', (size_t)(end - p));
        if (!quote || memchr(name, '\\', (size_t)(quote - name)) || end - quote < 3) return false;
        struct batch_service v = { .name = { name, (size_t)(quote - name) } }, *out;
        p = quote + 1;
        if (*p++ != ':' || *p++ != '[') return false;
        if (!read_count(&p, end, ',', &v.spans) || !read_count(&p, end, ']', &v.errors)) return false;
        if (p == end || (*p != ',' && *p != '}')) return false;
        out = service_add(s);
        if (!out) return false;
        *out = v;
        if (*p++ == '}') return p == end;
    }
    return json.len == 2 && *p == '}';
}

static bool next_count(struct json *j, uint32_t *out) {
    uint64_t n;
    if (json_next(j) != JSON_NUMBER || !json_u64(j->text, &n) || n > UINT32_MAX) return false;
    *out = (uint32_t)n;
    return true;
}

static enum err service_name(const struct json *j, struct arena *a, struct str *out) {
    struct buf name;
    buf_init(&name, SIZE_MAX);
    json_text(j, &name);
    *out = str_dup(a, buf_view(&name));
    bool failed = name.failed || !out->ptr;
    buf_fini(&name);
    return failed ? ERR_NOMEM : ERR_OK;
}

static enum err parse_any(struct str json, struct services *s) {
    struct json j;
    json_init(&j, json, 4, NULL);
    if (json_next(&j) != JSON_OBJECT) return ERR_CORRUPT;
    while (json_next(&j) == JSON_KEY) {
        struct batch_service v, *out = service_add(s);
        if (!out) return ERR_NOMEM;
        TRY(service_name(&j, s->arena, &v.name));
        if (json_next(&j) != JSON_ARRAY || !next_count(&j, &v.spans) || !next_count(&j, &v.errors) ||
            json_next(&j) != JSON_ARRAY_END)
            return ERR_CORRUPT;
        *out = v;
    }
    return j.kind == JSON_OBJECT_END && json_next(&j) == JSON_END ? ERR_OK : ERR_CORRUPT;
}

static enum err parse(struct str json, struct services *s) {
    uint32_t first = s->n;
    if (parse_plain(json, s)) return ERR_OK;
    s->n = first;
    return parse_any(json, s);
}

// Many traces pass the same services in the same number: a text of the dictionary is parsed once.
enum { SAME_TEXTS = 1 << 10 };
struct same_text {
    const char *text;
    uint32_t first, n; // of the services
};

static enum err read_services(struct block_batch *b, const uint64_t *wanted, uint32_t from, uint32_t to,
                              struct batch_summary *out) {
    struct services s = { .arena = &b->scan->arena };
    struct same_text same[SAME_TEXTS] = { { NULL, 0, 0 } };
    uint32_t *first = ARENA_ARRAY(s.arena, to - from + 1ull, uint32_t);
    struct pq_vector v;
    const struct str *texts;
    if (!first) return ERR_NOMEM;
    TRY(batch_read(b, &b->block->traces, TC_SERVICES, from, to, &v));
    TRY(vector_strs(&v, s.arena, &texts));
    for (uint32_t i = from; i < to; i++) {
        if (wanted && !(wanted[i / 64] >> (i % 64) & 1)) continue;
        struct same_text *t = &same[((uintptr_t)texts[i - from].ptr >> 3) % SAME_TEXTS];
        if (t->text != texts[i - from].ptr || !t->text) {
            *t = (struct same_text){ texts[i - from].ptr, s.n, 0 };
            TRY(parse(texts[i - from], &s));
            t->n = s.n - t->first;
        }
        first[i - from] = t->first;
        out[i].n_services = t->n;
    }
    for (uint32_t i = from; i < to && s.n > 0; i++)
        if (out[i].n_services) out[i].services = s.at + first[i - from];
    return ERR_OK;
}

static enum err summarise(struct block_batch *b, const uint64_t *wanted, uint32_t from, uint32_t to,
                          struct batch_summary *out) {
    struct value *names = ARENA_ARRAY(&b->scan->arena, b->batch.n_traces + 1ull, struct value);
    struct value *services = ARENA_ARRAY(&b->scan->arena, b->batch.n_traces + 1ull, struct value);
    if (!names || !services) return ERR_NOMEM;
    TRY(read_roots(b, TC_ROOT_NAME, from, to, names));
    TRY(read_roots(b, TC_ROOT_SERVICE, from, to, services));
    for (uint32_t i = from; i < to; i++) {
        bool has = names[i].type != VALUE_NIL;
        if (has != (services[i].type != VALUE_NIL)) return ERR_CORRUPT;
        out[i] = (struct batch_summary){ .has_root = has,
                                         .root_name = has ? names[i].s : STR(""),
                                         .root_service = has ? services[i].s : STR("") };
    }
    return read_services(b, wanted, from, to, out);
}

// Often the wanted ones lie together: the newest of a row group. Only what is between them is read.
enum err batch_summaries(struct batch *b, const uint64_t *wanted, const struct batch_summary **out) {
    struct batch_summary *all = ARENA_ARRAY(b->arena, b->n_traces + 1ull, struct batch_summary);
    uint32_t from = 0, to = b->n_traces;
    if (!all) return ERR_NOMEM;
    while (wanted && from < to && !(wanted[from / 64] >> (from % 64) & 1)) from++;
    while (wanted && to > from && !(wanted[(to - 1) / 64] >> ((to - 1) % 64) & 1)) to--;
    TRY(summarise(block_batch_of(b), wanted, from, to, all));
    *out = all;
    return ERR_OK;
}
