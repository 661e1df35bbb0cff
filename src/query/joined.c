// SPDX-License-Identifier: Apache-2.0
#include "query/joined.h"

#include <stdio.h>
#include <stdlib.h>

#include "query/trace.h"
#include "span/copy.h"

// --- places ----------------------------------------------------------------------------------------

void split_places_init(struct split_places *p) {
    *p = (struct split_places){ .n = 0 };
    mutex_init(&p->lock);
}

enum err split_places_begin(struct split_places *p, uint32_t n_sources) {
    p->looked_at = mem_zalloc(n_sources + 1ull);
    return p->looked_at ? ERR_OK : ERR_NOMEM;
}

void split_places_fini(struct split_places *p) {
    mem_free(p->at);
    mem_free(p->looked_at);
    mutex_fini(&p->lock);
}

static enum err grow(struct split_places *p, uint32_t more) {
    struct split_place *at = mem_grow(p->at, p->n + more, &p->cap, sizeof *at);
    if (!at) return ERR_NOMEM;
    p->at = at;
    return ERR_OK;
}

enum err split_places_add(struct split_places *p, uint32_t source, const struct split_place *at, uint32_t n,
                          bool all) {
    mutex_lock(&p->lock);
    enum err e = grow(p, n);
    if (e == ERR_OK) {
        if (n) memcpy(p->at + p->n, at, n * sizeof *at);
        p->n += n;
        p->looked_at[source] = all;
    }
    mutex_unlock(&p->lock);
    return e;
}

// --- loading ---------------------------------------------------------------------------------------

// Traces of one batch; equal spans are there once.
struct joined {
    struct span_table table;
    struct table_index index;
    bool *doubled; // per trace: has two spans with one id, which may be equal or not
    struct arena arena;
};

struct part { // of a trace, in a block
    uint32_t block, group;
    struct block_trace_run run;
};

struct loading {
    struct view *view;
    const struct sources *sources;
    const struct split_places *places;
    const struct block_wanted *wanted;
    struct block_scan *scan;
    struct joined *out;
    struct part *parts;
    uint32_t n_parts, cap_parts;
    uint32_t *chosen; // per split trace: 1 = wanted
};

static enum err add_part(struct loading *l, uint32_t block, uint32_t group, const uint8_t id[16],
                         uint32_t first, uint32_t n) {
    struct part *more = mem_grow(l->parts, l->n_parts, &l->cap_parts, sizeof *more);
    if (!more) return ERR_NOMEM;
    l->parts = more;
    struct part *p = &l->parts[l->n_parts++];
    *p = (struct part){ block, group, { .first = first, .n = n } };
    memcpy(p->run.id, id, 16);
    return ERR_OK;
}

static uint32_t block_number(const struct view *v, const struct block *b) {
    uint32_t i = 0;
    while (i < v->n_blocks && v->blocks[i] != b) i++;
    return i;
}

// Parts in sources that were looked at are known; other row groups are asked for each trace.
static enum err known_parts(struct loading *l, bool **seen) {
    for (uint32_t i = 0; i < l->sources->n; i++) {
        const struct source *s = &l->sources->at[i];
        if (s->block && l->places->looked_at[i]) seen[block_number(l->view, s->block)][s->group] = true;
    }
    for (uint32_t i = 0; i < l->places->n; i++) {
        const struct split_place *p = &l->places->at[i];
        const struct source *s = &l->sources->at[p->source];
        if (!s->block || !l->chosen[p->split] || !l->places->looked_at[p->source]) continue;
        TRY(add_part(l, block_number(l->view, s->block), s->group, split_id(&l->sources->split, p->split),
                     p->first, p->n));
    }
    return ERR_OK;
}

struct searching { // a block
    struct loading *l;
    uint32_t block;
    const uint8_t *const *ids;
};

static enum err add_found(void *ctx, uint32_t id, const struct block_run *run) {
    const struct searching *s = ctx;
    return add_part(s->l, s->block, run->group, s->ids[id], run->first, run->n);
}

static enum err unknown_parts(struct loading *l, const uint32_t *ids, uint32_t n, bool *const *seen) {
    const uint8_t **bytes = ARENA_ARRAY(&l->out->arena, n + 1ull, const uint8_t *);
    if (!bytes) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) bytes[i] = split_id(&l->sources->split, ids[i]);
    for (uint32_t b = 0; b < l->view->n_blocks; b++) {
        struct searching s = { l, b, bytes };
        TRY(block_find_many(l->view->blocks[b], l->scan, bytes, n, seen[b], add_found, &s));
    }
    return ERR_OK;
}

