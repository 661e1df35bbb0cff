// SPDX-License-Identifier: Apache-2.0
// What questions would decode again each time, kept with the block until that is freed: dictionaries
// of the columns that were asked for, and the traces of row groups. There is no order in which
// something is dropped for something else: past the limits all goes on as if nothing were kept.
#include "base/slab.h"
#include "block/any.h"
#include "block/batch_internal.h"

enum {
    MEMO_DICTS_MAX = 64 << 20,   // bytes, of all blocks together: of some 10 million spans
    MEMO_TRACES_MAX = 32 << 20,  // the same of traces: 52 bytes each
    MEMO_DICT_ONE_MAX = 2 << 20, // a larger one is not kept
};

static struct mem_budget dicts_budget = { .limit = MEMO_DICTS_MAX };
static struct mem_budget traces_budget = { .limit = MEMO_TRACES_MAX };
static struct slabs slabs = SLABS_INIT; // of traces, which are read here and there

struct kept_dict {
    struct pq_dict dict;
    const struct value *values;
};
struct kept_traces {          // and their firsts behind them
    struct kept_traces *next; // of the block
    size_t bytes;
    bool in_slab;
    uint32_t n;
    const uint32_t *firsts;
    struct batch_trace at[];
};

void block_memo_limit(uint64_t bytes) {
    uint64_t dicts = bytes / 2 + 1, traces = bytes / 4 + 1; // 0 would be no limit
    filters_limit(bytes / 4 + 1);
    dicts_budget.limit = dicts < MEMO_DICTS_MAX ? dicts : MEMO_DICTS_MAX;
    traces_budget.limit = traces < MEMO_TRACES_MAX ? traces : MEMO_TRACES_MAX;
    slabs_limit(&slabs, traces_budget.limit < SLAB_BYTES ? 0 : traces_budget.limit);
}

void block_memo_stats(struct block_memo_stats *out) {
    *out = (struct block_memo_stats){ dicts_budget.used, traces_budget.used, filters_bytes(),
                                      slabs_bytes(&slabs) };
}

static void traces_free(struct kept_traces *k) {
    mem_budget_give(&traces_budget, k->bytes);
    if (k->in_slab)
        slab_free(&slabs, k, k->bytes);
    else
        mem_free(k);
}

void memo_init(struct block *b) {
    pthread_mutex_init(&b->memo_lock, NULL);
    arena_init(&b->memo_dicts, SIZE_MAX, &dicts_budget);
}

void memo_fini(struct block *b) {
    arena_fini(&b->memo_dicts);
    while (b->memo_traces) {
        struct kept_traces *k = b->memo_traces;
        b->memo_traces = k->next;
        traces_free(k);
    }
    pthread_mutex_destroy(&b->memo_lock);
}

// --- dictionaries ----------------------------------------------------------------------------------

static struct column_places *place_of(struct in_file *f, size_t group, size_t column) {
    return &f->places[group * f->pq->n_columns + column];
}

static uint64_t dict_bytes(const struct pq_column *c, const struct pq_dict *d) {
    uint64_t n = d->n * (sizeof(struct value) + (c->type == PQ_BYTE_ARRAY ? sizeof(struct str) : 8));
    for (uint32_t i = 0; c->type == PQ_BYTE_ARRAY && i < d->n; i++) n += d->strs[i].len;
    return n;
}

static bool copy_texts(struct arena *a, const struct pq_dict *d, struct pq_dict *out) {
    struct str *strs = ARENA_ARRAY(a, d->n + 1ull, struct str);
    size_t len = 0;
    for (uint32_t i = 0; i < d->n; i++) len += d->strs[i].len;
    char *bytes = arena_alloc(a, len + 1);
    if (!strs || !bytes) return false;
    for (uint32_t i = 0; i < d->n; i++) {
        strs[i] = (struct str){ bytes, d->strs[i].len };
        if (strs[i].len) memcpy(bytes, d->strs[i].ptr, strs[i].len);
        bytes += strs[i].len;
    }
    out->strs = strs;
    return true;
}

static bool copy_dict(struct arena *a, const struct pq_column *c, const struct pq_dict *d,
                      struct pq_dict *out) {
    size_t width = c->type == PQ_INT32 ? 4 : c->type == PQ_FIXED ? c->fixed_len : 8;
    out->n = d->n;
    if (c->type == PQ_BYTE_ARRAY) return copy_texts(a, d, out);
    uint8_t *copy = arena_array(a, d->n + 1ull, width);
    if (copy && d->n) memcpy(copy, d->fixed, d->n * width);
    out->fixed = copy;
    return copy != NULL;
}

