// SPDX-License-Identifier: Apache-2.0
// What traces.parquet says of single traces to show them: their root and their services.
#include "block/batch_internal.h"
#include "block/cache.h"

// A column of texts, read trace by trace in their order: nothing is made of those that nobody asks for.
struct text_walk {
    struct pq_vector v;
    uint32_t from, at; // the trace of its first row; the value to look at next
    bool stays;        // the texts are those of a column that is kept
};

// Of a column that is kept whole nothing is cut out.
static enum err walk_open(struct block_batch *b, enum trace_column c, uint32_t from, uint32_t to,
                          struct text_walk *w) {
    struct pq_chunk chunk;
    TRY(batch_chunk(b, &b->block->traces, c, &chunk));
    const struct pq_vector *whole = cache_find(b->scan, &chunk);
    *w = (struct text_walk){ .from = whole ? 0 : from };
    if (whole) {
        w->v = *whole;
        scan_count(b->scan, &chunk, from, to);
        b->batch.bytes_read = b->scan->bytes_read - b->bytes_before;
    } else {
        TRY(batch_chunk_read(b, &chunk, from, to, &w->v));
    }
    w->stays = whole && w->v.repr == PQ_STRS;
    return w->v.n_values == 0 || w->v.repr == PQ_STRS || w->v.repr == PQ_CODES ? ERR_OK : ERR_CORRUPT;
}

// The first value of a row that is not before `row`, from w->at on. Most rows have one: then it is as far on
// as the row is.
static uint32_t value_at(const struct text_walk *w, uint32_t row) {
    uint32_t low = w->at, high = w->v.n_values;
    if (low >= high || w->v.rows[low] >= row) return low;
    if (row - w->v.rows[low] < high - low) high = low + (row - w->v.rows[low]);
    if (high < w->v.n_values && w->v.rows[high] == row) return high;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (w->v.rows[mid] < row)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

// NULL: the trace has no such text.
static const struct str *walk_text(struct text_walk *w, uint32_t trace) {
    uint32_t row = trace - w->from;
    w->at = w->v.rows ? value_at(w, row) : row;
    if (w->at >= w->v.n_values || (w->v.rows && w->v.rows[w->at] != row)) return NULL;
    return w->v.repr == PQ_CODES ? &w->v.dict->strs[w->v.codes[w->at]] : &w->v.strs[w->at];
}

// Traces are here and there, and so seldom in the CPU's cache: where one's text lies is fetched ahead. As
// many rows may have lacked one up to there as up to the first.
enum { FETCH_AHEAD = 12 };

static void walk_fetch(const struct text_walk *w, const uint32_t *traces, uint32_t n) {
    if (n <= FETCH_AHEAD) return;
    uint32_t at = traces[FETCH_AHEAD] - w->from;
    if (w->v.rows) at -= traces[0] - w->from - w->at;
    if (at >= w->v.n_values) return;
    if (w->v.rows) mem_fetch(&w->v.rows[at]);
    mem_fetch(w->v.repr == PQ_CODES ? (const void *)&w->v.codes[at] : (const void *)&w->v.strs[at]);
}

static enum err read_services(struct text_walk *w, const uint32_t *traces, uint32_t n,
                              struct batch_summary *out) {
    for (uint32_t i = 0; i < n; i++) {
        walk_fetch(w, traces + i, n - i);
        const struct str *text = walk_text(w, traces[i]);
        if (!text) return ERR_CORRUPT; // every trace has one
        out[i].services = *text;
        out[i].services_stay = w->stays;
    }
    return ERR_OK;
}

static enum err read_roots_of(struct block_batch *b, uint32_t from, uint32_t to, const uint32_t *traces,
                              uint32_t n, struct batch_summary *out) {
    struct text_walk names, services;
    TRY(walk_open(b, TC_ROOT_NAME, from, to, &names));
    TRY(walk_open(b, TC_ROOT_SERVICE, from, to, &services));
    for (uint32_t i = 0; i < n; i++) {
        walk_fetch(&names, traces + i, n - i);
        walk_fetch(&services, traces + i, n - i);
        const struct str *name = walk_text(&names, traces[i]), *service = walk_text(&services, traces[i]);
        if (!name != !service) return ERR_CORRUPT;
        out[i] = (struct batch_summary){ .has_root = name,
                                         .root_name = name ? *name : STR(""),
                                         .root_service = service ? *service : STR("") };
    }
    return ERR_OK;
}

static uint32_t count_wanted(const struct batch *b, const uint64_t *wanted) {
    uint32_t n = 0;
    if (!wanted) return b->n_traces;
    for (uint32_t at = 0; at < b->n_traces; at += 64) n += (uint32_t)__builtin_popcountll(wanted[at / 64]);
    return n;
}

// Often the wanted ones lie together: the newest of a row group. Only what is between them is read.
enum err batch_summaries(struct batch *b, const uint64_t *wanted, const struct batch_summary **out) {
    struct block_batch *bb = block_batch_of(b);
    uint32_t n_wanted = count_wanted(b, wanted);
    struct batch_summary *all = ARENA_ARRAY(b->arena, n_wanted, struct batch_summary);
    uint32_t *traces = ARENA_ARRAY(b->arena, n_wanted, uint32_t), n = 0;
    struct text_walk services;
    if (!all || !traces) return ERR_NOMEM;
    for (uint32_t at = 0; at < b->n_traces; at += 64) {
        uint64_t bits = wanted ? wanted[at / 64] : UINT64_MAX;
        for (; bits && at + (uint32_t)__builtin_ctzll(bits) < b->n_traces; bits &= bits - 1)
            traces[n++] = at + (uint32_t)__builtin_ctzll(bits);
    }
    *out = all;
    if (n == 0) return ERR_OK;
    uint32_t from = traces[0], to = traces[n - 1] + 1;
    TRY(read_roots_of(bb, from, to, traces, n, all));
    TRY(walk_open(bb, TC_SERVICES, from, to, &services));
    return read_services(&services, traces, n, all);
}
