// SPDX-License-Identifier: Apache-2.0
// Exemplars. Each cell keeps one span: of the trace whose hash, mixed with the series', is the
// greatest, and of that trace's spans in the cell the first. So the choice depends on nothing but the
// data, whatever the order and the split; and series choose different traces.
#include "exec/metrics_internal.h"

#include <math.h>
#include <stdlib.h>

enum { TIMES_CHUNK = 4096 }; // rows whose times are read together

static uint64_t trace_hash(const uint8_t id[16]) {
    uint64_t half[2];
    memcpy(half, id, sizeof half);
    return hash_u64(half[0] ^ hash_u64(half[1]));
}

static bool has_new_pick(const struct metric_cell *c) {
    const struct metric_pick *x = c->pick;
    while (x && !x->is_new) x = x->rival;
    return x != NULL;
}

static enum err note_found(struct metric_picking *p, struct metric_pick *x) {
    if (p->n == p->cap) {
        uint32_t cap = p->cap ? p->cap * 2 : 64;
        struct metric_pick **more = ARENA_ARRAY(&p->acc->scratch, cap, struct metric_pick *);
        if (!more) return ERR_NOMEM;
        if (p->n) memcpy(more, p->found, p->n * sizeof *more);
        p->found = more;
        p->cap = cap;
    }
    p->found[p->n++] = x;
    x->is_new = true;
    return ERR_OK;
}

static enum err pick_row(struct metric_picking *p, struct metric_cell *c, uint64_t rank, uint32_t row,
                         const struct batch_trace *t) {
    if (c->pick && rank < c->rank) return ERR_OK; // several codes may share a cell
    bool ties = c->pick && rank == c->rank;
    if (ties && has_new_pick(c)) return ERR_OK; // the trace's first row of this batch is known
    struct metric_pick *x = ties ? NULL : c->pick;
    if (!x && !(x = ARENA_NEW(&p->acc->arena, struct metric_pick))) return ERR_NOMEM;
    x->rival = ties ? c->pick : NULL;
    c->pick = x;
    if (!x->is_new) TRY(note_found(p, x));
    c->rank = rank;
    x->batch = p->number;
    x->row = row;
    memcpy(x->trace_id, t->id, sizeof t->id);
    return ERR_OK;
}

static inline uint64_t rank_of(uint64_t hash, uint64_t salt) {
    return ((hash ^ salt) * 0x9e3779b97f4a7c15u) | 1;
}

// The rows of the next trace that reaches into the run. false: there is none.
struct trace_rows {
    const struct batch_trace *trace;
    uint32_t from, to;
};
static bool next_trace(struct metric_picking *p, const struct metric_run *run, struct trace_rows *out) {
    const struct batch *b = p->batch;
    uint32_t end = run->first + run->n, i = out->trace ? p->trace + 1 : p->trace;
    // One that goes on in the next run stays at hand.
    if (out->trace && out->trace->first + out->trace->n > end) return false;
    while (i < b->n_traces && b->traces[i].first + b->traces[i].n <= run->first) i++;
    if (i == b->n_traces || b->traces[i].first >= end) {
        p->trace = i;
        return false;
    }
    const struct batch_trace *t = &b->traces[i];
    p->trace = i;
    *out = (struct trace_rows){ t, t->first > run->first ? t->first : run->first,
                                t->first + t->n < end ? t->first + t->n : end };
    return true;
}

enum err metric_picks_of_codes(struct metric_picking *p, const struct metric_run *run, const uint64_t *wanted,
                               const struct metric_coded *x) {
    if (p->batch->order) return ERR_OK;
    for (uint32_t i = 0; i < x->n; i++)
        if (x->counts[i]) x->best[i] = (struct metric_best){ x->cells[i]->salt, x->cells[i]->rank };
    for (struct trace_rows r = { 0 }; next_trace(p, run, &r);) {
        uint64_t hash = trace_hash(r.trace->id);
        for (uint32_t row = r.from; row < r.to; row++) {
            if (!bit_get(wanted, row)) continue;
            uint32_t code = x->codes ? x->codes[row] : 0;
            uint64_t rank = rank_of(hash, x->best[code].salt);
            if (__builtin_expect(rank < x->best[code].rank, 1)) continue;
            TRY(pick_row(p, x->cells[code], rank, row, r.trace));
            x->best[code].rank = x->cells[code]->rank; // which other codes may share
        }
    }
    return ERR_OK;
}

