// SPDX-License-Identifier: Apache-2.0
// Where traces lie in a block: bloom filters name the row groups that may hold them, and what a filter lets
// through is looked for in the column of ids, all that are sought at once.
#include "block/batch_internal.h"
#include "parquet/bloom.h"

static bool bloom_has(const struct bloom_bits *f, uint64_t hash) {
    return !f->bits || bloom_test(f->bits + bloom_block(f->size, hash), hash);
}

enum err block_may_hold(struct block *b, struct block_scan *s, const uint8_t id[16], bool *out) {
    TRY(block_open(b, s));
    uint64_t hash = hash_xxh64(id, 16);
    *out = false;
    for (size_t g = 0; g < b->traces.pq->n_groups && !*out; g++) *out = bloom_has(&b->blooms[g], hash);
    return ERR_OK;
}

// --- a row group -----------------------------------------------------------------------------------

enum { SOUGHT_HASHES = 1 << 12, FEW_SOUGHT = 8 };

struct seeking {
    struct block *b;
    struct block_scan *s;
    const uint8_t *const *ids;
    uint64_t *hashes; // as bloom filters have them
    uint32_t n;
    bool *leave; // those that are not sought any more; NULL: none
    // In the row group at hand:
    uint32_t *here; // which may be there
    uint32_t n_here;
    bool filter[SOUGHT_HASHES]; // by hash: may one of them have it?
    struct map map;             // of `here`, where they are more than a few
};

static bool here_eq(const void *ctx, uint32_t i, const void *key) {
    const struct seeking *k = ctx;
    return memcmp(k->ids[k->here[i]], key, 16) == 0;
}

static uint64_t here_hash(const void *ctx, uint32_t i) {
    const struct seeking *k = ctx;
    return hash_bytes(k->ids[k->here[i]], 16);
}

// The second half of an id is random bits mostly: a product keeps nearly all others out.
static inline uint32_t few_bits(const uint8_t id[16]) {
    uint64_t half;
    memcpy(&half, id + 8, sizeof half);
    return (uint32_t)(half * 0x9e3779b97f4a7c15u >> 52);
}
_Static_assert(SOUGHT_HASHES == 1 << (64 - 52), "the product has so many values");

static enum err begin_group(struct seeking *k, uint32_t g) {
    k->n_here = 0;
    memset(k->filter, 0, sizeof k->filter);
    for (uint32_t i = 0; i < k->n; i++) {
        if ((k->leave && k->leave[i]) || !bloom_has(&k->b->blooms[g], k->hashes[i])) continue;
        k->filter[few_bits(k->ids[i])] = true;
        k->here[k->n_here++] = i;
    }
    map_reset(&k->map);
    for (uint32_t i = 0; i < k->n_here && k->n_here > FEW_SOUGHT; i++)
        TRY(map_put(&k->map, here_hash(k, i), i, here_hash, k));
    return ERR_OK;
}

// The number in `here` of an id, or MAP_NONE.
static uint32_t find_here(const struct seeking *k, const uint8_t *id) {
    if (k->n_here > FEW_SOUGHT) return map_get(&k->map, hash_bytes(id, 16), here_eq, k, id);
    for (uint32_t i = 0; i < k->n_here; i++)
        if (here_eq(k, i, id)) return i;
    return MAP_NONE;
}

// trace: its number in row group g.
typedef enum err seek_found(void *ctx, uint32_t id, uint32_t g, uint32_t trace);

// Resets the arena, but not after it has found one.
static enum err seek_group(struct seeking *k, uint32_t g, seek_found *found, void *ctx) {
    struct pq_vector v;
    const uint8_t *ids;
    TRY(begin_group(k, g));
    if (k->n_here == 0) return ERR_OK;
    block_scan_reset(k->s);
    TRY(scan_read(&k->b->traces, k->s, g, TC_TRACE_ID, 0, k->b->traces.pq->groups[g].n_rows, &v));
    TRY(vector_fixed(&v, &k->s->arena, 16, &ids));
    for (uint32_t i = 0; i < v.n_values; i++) {
        const uint8_t *id = ids + 16ull * i;
        if (!k->filter[few_bits(id)]) continue;
        uint32_t at = find_here(k, id);
        if (at != MAP_NONE) TRY(found(ctx, k->here[at], g, i));
    }
    return ERR_OK;
}

