// SPDX-License-Identifier: Apache-2.0
// Each source is counted by whoever is free into accumulators of its own, which merge at the end in
// any order to the same answer.
//
// What a row group counted is kept (answers.h), by everything that it depends on: counted.h.
//
// Split traces: where a filter judges each span by itself, the fragments of a trace can be counted
// where they lie, unless a span came twice. So all are counted at first, and the ids of their spans
// noted; if one occurs twice, everything is counted again without those traces, which are then
// joined. Where a whole trace is needed to judge a span, all that may match are joined.
#include "query/series.h"

#include <stdio.h>
#include <stdlib.h>

#include "exec/expr.h"
#include "exec/plan.h"
#include "query/answers.h"
#include "query/counted.h"
#include "query/joined.h"

struct function { // one metrics function of the query
    const struct ql_metric *metric;
    const struct plan *plan;
    struct metric_plan *counting;
    const struct field *fields; // of the counting
    uint32_t n_fields;
    // compare(): its selection
    const struct filter *selection;
    struct field_list selection_fields;
    bool is_local;         // each span is judged by itself
    uint32_t first_filter; // of all functions' filters: the bits of struct split_place
};

enum {
    CHECK_EVERY = 64, // traces between looks at the clock
    ANSWER_SHARE = 4, // of a query's time: a quarter is for the answer, past the deadline if need be
};
static const char too_late[] =
    "the time for a query (query.timeout) was up before its answer was written: longer steps or fewer series "
    "take less";

struct worker {
    bool is_ready;
    uint32_t from, to; // its share of the sources, as far as nobody has taken them; under the run's lock
    struct source_batch batch;
    struct arena scratch;
    struct metric_acc **accs;
    struct metric_acc **one; // of one source, before it is kept; empty in between
    struct noted *noted;
    uint32_t n_noted, cap_noted;
    uint64_t traces, spans;
};

struct run {
    struct view *view;
    const struct series_query *query;
    struct series_answer *out;
    struct query_bounds bounds;
    struct function *functions;
    uint32_t n_functions;
    struct sources sources;
    struct arena arena;
    struct mem_budget budget;
    struct worker *workers;
    uint32_t n_workers;
    struct split_places places;
    struct buf question; // what every source is asked, of their keys; empty: nothing is kept
    uint64_t tell_at_ns; // the thread of the query; 0: nobody listens
    uint64_t allowed_ns; // of time; 0: any
    bool is_counted;
    struct metric_caller caller;

    struct mutex lock;         // of all below
    struct query_stats so_far; // as it is told
    uint32_t n_taken;          // sources
    enum err error;
    struct split_set joined; // split traces that are judged whole by every function
};

// --- the functions of the query --------------------------------------------------------------------

static uint32_t count_functions(const struct ql_metric *m) {
    if (m->kind == QL_METRIC_OP) return count_functions(m->left) + count_functions(m->right);
    return m->kind == QL_METRIC_FUNCTION;
}

static enum err make_function(struct run *r, const struct ql_metric *m, struct function *f) {
    struct metric_range range = { .start_ns = r->query->bounds.start_ns,
                                  .end_ns = r->query->bounds.end_ns,
                                  .step_ns = r->query->step_ns,
                                  .is_instant = r->query->step_ns == 0,
                                  .exemplars = r->query->exemplars };
    struct plan *plan;
    *f = (struct function){ .metric = m, .selection_fields = { .arena = &r->arena } };
    TRY(plan_new(&r->arena, m->pipeline, &plan));
    TRY(metric_plan_new(&r->arena, m, &range, &f->counting));
    f->plan = plan;
    f->fields = metric_plan_fields(f->counting, &f->n_fields);
    f->is_local = plan->is_simple && !plan->needs_whole;
    for (uint32_t i = 0; i < f->n_fields; i++) f->is_local &= !plan_reads_whole(&f->fields[i]);
    if (m->function != QL_COMPARE) return ERR_OK;
    const struct expr *e = NULL;
    struct filter *selection;
    f->is_local = false; // it looks at every attribute, the trace's among them
    if (m->selection) TRY(expr_compile(&r->arena, m->selection, &f->selection_fields, &e));
    TRY(filter_new(&r->arena, e, &selection));
    f->selection = selection;
    return ERR_OK;
}