enum err metric_picks_of_rows(struct metric_picking *p, const struct metric_run *run, const uint64_t *wanted,
                              struct metric_cell *const *cells) {
    if (p->batch->order) return ERR_OK;
    for (struct trace_rows r = { 0 }; next_trace(p, run, &r);) {
        uint64_t hash = trace_hash(r.trace->id);
        for (uint32_t row = r.from; row < r.to; row++) {
            if (!bit_get(wanted, row)) continue;
            uint64_t rank = rank_of(hash, cells[row]->salt);
            if (__builtin_expect(rank >= cells[row]->rank, 0))
                TRY(pick_row(p, cells[row], rank, row, r.trace));
        }
    }
    return ERR_OK;
}

static enum err pick_in_order(struct metric_picking *p, const uint64_t *wanted,
                              struct metric_cell *const *cells) {
    const struct batch *b = p->batch;
    for (uint32_t k = 0; k < b->n_traces; k++) {
        const struct batch_trace *t = &b->traces[k];
        uint64_t hash = trace_hash(t->id);
        for (uint32_t i = 0; i < t->n; i++) {
            uint32_t row = batch_row(b, t, i);
            if (!bit_get(wanted, row)) continue;
            uint64_t rank = rank_of(hash, cells[row]->salt);
            if (__builtin_expect(rank >= cells[row]->rank, 0)) TRY(pick_row(p, cells[row], rank, row, t));
        }
    }
    return ERR_OK;
}

static int pick_cmp(const void *a, const void *b) {
    const struct metric_pick *x = *(struct metric_pick *const *)a, *y = *(struct metric_pick *const *)b;
    if (x->batch != y->batch) return x->batch < y->batch ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

// --- what they show --------------------------------------------------------------------------------

static double shown(const struct value *v) {
    if (v->type == VALUE_FLOAT) return v->f + 0.0;
    if (v->type == VALUE_DURATION) return (double)v->i / 1e9;
    return v->type == VALUE_INT ? (double)v->i : NAN;
}

static enum err read_times(struct batch *b, struct metric_pick *const *picks, uint32_t n) {
    for (uint32_t i = 0, end; i < n; i = end) {
        const uint64_t *starts;
        uint32_t first = picks[i]->row;
        for (end = i + 1; end < n && picks[end]->row - first < TIMES_CHUNK;) end++;
        TRY(b->ops->starts(b, first, picks[end - 1]->row + 1, &starts));
        for (uint32_t k = i; k < end; k++) picks[k]->time_ns = starts[picks[k]->row - first];
    }
    return ERR_OK;
}

// How long counted spans took.
static enum err read_measure(const struct metric_plan *p, struct batch *b, struct rows *rows,
                             struct metric_pick *const *picks, uint32_t n) {
    uint64_t *bits = arena_zalloc(b->arena, (b->n_rows / 64 + 1) * sizeof *bits);
    if (!bits) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) bit_set(bits, picks[i]->row);
    TRY(rows_want(rows, p->measure_idx, bits));
    for (uint32_t i = 0; i < n; i++) {
        struct value v = rows_value(rows, p->measure_idx, picks[i]->row);
        picks[i]->value = shown(&v);
    }
    return ERR_OK;
}

