// SPDX-License-Identifier: Apache-2.0
// One list from the latest used to the earliest, under one lock: it is taken once per column and row group
// of a question. When all is taken, only some of what is new is let in: a question over more than fits
// would otherwise throw out, one after the other, just what its next run begins with.
#include "block/cache.h"

#include "base/slab.h"
#include "block/postings.h"
#include "os/thread.h"
#include "span/parts.h"
#include "span/services.h"

enum {
    MUCH_OF = 4,      // a fourth of a column's rows asked for: it is read whole
    ADMIT_ONE_OF = 8, // when others must go for it
    ONE_OF_LIMIT = 8, // a column that takes more of the limit than this is not kept
};

struct cached_column {
    struct column_places *place; // NULL: dropped, and freed with the last pin
    struct cached_column *newer, *older;
    uint64_t bytes;
    uint32_t pins;
    struct pq_vector v;
    struct pq_dict dict;       // of v, where the memo does not have it
    uint32_t n_asked;          // for the rows of an entry, before they were noted
    struct postings *postings; // NULL: they are not
    uint64_t postings_bytes;   // which count beside
};

static struct {
    pthread_mutex_t lock;
    uint64_t limit, bytes, hits, misses, refused;
    struct cached_column *newest, *oldest;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct slabs slabs = SLABS_INIT; // of columns that are not small

void block_cache_limit(uint64_t bytes) {
    cache.limit = bytes;
    slabs_limit(&slabs, bytes < SLAB_BYTES ? 0 : bytes);
}

void block_cache_stats(struct block_cache_stats *out) {
    pthread_mutex_lock(&cache.lock);
    *out = (struct block_cache_stats){ cache.bytes, cache.limit, cache.hits, cache.misses, 0 };
    pthread_mutex_unlock(&cache.lock);
    out->pages = slabs_bytes(&slabs);
}

// --- the list --------------------------------------------------------------------------------------

static void unlink_column(struct cached_column *x) {
    if (x->newer)
        x->newer->older = x->older;
    else
        cache.newest = x->older;
    if (x->older)
        x->older->newer = x->newer;
    else
        cache.oldest = x->newer;
    x->newer = x->older = NULL;
}

static void link_newest(struct cached_column *x) {
    x->older = cache.newest;
    if (x->older)
        x->older->newer = x;
    else
        cache.oldest = x;
    cache.newest = x;
}

static void *piece_new(uint64_t bytes) {
    return bytes >= SLAB_UNIT && cache.limit >= SLAB_BYTES ? slab_alloc(&slabs, bytes) : mem_alloc(bytes);
}

static void piece_free(void *p, uint64_t bytes) {
    if (slabs_hold(&slabs, p))
        slab_free(&slabs, p, bytes);
    else
        mem_free(p);
}

// Its bytes count until they are free.
static void free_column(struct cached_column *x) {
    cache.bytes -= x->bytes + x->postings_bytes;
    if (x->postings) piece_free(x->postings, x->postings_bytes);
    piece_free(x, x->bytes);
}

static void drop_column(struct cached_column *x) {
    unlink_column(x);
    x->place->cached = NULL;
    x->place = NULL;
    if (x->pins == 0) free_column(x);
}

static bool make_room(uint64_t bytes) {
    if (cache.bytes + bytes > cache.limit && cache.refused++ % ADMIT_ONE_OF != 0) return false;
    for (struct cached_column *x = cache.oldest, *next; x && cache.bytes + bytes > cache.limit; x = next) {
        next = x->newer;
        if (x->pins == 0) drop_column(x);
    }
    return cache.bytes + bytes <= cache.limit;
}

// --- pins ------------------------------------------------------------------------------------------

static bool has_pin(const struct block_scan *s, const struct cached_column *x) {
    enum { LOOK_BACK = 32 };
    for (uint32_t i = s->n_pins, n = 0; i-- > 0 && n < LOOK_BACK; n++)
        if (s->pins[i] == x) return true;
    return false;
}

static bool pin(struct block_scan *s, struct cached_column *x) {
    if (has_pin(s, x)) return true;
    struct cached_column **more = mem_grow(s->pins, s->n_pins, &s->cap_pins, sizeof(struct cached_column *));
    if (!more) return false;
    s->pins = more;
    s->pins[s->n_pins++] = x;
    x->pins++;
    return true;
}

static void release(struct cached_column *const *at, uint32_t n) {
    if (n == 0) return;
    pthread_mutex_lock(&cache.lock);
    for (uint32_t i = 0; i < n; i++)
        if (--at[i]->pins == 0 && !at[i]->place) free_column(at[i]);
    pthread_mutex_unlock(&cache.lock);
}

void cache_release(struct block_scan *s) {
    release(s->pins, s->n_pins);
    s->n_pins = 0;
}

enum err block_pins_take(struct block_pins *p, struct block_scan *from) {
    struct cached_column **more =
        mem_grow(p->at, p->n + from->n_pins, &p->cap, sizeof(struct cached_column *));
    if (!more) return ERR_NOMEM;
    p->at = more;
    if (from->n_pins) memcpy(p->at + p->n, from->pins, from->n_pins * sizeof *p->at);
    p->n += from->n_pins;
    from->n_pins = 0;
    return ERR_OK;
}

void block_pins_release(struct block_pins *p) {
    release(p->at, p->n);
    mem_free(p->at);
    *p = (struct block_pins){ .n = 0 };
}

void cache_drop(struct in_file *f) {
    if (!f->pq || !f->places) return;
    pthread_mutex_lock(&cache.lock);
    for (size_t i = 0; i < f->pq->n_groups * f->pq->n_columns; i++)
        if (f->places[i].cached) drop_column(f->places[i].cached);
    pthread_mutex_unlock(&cache.lock);
}

// --- finding ---------------------------------------------------------------------------------------

const struct pq_vector *cache_find(struct block_scan *s, const struct pq_chunk *c) {
    struct column_places *p = c->opener;
    const struct pq_vector *v = NULL;
    if (!s->uses_cache || cache.limit == 0 || !p) return NULL;
    pthread_mutex_lock(&cache.lock);
    struct cached_column *x = p->cached;
    if (x && pin(s, x)) {
        cache.hits++;
        unlink_column(x);
        link_newest(x);
        v = &x->v;
    }
    pthread_mutex_unlock(&cache.lock);
    return v;
}

bool cache_is_ready(struct block_scan *s, const struct pq_chunk *c) {
    const struct pq_vector *v = cache_find(s, c);
    return v && v->repr != PQ_I32 && v->repr != PQ_BOOLS;
}

// --- keeping ---------------------------------------------------------------------------------------

static size_t size_of(const struct pq_column *c, enum pq_repr repr) {
    switch (repr) {
    case PQ_I32:
    case PQ_CODES: return 4;
    case PQ_I64:
    case PQ_F64: return 8;
    case PQ_BOOLS: return 1;
    case PQ_FIXEDS: return c->fixed_len;
    case PQ_STRS:
    default: return sizeof(struct str);
    }
}

// A NUL stands behind each text, and behind the last what may be read beyond it.
static uint64_t text_bytes(const struct str *strs, uint32_t n) {
    uint64_t bytes = SERVICES_PAD;
    for (uint32_t i = 0; i < n; i++) bytes += strs[i].len + 1;
    return bytes;
}

static uint64_t padded(uint64_t n) {
    return (n + 15) & ~(uint64_t)15;
}

static enum pq_repr repr_of_type(const struct pq_column *c) {
    switch (c->type) {
    case PQ_BYTE_ARRAY: return PQ_STRS;
    case PQ_FIXED: return PQ_FIXEDS;
    case PQ_INT32: return PQ_I32;
    default: return PQ_I64;
    }
}

// Takes n bytes off the block that is being filled.
static void *carve(char **at, uint64_t n) {
    char *p = *at;
    *at += padded(n);
    return p;
}

static void *carve_copy(char **at, const void *src, uint64_t n) {
    void *p = carve(at, n);
    if (n) memcpy(p, src, n);
    return p;
}

static const struct str *carve_texts(char **at, const struct str *strs, uint32_t n) {
    struct str *out = carve(at, n * sizeof *out);
    char *bytes = carve(at, text_bytes(strs, n));
    for (uint32_t i = 0; i < n; i++) {
        out[i] = (struct str){ bytes, strs[i].len };
        if (strs[i].len) memcpy(bytes, strs[i].ptr, strs[i].len);
        bytes += strs[i].len;
        *bytes++ = '\0';
    }
    memset(bytes, 0, SERVICES_PAD);
    return out;
}

static uint64_t values_bytes(const struct pq_column *c, enum pq_repr repr, const struct str *strs,
                             uint32_t n) {
    return padded(n * (uint64_t)size_of(c, repr)) + (repr == PQ_STRS ? padded(text_bytes(strs, n)) : 0);
}

// A tight copy of what was decoded; NULL: no memory.
static struct cached_column *column_new(const struct pq_chunk *c, const struct pq_vector *v) {
    bool own_dict = v->dict && !memo_has_dict(c->opener, v->dict);
    enum pq_repr of_dict = repr_of_type(c->column);
    uint64_t bytes =
        padded(sizeof(struct cached_column)) + values_bytes(c->column, v->repr, v->strs, v->n_values);
    if (v->rows) bytes += padded(v->n_values * 4ull);
    if (own_dict) bytes += values_bytes(c->column, of_dict, v->dict->strs, v->dict->n);
    struct cached_column *x = piece_new(bytes);
    if (!x) return NULL;
    char *at = (char *)x + padded(sizeof *x);
    *x = (struct cached_column){ .place = c->opener, .bytes = bytes, .v = *v };
    if (v->rows) x->v.rows = carve_copy(&at, v->rows, v->n_values * 4ull);
    if (v->repr == PQ_STRS)
        x->v.strs = carve_texts(&at, v->strs, v->n_values);
    else
        x->v.fixed = carve_copy(&at, v->fixed, v->n_values * (uint64_t)size_of(c->column, v->repr));
    if (!own_dict) return x;
    x->dict.n = v->dict->n;
    if (of_dict == PQ_STRS)
        x->dict.strs = carve_texts(&at, v->dict->strs, v->dict->n);
    else
        x->dict.fixed = carve_copy(&at, v->dict->fixed, v->dict->n * (uint64_t)size_of(c->column, of_dict));
    x->v.dict = &x->dict;
    return x;
}

// Puts a copy into the list, pinned; *out stays where there is no room.
static void keep(struct block_scan *s, const struct pq_chunk *c, const struct pq_vector **out) {
    struct cached_column *x = column_new(c, *out);
    if (!x) return;
    pthread_mutex_lock(&cache.lock);
    struct cached_column *there = x->place->cached; // another thread was faster
    bool fits = !there && x->bytes <= cache.limit / ONE_OF_LIMIT && make_room(x->bytes) && pin(s, x);
    if (fits) {
        cache.bytes += x->bytes;
        x->place->cached = x;
        link_newest(x);
        *out = &x->v;
    } else if (there && pin(s, there)) {
        *out = &there->v;
    }
    pthread_mutex_unlock(&cache.lock);
    if (!fits) piece_free(x, x->bytes);
}

// Is it likely that a copy would be kept? What is known before decoding: the bytes of the pages.
static bool may_keep(const struct pq_chunk *c) {
    pthread_mutex_lock(&cache.lock);
    bool fits = cache.bytes + c->meta->bytes_plain <= cache.limit;
    if (!fits) fits = cache.refused % ADMIT_ONE_OF == 0 || (cache.refused++, false);
    cache.misses++;
    pthread_mutex_unlock(&cache.lock);
    return fits && c->meta->bytes_plain <= cache.limit / ONE_OF_LIMIT;
}

// A question near the end of its memory, or of what there is for all, reads no more than it asks for.
static bool has_memory(const struct block_scan *s, const struct pq_chunk *c) {
    return !s->arena.budget || mem_budget_has(s->arena.budget, c->meta->bytes_plain * MUCH_OF);
}

// Is much of the column asked for? Of what is read in pieces, when all of them together come to the whole.
static bool is_much(struct pq_chunk *c, uint32_t rows) {
    struct column_places *p = c->opener;
    if ((uint64_t)rows * MUCH_OF >= c->n_rows) return true;
    if (atomic_fetch_add(&p->rows_in_pieces, rows) < c->n_rows) return false;
    p->rows_in_pieces = 0;
    return true;
}

enum err cache_whole(struct block_scan *s, struct pq_chunk *c, uint32_t rows, const struct pq_vector **out) {
    *out = cache_find(s, c);
    if (*out || !s->uses_cache || cache.limit == 0 || !c->opener) return ERR_OK;
    if (c->n_rows == 0 || !is_much(c, rows)) return ERR_OK;
    if (!has_memory(s, c) || !may_keep(c)) return ERR_OK;
    struct pq_vector *whole = ARENA_NEW(&s->arena, struct pq_vector);
    if (!whole) return ERR_NOMEM;
    TRY(pq_chunk_read(c, 0, c->n_rows, &s->arena, whole));
    *out = whole;
    keep(s, c, out);
    return ERR_OK;
}

// --- postings --------------------------------------------------------------------------------------

// They take as much room as the codes, which nothing else is dropped for, and are worth it where an entry's
// rows are few.
enum { ENTRIES_MIN = 16 };

static bool may_note(struct cached_column *x) {
    if (x->v.dict->n < ENTRIES_MIN || x->n_asked++ == 0) return false;
    return cache.bytes + postings_bytes(&x->v) <= cache.limit;
}

// Of a pinned column. Another thread may be faster.
static const struct postings *note(struct cached_column *x) {
    uint64_t bytes = postings_bytes(&x->v);
    void *room = piece_new(bytes);
    if (!room) return NULL;
    struct postings *p = postings_make(room, &x->v);
    pthread_mutex_lock(&cache.lock);
    bool fits = !x->postings && cache.bytes + bytes <= cache.limit;
    if (fits) {
        x->postings = p;
        x->postings_bytes = bytes;
        cache.bytes += bytes;
    }
    const struct postings *known = x->postings;
    pthread_mutex_unlock(&cache.lock);
    if (!fits) piece_free(room, bytes);
    return known;
}

bool cache_rows_with(struct block_scan *s, const struct pq_chunk *c, uint32_t code, struct batch_rows *out) {
    struct column_places *p = c->opener;
    if (!s->uses_cache || cache.limit == 0 || !p) return false;
    pthread_mutex_lock(&cache.lock);
    struct cached_column *x = p->cached;
    if (x && (x->v.repr != PQ_CODES || !pin(s, x))) x = NULL;
    const struct postings *known = x ? x->postings : NULL;
    bool notes = x && !known && may_note(x);
    pthread_mutex_unlock(&cache.lock);
    if (notes) known = note(x);
    if (known) *out = postings_of(known, code);
    return known;
}

// --- reading ---------------------------------------------------------------------------------------

static enum err slice(const struct pq_chunk *c, const struct pq_vector *v, uint32_t from, uint32_t to,
                      struct arena *a, struct pq_vector *out) {
    bool sparse = v->n_values < v->n_rows;
    uint32_t first = sparse ? rows_find(v->rows, v->n_values, from) : from,
             end = sparse ? rows_find(v->rows, v->n_values, to) : to;
    *out = *v;
    out->n_rows = to - from;
    out->n_values = end - first;
    if (v->fixed) out->fixed = v->fixed + first * size_of(c->column, v->repr);
    out->rows = NULL;
    if (out->n_values == out->n_rows || out->n_values == 0) return ERR_OK;
    out->rows = v->rows + first;
    if (from == 0) return ERR_OK;
    uint32_t *rows = ARENA_ARRAY(a, out->n_values + 1ull, uint32_t);
    if (!rows) return ERR_NOMEM;
    for (uint32_t i = 0; i < out->n_values; i++) rows[i] = v->rows[first + i] - from;
    out->rows = rows;
    return ERR_OK;
}

// What reading [from, to) unpacks.
static uint32_t rows_in_pages(const struct pq_chunk *c, uint32_t from, uint32_t to) {
    uint32_t n = 0;
    for (size_t i = chunk_page_of(c, from); i < c->n_pages && c->pages[i].first_row < to; i++)
        n += c->pages[i].n_rows;
    return n > to - from ? n : to - from;
}

enum err cache_read(struct block_scan *s, struct pq_chunk *c, uint32_t from, uint32_t to,
                    struct pq_vector *out) {
    const struct pq_vector *whole;
    if (from > to || to > c->n_rows) return ERR_CORRUPT;
    TRY(cache_whole(s, c, rows_in_pages(c, from, to), &whole));
    if (whole)
        TRY(slice(c, whole, from, to, &s->arena, out));
    else
        TRY(pq_chunk_read(c, from, to, &s->arena, out));
    scan_count(s, c, from, to);
    return ERR_OK;
}