static enum err make_functions(struct run *r, const struct ql_metric *m) {
    if (m->kind == QL_METRIC_OP) {
        TRY(make_functions(r, m->left));
        return make_functions(r, m->right);
    }
    if (m->kind != QL_METRIC_FUNCTION) return ERR_OK;
    struct function *f = &r->functions[r->n_functions];
    TRY(make_function(r, m, f));
    if (r->n_functions > 0) f->first_filter = f[-1].first_filter + f[-1].plan->n_filters;
    r->n_functions++;
    return ERR_OK;
}

// --- counting a batch ------------------------------------------------------------------------------

struct counting {
    struct run *run;
    struct worker *worker;
    struct metric_acc **accs;
    struct batch *batch;
    uint32_t number; // of the batch, for exemplars
    const bool *in;
    const uint64_t *mask;
    bool all_in_range;          // every span of the batch starts in the range
    struct counted_part *parts; // of split traces in the batch
    uint32_t n_parts;
    bool is_joined;      // split traces, whole
    const bool *doubled; // of them those that are not counted here; NULL: none
};

static enum err bitmap(struct batch *b, uint64_t **out) {
    *out = arena_zalloc(b->arena, (bits_words(b->n_rows) + 1) * 8);
    return *out ? ERR_OK : ERR_NOMEM;
}

static void clear_trace(const struct batch *b, const struct batch_trace *t, uint64_t *bits) {
    for (uint32_t i = 0; i < t->n; i++) bit_clear(bits, batch_row(b, t, i));
}

static bool any_of_trace(const struct batch *b, const struct batch_trace *t, const uint64_t *bits) {
    if (!b->order) return bits_any_range(bits, t->first, t->first + t->n);
    for (uint32_t i = 0; i < t->n; i++)
        if (bit_get(bits, batch_row(b, t, i))) return true;
    return false;
}

static enum err note(struct worker *w, struct mem_budget *budget, const struct noted *what) {
    if (w->n_noted == w->cap_noted) {
        uint32_t cap = w->cap_noted ? w->cap_noted * 2 : 256;
        if (!mem_budget_take(budget, (cap - w->cap_noted) * sizeof *w->noted)) return ERR_NOMEM;
        struct noted *more = mem_realloc(w->noted, cap * sizeof *more);
        if (!more) {
            mem_budget_give(budget, (cap - w->cap_noted) * sizeof *w->noted);
            return ERR_NOMEM;
        }
        w->noted = more;
        w->cap_noted = cap;
    }
    w->noted[w->n_noted++] = *what;
    return ERR_OK;
}

static enum err note_span(struct worker *w, struct mem_budget *budget, const uint8_t trace[16], uint64_t id,
                          uint64_t function) {
    struct noted n = { .hash = hash_bytes(trace, 16) ^ hash_u64(id + function * 0x9e3779b97f4a7c15u) };
    memcpy(n.trace, trace, 16);
    return note(w, budget, &n);
}

static enum err note_trace(struct counting *c, const struct function *f, struct rows *rows,
                           const struct batch_trace *t, const uint64_t *bits) {
    for (uint32_t i = 0; i < t->n; i++) {
        uint64_t id;
        uint32_t row = batch_row(c->batch, t, i);
        if (!bit_get(bits, row)) continue;
        TRY(rows_span_id(rows, row, &id));
        TRY(note_span(c->worker, &c->run->budget, t->id, id, (uint64_t)(f - c->run->functions)));
    }
    return ERR_OK;
}

static bool counts_in_place(const struct counting *c, const struct function *f, const uint8_t id[16]) {
    return f->is_local && !split_has(&c->run->joined, id);
}

static uint64_t hits_of(const struct counting *c, const struct function *f, const struct plan_bits *bits,
                        const struct batch_trace *t) {
    uint64_t hits = 0;
    for (uint32_t i = 0; i < f->plan->n_filters; i++)
        if (any_of_trace(c->batch, t, bits->of[i])) hits |= plan_filter_bit(f->first_filter + i);
    return hits;
}

