// SPDX-License-Identifier: Apache-2.0
// Split traces: where a filter judges each span by itself, the fragments of a trace can be counted
// where they lie, unless a span came twice. So all are counted at first, and the ids of their spans
// noted; if one occurs twice, everything is counted again without those traces, which are then
// joined. Where a whole trace is needed to judge a span, all that may match are joined.
#include "query/series_internal.h"

// Those noted twice: by a table of numbers, + 1, at the places of their hashes.
static enum err find_twice(struct series_count *r, const struct noted *all, uint64_t n, bool *any) {
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

enum err series_find_doubled(struct series_count *r, bool *any) {
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
        struct series_worker *w = &r->workers[i];
        if (w->n_noted) memcpy(all + n, w->noted, w->n_noted * sizeof *all);
        n += w->n_noted;
        w->n_noted = 0;
    }
    enum err e = find_twice(r, all, n, any);
    mem_free(all);
    return e;
}

static enum err count_joined(void *ctx, struct batch *b, const bool *doubled) {
    struct series_count *r = ctx;
    struct series_batch c = { .run = r,
                              .worker = &r->workers[0],
                              .batch = b,
                              .number = METRIC_BATCH_ONCE,
                              .is_joined = true,
                              .doubled = doubled };
    return series_count_batch(&c, NULL);
}

// All fields that some function reads; *out_all: every attribute.
static enum err wanted_fields(struct series_count *r, struct field_list *out, bool *out_all) {
    uint32_t ignored;
    *out = (struct field_list){ .arena = &r->arena };
    *out_all = false;
    for (uint32_t i = 0; i < r->n_functions; i++) {
        const struct series_function *f = &r->functions[i];
        *out_all |= f->selection != NULL;
        for (uint32_t k = 0; k < f->plan->n_fields; k++)
            TRY(field_list_add(out, &f->plan->fields[k], &ignored));
        for (uint32_t k = 0; k < f->n_fields; k++) TRY(field_list_add(out, &f->fields[k], &ignored));
    }
    return ERR_OK;
}

static enum err join(struct series_count *r, const uint32_t *ids, uint32_t n) {
    struct field_list fields;
    bool all;
    TRY(series_worker_ready(r, &r->workers[0]));
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
static bool is_due(const struct series_count *r, const uint8_t id[16], uint64_t hits) {
    for (uint32_t i = 0; i < r->n_functions; i++) {
        const struct series_function *f = &r->functions[i];
        if (f->is_local && !split_has(&r->joined, id)) continue;
        uint64_t own = f->first_filter + f->plan->n_filters > 63 ? ~0ull : hits >> f->first_filter;
        if (r->sources.n_left_out > 0 || plan_may_match(f->plan, own)) return true;
    }
    return false;
}

enum err series_count_split(struct series_count *r) {
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