// Picks of one batch, by row. The number of a function was noted when they were found.
static enum err read_picks(const struct metric_plan *p, struct batch *b, struct rows *rows,
                           struct metric_pick *const *picks, uint32_t n) {
    TRY(read_times(b, picks, n));
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t *id;
        if (!picks[i]->has_rival) continue;
        TRY(b->ops->span_ids(b, picks[i]->row, picks[i]->row + 1, &id));
        picks[i]->span_id = __builtin_bswap64(*id);
    }
    if (!p->of) TRY(read_measure(p, b, rows, picks, n));
    for (uint32_t i = 0; i < n; i++) picks[i]->batch = METRIC_BATCH_ONCE;
    return ERR_OK;
}

static void note_numbers(const struct metric_picking *p, const struct metric_numbers *numbers) {
    for (uint32_t i = 0; i < p->n; i++) {
        struct metric_pick *x = p->found[i];
        x->of.type = numbers->types ? (enum value_type)numbers->types[x->row] : numbers->type;
        memcpy(&x->of.i, &numbers->bits[x->row], sizeof x->of.i);
        x->value = shown(&x->of);
    }
}

enum err metric_picks_end(struct metric_picking *p, struct rows *rows, const uint64_t *wanted,
                          struct metric_cell *const *cells, const struct metric_numbers *numbers) {
    if (p->batch->order) TRY(pick_in_order(p, wanted, cells));
    if (p->acc->plan->of) note_numbers(p, numbers);
    for (uint32_t i = 0; i < p->n; i++) p->found[i]->is_new = false;
    if (p->number != METRIC_BATCH_ONCE || p->n == 0) return ERR_OK;
    qsort(p->found, p->n, sizeof *p->found, pick_cmp);
    return read_picks(p->acc->plan, p->batch, rows, p->found, p->n);
}

static bool comes_first(const struct metric_pick *x, const struct metric_pick *than) {
    if (x->time_ns != than->time_ns) return x->time_ns < than->time_ns;
    return x->span_id != than->span_id ? x->span_id < than->span_id : x->value < than->value;
}

// The first of those that share a rank takes the place of all.
static void settle(struct metric_pick *head) {
    const struct metric_pick *first = head;
    for (const struct metric_pick *x = head->rival; x; x = x->rival)
        if (comes_first(x, first)) first = x;
    *head = *first;
    head->rival = NULL;
}

static uint32_t count_rivals(const struct metric_offer *offers, uint32_t n) {
    uint32_t all = 0;
    for (uint32_t i = 0; i < n; i++)
        for (const struct metric_pick *x = offers[i].pick; x; x = x->rival) all++;
    return all;
}

enum err metric_picks_read(const struct metric_plan *p, const struct metric_caller *caller,
                           const struct metric_offer *offers, uint32_t n, struct arena *a) {
    struct metric_pick **picks = ARENA_ARRAY(a, count_rivals(offers, n) + 1ull, struct metric_pick *);
    uint32_t n_picks = 0;
    if (!picks) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        for (struct metric_pick *x = offers[i].pick; x; x = x->rival) {
            x->has_rival = offers[i].pick->rival != NULL;
            if (x->batch != METRIC_BATCH_ONCE) picks[n_picks++] = x;
        }
    ASSERT(n_picks == 0 || (caller && caller->open));
    if (n_picks > 1) qsort(picks, n_picks, sizeof *picks, pick_cmp);
    for (uint32_t i = 0, end; i < n_picks; i = end) {
        struct batch *b;
        struct rows *rows;
        for (end = i + 1; end < n_picks && picks[end]->batch == picks[i]->batch;) end++;
        TRY(caller->open(caller->ctx, picks[i]->batch, &b));
        TRY(rows_new(b, p->fields, p->n_fields, &rows));
        TRY(read_picks(p, b, rows, picks + i, end - i));
    }
    for (uint32_t i = 0; i < n; i++) settle(offers[i].pick);
    return ERR_OK;
}

// > 0: the first is better; 0: they are of one trace.
static int compare_picks(const struct metric_cell *x, const struct metric_cell *y) {
    if (x->rank != y->rank) return x->rank > y->rank ? 1 : -1;
    return memcmp(y->pick->trace_id, x->pick->trace_id, sizeof x->pick->trace_id);
}