// Takes split traces out of the bits that cannot be counted here.
static enum err sort_out_split(struct counting *c, const struct function *f, struct rows *rows,
                               struct plan_bits *bits) {
    for (uint32_t i = 0; i < c->n_parts; i++) {
        const struct batch_trace *t = &c->batch->traces[c->parts[i].trace];
        if (!c->parts[i].in_range) continue;
        c->parts[i].hits |= hits_of(c, f, bits, t);
        if (!counts_in_place(c, f, t->id))
            clear_trace(c->batch, t, bits->any);
        else if (any_of_trace(c->batch, t, bits->any))
            TRY(note_trace(c, f, rows, t, bits->any));
    }
    return ERR_OK;
}

// Of joined traces only those count that were not counted in their places.
static void sort_out_joined(struct counting *c, const struct function *f, struct plan_bits *bits) {
    for (uint32_t i = 0; i < c->batch->n_traces; i++) {
        const struct batch_trace *t = &c->batch->traces[i];
        if ((c->doubled && c->doubled[i]) || counts_in_place(c, f, t->id))
            clear_trace(c->batch, t, bits->any);
    }
}

static enum err find_split_parts(struct counting *c) {
    const struct split_set *split = &c->run->sources.split;
    if (c->is_joined || split->n == 0) return ERR_OK;
    c->parts = ARENA_ARRAY(c->batch->arena, c->batch->n_traces + 1ull, struct counted_part);
    if (!c->parts) return ERR_NOMEM;
    for (uint32_t i = 0; i < c->batch->n_traces; i++) {
        const struct batch_trace *t = &c->batch->traces[i];
        uint32_t at = t->n ? split_find(split, t->id) : MAP_NONE;
        bool in = !c->in || c->in[i];
        if (at == MAP_NONE) continue;
        c->parts[c->n_parts++] =
            (struct counted_part){ i, at, in, split_has(&c->run->joined, t->id), in ? 0 : UINT64_MAX };
    }
    return ERR_OK;
}

static enum err tell_places(struct counting *c, uint32_t source) {
    struct split_place *p = ARENA_ARRAY(c->batch->arena, c->n_parts + 1ull, struct split_place);
    if (!p) return ERR_NOMEM;
    for (uint32_t i = 0; i < c->n_parts; i++) {
        const struct batch_trace *t = &c->batch->traces[c->parts[i].trace];
        p[i] = (struct split_place){ .split = c->parts[i].split,
                                     .source = source,
                                     .first = t->first,
                                     .n = t->n,
                                     .start_ns = t->start_ns,
                                     .in_range = c->parts[i].in_range,
                                     .hits = c->parts[i].hits };
    }
    return split_places_add(&c->run->places, source, p, c->n_parts, true);
}

// The spans that a pipeline leaves of each trace.
static enum err run_pipeline(struct counting *c, const struct function *f, struct rows *rows,
                             struct plan_bits *bits, uint64_t *out) {
    const struct match_set *sets;
    uint32_t n;
    for (uint32_t i = 0; i < c->batch->n_traces; i++) {
        const struct batch_trace *t = &c->batch->traces[i];
        if (i % CHECK_EVERY == 0) TRY(bounds_check(&c->run->bounds));
        if (t->n == 0 || (c->in && !c->in[i]) || !any_of_trace(c->batch, t, bits->any)) continue;
        arena_reset(&c->worker->scratch);
        TRY(plan_match(f->plan, rows, bits, i, &c->worker->scratch, &sets, &n));
        for (uint32_t s = 0; s < n; s++)
            for (uint32_t k = 0; k < sets[s].n; k++) bit_set(out, sets[s].rows[k]);
    }
    return ERR_OK;
}

static enum err drop_out_of_range(struct counting *c, struct rows *rows, uint64_t *bits) {
    struct batch *b = c->batch;
    if (c->all_in_range) return ERR_OK;
    for (uint32_t i = 0; i < b->n_traces; i++) {
        const struct batch_trace *t = &b->traces[i];
        if (t->n == 0 ||
            (range_has(&c->run->bounds, t->start_ns) && range_has(&c->run->bounds, t->last_start_ns)))
            continue;
        for (uint32_t k = 0; k < t->n; k++) {
            uint64_t start;
            uint32_t row = batch_row(b, t, k);
            if (!bit_get(bits, row)) continue;
            TRY(rows_start(rows, row, &start));
            if (!range_has(&c->run->bounds, start)) bit_clear(bits, row);
        }
    }
    return ERR_OK;
}

