// SPDX-License-Identifier: Apache-2.0
// Sources are judged newest first, each by whoever is free; the best traces are kept, and the search
// ends where nothing older can get on the page. Split traces wait until all sources were seen, and
// are then joined and judged whole. Of what ends up on the page, what was not shown at once is read
// again, source by source.
#include "query/find.h"

#include <stdio.h>
#include <stdlib.h>

#include "query/find_internal.h"

enum { CHECK_EVERY = 64 }; // traces between looks at the clock

static void fail(struct finding *r, enum err e) {
    mutex_lock(&r->lock);
    if (r->error == ERR_OK) r->error = e;
    mutex_unlock(&r->lock);
}

// --- hits ------------------------------------------------------------------------------------------

// What a source found, before it is told to the others: no more of it than fits on the page.
struct found {
    struct find_worker *worker;
    struct page page;
    struct page_hit *hits; // of the page, when all was looked at
    uint32_t n;
    struct split_place *places;
    uint32_t n_places, cap_places;
    uint64_t traces, spans, total, matched_spans;
};

static void found_init(struct found *f, const struct finding *r, struct find_worker *w) {
    *f = (struct found){ .worker = w };
    page_init(&f->page, r->page.limit);
    f->page.has_after = r->page.has_after;
    f->page.after_start_ns = r->page.after_start_ns;
    memcpy(f->page.after_id, r->page.after_id, 16);
}