enum err metric_picks_merge(struct metric_acc *m, struct metric_cell *cell, const struct metric_cell *from) {
    int order = !from->pick ? -1 : !cell->pick ? 1 : compare_picks(from, cell);
    if (order < 0) return ERR_OK;
    if (order > 0) cell->pick = NULL;
    for (const struct metric_pick *x = from->pick; x; x = x->rival) {
        struct metric_pick *copy = arena_copy(&m->arena, x, sizeof *x);
        if (!copy) return ERR_NOMEM;
        copy->rival = cell->pick;
        cell->pick = copy;
    }
    cell->rank = from->rank;
    return ERR_OK;
}

// --- choosing for the answer -----------------------------------------------------------------------

static int ids_cmp(const struct metric_offer *x, const struct metric_offer *y) {
    if (x->id[0] != y->id[0]) return x->id[0] < y->id[0] ? -1 : 1;
    return (x->id[1] > y->id[1]) - (x->id[1] < y->id[1]);
}

struct metric_offer metric_offer_of(struct metric_pick *pick, uint64_t rank, uint32_t series, uint32_t step) {
    struct metric_offer o = { .pick = pick, .rank = rank, .series = series, .step = step };
    memcpy(o.id, pick->trace_id, sizeof o.id);
    o.id[0] = __builtin_bswap64(o.id[0]);
    o.id[1] = __builtin_bswap64(o.id[1]);
    return o;
}

static int by_trace(const void *a, const void *b) {
    const struct metric_offer *x = a, *y = b;
    int ids = ids_cmp(x, y);
    if (ids) return ids;
    if (x->rank != y->rank) return x->rank > y->rank ? -1 : 1;
    if (x->series != y->series) return x->series < y->series ? -1 : 1;
    return (x->step > y->step) - (x->step < y->step);
}

static int by_step(const void *a, const void *b) {
    const struct metric_offer *x = a, *y = b;
    if (x->step != y->step) return x->step < y->step ? -1 : 1;
    if (x->rank != y->rank) return x->rank > y->rank ? -1 : 1;
    if (x->series != y->series) return x->series < y->series ? -1 : 1;
    return ids_cmp(x, y);
}

// How many offers are taken when each interval gives its best `rounds`.
static uint32_t taken_by(const struct metric_offer *offers, uint32_t n, uint32_t rounds) {
    uint32_t taken = 0;
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && offers[end].step == offers[i].step;) end++;
        taken += end - i < rounds ? end - i : rounds;
    }
    return taken;
}

// The most that every interval may give.
static uint32_t find_rounds(const struct metric_offer *offers, uint32_t n, uint32_t most) {
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t mid = low + (high - low + 1) / 2;
        if (taken_by(offers, n, mid) <= most)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

// Each interval gives the same number of its best, as far as it has them; what is then still wanted
// comes from as many of the others, evenly spread.
void metric_offers_choose(struct metric_offer *offers, uint32_t *n, uint32_t most) {
    uint32_t all = 0;
    if (*n == 0) return;
    qsort(offers, *n, sizeof *offers, by_trace);
    for (uint32_t i = 0; i < *n; i++)
        if (i == 0 || ids_cmp(&offers[i], &offers[all - 1]) != 0) offers[all++] = offers[i];
    qsort(offers, all, sizeof *offers, by_step);
    uint32_t rounds = find_rounds(offers, all, most), taken = taken_by(offers, all, rounds);
    uint64_t rest = most - taken, of = taken_by(offers, all, rounds + 1) - taken, k = 0;
    *n = 0;
    for (uint32_t i = 0, end; i < all; i = end) {
        for (end = i + 1; end < all && offers[end].step == offers[i].step;) end++;
        uint32_t take = end - i < rounds ? end - i : rounds;
        if (end - i > rounds) {
            if ((k + 1) * rest / of > k * rest / of) take++;
            k++;
        }
        for (uint32_t j = i; j < i + take; j++) offers[(*n)++] = offers[j];
    }
    DASSERT(*n <= most);
}
