// SPDX-License-Identifier: Apache-2.0
// What a search tells while it runs. A trace is told of when it is settled: nothing that is still to be
// looked at can push it off the page. Showing it then is no more work than showing it at the end.
#include <stdlib.h>

#include "query/find_internal.h"

// The latest that a trace may start of which nothing was seen yet.
static uint64_t horizon(const struct finding *r) {
    uint64_t ns = r->next_source < r->sources.n ? r->sources.at[r->next_source].newest_ns : 0;
    for (uint32_t i = 0; i <= crew_size(r->find->bounds.crew); i++) {
        const struct find_worker *w = &r->workers[i];
        if (w->is_busy && r->sources.at[w->source].newest_ns > ns) ns = r->sources.at[w->source].newest_ns;
    }
    return ns;
}

static int latest_first(const void *x, const void *y) {
    const uint64_t *a = x, *b = y;
    return (*a < *b) - (*a > *b);
}

static enum err split_starts(struct finding *r, uint64_t **out, uint32_t *out_n) {
    mutex_lock(&r->places.lock);
    uint64_t *starts = mem_alloc((r->places.n + 1ull) * sizeof *starts);
    *out_n = r->places.n;
    for (uint32_t i = 0; starts && i < r->places.n; i++) starts[i] = r->places.at[i].start_ns;
    mutex_unlock(&r->places.lock);
    *out = starts;
    if (starts && *out_n > 1) qsort(starts, *out_n, sizeof *starts, latest_first);
    return starts ? ERR_OK : ERR_NOMEM;
}

// The hits that nothing can push off the page any more, best first: they start later than all that was
// not seen, and not even all split traces before them, of which some part was seen, fill the page.
static enum err settled(struct finding *r, struct page_hit **out, uint32_t *out_n) {
    uint64_t *starts;
    uint32_t n_starts, k = 0;
    struct page now;
    mutex_lock(&r->lock);
    uint64_t limit_ns = horizon(r);
    now = r->page;
    now.at = mem_alloc((now.n + 1ull) * sizeof *now.at);
    if (now.at && now.n) memcpy(now.at, r->page.at, now.n * sizeof *now.at);
    mutex_unlock(&r->lock);
    *out_n = 0;
    if (now.at) page_sort(&now);
    *out = now.at;
    if (!now.at) return ERR_NOMEM;
    TRY(split_starts(r, &starts, &n_starts));
    for (; *out_n < now.n && now.at[*out_n].start_ns > limit_ns; ++*out_n) {
        while (k < n_starts && starts[k] >= now.at[*out_n].start_ns) k++;
        if (*out_n + k >= now.limit) break;
    }
    mem_free(starts);
    return ERR_OK;
}

static enum err tell_found(struct finding *r, const struct page_hit *hits, uint32_t n) {
    TRY(find_show(r, hits, n));
    for (uint32_t i = 0; i < n; i++) {
        struct find_kept *k = hits[i].more;
        if (!k->is_told) TRY(r->find->found(r->find->teller.ctx, k->shown));
        k->is_told = true;
    }
    return ERR_OK;
}

// Blocks as far as their row groups were taken up.
static struct query_stats stats_so_far(struct finding *r) {
    mutex_lock(&r->lock);
    struct query_stats s = r->out->stats;
    s.groups = r->next_source;
    mutex_unlock(&r->lock);
    s.groups_total = r->sources.n + r->sources.n_left_out;
    s.blocks_total = r->view->n_blocks;
    s.blocks = r->sources.n ? (uint32_t)((uint64_t)r->sources.n_blocks * s.groups / r->sources.n) : 0;
    return s;
}

enum err find_tell(struct finding *r) {
    const struct query_teller *t = &r->find->teller;
    struct page_hit *hits = NULL;
    uint32_t n = 0;
    enum err e = r->find->found ? settled(r, &hits, &n) : ERR_OK;
    if (e == ERR_OK && n) e = find_worker_ready(r, 0);
    if (e == ERR_OK && n) e = tell_found(r, hits, n);
    mem_free(hits);
    TRY(e);
    struct query_stats so_far = stats_so_far(r);
    e = t->tell(t->ctx, &so_far);
    r->tell_at_ns = clock_mono_ns(r->find->bounds.clock) + t->every_ns;
    return e;
}