static void found_fini(struct found *f) {
    page_fini(&f->page);
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

struct looking {
    struct finding *run;
    struct find_worker *worker;
    struct batch *batch;
    struct rows *rows;
    struct plan_bits bits;
    struct found *found;
    uint32_t source;
    bool is_joined;      // split traces, whole
    const bool *doubled; // of them those that are not judged here; NULL: none
};

// The sets of a trace by a plan that is one filter: its bits.
static enum err simple_sets(struct looking *l, const struct batch_trace *t, const struct match_set **out,
                            uint32_t *out_n) {
    struct arena *a = &l->worker->scratch;
    uint32_t want = l->run->find->spans_per_set, n = 0, k = 0;
    struct match_set *set = ARENA_NEW(a, struct match_set);
    uint32_t *rows = ARENA_ARRAY(a, (want < t->n ? want : t->n) + 1ull, uint32_t);
    if (!set || !rows) return ERR_NOMEM;
    if (!l->batch->order) {
        uint32_t end = t->first + t->n;
        n = (uint32_t)bits_count_range(l->bits.any, t->first, end);
        for (uint32_t row = bits_next(l->bits.any, t->first, end); row < end && k < want;
             row = bits_next(l->bits.any, row + 1, end))
            rows[k++] = row;
    } else {
        for (uint32_t i = 0; i < t->n; i++) {
            uint32_t row = batch_row(l->batch, t, i);
            if (!bit_get(l->bits.any, row)) continue;
            if (k < want) rows[k++] = row;
            n++;
        }
    }
    *set = (struct match_set){ .rows = rows, .n = n };
    *out = set;
    *out_n = n > 0;
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

static bool page_wants(struct finding *r, const struct found *f, const struct batch_trace *t) {
    if (!page_takes(&f->page, t->start_ns, t->id)) return false;
    mutex_lock(&r->lock);
    bool wants = page_takes(&r->page, t->start_ns, t->id);
    mutex_unlock(&r->lock);
    return wants;
}

static enum err judge(struct looking *l, uint32_t trace) {
    struct finding *r = l->run;
    const struct batch_trace *t = &l->batch->traces[trace];
    const struct match_set *sets;
    uint32_t n;
    bool in = true;
    bool wanted = page_wants(r, l->found, t);
    if (!wanted && !r->find->count) return ERR_OK;
    arena_reset(&l->worker->scratch);
    if (r->plan->is_simple)
        TRY(simple_sets(l, t, &sets, &n));
    else
        TRY(plan_match(r->plan, l->rows, &l->bits, trace, &l->worker->scratch, &sets, &n));
    if (n == 0) return ERR_OK;
    if (range_of(&r->find->bounds, t->start_ns, t->last_start_ns) == MAYBE_IN_RANGE)
        TRY(starts_in_range(l, t, &in));
    if (!in) return ERR_OK;
    l->found->total++;
    for (uint32_t i = 0; i < n; i++) l->found->matched_spans += sets[i].n;
    if (!wanted) return ERR_OK;
    struct find_kept *kept = ARENA_NEW(l->worker->results, struct find_kept);
    if (!kept) return ERR_NOMEM;
    TRY(keep_sets(r, l->worker->results, sets, n, kept));
    struct page_hit hit = { .start_ns = t->start_ns, .source = l->source, .row = trace, .more = kept };
    memcpy(hit.id, t->id, 16);
    struct page_hit lost;
    bool has_lost;
    return page_add(&l->found->page, &hit, &lost, &has_lost);
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

// A part of a split trace is judged when all sources were looked at.
static enum err note_split(struct looking *l, const struct batch_trace *t, uint32_t split, bool in_range) {
    struct found *f = l->found;
    if (f->n_places == f->cap_places) {
        uint32_t cap = f->cap_places ? f->cap_places * 2 : 64;
        struct split_place *more = mem_realloc(f->places, cap * sizeof *more);
        if (!more) return ERR_NOMEM;
        f->places = more;
        f->cap_places = cap;
    }
    struct split_place *p = &f->places[f->n_places++];
    *p = (struct split_place){ .split = split,
                               .source = l->source,
                               .first = t->first,
                               .n = t->n,
                               .start_ns = t->start_ns,
                               .in_range = in_range,
                               .hits = in_range ? 0 : UINT64_MAX };
    if (in_range) p->hits = hits_of(l, t);
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
            TRY(note_split(l, t, at, is_in));
        else if (is_in && has_rows(l, t, &last) && !(l->doubled && l->doubled[i]) && may_match(l, t))
            TRY(judge(l, i));
    }
    l->found->hits = l->found->page.at;
    l->found->n = l->found->page.n;
    return ERR_OK;
}

enum { FEW_OF = 8 }; // of so many traces one has a row: few

// The trace of a row; a row group's follow each other.
static uint32_t trace_of(const struct batch *b, uint32_t row) {
    uint32_t low = 0, high = b->n_traces;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (b->traces[mid].first <= row)
            low = mid;
        else
            high = mid;
    }
    return low;
}

// The same by the few rows that match; parts of split traces without such a row are not noted.
static enum err judge_few(struct looking *l, uint64_t n_rows) {
    const struct split_set *split = &l->run->sources.split;
    const uint64_t *any = l->bits.any;
    uint32_t end = l->batch->n_rows, n = 0;
    uint32_t *traces = ARENA_ARRAY(l->batch->arena, n_rows + 1, uint32_t);
    if (!traces) return ERR_NOMEM;
    for (uint32_t row = bits_next(any, 0, end); row < end; row = bits_next(any, row + 1, end)) {
        uint32_t t = trace_of(l->batch, row);
        if (n == 0 || traces[n - 1] != t) traces[n++] = t;
    }
    while (n-- > 0) {
        const struct batch_trace *t = &l->batch->traces[traces[n]];
        uint32_t at = split->n == 0 ? MAP_NONE : split_find(split, t->id);
        if (at != MAP_NONE)
            TRY(note_split(l, t, at, true));
        else if (may_match(l, t))
            TRY(judge(l, traces[n]));
    }
    l->found->hits = l->found->page.at;
    l->found->n = l->found->page.n;
    return ERR_OK;
}

// Filters first: where they match nothing, the traces need not be read.
static enum err look_at_columns(struct looking *l, bool *any, bool *all) {
    struct finding *r = l->run;
    TRY(rows_new(l->batch, r->plan->fields, r->plan->n_fields, &l->rows));
    TRY(plan_filter(r->plan, l->rows, NULL, &l->bits));
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

static enum err look(struct looking *l) {
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

// --- showing ---------------------------------------------------------------------------------------

// Shows hits of the batch that is open.
static enum err show_hits(struct finding *r, struct find_worker *w, struct batch *b, struct rows *rows,
                          const struct page_hit *const *hits, uint32_t n) {
    struct shown_trace *t = ARENA_ARRAY(b->arena, n + 1ull, struct shown_trace);
    if (!t) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        struct find_kept *k = hits[i]->more;
        k->shown = ARENA_NEW(w->results, struct find_trace);
        if (!k->shown) return ERR_NOMEM;
        t[i] = (struct shown_trace){ hits[i]->row, k->sets, k->n_sets, k->shown };
    }
    return show_traces(&r->show, b, rows, t, n, w->results);
}

static enum err show_found(struct looking *l) {
    struct found *f = l->found;
    const struct page_hit **all = ARENA_ARRAY(l->batch->arena, f->n + 1ull, const struct page_hit *);
    if (!all) return ERR_NOMEM;
    for (uint32_t i = 0; i < f->n; i++) all[i] = &f->hits[i];
    return f->n ? show_hits(l->run, l->worker, l->batch, l->rows, all, f->n) : ERR_OK;
}

// --- one source ------------------------------------------------------------------------------------

static enum err tell(struct finding *r, const struct found *f) {
    enum err e = ERR_OK;
    mutex_lock(&r->lock);
    for (uint32_t i = 0; i < f->n && e == ERR_OK; i++) {
        struct page_hit lost;
        bool has_lost;
        e = page_add(&r->page, &f->hits[i], &lost, &has_lost);
    }
    r->out->total += f->total;
    r->out->matched_spans += f->matched_spans;
    r->out->stats.traces += f->traces;
    r->out->stats.spans += f->spans;
    r->out->stats.bytes += f->worker->batch.scan.bytes_read - f->worker->bytes_told;
    f->worker->bytes_told = f->worker->batch.scan.bytes_read;
    mutex_unlock(&r->lock);
    return e;
}

// Few hits that all stay on the page are shown while their columns are at hand.
static bool show_now(struct finding *r, const struct found *f) {
    mutex_lock(&r->lock);
    bool all_stay = r->page.n + f->n <= r->page.limit;
    mutex_unlock(&r->lock);
    return all_stay && r->find->limit > 1000;
}

static void note_skipped(struct finding *r) {
    mutex_lock(&r->lock);
    r->has_skipped = true;
    mutex_unlock(&r->lock);
}

struct asked { // a row group, before it is opened
    const struct source *source;
    struct block_scan *scan;
};

static enum err may_hold(void *ctx, const struct field *f, struct str text, bool *out) {
    const struct asked *a = ctx;
    return block_may_hold_text(a->source->block, a->scan, a->source->group, f, text, out);
}

static enum err may_touch(const struct finding *r, struct find_worker *w, const struct source *s, bool *out) {
    struct asked a = { s, &w->batch.scan };
    return plan_may_touch(r->plan, &(struct filter_ask){ may_hold, &a }, out);
}

static enum err look_at_source(struct finding *r, struct find_worker *w, uint32_t source) {
    struct found f;
    struct looking l = { .run = r, .worker = w, .found = &f, .source = source };
    const struct source *s = &r->sources.at[source];
    bool inside = range_has(&r->find->bounds, s->first_ns) && range_has(&r->find->bounds, s->last_ns);
    // Where other sources were left out, parts of split traces must be noted though nothing matches here.
    bool may_skip = r->sources.n_left_out == 0 || r->sources.split.n == 0;
    bool columns_first =
        s->block && inside && may_skip && !r->plan->filters_read_traces && !r->plan->every_trace;
    bool any = true, all = true; // all: every trace was looked at
    found_init(&f, r, w);
    enum err e = columns_first ? may_touch(r, w, s, &any) : ERR_OK;
    if (!any) f.spans = block_group_rows(s->block, s->group);
    if (e == ERR_OK && any)
        e = columns_first ? source_open_columns(s, &w->batch, &l.batch) : source_open(s, &w->batch, &l.batch);
    if (e == ERR_OK && any) e = columns_first ? look_at_columns(&l, &any, &all) : look(&l);
    if (e == ERR_OK && l.rows && show_now(r, &f)) e = show_found(&l);
    if (e == ERR_OK) e = tell(r, &f);
    // What was not read for its traces may hold parts of split ones.
    if (e == ERR_OK && any) e = split_places_add(&r->places, source, f.places, f.n_places, all);
    if (!any || !all) note_skipped(r);
    found_fini(&f);
    return e;
}

enum err find_worker_ready(struct finding *r, uint32_t number) {
    struct find_worker *w = &r->workers[number];
    if (w->is_ready) return ERR_OK;
    TRY(source_batch_init(&w->batch, &r->budget));
    w->results = &r->out->arenas[number];
    arena_init(&w->scratch, SIZE_MAX, &r->budget);
    w->is_ready = true;
    return ERR_OK;
}

// The next source, or false: none is left, or nothing older can get on the page.
static bool next_source(struct finding *r, struct find_worker *w, uint32_t *out) {
    mutex_lock(&r->lock);
    w->is_busy = false;
    bool go = r->error == ERR_OK && r->next_source < r->sources.n;
    if (go && !r->find->count && !page_takes_as_old_as(&r->page, r->sources.at[r->next_source].newest_ns))
        go = false;
    if (go) *out = w->source = r->next_source++;
    w->is_busy = go;
    mutex_unlock(&r->lock);
    return go;
}

static bool work(void *ctx, uint32_t number) {
    struct finding *r = ctx;
    uint32_t source;
    if (number == 0 && r->tell_at_ns && clock_mono_ns(r->find->bounds.clock) >= r->tell_at_ns) {
        enum err told = find_tell(r);
        if (told != ERR_OK) fail(r, told);
    }
    if (!next_source(r, &r->workers[number], &source)) return false;
    enum err e = bounds_check(&r->find->bounds);
    if (e == ERR_OK) e = find_worker_ready(r, number);
    if (e == ERR_OK) e = look_at_source(r, &r->workers[number], source);
    if (e != ERR_OK) fail(r, e);
    return e == ERR_OK;
}

// --- split traces ----------------------------------------------------------------------------------

static enum err look_at_joined(void *ctx, struct batch *b, const bool *doubled) {
    struct finding *r = ctx;
    struct find_worker *w = &r->workers[0];
    struct found f;
    struct looking l = { .run = r,
                         .worker = w,
                         .batch = b,
                         .found = &f,
                         .source = UINT32_MAX,
                         .is_joined = true,
                         .doubled = doubled };
    found_init(&f, r, w);
    enum err e = look(&l);
    if (e == ERR_OK && l.rows) e = show_found(&l);
    if (e == ERR_OK) e = tell(r, &f);
    found_fini(&f);
    return e;
}

// Split traces that may match by what was seen of their parts. Where sources were left out, what was
// not seen may match too.
static enum err choose_split(struct finding *r, uint32_t **out, uint32_t *out_n) {
    const struct split_places *p = &r->places;
    uint32_t n = r->sources.split.n;
    uint64_t *hits = arena_zalloc(&r->arena, (n + 1ull) * sizeof *hits);
    uint64_t *starts = arena_alloc(&r->arena, (n + 1ull) * sizeof *starts);
    uint32_t *ids = ARENA_ARRAY(&r->arena, n + 1ull, uint32_t);
    bool *in_range = arena_zalloc(&r->arena, n + 1ull);
    if (!hits || !starts || !ids || !in_range) return ERR_NOMEM;
    memset(starts, 0xff, (n + 1ull) * sizeof *starts);
    for (uint32_t i = 0; i < p->n; i++) {
        hits[p->at[i].split] |= p->at[i].hits;
        in_range[p->at[i].split] |= p->at[i].in_range;
        if (p->at[i].start_ns < starts[p->at[i].split]) starts[p->at[i].split] = p->at[i].start_ns;
    }
    *out_n = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (starts[i] == UINT64_MAX || (!in_range[i] && !r->has_skipped)) continue;
        if (r->sources.n_left_out == 0 && !plan_may_match(r->plan, hits[i])) continue;
        if (!r->find->count && !page_takes_as_old_as(&r->page, starts[i])) continue;
        ids[(*out_n)++] = i;
    }
    *out = ids;
    return ERR_OK;
}

static enum err look_at_splits(struct finding *r) {
    uint32_t *ids, n;
    TRY(choose_split(r, &ids, &n));
    if (n == 0) return ERR_OK;
    TRY(find_worker_ready(r, 0));
    struct block_wanted wanted = { r->plan->fields, r->plan->n_fields };
    struct joining j = { .view = r->view,
                         .bounds = &r->find->bounds,
                         .scan = &r->workers[0].batch.scan,
                         .each = look_at_joined,
                         .ctx = r };
    TRY(joining_run(&j, &r->sources, &r->places, ids, n, &wanted));
    r->out->stats.bytes += j.bytes;
    if (j.n_left_out == 0) return ERR_OK;
    r->out->partial = true;
    joining_why(&j, r->out->why);
    return ERR_OK;
}

// --- the page --------------------------------------------------------------------------------------

static int by_place(const void *x, const void *y) {
    const struct page_hit *a = *(const struct page_hit *const *)x, *b = *(const struct page_hit *const *)y;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

// Reads the source once more for the hits [0, n) that lie in it.
static enum err show_from(struct finding *r, const struct page_hit *const *hits, uint32_t n) {
    struct find_worker *w = &r->workers[0];
    struct batch *b;
    struct rows *rows;
    TRY(find_worker_ready(r, 0));
    TRY(source_open(&r->sources.at[hits[0]->source], &w->batch, &b));
    TRY(rows_new(b, r->plan->fields, r->plan->n_fields, &rows));
    return show_hits(r, w, b, rows, hits, n);
}

static bool is_shown(const struct find_kept *k) {
    return k->shown && k->shown->sets; // its sets come last
}

enum err find_show(struct finding *r, const struct page_hit *hits, uint32_t n_hits) {
    const struct page_hit **todo = ARENA_ARRAY(&r->arena, n_hits + 1ull, const struct page_hit *);
    uint32_t n = 0;
    if (!todo) return ERR_NOMEM;
    for (uint32_t i = 0; i < n_hits; i++)
        if (!is_shown(hits[i].more)) todo[n++] = &hits[i];
    if (n > 1) qsort(todo, n, sizeof *todo, by_place);
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && todo[end]->source == todo[i]->source; end++) {}
        if (!r->out->partial) TRY(bounds_check(&r->find->bounds));
        TRY(show_from(r, todo + i, end - i));
    }
    return ERR_OK;
}