static enum err count_function(struct counting *c, uint32_t i) {
    const struct function *f = &c->run->functions[i];
    struct rows *rows, *counted;
    struct plan_bits bits;
    uint64_t *chosen = NULL, *left;
    TRY(bounds_check(&c->run->bounds)); // there may be thousands of functions
    TRY(rows_new(c->batch, f->plan->fields, f->plan->n_fields, &rows));
    TRY(plan_filter(f->plan, rows, c->mask, &bits));
    if (c->is_joined)
        sort_out_joined(c, f, &bits);
    else
        TRY(sort_out_split(c, f, rows, &bits));
    left = bits.any;
    if (!f->plan->is_simple) {
        TRY(bitmap(c->batch, &left));
        TRY(run_pipeline(c, f, rows, &bits, left));
    }
    TRY(drop_out_of_range(c, rows, left));
    if (!bits_any(left, c->batch->n_rows)) return ERR_OK;
    if (f->selection) {
        struct rows *selected;
        TRY(bitmap(c->batch, &chosen));
        TRY(rows_new(c->batch, f->selection_fields.at, f->selection_fields.n, &selected));
        TRY(filter_run(f->selection, selected, left, chosen));
    }
    TRY(rows_new(c->batch, f->fields, f->n_fields, &counted));
    return metric_add(c->accs[i], c->batch, c->number, counted, left, chosen);
}

// The functions one after the other, into their accumulators.
static enum err count_functions_of(struct counting *c, struct metric_acc **accs) {
    c->accs = accs;
    for (uint32_t i = 0; i < c->run->n_functions; i++) TRY(count_function(c, i));
    return ERR_OK;
}

static enum err recall(struct counting *c, struct str bytes) {
    struct counted_reader r;
    struct noted n;
    TRY(counted_open(bytes, c->parts, c->n_parts, &r));
    while (counted_noted(&r, &n)) TRY(note(c->worker, &c->run->budget, &n));
    for (uint32_t i = 0; i < c->run->n_functions; i++)
        TRY(metric_unpack(c->worker->one[i], counted_function(&r), c->number));
    return ERR_OK;
}

static enum err count_and_keep(struct counting *c, const char *block, struct str key) {
    struct worker *w = c->worker;
    uint32_t n_before = w->n_noted;
    struct buf bytes;
    TRY(count_functions_of(c, w->one));
    buf_init(&bytes, answers_size_max());
    counted_pack(&bytes, c->parts, c->n_parts, w->noted + n_before, w->n_noted - n_before);
    for (uint32_t i = 0; i < c->run->n_functions && !bytes.failed; i++)
        counted_pack_function(&bytes, w->one[i]);
    if (!bytes.failed) answers_keep(block, key, buf_view(&bytes));
    buf_fini(&bytes);
    return ERR_OK;
}

static enum err count_kept(struct counting *c, const struct source *s) {
    struct buf key;
    enum err e = ERR_OK;
    buf_init(&key, ANSWERS_KEY_MAX);
    counted_key(&key, buf_view(&c->run->question), &c->run->bounds, s, c->parts, c->n_parts);
    const struct kept_answer *a = key.failed ? NULL : answers_find(buf_view(&key));
    if (a)
        e = recall(c, answers_bytes(a));
    else if (!key.failed)
        e = count_and_keep(c, block_meta(s->block)->id, buf_view(&key));
    else
        e = count_functions_of(c, c->worker->accs);
    answers_release(a);
    buf_fini(&key);
    for (uint32_t i = 0; i < c->run->n_functions && e == ERR_OK; i++)
        e = metric_merge(c->worker->accs[i], c->worker->one[i]);
    return e;
}

// source: of the batch; NULL: joined traces.
static enum err count_batch(struct counting *c, const struct source *source) {
    bool any;
    TRY(batch_in_range(c->batch, &c->run->bounds, c->all_in_range, &c->in, &c->mask, &any));
    TRY(find_split_parts(c));
    if (!any) return ERR_OK;
    c->worker->traces += c->batch->n_traces;
    c->worker->spans += c->batch->n_rows;
    if (source && source->block && c->run->question.len) return count_kept(c, source);
    return count_functions_of(c, c->worker->accs);
}

