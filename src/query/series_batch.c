// SPDX-License-Identifier: Apache-2.0
// Counting a batch: what each function's pipeline leaves of it goes into the function's accumulator.
//
// What a row group counted is kept (answers.h), by everything that it depends on: counted.h.
#include "query/answers.h"
#include "query/series_internal.h"

enum { CHECK_EVERY = 64 }; // traces between looks at the clock

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

static enum err note(struct series_worker *w, struct mem_budget *budget, const struct noted *what) {
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

static enum err note_span(struct series_worker *w, struct mem_budget *budget, const uint8_t trace[16],
                          uint64_t id, uint64_t function) {
    struct noted n = { .hash = hash_bytes(trace, 16) ^ hash_u64(id + function * 0x9e3779b97f4a7c15u) };
    memcpy(n.trace, trace, 16);
    return note(w, budget, &n);
}

static enum err note_trace(struct series_batch *c, const struct series_function *f, struct rows *rows,
                           const struct batch_trace *t, const uint64_t *bits) {
    for (uint32_t i = 0; i < t->n; i++) {
        uint64_t id;
        uint32_t row = batch_row(c->batch, t, i);
        if (!bit_get(bits, row)) continue;
        TRY(rows_span_id(rows, row, &id));
        TRY(note_span(c->worker, &c->run->share.budget, t->id, id, (uint64_t)(f - c->run->functions)));
    }
    return ERR_OK;
}

static bool counts_in_place(const struct series_batch *c, const struct series_function *f,
                            const uint8_t id[16]) {
    return f->is_local && !split_has(&c->run->joined, id);
}

static uint64_t hits_of(const struct series_batch *c, const struct series_function *f,
                        const struct plan_bits *bits, const struct batch_trace *t) {
    uint64_t hits = 0;
    for (uint32_t i = 0; i < f->plan->n_filters; i++)
        if (any_of_trace(c->batch, t, bits->of[i])) hits |= plan_filter_bit(f->first_filter + i);
    return hits;
}

// Takes split traces out of the bits that cannot be counted here.
static enum err sort_out_split(struct series_batch *c, const struct series_function *f, struct rows *rows,
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
static void sort_out_joined(struct series_batch *c, const struct series_function *f, struct plan_bits *bits) {
    for (uint32_t i = 0; i < c->batch->n_traces; i++) {
        const struct batch_trace *t = &c->batch->traces[i];
        if ((c->doubled && c->doubled[i]) || counts_in_place(c, f, t->id))
            clear_trace(c->batch, t, bits->any);
    }
}

static enum err find_split_parts(struct series_batch *c) {
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

enum err series_tell_places(struct series_batch *c, uint32_t source) {
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
static enum err run_pipeline(struct series_batch *c, const struct series_function *f, struct rows *rows,
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

static enum err drop_out_of_range(struct series_batch *c, struct rows *rows, uint64_t *bits) {
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

static enum err count_function(struct series_batch *c, uint32_t i) {
    const struct series_function *f = &c->run->functions[i];
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
static enum err count_functions_of(struct series_batch *c, struct metric_acc **accs) {
    c->accs = accs;
    for (uint32_t i = 0; i < c->run->n_functions; i++) TRY(count_function(c, i));
    return ERR_OK;
}

static enum err recall(struct series_batch *c, struct str bytes) {
    struct counted_reader r;
    struct noted n;
    TRY(counted_open(bytes, c->parts, c->n_parts, &r));
    while (counted_noted(&r, &n)) TRY(note(c->worker, &c->run->share.budget, &n));
    for (uint32_t i = 0; i < c->run->n_functions; i++)
        TRY(metric_unpack(c->worker->one[i], counted_function(&r), c->number));
    return ERR_OK;
}

static enum err count_and_keep(struct series_batch *c, const char *block, struct str key) {
    struct series_worker *w = c->worker;
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

static enum err count_kept(struct series_batch *c, const struct source *s) {
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

enum err series_count_batch(struct series_batch *c, const struct source *source) {
    bool any;
    TRY(batch_in_range(c->batch, &c->run->bounds, c->all_in_range, &c->in, &c->mask, &any));
    TRY(find_split_parts(c));
    if (!any) return ERR_OK;
    c->worker->traces += c->batch->n_traces;
    c->worker->spans += c->batch->n_rows;
    if (source && source->block && c->run->question.len) return count_kept(c, source);
    return count_functions_of(c, c->worker->accs);
}
