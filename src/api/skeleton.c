// SPDX-License-Identifier: Apache-2.0
#include "api/skeleton.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "base/map.h"

// --- rows -------------------------------------------------------------------------------------
// A place is a span's position in time order; a row is its position depth first.

struct forest {
    const struct skeleton_input *in;
    uint32_t *at;    // by place: index in the input
    uint32_t *up;    // by place: place of the parent, or SKELETON_NONE
    uint32_t *first; // by place: first child; element n: first root
    uint32_t *next;  // by place: next brother
    uint32_t *mark;  // by place: the walk that passed it, later its row
    uint8_t *flags;  // by place
};

static int place_cmp(const void *pa, const void *pb, void *ctx) {
    const struct skeleton_input *in = ctx;
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    if (in->start_ns[a] != in->start_ns[b]) return in->start_ns[a] < in->start_ns[b] ? -1 : 1;
    uint64_t ia = __builtin_bswap64(in->span_id[a]), ib = __builtin_bswap64(in->span_id[b]);
    if (ia != ib) return ia < ib ? -1 : 1;
    return a < b ? -1 : a > b;
}

// Blocks hold their spans by start already, so most often there is nothing to sort.
static void sort_places(struct forest *f) {
    uint32_t n = f->in->n;
    bool sorted = true;
    for (uint32_t i = 0; i < n; i++) f->at[i] = i;
    for (uint32_t i = 1; i < n && sorted; i++)
        sorted = place_cmp(&f->at[i - 1], &f->at[i], (void *)f->in) < 0;
    if (!sorted) qsort_r(f->at, n, sizeof *f->at, place_cmp, (void *)f->in);
}

static uint64_t place_id(const struct forest *f, uint32_t place) {
    return f->in->span_id[f->at[place]];
}
static bool place_has_id(const void *ctx, uint32_t place, const void *key) {
    return place_id(ctx, place) == *(const uint64_t *)key;
}
static uint64_t place_hash(const void *ctx, uint32_t place) {
    uint64_t id = place_id(ctx, place);
    return hash_bytes(&id, sizeof id);
}

static enum err map_ids(struct forest *f, struct map *ids) {
    for (uint32_t i = 0; i < f->in->n; i++) {
        uint64_t id = place_id(f, i), hash = place_hash(f, i);
        uint32_t same = map_get(ids, hash, place_has_id, f, &id);
        if (same == MAP_NONE)
            TRY(map_put(ids, hash, i, place_hash, f));
        else
            f->flags[i] |= SKELETON_SAME_ID, f->flags[same] |= SKELETON_SAME_ID;
    }
    return ERR_OK;
}

static enum err find_parents(struct forest *f) {
    __attribute__((cleanup(map_fini))) struct map ids;
    map_init(&ids, SKELETON_ROWS_MAX);
    TRY(map_ids(f, &ids));
    for (uint32_t i = 0; i < f->in->n; i++) {
        uint64_t parent = f->in->parent_id[f->at[i]];
        f->up[i] = SKELETON_NONE;
        if (parent == 0) continue;
        f->up[i] = map_get(&ids, hash_bytes(&parent, sizeof parent), place_has_id, f, &parent);
        if (f->up[i] == MAP_NONE) f->flags[i] |= SKELETON_MISSING_PARENT;
    }
    return ERR_OK;
}
_Static_assert(MAP_NONE == SKELETON_NONE, "a parent that is not found is no parent");

// Cuts the loop that `place` is on at its earliest span.
static void cut_loop(struct forest *f, uint32_t place) {
    uint32_t earliest = place;
    for (uint32_t i = f->up[place]; i != place; i = f->up[i])
        if (i < earliest) earliest = i;
    f->up[earliest] = SKELETON_NONE;
    f->flags[earliest] |= SKELETON_LOOP;
}