// --- all sources -----------------------------------------------------------------------------------

static enum err worker_ready(struct run *r, struct worker *w) {
    if (w->is_ready) return ERR_OK;
    TRY(source_batch_init(&w->batch, &r->budget));
    arena_init(&w->scratch, SIZE_MAX, &r->budget);
    w->is_ready = true;
    w->accs = mem_zalloc((2ull * r->n_functions + 1) * sizeof *w->accs);
    if (!w->accs) return ERR_NOMEM;
    w->one = w->accs + r->n_functions;
    for (uint32_t i = 0; i < 2 * r->n_functions; i++)
        TRY(metric_acc_new(r->functions[i % r->n_functions].counting, &r->budget, &r->caller, &w->accs[i]));
    return ERR_OK;
}

static void worker_fini(struct run *r, struct worker *w) {
    if (!w->is_ready) return;
    source_batch_fini(&w->batch);
    arena_fini(&w->scratch);
    for (uint32_t i = 0; w->accs && i < 2 * r->n_functions; i++) metric_acc_free(w->accs[i]);
    mem_free(w->accs);
    mem_free(w->noted);
    mem_budget_give(&r->budget, w->cap_noted * sizeof *w->noted);
    *w = (struct worker){ .traces = w->traces, .spans = w->spans };
}

static enum err count_source(struct run *r, struct worker *w, uint32_t source) {
    const struct source *s = &r->sources.at[source];
    struct counting c = { .run = r, .worker = w, .number = source };
    TRY(bounds_check(&r->bounds));
    TRY(worker_ready(r, w));
    struct query_stats before = { w->traces, w->spans, w->batch.scan.bytes_read, 0, 0, 0, 0 };
    TRY(source_open(s, &w->batch, &c.batch));
    c.all_in_range = range_has(&r->bounds, s->first_ns) && range_has(&r->bounds, s->last_ns);
    TRY(count_batch(&c, s));
    mutex_lock(&r->lock);
    r->so_far.traces += w->traces - before.traces;
    r->so_far.spans += w->spans - before.spans;
    r->so_far.bytes += w->batch.scan.bytes_read - before.bytes;
    mutex_unlock(&r->lock);
    return tell_places(&c, source);
}

static enum err tell_progress(struct run *r) {
    const struct query_teller *t = &r->query->teller;
    if (clock_mono_ns(r->bounds.clock) < r->tell_at_ns) return ERR_OK;
    mutex_lock(&r->lock);
    struct query_stats s = r->so_far;
    if (r->n_taken > r->so_far.groups) r->so_far.groups = r->n_taken; // it may be the second round
    s.groups = r->so_far.groups;
    mutex_unlock(&r->lock);
    s.groups_total = r->sources.n + r->sources.n_left_out;
    s.blocks_total = r->view->n_blocks;
    s.blocks = r->sources.n ? (uint32_t)((uint64_t)r->sources.n_blocks * s.groups / r->sources.n) : 0;
    enum err e = t->tell(t->ctx, &s);
    r->tell_at_ns = clock_mono_ns(r->bounds.clock) + t->every_ns;
    return e;
}

// Sources that follow each other are of neighbouring intervals: each worker has a share of them, so that
// few cells are in the accumulators of two. Whoever is done helps where most is left, from the end.
static bool take_source(struct run *r, struct worker *w, uint32_t *out) {
    struct worker *of = w;
    for (uint32_t i = 0; i < r->n_workers && w->from == w->to; i++)
        if (r->workers[i].to - r->workers[i].from > of->to - of->from) of = &r->workers[i];
    if (of->from == of->to) return false;
    *out = of == w ? of->from++ : --of->to;
    r->n_taken++;
    return true;
}

static void share_sources(struct run *r) {
    for (uint32_t i = 0; i < r->n_workers; i++) {
        r->workers[i].from = (uint32_t)((uint64_t)r->sources.n * i / r->n_workers);
        r->workers[i].to = (uint32_t)((uint64_t)r->sources.n * (i + 1) / r->n_workers);
    }
    r->n_taken = 0;
}