// --- the end ---------------------------------------------------------------------------------------

// What was found by then is the answer when time or memory is up.
static enum err call_it_partial(struct finding *r, enum err e) {
    if (e != ERR_TIMEOUT && e != ERR_NOMEM) return e;
    r->out->partial = true;
    r->budget.limit *= 2; // what is on the page must still be shown
    for (uint32_t i = 0; i < r->out->n_arenas; i++) r->out->arenas[i].failed = false;
    (void)snprintf(r->out->why, sizeof r->out->why,
                   e == ERR_TIMEOUT
                       ? "the time for a query (query.timeout) was up before everything was looked at"
                       : "the memory of a query (query.max_memory) was used up before everything was "
                         "looked at");
    return ERR_OK;
}

// Traces that there was no memory to show are left out, and the answer says so.
static enum err show_what_fits(struct finding *r) {
    enum err e = find_show(r, r->page.at, r->page.n);
    if (e != ERR_NOMEM && e != ERR_TIMEOUT) return e;
    if (!r->out->partial) TRY(call_it_partial(r, e));
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->page.n; i++)
        if (is_shown(r->page.at[i].more)) r->page.at[n++] = r->page.at[i];
    r->page.n = n;
    return ERR_OK;
}

static enum err fill_answer(struct finding *r) {
    struct find_result *out = r->out;
    bool full = r->page.n == r->page.limit;
    page_sort(&r->page);
    TRY(show_what_fits(r));
    out->traces = ARENA_ARRAY(&out->arena, r->page.n + 1ull, struct find_trace);
    if (!out->traces) return ERR_NOMEM;
    for (uint32_t i = 0; i < r->page.n; i++)
        out->traces[i] = *((struct find_kept *)r->page.at[i].more)->shown;
    out->n = r->page.n;
    out->is_exact = !out->partial && r->next_source == r->sources.n && r->find->count;
    out->has_more = full;
    return ERR_OK;
}