static enum err find_parts(struct loading *l, const uint32_t *ids, uint32_t n) {
    bool **seen = ARENA_ARRAY(&l->out->arena, l->view->n_blocks + 1ull, bool *);
    if (!seen) return ERR_NOMEM;
    for (uint32_t b = 0; b < l->view->n_blocks; b++) {
        TRY(block_open(l->view->blocks[b], l->scan));
        seen[b] = arena_zalloc(&l->out->arena, block_n_groups(l->view->blocks[b]) + 1ull);
        if (!seen[b]) return ERR_NOMEM;
    }
    TRY(known_parts(l, seen));
    return unknown_parts(l, ids, n, seen);
}

static int by_place(const void *x, const void *y) {
    const struct part *a = x, *b = y;
    if (a->block != b->block) return a->block < b->block ? -1 : 1;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    return (a->run.first > b->run.first) - (a->run.first < b->run.first);
}

static enum err load_blocks(struct loading *l) {
    struct block_trace_run *runs = ARENA_ARRAY(&l->out->arena, l->n_parts + 1ull, struct block_trace_run);
    if (!runs) return ERR_NOMEM;
    if (l->n_parts > 1) qsort(l->parts, l->n_parts, sizeof *l->parts, by_place);
    for (uint32_t i = 0, end; i < l->n_parts; i = end) {
        const struct part *p = &l->parts[i];
        for (end = i; end < l->n_parts && l->parts[end].block == p->block && l->parts[end].group == p->group;
             end++)
            runs[end - i] = l->parts[end].run;
        TRY(block_load_traces(l->view->blocks[p->block], l->scan, p->group, l->wanted, runs, end - i,
                              &l->out->table));
    }
    return ERR_OK;
}

static enum err load_head(struct loading *l, const struct head *h, const uint32_t *ids, uint32_t n) {
    struct span_copier *c;
    uint32_t n_rows = span_table_count(&h->table);
    enum err e = ERR_OK;
    TRY(span_copier_new(&h->table, &l->out->table, &c));
    for (uint32_t i = 0; i < n && e == ERR_OK; i++) {
        uint32_t row = span_table_find(&h->table, n_rows, split_id(&l->sources->split, ids[i]));
        for (; row != SPAN_NONE && e == ERR_OK; row = span_table_prev(&h->table, row)) e = span_copy(c, row);
    }
    span_copier_free(c);
    return e;
}

// --- spans with one id -----------------------------------------------------------------------------

static int by_id(const void *x, const void *y) {
    const uint64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

static enum err find_doubled(struct joined *j) {
    const struct span_table *t = &j->table;
    uint64_t *ids = ARENA_ARRAY(&j->arena, t->n + 1ull, uint64_t);
    j->doubled = arena_zalloc(&j->arena, t->n_traces + 1ull);
    if (!ids || !j->doubled) return ERR_NOMEM;
    for (uint32_t i = 0; i < t->n_traces; i++) {
        uint32_t n = 0;
        for (uint32_t row = span_trace_at(t, i)->last_row; row != SPAN_NONE; row = span_table_prev(t, row))
            ids[n++] = SEG_AT(&t->span_id, row, uint64_t);
        if (n > 1) qsort(ids, n, sizeof *ids, by_id);
        for (uint32_t k = 1; k < n; k++) j->doubled[i] |= ids[k] == ids[k - 1];
    }
    return ERR_OK;
}

static enum err load_all(struct loading *l, const uint32_t *ids, uint32_t n) {
    l->chosen = arena_zalloc(&l->out->arena, (l->sources->split.n + 1ull) * sizeof *l->chosen);
    if (!l->chosen) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) l->chosen[ids[i]] = 1;
    TRY(find_parts(l, ids, n));
    TRY(load_blocks(l));
    for (uint32_t i = 0; i < l->view->n_heads; i++) TRY(load_head(l, l->view->heads[i], ids, n));
    span_table_publish(&l->out->table);
    TRY(find_doubled(l->out));
    return table_index_make(&l->out->table, l->out->table.n, &l->out->index);
}