// Walks up from every place until a root or a place that was walked before; coming back to a
// place of the same walk is a loop. Each place is passed once.
static void cut_loops(struct forest *f) {
    for (uint32_t i = 0; i < f->in->n; i++) f->mark[i] = SKELETON_NONE;
    for (uint32_t i = 0; i < f->in->n; i++) {
        uint32_t p = i;
        while (p != SKELETON_NONE && f->mark[p] == SKELETON_NONE) {
            f->mark[p] = i;
            p = f->up[p];
        }
        if (p != SKELETON_NONE && f->mark[p] == i) cut_loop(f, p);
    }
}

static void hang_children(struct forest *f) {
    uint32_t n = f->in->n;
    for (uint32_t i = 0; i <= n; i++) f->first[i] = SKELETON_NONE;
    for (uint32_t i = n; i-- > 0;) { // backwards, so that each list begins with the earliest
        uint32_t *head = &f->first[f->up[i] == SKELETON_NONE ? n : f->up[i]];
        f->next[i] = *head;
        *head = i;
    }
}

// Depth first without a stack: the way back is `up`.
static void number_rows(struct forest *f, struct skeleton_tree *t) {
    uint32_t row = 0, p = f->first[f->in->n];
    while (p != SKELETON_NONE) {
        f->mark[p] = row;
        t->order[row] = f->at[p];
        t->parent[row] = f->up[p] == SKELETON_NONE ? SKELETON_NONE : f->mark[f->up[p]];
        t->flags[row++] = f->flags[p];
        if (f->first[p] != SKELETON_NONE) {
            p = f->first[p];
            continue;
        }
        while (p != SKELETON_NONE && f->next[p] == SKELETON_NONE) p = f->up[p];
        if (p != SKELETON_NONE) p = f->next[p];
    }
    ASSERT(row == f->in->n);
}

static void own_flags(struct forest *f) {
    for (uint32_t i = 0; i < f->in->n; i++) {
        uint32_t at = f->at[i];
        uint64_t start = f->in->start_ns[at], end = f->in->end_ns[at];
        f->flags[i] = f->in->flags[at];
        if (start == 0 || end == 0)
            f->flags[i] |= SKELETON_NO_TIME;
        else if (end < start)
            f->flags[i] |= SKELETON_ENDS_BEFORE;
    }
}

enum err skeleton_tree(struct arena *a, const struct skeleton_input *in, struct skeleton_tree *out) {
    if (in->n > SKELETON_ROWS_MAX) return ERR_LIMIT;
    size_t n = in->n;
    struct forest f = { .in = in };
    struct skeleton_tree t;
    f.at = ARENA_ARRAY(a, n, uint32_t);
    f.up = ARENA_ARRAY(a, n, uint32_t);
    f.first = ARENA_ARRAY(a, n + 1, uint32_t);
    f.next = ARENA_ARRAY(a, n, uint32_t);
    f.mark = ARENA_ARRAY(a, n, uint32_t);
    f.flags = ARENA_ARRAY(a, n, uint8_t);
    t.order = ARENA_ARRAY(a, n, uint32_t);
    t.parent = ARENA_ARRAY(a, n, uint32_t);
    t.flags = ARENA_ARRAY(a, n, uint8_t);
    if (a->failed) return ERR_NOMEM;
    sort_places(&f);
    own_flags(&f);
    TRY(find_parents(&f));
    cut_loops(&f);
    hang_children(&f);
    number_rows(&f, &t);
    *out = t;
    return ERR_OK;
}

// --- bytes ------------------------------------------------------------------------------------

// The strings of a skeleton, each once; 0 is the empty one.
struct strings {
    struct arena *arena;
    struct map map;
    struct str *list;
    uint32_t n, cap;
    uint64_t bytes;
};

static bool string_is(const void *ctx, uint32_t i, const void *key) {
    return str_eq(((const struct strings *)ctx)->list[i], *(const struct str *)key);
}
static uint64_t string_hash(const void *ctx, uint32_t i) {
    return hash_str(((const struct strings *)ctx)->list[i]);
}
static void strings_fini(struct strings *s) {
    map_fini(&s->map);
    mem_free(s->list);
}