static bool work(void *ctx, uint32_t number) {
    struct run *r = ctx;
    enum err e = number == 0 && r->tell_at_ns ? tell_progress(r) : ERR_OK;
    uint32_t i;
    mutex_lock(&r->lock);
    bool go = e == ERR_OK && r->error == ERR_OK && take_source(r, &r->workers[number], &i);
    mutex_unlock(&r->lock);
    if (go) e = count_source(r, &r->workers[number], i);
    if (e == ERR_OK) return go;
    mutex_lock(&r->lock);
    if (r->error == ERR_OK) r->error = e;
    mutex_unlock(&r->lock);
    return false;
}

static enum err count_all(struct run *r) {
    share_sources(r);
    crew_run(r->query->bounds.crew, work, r);
    return r->error;
}

// --- split traces ----------------------------------------------------------------------------------

// Those noted twice: by a table of numbers, + 1, at the places of their hashes.
static enum err find_twice(struct run *r, const struct noted *all, uint64_t n, bool *any) {
    uint64_t n_slots = 1024;
    while (n_slots < n * 2) n_slots *= 2;
    uint32_t *slots = mem_zalloc(n_slots * sizeof *slots);
    enum err e = slots ? ERR_OK : ERR_NOMEM;
    for (uint64_t i = 0; i < n && e == ERR_OK; i++) {
        uint64_t at = all[i].hash & (n_slots - 1);
        while (slots[at] && all[slots[at] - 1].hash != all[i].hash) at = (at + 1) & (n_slots - 1);
        if (slots[at]) {
            *any = true;
            e = split_set_add(&r->joined, all[i].trace);
        }
        slots[at] = (uint32_t)i + 1;
    }
    mem_free(slots);
    return e;
}

// Traces of which a span was counted twice, for all functions together.
static enum err find_doubled(struct run *r, bool *any) {
    struct noted *all;
    uint64_t n = 0;
    *any = false;
    for (uint32_t i = 0; i < r->n_workers; i++) n += r->workers[i].n_noted;
    if (n < 2) return ERR_OK;
    if (n >= UINT32_MAX) return ERR_LIMIT;
    all = mem_alloc(n * sizeof *all);
    if (!all) return ERR_NOMEM;
    n = 0;
    for (uint32_t i = 0; i < r->n_workers; i++) {
        struct worker *w = &r->workers[i];
        if (w->n_noted) memcpy(all + n, w->noted, w->n_noted * sizeof *all);
        n += w->n_noted;
        w->n_noted = 0;
    }
    enum err e = find_twice(r, all, n, any);
    mem_free(all);
    return e;
}

static enum err count_joined(void *ctx, struct batch *b, const bool *doubled) {
    struct run *r = ctx;
    struct counting c = { .run = r,
                          .worker = &r->workers[0],
                          .batch = b,
                          .number = METRIC_BATCH_ONCE,
                          .is_joined = true,
                          .doubled = doubled };
    return count_batch(&c, NULL);
}

// All fields that some function reads; *out_all: every attribute.
static enum err wanted_fields(struct run *r, struct field_list *out, bool *out_all) {
    uint32_t ignored;
    *out = (struct field_list){ .arena = &r->arena };
    *out_all = false;
    for (uint32_t i = 0; i < r->n_functions; i++) {
        const struct function *f = &r->functions[i];
        *out_all |= f->selection != NULL;
        for (uint32_t k = 0; k < f->plan->n_fields; k++)
            TRY(field_list_add(out, &f->plan->fields[k], &ignored));
        for (uint32_t k = 0; k < f->n_fields; k++) TRY(field_list_add(out, &f->fields[k], &ignored));
    }
    return ERR_OK;
}

static enum err join(struct run *r, const uint32_t *ids, uint32_t n) {
    struct field_list fields;
    bool all;
    TRY(worker_ready(r, &r->workers[0]));
    TRY(wanted_fields(r, &fields, &all));
    struct block_wanted wanted = { fields.at, fields.n };
    struct joining j = { .view = r->view,
                         .bounds = &r->bounds,
                         .scan = &r->workers[0].batch.scan,
                         .each = count_joined,
                         .ctx = r };
    TRY(joining_run(&j, &r->sources, &r->places, ids, n, all ? NULL : &wanted));
    r->out->stats.bytes += j.bytes;
    if (j.n_left_out == 0) return ERR_OK;
    r->out->partial = true;
    joining_why(&j, r->out->why);
    return ERR_OK;
}

