// SPDX-License-Identifier: Apache-2.0
// Parts of split traces, where every span tells alone whether it matches: such a part is judged and shown
// where it lies. What the trace is as a whole was found out when it was joined for another question. Joining
// costs a hundred times what this does.
#include <stdlib.h>

#include "query/find_internal.h"
#include "query/layout.h"

static bool is_in_heads(const struct finding *r, const uint8_t id[16]) {
    for (uint32_t i = 0; i < r->view->n_heads; i++) {
        const struct span_table *t = &r->view->heads[i]->table;
        if (span_table_find(t, span_table_count(t), id) != SPAN_NONE) return true;
    }
    return false;
}

// --- judging ---------------------------------------------------------------------------------------

// Each of its spans starts in the range, and lies in a source that is looked at.
static bool is_known(const struct finding *r, uint32_t split) {
    const struct query_bounds *range = &r->find->bounds;
    const struct whole *w = layout_whole(r->sources.layout, split);
    if (!w || !range_has(range, w->summary.start_ns) || !range_has(range, w->last_start_ns)) return false;
    return !is_in_heads(r, w->summary.id);
}

enum telling { TELLING_UNKNOWN, TELLS_ALONE, TELLS_JOINED };

static const struct whole *known_whole(const struct looking *l, uint32_t split) {
    const struct finding *r = l->run;
    if (!r->plan->is_simple || r->plan->needs_whole || r->plan->every_trace || !l->rows) return NULL;
    uint8_t how = r->telling[split];
    if (how == TELLING_UNKNOWN) {
        uint8_t now = is_known(r, split) ? TELLS_ALONE : TELLS_JOINED;
        if (atomic_compare_exchange_strong(&r->telling[split], &how, now)) how = now;
    }
    return how == TELLS_ALONE ? layout_whole(r->sources.layout, split) : NULL;
}

static enum err grow(struct find_part **parts, uint32_t n, uint32_t *cap) {
    struct find_part *more = mem_grow(*parts, n, cap, sizeof *more);
    if (!more) return ERR_NOMEM;
    *parts = more;
    return ERR_OK;
}

enum err find_parts_begin(struct finding *r) {
    uint32_t n = r->sources.split.n;
    r->telling = arena_zalloc(&r->arena, n + 1ull);
    r->is_whole = arena_zalloc(&r->arena, (bits_words(n) + 1) * 8);
    return r->telling && r->is_whole ? ERR_OK : ERR_NOMEM;
}

static struct page_hit whole_hit(const struct whole *w) {
    struct page_hit hit = { .start_ns = w->summary.start_ns, .source = UINT32_MAX };
    memcpy(hit.id, w->summary.id, sizeof hit.id);
    return hit;
}

enum err find_judge_part(struct looking *l, uint32_t trace, uint32_t split, bool *told) {
    const struct batch_trace *t = &l->batch->traces[trace];
    const struct whole *w = known_whole(l, split);
    struct found *f = l->found;
    *told = w;
    uint32_t matched = w ? find_simple_count(l, t) : 0;
    if (matched == 0) return ERR_OK;
    bool wanted = find_page_wants(l, w->summary.start_ns, w->summary.id);
    if (!wanted && !l->run->find->count) return ERR_OK;
    struct find_kept *kept = wanted ? ARENA_NEW(l->worker->results.arena, struct find_kept) : NULL;
    if (wanted && !kept) return ERR_NOMEM;
    if (wanted) {
        struct page_hit hit = whole_hit(w);
        TRY(find_keep_simple(l, t, matched, kept));
        TRY(page_add(&f->wholes, &hit));
    }
    TRY(grow(&f->parts, f->n_parts, &f->cap_parts));
    f->parts[f->n_parts++] = (struct find_part){
        .hit = { .row = trace, .more = kept }, .split = split, .matched = matched, .whole = w
    };
    return ERR_OK;
}

enum err find_note_parts(struct finding *r, const struct found *f) {
    TRY(grow(&r->parts, r->n_parts + f->n_parts, &r->cap_parts));
    if (f->n_parts) memcpy(r->parts + r->n_parts, f->parts, f->n_parts * sizeof *f->parts);
    r->n_parts += f->n_parts;
    for (uint32_t i = 0; i < f->n_parts; i++) {
        if (bit_get(r->is_whole, f->parts[i].split)) continue;
        struct page_hit hit = whole_hit(f->parts[i].whole);
        bit_set(r->is_whole, f->parts[i].split);
        TRY(page_add(&r->wholes, &hit));
    }
    return ERR_OK;
}

// --- from parts to traces --------------------------------------------------------------------------

static int by_split(const void *x, const void *y) {
    const struct find_part *a = x, *b = y;
    return (a->split > b->split) - (a->split < b->split);
}

