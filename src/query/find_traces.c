// SPDX-License-Identifier: Apache-2.0
// A search judges the traces of a batch: filters over all of its rows first, then trace by trace those that
// they leave, the newest first.
#include "query/find_internal.h"
#include "query/matched.h"

enum { CHECK_EVERY = 64 }; // traces between looks at the clock

// --- hits ------------------------------------------------------------------------------------------

void find_page_init(const struct find *f, struct page *p) {
    page_init(p, f->limit);
    p->has_after = f->has_after;
    p->after_start_ns = f->after_start_ns;
    memcpy(p->after_id, f->after_id, sizeof p->after_id);
}

void found_init(struct found *f, struct finding *r, struct find_worker *w) {
    *f = (struct found){ .worker = w };
    find_page_init(r->find, &f->page);
    find_page_init(r->find, &f->wholes);
    mutex_lock(&r->lock);
    f->is_contested = r->page.n == r->page.limit || r->wholes.n == r->wholes.limit;
    mutex_unlock(&r->lock);
}

void found_fini(struct found *f) {
    page_fini(&f->page);
    page_fini(&f->wholes);
    mem_free(f->parts);
    mem_free(f->places);
}

// The first rows of each set, copied to where they last. Without rows to show no set is worth it.
static enum err keep_sets(const struct finding *r, struct arena *a, const struct match_set *sets, uint32_t n,
                          struct find_kept *out) {
    if (r->find->spans_per_set == 0) n = 0;
    out->sets = ARENA_ARRAY(a, n + 1ull, struct shown_set);
    if (!out->sets) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t n_rows = sets[i].n < r->find->spans_per_set ? sets[i].n : r->find->spans_per_set;
        struct match_attr *attrs = arena_copy(a, sets[i].attrs, sets[i].n_attrs * sizeof *attrs);
        uint32_t *rows = arena_copy(a, sets[i].rows, n_rows * sizeof *rows);
        if ((sets[i].n_attrs && !attrs) || !rows) return ERR_NOMEM;
        for (uint32_t k = 0; k < sets[i].n_attrs; k++) attrs[k].value = show_value(a, &attrs[k].value);
        out->sets[i] = (struct shown_set){ attrs, sets[i].n_attrs, sets[i].n, rows, n_rows };
    }
    out->n_sets = n;
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// --- judging the traces of a batch -----------------------------------------------------------------

// By a plan that is one filter: the rows of a trace that match, the first `want` of them into `rows`.
static uint32_t simple_rows(const struct looking *l, const struct batch_trace *t, uint32_t want,
                            uint32_t *rows) {
    const uint64_t *any = l->bits.any;
    uint32_t end = t->first + t->n, n = 0, k = 0;
    if (!l->batch->order) {
        for (uint32_t row = t->first; k < want && (row = bits_next(any, row, end)) < end; row++)
            rows[k++] = row;
        return want ? k : (uint32_t)bits_count_range(any, t->first, end);
    }
    for (uint32_t i = 0; i < t->n && (want == 0 || k < want); i++) {
        uint32_t row = batch_row(l->batch, t, i);
        if (!bit_get(any, row)) continue;
        if (k < want) rows[k++] = row;
        n++;
    }
    return n;
}

uint32_t find_simple_count(const struct looking *l, const struct batch_trace *t) {
    return simple_rows(l, t, 0, NULL);
}

enum err find_keep_simple(const struct looking *l, const struct batch_trace *t, uint32_t matched,
                          struct find_kept *out) {
    uint32_t n = matched < l->run->find->spans_per_set ? matched : l->run->find->spans_per_set;
    uint32_t *rows = ARENA_ARRAY(l->worker->results.arena, n, uint32_t);
    if (!rows) return ERR_NOMEM;
    if (n) n = simple_rows(l, t, n, rows);
    out->one = (struct shown_set){ .matched = matched, .rows = rows, .n_rows = n };
    out->sets = &out->one;
    out->n_sets = n > 0; // without rows to show it is not worth it
    return ERR_OK;
}

static enum err starts_in_range(struct looking *l, const struct batch_trace *t, bool *out) {
    *out = false;
    for (uint32_t i = 0; i < t->n && !*out; i++) {
        uint64_t start;
        TRY(rows_start(l->rows, batch_row(l->batch, t, i), &start));
        *out = range_has(&l->run->find->bounds, start);
    }
    return ERR_OK;
}

bool find_page_wants(const struct looking *l, uint64_t start_ns, const uint8_t id[16]) {
    struct finding *r = l->run;
    if (!page_takes(&l->found->page, start_ns, id)) return false;
    if (!page_keeps(&l->found->wholes, start_ns, id)) return false;
    if (!l->found->is_contested) return true;
    mutex_lock(&r->lock);
    bool wants = page_takes(&r->page, start_ns, id) && page_keeps(&r->wholes, start_ns, id);
    mutex_unlock(&r->lock);
    return wants;
}

