// SPDX-License-Identifier: Apache-2.0
#include "api/spend.h"

#include <math.h>
#include <stdlib.h>

void spend_init(struct spend *s, uint64_t memory_max) {
    *s = (struct spend){ 0 };
    arena_init(&s->arena, memory_max ? memory_max : SIZE_MAX, NULL);
    map_init(&s->map, SPEND_ROWS_MAX);
}

void spend_fini(struct spend *s) {
    map_fini(&s->map);
    arena_fini(&s->arena);
    mem_free(s->rows);
    *s = (struct spend){ 0 };
}

// --- rows --------------------------------------------------------------------------------------------------

static uint64_t hash_of(struct str service, struct str name) {
    return hash_u64(hash_str(service)) ^ hash_str(name);
}
static uint64_t row_hash(const void *ctx, uint32_t i) {
    const struct spend_row *r = &((const struct spend *)ctx)->rows[i];
    return hash_of(r->service, r->name);
}
static bool row_is(const void *ctx, uint32_t i, const void *key) {
    const struct spend_row *r = &((const struct spend *)ctx)->rows[i];
    const struct spend_key *k = key;
    return str_eq(r->service, k->service) && str_eq(r->name, k->name);
}

// *out: its number; MAP_NONE where there are too many.
static enum err row_of(struct spend *s, struct spend_key k, uint32_t *out) {
    uint64_t hash = hash_of(k.service, k.name);
    *out = map_get(&s->map, hash, row_is, s, &k);
    if (*out != MAP_NONE || s->n == SPEND_ROWS_MAX) return ERR_OK;
    struct spend_row *rows = mem_grow(s->rows, s->n, &s->cap, sizeof *rows);
    if (!rows) return ERR_NOMEM;
    s->rows = rows;
    rows[s->n] =
        (struct spend_row){ .service = str_dup(&s->arena, k.service), .name = str_dup(&s->arena, k.name) };
    if (s->arena.failed) return ERR_NOMEM;
    TRY(map_put(&s->map, hash, s->n, row_hash, s));
    *out = s->n++;
    return ERR_OK;
}

// The rows are n again, as they were.
static void forget_rows(struct spend *s, uint32_t n) {
    s->arena.failed = false;
    if (s->n == n) return;
    s->n = n;
    map_reset(&s->map);
    for (uint32_t i = 0; i < n; i++) {
        enum err e = map_put(&s->map, row_hash(s, i), i, row_hash, s);
        ASSERT(e == ERR_OK); // it has had more
    }
}

// --- a trace -----------------------------------------------------------------------------------------------

static int by_time(const struct spend_trace *a, const struct spend_trace *b) {
    if (a->critical_ns != b->critical_ns) return a->critical_ns > b->critical_ns ? -1 : 1;
    if (a->self_ns != b->self_ns) return a->self_ns > b->self_ns ? -1 : 1;
    return memcmp(a->id, b->id, sizeof a->id);
}

// In which order traces come makes no difference.
static void name_trace(struct spend_side *of, const struct spend_trace *t) {
    uint32_t i = of->n_top;
    if (i == SPEND_TOP && by_time(t, &of->top[i - 1]) > 0) return;
    if (i < SPEND_TOP)
        of->n_top++;
    else
        i--;
    for (; i && by_time(t, &of->top[i - 1]) < 0; i--) of->top[i] = of->top[i - 1];
    of->top[i] = *t;
}