static enum err entry_value(const struct pq_column *c, const struct pq_dict *d, uint32_t i,
                            enum value_type type, struct arena *a, struct value *out) {
    *out = (struct value){ .type = type };
    switch (c->type) {
    case PQ_INT32: out->i = d->i32[i]; return ERR_OK;
    case PQ_INT64: out->i = d->i64[i]; return ERR_OK;
    case PQ_DOUBLE: out->f = d->f64[i]; return ERR_OK;
    case PQ_BYTE_ARRAY:
        out->s = d->strs[i];
        return type == VALUE_ANY ? any_read(d->strs[i], a, &out->s) : ERR_OK;
    case PQ_BOOLEAN:
    case PQ_FIXED:
    default: return ERR_CORRUPT;
    }
}

enum err dict_values(const struct pq_column *c, const struct pq_dict *d, enum value_type type,
                     struct arena *a, struct value *out) {
    for (uint32_t i = 0; i < d->n; i++) TRY(entry_value(c, d, i, type, a, &out[i]));
    return ERR_OK;
}

// NULL: it cannot be kept.
static const struct kept_dict *dict_new(struct arena *a, const struct pq_column *c, const struct pq_dict *d,
                                        enum value_type type) {
    struct kept_dict *k = ARENA_NEW(a, struct kept_dict);
    struct value *values = ARENA_ARRAY(a, d->n + 1ull, struct value);
    if (!k || !values || !copy_dict(a, c, d, &k->dict)) return NULL;
    if (dict_values(c, &k->dict, type, a, values) != ERR_OK) return NULL;
    k->values = values;
    return k;
}

void memo_dict_use(struct in_file *f, size_t group, size_t column, struct pq_chunk *c) {
    const struct kept_dict *k = atomic_load_explicit(&place_of(f, group, column)->dict, memory_order_acquire);
    if (k) c->dict = &k->dict;
}

const struct pq_dict *memo_dict_find(const struct in_file *f, size_t group, size_t column) {
    const struct column_places *p = &f->places[group * f->pq->n_columns + column];
    const struct kept_dict *k = atomic_load_explicit(&p->dict, memory_order_acquire);
    return k ? &k->dict : NULL;
}

bool memo_has_dict(const struct column_places *p, const struct pq_dict *d) {
    const struct kept_dict *k = atomic_load_explicit(&p->dict, memory_order_acquire);
    return k && d == &k->dict;
}

enum err memo_dict_keep(struct in_file *f, size_t group, size_t column, enum value_type type,
                        struct pq_chunk *c, const struct value **values) {
    struct column_places *p = place_of(f, group, column);
    struct block *b = f->block;
    const struct kept_dict *k = atomic_load_explicit(&p->dict, memory_order_acquire);
    *values = NULL;
    TRY(pq_chunk_dict(c));
    if (!k && c->dict && !p->is_refused && dict_bytes(c->column, c->dict) <= MEMO_DICT_ONE_MAX) {
        pthread_mutex_lock(&b->memo_lock);
        k = p->dict;
        if (!k) k = dict_new(&b->memo_dicts, c->column, c->dict, type);
        // What did not fit the first time is not copied half way again.
        if (!k) p->is_refused = true;
        atomic_store_explicit(&p->dict, k, memory_order_release);
        pthread_mutex_unlock(&b->memo_lock);
    }
    if (!k) return ERR_OK;
    c->dict = &k->dict;
    *values = k->values;
    return ERR_OK;
}

// --- traces ----------------------------------------------------------------------------------------

bool memo_traces_find(const struct block *b, uint32_t group, struct batch *out) {
    const struct kept_traces *k = atomic_load_explicit(&b->group_traces[group], memory_order_acquire);
    if (!k) return false;
    out->traces = k->at;
    out->firsts = k->firsts;
    out->n_traces = k->n;
    return true;
}

// NULL: past the limit, or no memory.
static struct kept_traces *traces_new(const struct batch *traces) {
    uint32_t n = traces->n_traces;
    size_t bytes = sizeof(struct kept_traces) + n * (sizeof(struct batch_trace) + sizeof(uint32_t));
    if (!mem_budget_take(&traces_budget, bytes)) return NULL;
    struct kept_traces *k = bytes >= SLAB_UNIT ? slab_alloc(&slabs, bytes) : NULL;
    bool in_slab = k != NULL;
    if (!k) k = mem_alloc(bytes);
    if (!k) {
        mem_budget_give(&traces_budget, bytes);
        return NULL;
    }
    uint32_t *firsts = (uint32_t *)(k->at + n);
    *k = (struct kept_traces){ .bytes = bytes, .in_slab = in_slab, .n = n, .firsts = firsts };
    if (n) memcpy(k->at, traces->traces, n * sizeof k->at[0]);
    if (n) memcpy(firsts, traces->firsts, n * sizeof *firsts);
    return k;
}

void memo_traces_keep(struct block *b, uint32_t group, const struct batch *traces) {
    pthread_mutex_lock(&b->memo_lock);
    struct kept_traces *k = b->group_traces[group] ? NULL : traces_new(traces);
    if (k) {
        k->next = b->memo_traces;
        b->memo_traces = k;
        atomic_store_explicit(&b->group_traces[group], k, memory_order_release);
    }
    pthread_mutex_unlock(&b->memo_lock);
}
