// SPDX-License-Identifier: Apache-2.0
// A search and the traces whose spans lie in several sources: those that may match by what was seen of their
// parts are joined, and judged whole.
#include "query/find_internal.h"

// Where there is no memory for it the answer is complete without.
static enum err keep_wholes(const struct finding *r, struct batch *b, const bool *doubled) {
    enum err e = find_keep_wholes(r, b, doubled);
    return e == ERR_NOMEM ? ERR_OK : e;
}

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
    enum err e = find_look(&l);
    if (e == ERR_OK && l.rows) e = find_show_found(&l, true);
    if (e == ERR_OK) e = find_add(r, &f);
    if (e == ERR_OK) e = keep_wholes(r, b, doubled);
    found_fini(&f);
    return e;
}

// Split traces that may match by what was seen of their parts. Where sources were left out, what was
// not seen may match too. Those whose parts told alone are on the page already.
static enum err choose_split(struct finding *r, uint32_t **out, uint32_t *out_n) {
    const struct split_places *p = &r->places;
    uint32_t n = r->sources.split.n;
    uint64_t *hits = arena_zalloc(&r->arena, (n + 1ull) * sizeof *hits);
    uint64_t *starts = arena_alloc(&r->arena, (n + 1ull) * sizeof *starts);
    uint32_t *ids = ARENA_ARRAY(&r->arena, n + 1ull, uint32_t);
    bool *in_range = arena_zalloc(&r->arena, n + 1ull);
    uint64_t *joined = arena_zalloc(&r->arena, (bits_words(n) + 1) * 8);
    if (!hits || !starts || !ids || !in_range || !joined) return ERR_NOMEM;
    memset(starts, 0xff, (n + 1ull) * sizeof *starts);
    for (uint32_t i = 0; i < p->n; i++) {
        hits[p->at[i].split] |= p->at[i].hits;
        in_range[p->at[i].split] |= p->at[i].in_range;
        if (!p->at[i].is_told) bit_set(joined, p->at[i].split);
        if (p->at[i].start_ns < starts[p->at[i].split]) starts[p->at[i].split] = p->at[i].start_ns;
    }
    *out_n = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!bit_get(joined, i) || (!in_range[i] && !r->has_skipped)) continue;
        if (r->sources.n_left_out == 0 && !plan_may_match(r->plan, hits[i])) continue;
        if (!r->find->count && !page_takes_as_old_as(&r->page, starts[i])) continue;
        ids[(*out_n)++] = i;
    }
    *out = ids;
    return ERR_OK;
}

enum err find_splits(struct finding *r) {
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