// Some function has not counted it in its places, and it may match there.
static bool is_due(const struct run *r, const uint8_t id[16], uint64_t hits) {
    for (uint32_t i = 0; i < r->n_functions; i++) {
        const struct function *f = &r->functions[i];
        if (f->is_local && !split_has(&r->joined, id)) continue;
        uint64_t own = f->first_filter + f->plan->n_filters > 63 ? ~0ull : hits >> f->first_filter;
        if (r->sources.n_left_out > 0 || plan_may_match(f->plan, own)) return true;
    }
    return false;
}

static enum err count_split(struct run *r) {
    uint32_t n_split = r->sources.split.n, n = 0;
    uint64_t *hits = arena_zalloc(&r->arena, (n_split + 1ull) * sizeof *hits);
    bool *seen = arena_zalloc(&r->arena, n_split + 1ull);
    uint32_t *ids = ARENA_ARRAY(&r->arena, n_split + 1ull, uint32_t);
    if (!hits || !seen || !ids) return ERR_NOMEM;
    for (uint32_t i = 0; i < r->places.n; i++) {
        hits[r->places.at[i].split] |= r->places.at[i].hits;
        seen[r->places.at[i].split] |= r->places.at[i].in_range;
    }
    for (uint32_t i = 0; i < n_split; i++)
        if (seen[i] && is_due(r, split_id(&r->sources.split, i), hits[i])) ids[n++] = i;
    return n ? join(r, ids, n) : ERR_OK;
}

// --- the answer ------------------------------------------------------------------------------------

// A source once more, for what exemplars show: columns that need no traces.
static enum err open_again(void *ctx, uint32_t number, struct batch **out) {
    struct run *r = ctx;
    return source_open_columns(&r->sources.at[number], &r->workers[0].batch, out);
}

static enum err check(void *ctx) {
    const struct run *r = ctx;
    return bounds_check(&r->bounds);
}

// Where counting took all the time, the answer has some of its own.
static void begin_answer(struct run *r) {
    uint64_t now = r->allowed_ns ? clock_mono_ns(r->bounds.clock) : 0;
    uint64_t by = now + r->allowed_ns / ANSWER_SHARE;
    r->is_counted = true;
    if (r->bounds.deadline_ns && by > r->bounds.deadline_ns) r->bounds.deadline_ns = by;
    r->out->bounds = r->bounds;
}

static enum err answer(struct run *r) {
    struct worker *w = &r->workers[0];
    bool cut = false;
    TRY(worker_ready(r, w));
    for (uint32_t i = 1; i < r->n_workers; i++)
        for (uint32_t f = 0; f < r->n_functions && r->workers[i].is_ready; f++) {
            TRY(check(r));
            TRY(metric_merge(w->accs[f], r->workers[i].accs[f]));
        }
    TRY(metric_finish(&r->out->arena, r->query->query->metric, w->accs, r->n_functions, &r->caller,
                      r->query->max_series, &r->out->series, &r->out->n, &cut));
    if (cut) {
        r->out->partial = true;
        (void)snprintf(r->out->why, sizeof r->out->why,
                       "there are more series than maxSeries (%u); the rest is left out",
                       r->query->max_series);
    }
    return ERR_OK;
}

static void note_stats(struct run *r) {
    struct query_stats *s = &r->out->stats;
    s->blocks = r->sources.n_blocks;
    s->blocks_total = r->view->n_blocks;
    s->groups = r->n_taken;
    s->groups_total = r->sources.n + r->sources.n_left_out;
    for (uint32_t i = 0; i < r->n_workers; i++) {
        s->traces += r->workers[i].traces;
        s->spans += r->workers[i].spans;
        if (r->workers[i].is_ready) s->bytes += r->workers[i].batch.scan.bytes_read;
    }
}

static enum err count_everything(struct run *r) {
    bool doubled;
    TRY(count_all(r));
    TRY(find_doubled(r, &doubled));
    if (doubled) {
        for (uint32_t i = 0; i < r->n_workers; i++) {
            if (r->workers[i].is_ready) r->out->stats.bytes += r->workers[i].batch.scan.bytes_read;
            worker_fini(r, &r->workers[i]);
        }
        r->places.n = 0;
        TRY(count_all(r));
    }
    return count_split(r);
}