static enum err put_on_page(struct looking *l, uint32_t trace, struct find_kept *kept) {
    const struct batch_trace *t = &l->batch->traces[trace];
    struct page_hit hit = { .start_ns = t->start_ns, .source = l->source, .row = trace, .more = kept };
    memcpy(hit.id, t->id, 16);
    return page_add(&l->found->page, &hit);
}

static enum err judge(struct looking *l, uint32_t trace) {
    struct finding *r = l->run;
    const struct batch_trace *t = &l->batch->traces[trace];
    struct match_set simple = { .n = 0 };
    const struct match_set *sets = &simple;
    uint32_t n;
    bool in = true, wanted = find_page_wants(l, t->start_ns, t->id);
    if (!wanted && !r->find->count) return ERR_OK;
    if (r->plan->is_simple) {
        simple.n = find_simple_count(l, t);
        n = simple.n > 0;
    } else {
        arena_reset(&l->worker->scratch);
        TRY(plan_match(r->plan, l->rows, &l->bits, trace, &l->worker->scratch, &sets, &n));
    }
    if (n == 0) return ERR_OK;
    if (range_of(&r->find->bounds, t->start_ns, t->last_start_ns) == MAYBE_IN_RANGE)
        TRY(starts_in_range(l, t, &in));
    if (!in) return ERR_OK;
    l->found->total++;
    for (uint32_t i = 0; i < n; i++) l->found->matched_spans += sets[i].n;
    if (!wanted) return ERR_OK;
    struct find_kept *kept = ARENA_NEW(l->worker->results.arena, struct find_kept);
    if (!kept) return ERR_NOMEM;
    if (r->plan->is_simple)
        TRY(find_keep_simple(l, t, simple.n, kept));
    else
        TRY(keep_sets(r, l->worker->results.arena, sets, n, kept));
    return put_on_page(l, trace, kept);
}

static bool has_bits(const struct looking *l, const struct batch_trace *t, const uint64_t *bits) {
    if (!l->batch->order) return bits_any_range(bits, t->first, t->first + t->n);
    for (uint32_t i = 0; i < t->n; i++)
        if (bit_get(bits, batch_row(l->batch, t, i))) return true;
    return false;
}

static uint64_t hits_of(const struct looking *l, const struct batch_trace *t) {
    uint64_t hits = 0;
    for (uint32_t i = 0; i < l->run->plan->n_filters; i++)
        if (has_bits(l, t, l->bits.of[i])) hits |= plan_filter_bit(i);
    return hits;
}

// Do the filters' hits leave a chance? Most traces are told by that, before anything is built of them.
static bool may_match(const struct looking *l, const struct batch_trace *t) {
    const struct plan *p = l->run->plan;
    return p->is_simple || p->every_trace || plan_may_match(p, hits_of(l, t));
}

// A part of a split trace that does not tell alone is judged when all sources were looked at.
static enum err note_split(struct looking *l, uint32_t trace, uint32_t split, bool in_range) {
    const struct batch_trace *t = &l->batch->traces[trace];
    struct found *f = l->found;
    bool told = false;
    if (in_range) TRY(find_judge_part(l, trace, split, &told));
    struct split_place *more = mem_grow(f->places, f->n_places, &f->cap_places, sizeof *more);
    if (!more) return ERR_NOMEM;
    f->places = more;
    struct split_place *p = &f->places[f->n_places++];
    *p = (struct split_place){ .split = split,
                               .source = l->source,
                               .first = t->first,
                               .n = t->n,
                               .start_ns = t->start_ns,
                               .in_range = in_range,
                               .hits = in_range ? 0 : UINT64_MAX,
                               .is_told = told };
    if (in_range && !told) p->hits = hits_of(l, t);
    return ERR_OK;
}

// --- all traces of a batch ---------------------------------------------------------------------------

// Has the trace a row that matches? Traces are asked for from the last to the first: where their rows
// follow each other, *last is the last such row of what is left (BITS_NONE: there is none).
static bool has_rows(const struct looking *l, const struct batch_trace *t, uint32_t *last) {
    if (*last == BITS_NONE) return false;
    if (l->batch->order) return has_bits(l, t, l->bits.any);
    if (*last >= t->first + t->n) *last = bits_prev(l->bits.any, t->first + t->n);
    return *last != BITS_NONE && *last >= t->first;
}