static void note_stats(struct finding *r) {
    struct query_stats *s = &r->out->stats;
    s->blocks = r->sources.n_blocks;
    s->blocks_total = r->view->n_blocks;
    s->groups = r->next_source;
    s->groups_total = r->sources.n + r->sources.n_left_out;
    for (uint32_t i = 0; i <= crew_size(r->find->bounds.crew); i++)
        if (r->workers[i].is_ready)
            s->bytes += r->workers[i].batch.scan.bytes_read - r->workers[i].bytes_told;
}

static enum err run_all(struct finding *r) {
    const struct find *f = r->find;
    struct plan *plan;
    uint32_t n_workers = crew_size(f->bounds.crew) + 1;
    TRY(plan_new(&r->arena, f->query->pipeline, &plan));
    r->plan = plan;
    TRY(show_new(&r->out->arena, plan->fields, plan->n_fields, &r->show));
    r->show.errors = f->errors;
    r->out->columns = r->show.keys;
    r->out->n_columns = r->show.n_fields;
    r->workers = arena_zalloc(&r->arena, n_workers * sizeof *r->workers);
    r->out->arenas = mem_zalloc(n_workers * sizeof *r->out->arenas);
    if (!r->workers || !r->out->arenas) return ERR_NOMEM;
    r->out->n_arenas = n_workers;
    for (uint32_t i = 0; i < n_workers; i++) {
        arena_init(&r->out->arenas[i], SIZE_MAX, &r->budget);
        r->out->arenas[i].pooled = true;
    }
    TRY(sources_open(r->view, &f->bounds, &r->sources));
    TRY(split_places_begin(&r->places, r->sources.n));
    if (f->teller.tell) r->tell_at_ns = clock_mono_ns(f->bounds.clock) + f->teller.every_ns;
    crew_run(f->bounds.crew, work, r);
    enum err e = r->error;
    if (e == ERR_OK) e = look_at_splits(r);
    if (e != ERR_OK) TRY(call_it_partial(r, e));
    TRY(fill_answer(r));
    note_stats(r);
    return ERR_OK;
}

