// SPDX-License-Identifier: Apache-2.0
// What traces.parquet says of single traces to show them: their root and their services.
#include "block/batch_internal.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/json.h"

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

// The end of a name: a quote, or a backslash, which is for the reader of all JSON.
static const char *name_end(const char *p, const char *end) {
#if defined(__SSE2__)
    const __m128i quotes = _mm_set1_epi8('"'), slashes = _mm_set1_epi8('\\');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        int marks = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, quotes), _mm_cmpeq_epi8(v, slashes)));
        if (marks) return p + __builtin_ctz((unsigned)marks);
    }
#endif
    while (p < end && *p != '"' && *p != '\\') p++;
    return p;
}

// {"name":[spans,errors],…} as it is written, when no name holds an escape. false: ask the reader of
// all JSON.
static bool parse_plain(struct str json, struct services *s) {
    const char *p = json.ptr, *end = p + json.len;
    if (json.len < 2 || *p++ != '{') return false;
    while (p < end && *p == '"') {
        const char *name = ++p, *quote = name_end(p, end);
        if (end - quote < 3 || *quote != '"') return false;
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

// --- summaries -----------------------------------------------------------------------------------

// A column of texts, read trace by trace in their order: nothing is made of those that nobody asks for.
struct text_walk {
    struct pq_vector v;
    uint32_t from, at; // the trace of its first row; the value to look at next
};

static enum err walk_open(struct block_batch *b, enum trace_column c, uint32_t from, uint32_t to,
                          struct text_walk *w) {
    *w = (struct text_walk){ .from = from };
    TRY(batch_read(b, &b->block->traces, c, from, to, &w->v));
    return w->v.n_values == 0 || w->v.repr == PQ_STRS || w->v.repr == PQ_CODES ? ERR_OK : ERR_CORRUPT;
}

// NULL: the trace has no such text.
static const struct str *walk_text(struct text_walk *w, uint32_t trace) {
    uint32_t row = trace - w->from;
    if (!w->v.rows) w->at = row;
    while (w->v.rows && w->at < w->v.n_values && w->v.rows[w->at] < row) w->at++;
    if (w->at >= w->v.n_values || (w->v.rows && w->v.rows[w->at] != row)) return NULL;
    return w->v.repr == PQ_CODES ? &w->v.dict->strs[w->v.codes[w->at]] : &w->v.strs[w->at];
}

// Texts of traces here and there are seldom in the CPU's cache: first where one lies, then the text itself
// is fetched while those of others are parsed.
enum { FETCH_AHEAD = 6 };

static void walk_fetch(const struct text_walk *w, const uint32_t *traces, uint32_t n) {
    if (w->v.rows || w->v.n_values == 0 || w->v.repr != PQ_STRS) return;
    if (n > 2 * FETCH_AHEAD) __builtin_prefetch(&w->v.strs[traces[2 * FETCH_AHEAD] - w->from]);
    if (n <= FETCH_AHEAD) return;
    const char *text = w->v.strs[traces[FETCH_AHEAD] - w->from].ptr;
    __builtin_prefetch(text);
    __builtin_prefetch(text + 64);
}

// Many traces pass the same services in the same number: a text of the dictionary is parsed once.
enum { SAME_TEXTS = 1 << 8 };
struct same_text {
    const char *text;
    uint32_t first, n; // of the services
};

static enum err read_services(struct block_batch *b, struct text_walk *w, const uint32_t *traces, uint32_t n,
                              struct batch_summary *out) {
    struct services s = { .arena = &b->scan->arena };
    struct same_text same[SAME_TEXTS] = { { NULL, 0, 0 } };
    uint32_t *first = ARENA_ARRAY(s.arena, n + 1ull, uint32_t);
    if (!first) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        walk_fetch(w, traces + i, n - i);
        const struct str *text = walk_text(w, traces[i]);
        if (!text) return ERR_CORRUPT; // every trace has one
        struct same_text *t = &same[((uintptr_t)text->ptr >> 3) % SAME_TEXTS];
        if (t->text != text->ptr || !t->text) {
            *t = (struct same_text){ text->ptr, s.n, 0 };
            TRY(parse(*text, &s));
            t->n = s.n - t->first;
        }
        first[i] = t->first;
        out[traces[i]].n_services = t->n;
    }
    for (uint32_t i = 0; i < n; i++) // the list has moved while it grew
        if (out[traces[i]].n_services) out[traces[i]].services = s.at + first[i];
    return ERR_OK;
}

static enum err read_roots_of(struct block_batch *b, uint32_t from, uint32_t to, const uint32_t *traces,
                              uint32_t n, struct batch_summary *out) {
    struct text_walk names, services;
    TRY(walk_open(b, TC_ROOT_NAME, from, to, &names));
    TRY(walk_open(b, TC_ROOT_SERVICE, from, to, &services));
    for (uint32_t i = 0; i < n; i++) {
        const struct str *name = walk_text(&names, traces[i]), *service = walk_text(&services, traces[i]);
        if (!name != !service) return ERR_CORRUPT;
        out[traces[i]] = (struct batch_summary){ .has_root = name,
                                                 .root_name = name ? *name : STR(""),
                                                 .root_service = service ? *service : STR("") };
    }
    return ERR_OK;
}

// Often the wanted ones lie together: the newest of a row group. Only what is between them is read.
enum err batch_summaries(struct batch *b, const uint64_t *wanted, const struct batch_summary **out) {
    struct block_batch *bb = block_batch_of(b);
    struct batch_summary *all = ARENA_ARRAY(b->arena, b->n_traces + 1ull, struct batch_summary);
    uint32_t *traces = ARENA_ARRAY(b->arena, b->n_traces + 1ull, uint32_t), n = 0;
    struct text_walk services;
    if (!all || !traces) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_traces; i++)
        if (!wanted || wanted[i / 64] >> (i % 64) & 1) traces[n++] = i;
    *out = all;
    if (n == 0) return ERR_OK;
    uint32_t from = traces[0], to = traces[n - 1] + 1;
    TRY(read_roots_of(bb, from, to, traces, n, all));
    TRY(walk_open(bb, TC_SERVICES, from, to, &services));
    return read_services(bb, &services, traces, n, all);
}