// in: which are in the range; NULL: all.
static enum err judge_all(struct looking *l, const bool *in) {
    const struct split_set *split = &l->run->sources.split;
    uint32_t last = l->rows ? bits_prev(l->bits.any, l->batch->n_rows) : BITS_NONE;
    for (uint32_t i = l->batch->n_traces; i-- > 0;) { // the newest first
        const struct batch_trace *t = &l->batch->traces[i];
        if (t->n == 0) continue;
        if (i % CHECK_EVERY == 0) TRY(bounds_check(&l->run->find->bounds));
        uint32_t at = l->is_joined || split->n == 0 ? MAP_NONE : split_find(split, t->id);
        bool is_in = !in || in[i];
        if (at != MAP_NONE)
            TRY(note_split(l, i, at, is_in));
        else if (is_in && has_rows(l, t, &last) && !(l->doubled && l->doubled[i]) && may_match(l, t))
            TRY(judge(l, i));
    }
    return ERR_OK;
}

enum { FEW_OF = 8, FETCH_AHEAD = 8 }; // of so many traces one has a row: few

enum { STEPS_MAX = 64 };

// The trace of a row, which is trace `from` or a later one; a row group's follow each other. As far on as
// rows are on average, then step by step: that meets less of what is not in the CPU's cache than halving
// does.
static uint32_t trace_of(const struct batch *b, uint32_t from, uint32_t row) {
    const uint32_t *first = b->firsts;
    uint32_t low = from, high = b->n_traces, steps = 0;
    uint64_t on = (uint64_t)(row - first[from]) * b->n_traces / b->n_rows;
    uint32_t at = on < high - low ? low + (uint32_t)on : high - 1;
    for (; steps < STEPS_MAX && at > low && first[at] > row; steps++) high = at--;
    for (; steps < STEPS_MAX && at + 1 < high && first[at + 1] <= row; steps++) low = ++at;
    if (steps < STEPS_MAX) return at;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (first[mid] <= row)
            low = mid;
        else
            high = mid;
    }
    return low;
}

// The same by the few rows that match; parts of split traces without such a row are not noted.
static enum err judge_few(struct looking *l, uint64_t n_rows) {
    const struct split_set *split = &l->run->sources.split;
    uint32_t *traces = ARENA_ARRAY(l->batch->arena, n_rows + 1, uint32_t), n = 0;
    if (!traces) return ERR_NOMEM;
    bits_places(l->bits.any, l->batch->n_rows, traces);
    for (uint64_t i = 0; i < n_rows; i++) { // the rows become their traces
        uint32_t t = trace_of(l->batch, n ? traces[n - 1] : 0, traces[i]);
        if (n == 0 || traces[n - 1] != t) traces[n++] = t;
    }
    while (n-- > 0) {
        const struct batch_trace *t = &l->batch->traces[traces[n]];
        if (n >= FETCH_AHEAD) mem_fetch(&l->batch->traces[traces[n - FETCH_AHEAD]]);
        uint32_t at = split->n == 0 ? MAP_NONE : split_find(split, t->id);
        if (at != MAP_NONE)
            TRY(note_split(l, traces[n], at, true));
        else if (may_match(l, t))
            TRY(judge(l, traces[n]));
    }
    return ERR_OK;
}

// Filters first: where they match nothing, the traces need not be read.
enum err find_look_columns(struct looking *l, bool *any, bool *all) {
    struct finding *r = l->run;
    TRY(rows_new(l->batch, r->plan->fields, r->plan->n_fields, &l->rows));
    TRY(matched_rows(r->plan, buf_view(&r->question), &r->sources.at[l->source], l->batch, l->rows,
                     &l->bits));
    uint64_t n_rows = bits_count(l->bits.any, l->batch->n_rows);
    *any = n_rows > 0;
    *all = false;
    l->found->spans += l->batch->n_rows;
    if (!*any) return ERR_OK;
    TRY(source_add_traces(&r->sources.at[l->source], &l->worker->batch));
    l->found->traces += l->batch->n_traces;
    if (n_rows * FEW_OF < l->batch->n_traces) return judge_few(l, n_rows);
    *all = true;
    return judge_all(l, NULL);
}

enum err find_look(struct looking *l) {
    const uint64_t *mask;
    const bool *in;
    bool any;
    TRY(batch_in_range(l->batch, &l->run->find->bounds, false, &in, &mask, &any));
    if (any) {
        TRY(rows_new(l->batch, l->run->plan->fields, l->run->plan->n_fields, &l->rows));
        TRY(plan_filter(l->run->plan, l->rows, mask, &l->bits));
    }
    l->found->traces += l->batch->n_traces;
    l->found->spans += l->batch->n_rows;
    return judge_all(l, in);
}