// Where a character ends.
struct str skeleton_cut(struct arena *a, struct str s) {
    const struct str dots = STR("…");
    if (s.len <= SKELETON_STRING_MAX) return s;
    size_t len = SKELETON_STRING_MAX - dots.len;
    while (len && ((uint8_t)s.ptr[len] & 0xc0) == 0x80) len--;
    char *p = arena_alloc(a, len + dots.len);
    if (!p) return STR("");
    memcpy(p, s.ptr, len);
    memcpy(p + len, dots.ptr, dots.len);
    return (struct str){ p, len + dots.len };
}

static enum err strings_put(struct strings *s, struct str text, uint32_t *out) {
    text = skeleton_cut(s->arena, text);
    uint64_t hash = hash_str(text);
    uint32_t found = map_get(&s->map, hash, string_is, s, &text);
    if (found == MAP_NONE) {
        struct str *list = mem_grow(s->list, s->n, &s->cap, sizeof *list);
        if (!list) return ERR_NOMEM;
        s->list = list;
        found = s->n;
        s->list[found] = text;
        TRY(map_put(&s->map, hash, found, string_hash, s));
        s->bytes += text.len;
        s->n++;
    }
    *out = found;
    return ERR_OK;
}

// Writes columns: straight into a buffer that has room for all of them.
static char *put_u32(char *p, uint32_t v) {
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}
static char *put_u64(char *p, uint64_t v) {
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}
static size_t pad4(size_t n) {
    return (n + 3) & ~(size_t)3;
}

struct skeleton_extent skeleton_extent(const struct skeleton_input *in, const struct skeleton_tree *t) {
    struct skeleton_extent e = { UINT64_MAX, 0, SKELETON_NONE };
    uint64_t last = 0;
    for (uint32_t i = 0; i < in->n; i++) {
        if (in->start_ns[i] && in->start_ns[i] < e.base) e.base = in->start_ns[i];
        if (in->start_ns[i] && in->end_ns[i] > last) last = in->end_ns[i];
        if (in->start_ns[i] > last) last = in->start_ns[i];
    }
    if (e.base == UINT64_MAX) e.base = 0;
    e.length = last - e.base;
    const uint8_t not_root = SKELETON_MISSING_PARENT | SKELETON_LOOP;
    for (uint32_t row = in->n; row-- > 0;)
        if (t->parent[row] == SKELETON_NONE && !(t->flags[row] & not_root)) e.root = row;
    if (e.root == SKELETON_NONE && in->n) e.root = 0;
    return e;
}

static uint64_t row_start(const struct skeleton_input *in, uint32_t i, uint64_t base) {
    return in->start_ns[i] ? in->start_ns[i] - base : 0;
}
static uint64_t row_duration(const struct skeleton_input *in, uint32_t i) {
    uint64_t s = in->start_ns[i], e = in->end_ns[i];
    return s == 0 || e == 0 ? 0 : e < s ? s - e : e - s;
}

static char *put_times(char *p, const struct skeleton_input *in, const struct skeleton_tree *t,
                       uint64_t base) {
    for (int high = 0; high < 2; high++)
        for (uint32_t r = 0; r < in->n; r++)
            p = put_u32(p, (uint32_t)(row_start(in, t->order[r], base) >> (high * 32)));
    for (int high = 0; high < 2; high++)
        for (uint32_t r = 0; r < in->n; r++)
            p = put_u32(p, (uint32_t)(row_duration(in, t->order[r]) >> (high * 32)));
    return p;
}

static char *put_u8s(char *p, const uint8_t *v, const uint32_t *order, uint32_t n) {
    for (uint32_t r = 0; r < n; r++) p[r] = (char)v[order ? order[r] : r];
    memset(p + n, 0, pad4(n) - n);
    return p + pad4(n);
}