static enum err seek_groups(struct seeking *k, const bool *skip, seek_found *found, void *ctx) {
    k->hashes = mem_alloc((k->n + 1ull) * sizeof *k->hashes);
    k->here = mem_alloc((k->n + 1ull) * sizeof *k->here);
    if (!k->hashes || !k->here) return ERR_NOMEM;
    for (uint32_t i = 0; i < k->n; i++) k->hashes[i] = hash_xxh64(k->ids[i], 16);
    for (uint32_t g = 0; g < k->b->traces.pq->n_groups; g++)
        if (!skip || !skip[g]) TRY(seek_group(k, g, found, ctx));
    return ERR_OK;
}

static enum err seek(struct block *b, struct block_scan *s, const uint8_t *const *ids, uint32_t n,
                     const bool *skip, bool *leave, seek_found *found, void *ctx) {
    struct seeking k = { .b = b, .s = s, .ids = ids, .n = n, .leave = leave };
    TRY(block_open(b, s));
    map_init(&k.map, UINT32_MAX);
    enum err e = seek_groups(&k, skip, found, ctx);
    map_fini(&k.map);
    mem_free(k.here);
    mem_free(k.hashes);
    return e;
}

// --- the doors -------------------------------------------------------------------------------------

static enum err note_held(void *ctx, uint32_t id, uint32_t g, uint32_t trace) {
    bool *held = ctx;
    (void)g;
    (void)trace;
    held[id] = true;
    return ERR_OK;
}

enum err block_hold_many(struct block *b, struct block_scan *s, const uint8_t *const *ids, uint32_t n,
                         bool *held) {
    return seek(b, s, ids, n, NULL, held, note_held, held);
}

static enum err run_of(struct block *b, struct block_scan *s, uint32_t g, uint32_t trace,
                       struct block_run *out) {
    struct batch kept;
    const int32_t *first, *rows;
    struct pq_vector v;
    uint32_t n_spans = b->spans.pq->groups[g].n_rows;
    if (memo_traces_find(b, g, &kept) && trace < kept.n_traces) {
        *out = (struct block_run){ g, kept.traces[trace].first, kept.traces[trace].n };
        return ERR_OK;
    }
    TRY(scan_read(&b->traces, s, g, TC_FIRST_ROW, trace, trace + 1, &v));
    TRY(vector_i32(&v, &s->arena, &first));
    TRY(scan_read(&b->traces, s, g, TC_ROWS, trace, trace + 1, &v));
    TRY(vector_i32(&v, &s->arena, &rows));
    *out = (struct block_run){ g, (uint32_t)first[0], (uint32_t)rows[0] };
    return out->first > n_spans || out->n > n_spans - out->first ? ERR_CORRUPT : ERR_OK;
}

struct finding_runs {
    struct block *b;
    struct block_scan *s;
    enum err (*each)(void *ctx, uint32_t id, const struct block_run *run);
    void *ctx;
};

static enum err give_run(void *ctx, uint32_t id, uint32_t g, uint32_t trace) {
    const struct finding_runs *f = ctx;
    struct block_run run;
    TRY(run_of(f->b, f->s, g, trace, &run));
    return f->each(f->ctx, id, &run);
}

enum err block_find_many(struct block *b, struct block_scan *s, const uint8_t *const *ids, uint32_t n,
                         const bool *skip,
                         enum err (*each)(void *ctx, uint32_t id, const struct block_run *run), void *ctx) {
    struct finding_runs f = { b, s, each, ctx };
    return seek(b, s, ids, n, skip, NULL, give_run, &f);
}

struct runs {
    struct block_run *at;
    uint32_t n;
};

static enum err add_run(void *ctx, uint32_t id, const struct block_run *run) {
    struct runs *r = ctx;
    (void)id;
    if (r->n == BLOCK_RUNS_MAX) return ERR_LIMIT;
    r->at[r->n++] = *run;
    return ERR_OK;
}

enum err block_find(struct block *b, struct block_scan *s, const uint8_t id[16], struct block_run *out,
                    uint32_t *out_n) {
    struct runs r = { out, 0 };
    TRY(block_find_many(b, s, &id, 1, NULL, add_run, &r));
    *out_n = r.n;
    return ERR_OK;
}
