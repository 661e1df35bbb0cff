// SPDX-License-Identifier: Apache-2.0
// What lookups of the same block would do again each time: finding where the pages of a column lie
// (a read and a parse for each column), what a resource says to a key, and making a decoder.
#include "block/cache.h"

#include "span/lookup.h"
#include "span/wire.h"

// Some 40 bytes a page: of 100 million spans. Past it, places are found anew each time.
enum { PLACES_BYTES_MAX = 64 << 20 };
enum { SCAN_KEEP_BYTES = 16 << 20 }; // what the columns of a row group take is used again for the next
enum { DECODERS_IDLE_MAX = 8, DECODER_BYTES_MAX = 256 << 20, DECODER_BYTES_IDLE = 4 << 20 };

static struct mem_budget places_budget = { .limit = PLACES_BYTES_MAX };

static struct {
    pthread_mutex_t lock;
    struct pq_decoder *at[DECODERS_IDLE_MAX];
    unsigned n;
} idle = { .lock = PTHREAD_MUTEX_INITIALIZER };

void places_init(struct block *b) {
    pthread_mutex_init(&b->places_lock, NULL);
    arena_init(&b->places, SIZE_MAX, &places_budget);
}

void places_fini(struct block *b) {
    arena_fini(&b->places);
    pthread_mutex_destroy(&b->places_lock);
}

static void keep(struct block *b, struct column_places *p, const struct pq_chunk *c) {
    pthread_mutex_lock(&b->places_lock);
    if (!p->pages) {
        const struct pq_page *copy = arena_copy(&b->places, c->pages, c->n_pages * sizeof *copy);
        p->n_pages = c->n_pages;
        atomic_store_explicit(&p->pages, copy, memory_order_release); // NULL = no room
    }
    pthread_mutex_unlock(&b->places_lock);
}

enum err places_find(struct in_file *f, size_t group, size_t column, struct pq_chunk *c) {
    struct column_places *p = &f->places[group * f->pq->n_columns + column];
    c->pages = atomic_load_explicit(&p->pages, memory_order_acquire);
    if (c->pages) {
        c->n_pages = p->n_pages;
        return ERR_OK;
    }
    TRY(pq_chunk_pages(c));
    if (c->n_pages) keep(f->block, p, c);
    return ERR_OK;
}

// --- resources and scopes ------------------------------------------------------------------------

struct entity_memo {
    struct entity_memo *next;
    bool is_scope;
    enum intrinsic intrinsic;
    struct str key;
    struct value values[]; // by number
};

static const struct entity_memo *memo_find(const struct block *b, bool is_scope, const struct field *f) {
    const struct entity_memo *m = b->entity_memos;
    while (m && (m->is_scope != is_scope || m->intrinsic != f->intrinsic || !str_eq(m->key, f->key)))
        m = m->next;
    return m;
}

static void memo_fill(const struct block *b, bool is_scope, const struct field *f, struct value *out) {
    uint32_t n = is_scope ? b->n_scopes : b->n_resources;
    const struct span_entity *e = is_scope ? b->scope : b->resource;
    uint32_t number = f->intrinsic == INTRINSIC_SCOPE_NAME ? SCOPE_NAME : SCOPE_VERSION;
    for (uint32_t i = 0; i < n; i++)
        out[i] = f->intrinsic == INTRINSIC_NONE ? entity_value(e[i].bytes, is_scope, f->key)
                                                : VALUE_OF_STR(scope_text(e[i].bytes, number));
}

static struct entity_memo *memo_new(struct arena *a, const struct block *b, bool is_scope,
                                    const struct field *f) {
    size_t n = is_scope ? b->n_scopes : b->n_resources;
    struct entity_memo *m = arena_alloc(a, sizeof *m + n * sizeof m->values[0]);
    if (!m) return NULL;
    *m = (struct entity_memo){ b->entity_memos, is_scope, f->intrinsic, str_dup(a, f->key) };
    if (!m->key.ptr) return NULL;
    memo_fill(b, is_scope, f, m->values);
    return m;
}

enum err entity_values(struct block *b, bool is_scope, const struct field *f, struct arena *a,
                       const struct value **out) {
    pthread_mutex_lock(&b->places_lock);
    const struct entity_memo *m = memo_find(b, is_scope, f);
    if (!m) {
        struct entity_memo *made = memo_new(&b->places, b, is_scope, f);
        if (made) b->entity_memos = made;
        m = made;
    }
    pthread_mutex_unlock(&b->places_lock);
    if (m) {
        *out = m->values;
        return ERR_OK;
    }
    struct value *own = ARENA_ARRAY(a, (is_scope ? b->n_scopes : b->n_resources) + 1ull, struct value);
    if (!own) return ERR_NOMEM;
    memo_fill(b, is_scope, f, own);
    *out = own;
    return ERR_OK;
}

// --- decoders ------------------------------------------------------------------------------------

enum err block_scan_init(struct block_scan *s, struct mem_budget *budget) {
    *s = (struct block_scan){ 0 };
    arena_init(&s->arena, SIZE_MAX, budget);
    s->arena.keep = SCAN_KEEP_BYTES;
    s->arena.pooled = true;
    pthread_mutex_lock(&idle.lock);
    if (idle.n) s->decoder = idle.at[--idle.n];
    pthread_mutex_unlock(&idle.lock);
    if (!s->decoder) s->decoder = pq_decoder_new(DECODER_BYTES_MAX);
    return s->decoder ? ERR_OK : ERR_NOMEM;
}

void block_scan_reset(struct block_scan *s) {
    cache_release(s);
    arena_reset(&s->arena);
}

void block_scan_fini(struct block_scan *s) {
    cache_release(s);
    mem_free(TAKE(s->pins));
    s->cap_pins = 0;
    struct pq_decoder *d = TAKE(s->decoder);
    if (d) pq_decoder_trim(d, DECODER_BYTES_IDLE);
    pthread_mutex_lock(&idle.lock);
    if (d && idle.n < DECODERS_IDLE_MAX) idle.at[idle.n++] = TAKE(d);
    pthread_mutex_unlock(&idle.lock);
    pq_decoder_free(d);
    arena_fini(&s->arena);
}