static enum err put_strings(char **p, struct strings *s, const struct str *text, const uint32_t *order,
                            uint32_t n) {
    for (uint32_t r = 0; r < n; r++) {
        uint32_t id = 0;
        if (text) TRY(strings_put(s, text[order ? order[r] : r], &id));
        *p = put_u32(*p, id);
    }
    return ERR_OK;
}

static enum err put_rows(char *p, struct strings *s, const struct skeleton_input *in,
                         const struct skeleton_tree *t, uint64_t base) {
    for (uint32_t r = 0; r < in->n; r++) p = put_u32(p, t->parent[r]);
    p = put_times(p, in, t, base);
    TRY(put_strings(&p, s, in->name, t->order, in->n));
    for (uint32_t r = 0; r < in->n; r++) p = put_u32(p, in->resource[t->order[r]]);
    TRY(put_strings(&p, s, in->message, t->order, in->n));
    p = put_u8s(p, in->kind, t->order, in->n);
    p = put_u8s(p, in->status, t->order, in->n);
    p = put_u8s(p, t->flags, NULL, in->n);
    for (uint32_t r = 0; r < in->n; r++) p = put_u64(p, in->span_id[t->order[r]]);
    return put_strings(&p, s, in->service, NULL, in->n_resources);
}

static void put_header(char *p, const struct skeleton_input *in, const struct skeleton_extent *e,
                       const struct strings *s) {
    memset(p, 0, SKELETON_HEADER_BYTES);
    memcpy(p, "TKSK", 4);
    put_u32(p + 4, SKELETON_VERSION);
    put_u32(p + 8, in->n);
    put_u32(p + 12, in->n_known);
    memcpy(p + 16, in->trace_id, sizeof in->trace_id);
    put_u64(p + 32, e->base);
    put_u64(p + 40, e->length);
    put_u32(p + 48, e->root);
    put_u32(p + 52, in->n_resources);
    put_u32(p + 56, s->n);
    put_u32(p + 60, (uint32_t)pad4(s->bytes));
}

// The strings' ends and bytes. The sum was checked to fit 32 bits.
static void add_strings(struct buf *out, const struct strings *s) {
    uint32_t end = 0;
    for (uint32_t i = 0; i < s->n; i++) wr_u32le(out, end += (uint32_t)s->list[i].len);
    for (uint32_t i = 0; i < s->n; i++) buf_str(out, s->list[i]);
    buf_add(out, "\0\0\0", pad4(end) - end);
}

enum err skeleton_encode(struct arena *a, const struct skeleton_input *in, const struct skeleton_tree *tree,
                         struct buf *out) {
    __attribute__((cleanup(strings_fini))) struct strings s = { .arena = a };
    map_init(&s.map, UINT32_MAX - 1);
    uint32_t empty;
    TRY(strings_put(&s, STR(""), &empty));
    struct skeleton_extent e = skeleton_extent(in, tree);
    size_t n = in->n,
           fixed = SKELETON_HEADER_BYTES + n * (8 * 4 + 8) + 3 * pad4(n) + 4 * (size_t)in->n_resources;
    if (!buf_reserve(out, fixed)) return out->limit - out->len < fixed ? ERR_LIMIT : ERR_NOMEM;
    char *start = out->ptr + out->len;
    TRY(put_rows(start + SKELETON_HEADER_BYTES, &s, in, tree, e.base));
    if (a->failed) return ERR_NOMEM;
    if (s.bytes > UINT32_MAX - 3) return ERR_LIMIT;
    put_header(start, in, &e, &s);
    out->len += fixed;
    size_t tail = 4 * (size_t)s.n + pad4(s.bytes);
    add_strings(out, &s);
    if (!out->failed) return ERR_OK;
    return out->limit - out->len < tail ? ERR_LIMIT : ERR_NOMEM;
}