enum err find_run(struct view *v, const struct find *f, struct find_result *out, struct err_ctx *ctx) {
    struct finding r = {
        .view = v, .find = f, .out = out, .ctx = ctx, .budget = { .limit = f->bounds.memory_max }
    };
    memset(out, 0, sizeof *out);
    if (f->limit == 0 || f->limit > SEARCH_LIMIT_MAX || !f->query->pipeline)
        return err_set(ctx, ERR_INVALID, "the limit of traces is out of range");
    arena_init(&out->arena, SIZE_MAX, NULL);
    arena_init(&r.arena, SIZE_MAX, NULL);
    mutex_init(&r.lock);
    split_places_init(&r.places);
    page_init(&r.page, f->limit);
    r.page.has_after = f->has_after;
    r.page.after_start_ns = f->after_start_ns;
    memcpy(r.page.after_id, f->after_id, 16);
    enum err e = run_all(&r);
    for (uint32_t i = 0; i < out->n_arenas; i++)
        if (r.workers && r.workers[i].is_ready) {
            source_batch_fini(&r.workers[i].batch);
            arena_fini(&r.workers[i].scratch);
        }
    sources_close(&r.sources);
    split_places_fini(&r.places);
    page_fini(&r.page);
    mutex_fini(&r.lock);
    arena_fini(&r.arena);
    for (uint32_t i = 0; i < out->n_arenas; i++) out->arenas[i].budget = NULL; // it ends here
    if (e == ERR_TIMEOUT)
        err_set(ctx, e, "the time for a query (query.timeout) was up before anything was looked at");
    if (e == ERR_LIMIT) err_set(ctx, e, "a regular expression took too many steps");
    if (e != ERR_OK) find_fini(out);
    return e;
}

void find_fini(struct find_result *r) {
    for (uint32_t i = 0; i < r->n_arenas; i++) arena_fini(&r->arenas[i]);
    mem_free(r->arenas);
    arena_fini(&r->arena);
    *r = (struct find_result){ .n = 0 };
}