// The order of the spans of a trace (span/order.h); no two of them have one id.
static int by_start(const void *x, const void *y) {
    const struct find_span *a = x, *b = y;
    if (a->start_ns != b->start_ns) return a->start_ns < b->start_ns ? -1 : 1;
    return memcmp(&a->span_id, &b->span_id, sizeof a->span_id);
}

// The set of all parts: the first of their spans.
static enum err join_sets(const struct finding *r, struct arena *a, const struct find_part *parts, uint32_t n,
                          struct find_set *out) {
    *out = (struct find_set){ .matched = 0 };
    uint32_t n_spans = 0, most = r->find->spans_per_set;
    for (uint32_t i = 0; i < n; i++) n_spans += ((struct find_kept *)parts[i].hit.more)->shown->sets->n_spans;
    struct find_span *spans = ARENA_ARRAY(a, n_spans + 1ull, struct find_span);
    if (!spans) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const struct find_set *set = ((struct find_kept *)parts[i].hit.more)->shown->sets;
        memcpy(spans + out->n_spans, set->spans, set->n_spans * sizeof *spans);
        out->n_spans += set->n_spans;
        out->matched += parts[i].matched;
    }
    qsort(spans, n_spans, sizeof *spans, by_start);
    out->spans = spans;
    if (out->n_spans > most) out->n_spans = most;
    return ERR_OK;
}

// The layout, whose texts these are, may end before the answer is written.
static enum err copy_summary(struct arena *a, const struct whole *w, struct trace_summary *out) {
    const struct trace_summary *s = &w->summary;
    *out = *s;
    out->root_service = str_dup(a, s->root_service);
    out->root_name = str_dup(a, s->root_name);
    return show_services(a, s->services, &out->services);
}

static enum err put_on_page(struct finding *r, const struct find_part *parts, uint32_t n) {
    struct arena *a = &r->out->arenas[0];
    const struct whole *w = parts[0].whole;
    struct find_kept *kept = parts[0].hit.more;
    struct page_hit hit = whole_hit(w);
    hit.more = kept;
    r->out->total++;
    for (uint32_t i = 0; i < n; i++) r->out->matched_spans += parts[i].matched;
    for (uint32_t i = 0; i < n; i++)
        if (!parts[i].hit.more) return ERR_OK;
    if (!page_takes(&r->page, hit.start_ns, hit.id)) return ERR_OK;
    struct find_trace *t = kept->shown;
    if (n > 1 && t->n_sets) {
        struct find_set *all = ARENA_NEW(a, struct find_set);
        if (!all) return ERR_NOMEM;
        TRY(join_sets(r, a, parts, n, all));
        t->sets = all;
    }
    TRY(copy_summary(a, w, &t->summary));
    return page_add(&r->page, &hit);
}

enum err find_add_parts(struct finding *r) {
    if (r->n_parts > 1) qsort(r->parts, r->n_parts, sizeof *r->parts, by_split);
    for (uint32_t i = 0, end; i < r->n_parts; i = end) {
        uint32_t split = r->parts[i].split;
        for (end = i; end < r->n_parts && r->parts[end].split == split; end++) {}
        TRY(put_on_page(r, r->parts + i, end - i));
    }
    return ERR_OK;
}

// --- wholes ----------------------------------------------------------------------------------------

static bool is_worth_keeping(const struct finding *r, const struct batch_trace *t, uint32_t *split) {
    const struct layout *l = r->sources.layout;
    *split = t->n ? split_find(&l->split, t->id) : MAP_NONE;
    return *split != MAP_NONE && !layout_whole(l, *split) && !is_in_heads(r, t->id);
}

enum err find_keep_wholes(const struct finding *r, struct batch *b, const bool *doubled) {
    const struct layout *l = r->sources.layout;
    const struct batch_summary *summaries;
    if (!doubled || !layout_keeps_wholes(l)) return ERR_OK;
    uint64_t *wanted = arena_zalloc(b->arena, (bits_words(b->n_traces) + 1) * 8);
    uint32_t *splits = ARENA_ARRAY(b->arena, b->n_traces + 1ull, uint32_t);
    if (!wanted || !splits) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_traces; i++)
        if (!doubled[i] && is_worth_keeping(r, &b->traces[i], &splits[i])) bit_set(wanted, i);
    if (!bits_any(wanted, b->n_traces)) return ERR_OK;
    TRY(b->ops->summaries(b, wanted, &summaries));
    for (uint32_t i = bits_next(wanted, 0, b->n_traces); i < b->n_traces;
         i = bits_next(wanted, i + 1, b->n_traces)) {
        struct whole w = { .last_start_ns = b->traces[i].last_start_ns };
        show_summary(&b->traces[i], summaries++, &w.summary);
        layout_keep_whole(l, splits[i], &w);
    }
    return ERR_OK;
}