static enum err run_all(struct run *r) {
    r->n_workers = crew_size(r->query->bounds.crew) + 1;
    r->functions = ARENA_ARRAY(&r->arena, count_functions(r->query->query->metric) + 1ull, struct function);
    r->workers = arena_zalloc(&r->arena, r->n_workers * sizeof *r->workers);
    if (!r->functions || !r->workers) return ERR_NOMEM;
    TRY(make_functions(r, r->query->query->metric));
    if (!r->query->anew && answers_are_kept()) counted_question(&r->question, r->query);
    if (r->question.failed) buf_reset(&r->question); // too long to be kept
    TRY(sources_open(r->view, &r->bounds, &r->sources));
    TRY(split_places_begin(&r->places, r->sources.n));
    const struct query_teller *t = &r->query->teller;
    if (t->tell) r->tell_at_ns = clock_mono_ns(r->bounds.clock) + t->every_ns;
    enum err e = count_everything(r);
    if (e == ERR_TIMEOUT) {
        r->out->partial = true;
        (void)snprintf(r->out->why, sizeof r->out->why,
                       "the time for a query (query.timeout) was up before everything was counted");
    } else if (e != ERR_OK) {
        return e;
    }
    begin_answer(r);
    TRY(answer(r));
    note_stats(r);
    return ERR_OK;
}

static uint64_t time_left(const struct query_bounds *b) {
    uint64_t now = b->deadline_ns ? clock_mono_ns(b->clock) : 0;
    return b->deadline_ns > now ? b->deadline_ns - now : 0;
}

enum err series_run(struct view *v, const struct series_query *q, struct series_answer *out,
                    struct err_ctx *ctx) {
    struct run r = {
        .view = v, .query = q, .out = out, .bounds = q->bounds, .budget = { .limit = q->bounds.memory_max }
    };
    *out = (struct series_answer){ .n = 0 };
    if (!q->query->metric || q->bounds.end_ns <= q->bounds.start_ns)
        return err_set(ctx, ERR_INVALID, "a metrics query needs a start before its end");
    r.allowed_ns = time_left(&r.bounds);
    r.caller = (struct metric_caller){ open_again, check, &r };
    if (q->step_ns == 0 && r.bounds.start_ns > 0) r.bounds.start_ns--; // closed on both sides
    arena_init(&out->arena, SIZE_MAX, &r.budget);
    out->arena.pooled = true;
    arena_init(&r.arena, SIZE_MAX, NULL);
    buf_init(&r.question, ANSWERS_KEY_MAX);
    mutex_init(&r.lock);
    split_set_init(&r.joined, NULL, NULL);
    split_places_init(&r.places);
    enum err e = run_all(&r);
    for (uint32_t i = 0; r.workers && i < r.n_workers; i++) worker_fini(&r, &r.workers[i]);
    sources_close(&r.sources);
    split_set_fini(&r.joined);
    split_places_fini(&r.places);
    mutex_fini(&r.lock);
    buf_fini(&r.question);
    arena_fini(&r.arena);
    out->arena.budget = NULL; // it ends here
    if (e == ERR_TIMEOUT && r.is_counted) err_set(ctx, e, "%s", too_late);
    if (e == ERR_TIMEOUT)
        err_set(ctx, e, "the time for a query (query.timeout) was up before anything was looked at");
    if (e == ERR_LIMIT) ql_explain_steps(q->query, ctx);
    if (e == ERR_LIMIT) err_set(ctx, e, "more series than %d, or " EXPR_PAIRS_TEXT, METRIC_SERIES_MAX);
    if (e == ERR_NOMEM) err_set(ctx, e, "the memory of a query (query.max_memory) is used up");
    if (e != ERR_OK) series_fini(out);
    return e;
}

enum err series_go_on(struct series_answer *r, uint64_t waited_ns, struct err_ctx *ctx) {
    if (r->bounds.deadline_ns) r->bounds.deadline_ns += waited_ns;
    enum err e = bounds_check(&r->bounds);
    return e == ERR_TIMEOUT ? err_set(ctx, e, "%s", too_late) : e;
}

void series_fini(struct series_answer *r) {
    arena_fini(&r->arena);
    *r = (struct series_answer){ .n = 0 };
}