static uint64_t plus(uint64_t a, uint64_t b) {
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

enum err spend_part_make(struct arena *a, const struct skeleton_input *in, const struct skeleton_tree *tree,
                         const struct critical *c, struct spend_part *out) {
    struct spend_key *keys = ARENA_ARRAY(a, in->n, struct spend_key);
    *out = (struct spend_part){ .in = in,
                                .tree = tree,
                                .critical = c,
                                .keys = keys,
                                .row = ARENA_ARRAY(a, in->n, uint32_t),
                                .met = ARENA_ARRAY(a, in->n, uint32_t),
                                .spent = ARENA_ARRAY(a, in->n, struct spend_trace) };
    if (a->failed) return ERR_NOMEM;
    for (uint32_t row = 0; row < in->n; row++) {
        uint32_t i = tree->order[row];
        keys[row] =
            (struct spend_key){ skeleton_cut(a, in->service[in->resource[i]]), skeleton_cut(a, in->name[i]) };
    }
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// Finds the row of each span. All that may fail comes before anything counts.
static enum err find_rows(struct spend *s, struct spend_part *p) {
    uint32_t n_before = s->n;
    enum err e = ERR_OK;
    for (uint32_t row = 0; row < p->in->n && e == ERR_OK; row++) e = row_of(s, p->keys[row], &p->row[row]);
    if (e != ERR_OK) forget_rows(s, n_before);
    return e;
}

static void add_span(struct spend *s, int side, struct spend_part *p, uint32_t row, bool is_error) {
    uint64_t self = p->critical->self_ns[row], critical = p->critical->critical_ns[row];
    uint32_t i = p->row[row];
    if (i == MAP_NONE) {
        s->n_left_out++;
        return;
    }
    struct spend_row *r = &s->rows[i];
    struct spend_side *of = &r->of[side];
    if (r->in_trace != s->n_traces) {
        r->in_trace = s->n_traces;
        r->place = p->n_met;
        of->traces++;
        p->met[p->n_met] = i;
        p->spent[p->n_met++] = (struct spend_trace){ .self_ns = 0 };
    }
    struct spend_trace *t = &p->spent[r->place];
    t->self_ns = plus(t->self_ns, self);
    t->critical_ns = plus(t->critical_ns, critical);
    of->spans++;
    of->errors += is_error;
    of->self_ns += self;
    of->critical_ns += critical;
}

enum err spend_add(struct spend *s, int side, struct spend_part *p) {
    const struct skeleton_input *in = p->in;
    struct spend_total *total = &s->total[side];
    TRY(find_rows(s, p));
    s->n_traces++;
    total->traces++;
    total->length_ns += skeleton_extent(in, p->tree).length;
    total->critical_ns += p->critical->total_ns;
    total->spans += in->n;
    for (uint32_t row = 0; row < in->n; row++) {
        bool is_error = in->status[p->tree->order[row]] == SKELETON_STATUS_ERROR;
        total->errors += is_error;
        add_span(s, side, p, row, is_error);
    }
    for (uint32_t i = 0; i < p->n_met; i++) {
        memcpy(p->spent[i].id, in->trace_id, sizeof p->spent[i].id);
        name_trace(&s->rows[p->met[i]].of[side], &p->spent[i]);
    }
    return ERR_OK;
}

// --- side by side ------------------------------------------------------------------------------------------

static double mean(unsigned __int128 sum, uint32_t n) {
    return n ? (double)sum / n : 0;
}

static int by_delta(const void *x, const void *y) {
    const struct spend_row *a = x, *b = y;
    if (fabs(a->delta_ns) != fabs(b->delta_ns)) return fabs(a->delta_ns) > fabs(b->delta_ns) ? -1 : 1;
    if (fabs(a->self_delta_ns) != fabs(b->self_delta_ns))
        return fabs(a->self_delta_ns) > fabs(b->self_delta_ns) ? -1 : 1;
    int c = str_cmp(a->service, b->service);
    return c ? c : str_cmp(a->name, b->name);
}

void spend_rank(struct spend *s) {
    double sum = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        struct spend_row *r = &s->rows[i];
        for (int side = 0; side < SPEND_SIDES; side++) {
            r->self_ns[side] = mean(r->of[side].self_ns, s->total[side].traces);
            r->critical_ns[side] = mean(r->of[side].critical_ns, s->total[side].traces);
        }
        r->delta_ns = r->critical_ns[1] - r->critical_ns[0];
        r->self_delta_ns = r->self_ns[1] - r->self_ns[0];
    }
    if (s->n > 1) qsort(s->rows, s->n, sizeof *s->rows, by_delta);
    map_reset(&s->map); // rows are no longer where it says
    for (uint32_t i = 0; i < s->n; i++) sum += fabs(s->rows[i].delta_ns);
    for (uint32_t i = 0; i < s->n; i++) s->rows[i].share = sum > 0 ? fabs(s->rows[i].delta_ns) / sum : 0;
}