static void joined_fini(struct joined *j) {
    table_index_fini(&j->index);
    span_table_fini(&j->table);
    arena_fini(&j->arena);
}

static enum err joined_load(struct loading *l, const uint32_t *ids, uint32_t n, struct joined *out) {
    memset(out, 0, sizeof *out);
    arena_init(&out->arena, SIZE_MAX, l->scan->arena.budget);
    span_table_init(&out->table, SIZE_MAX, l->scan->arena.budget);
    l->out = out;
    l->n_parts = 0;
    enum err e = load_all(l, ids, n);
    if (e != ERR_OK) joined_fini(out);
    return e;
}

// --- looking ---------------------------------------------------------------------------------------

static enum err look(struct joining *j, const struct span_table *t, const struct table_index *x,
                     const bool *doubled) {
    struct table_batch b;
    block_scan_reset(j->scan);
    table_batch_open(&b, t, x, &j->scan->arena);
    return j->each(j->ctx, &b.batch, doubled);
}

static void leave_out(struct joining *j, const uint8_t id[16]) {
    if (j->n_left_out++ == 0) memcpy(j->left_out, id, 16);
}

enum err joining_alone(struct joining *j, const uint8_t id[16]) {
    struct trace t;
    struct table_index x = { .n_rows = 0 };
    TRY(bounds_check(j->bounds));
    enum err e = trace_load(
        j->view, id,
        &(struct trace_limits){ .bytes_max = j->bounds->memory_max, .budget = j->scan->arena.budget }, &t);
    if (e == ERR_NOMEM) TRY(bounds_check(j->bounds)); // it waited for it too long
    if (e == ERR_NOMEM && j->bounds->memory_max) leave_out(j, id);
    if (e != ERR_OK) return e == ERR_NOMEM && j->bounds->memory_max ? ERR_OK : e;
    j->bytes += t.bytes_read;
    if (t.partial) {
        e = bounds_check(j->bounds); // it may have waited too long
        if (e == ERR_OK) leave_out(j, id);
    } else if (t.n) {
        e = table_index_make(&t.table, t.table.n, &x);
        if (e == ERR_OK) e = look(j, &t.table, &x, NULL);
        table_index_fini(&x);
    }
    trace_fini(&t);
    return e;
}

// Where the memory is not enough for all of them it may be for half of them.
static enum err join(struct joining *j, struct loading *l, const uint32_t *ids, uint32_t n) {
    struct joined all;
    TRY(bounds_check(j->bounds));
    block_scan_reset(j->scan);
    enum err e = joined_load(l, ids, n, &all);
    if (e == ERR_NOMEM) TRY(bounds_check(j->bounds));
    if (e == ERR_NOMEM && j->bounds->memory_max) {
        if (n == 1) leave_out(j, split_id(&l->sources->split, ids[0]));
        if (n == 1) return ERR_OK;
        TRY(join(j, l, ids, n / 2));
        return join(j, l, ids + n / 2, n - n / 2);
    }
    TRY(e);
    e = look(j, &all.table, &all.index, all.doubled);
    for (uint32_t i = 0; i < all.table.n_traces && e == ERR_OK; i++)
        if (all.doubled[i]) e = joining_alone(j, span_trace_at(&all.table, i)->id);
    joined_fini(&all);
    return e;
}

enum err joining_run(struct joining *j, const struct sources *s, const struct split_places *places,
                     const uint32_t *ids, uint32_t n, const struct block_wanted *wanted) {
    struct loading l = { .view = j->view, .sources = s, .places = places, .wanted = wanted, .scan = j->scan };
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < n && e == ERR_OK; i += JOINED_TRACES_MAX)
        e = join(j, &l, ids + i, n - i < JOINED_TRACES_MAX ? n - i : JOINED_TRACES_MAX);
    mem_free(l.parts);
    return e;
}

void joining_why(const struct joining *j, char out[static JOINING_WHY_MAX]) {
    char id[33] = { 0 }, more[64] = "";
    hex_encode(j->left_out, 16, id);
    if (j->n_left_out > 1) (void)snprintf(more, sizeof more, " and %u more", j->n_left_out - 1);
    (void)snprintf(out, JOINING_WHY_MAX, "query.max_memory is too little for the trace %s%s; left out", id,
                   more);
}
