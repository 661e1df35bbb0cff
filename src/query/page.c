// SPDX-License-Identifier: Apache-2.0
#include "query/page.h"

#include <stdlib.h>

void page_init(struct page *p, uint32_t limit) {
    *p = (struct page){ .limit = limit };
}

void page_fini(struct page *p) {
    mem_free(p->at);
}

int page_compare(uint64_t start_a, const uint8_t a[16], uint64_t start_b, const uint8_t b[16]) {
    if (start_a != start_b) return start_a > start_b ? -1 : 1;
    return memcmp(a, b, 16);
}

static int compare_hits(const void *x, const void *y) {
    const struct page_hit *a = x, *b = y;
    return page_compare(a->start_ns, a->id, b->start_ns, b->id);
}

static void sift_down(struct page_hit *h, uint32_t n, uint32_t i) {
    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && compare_hits(&h[child + 1], &h[child]) > 0) child++;
        if (compare_hits(&h[i], &h[child]) >= 0) return;
        struct page_hit swap = h[i];
        h[i] = h[child];
        h[child] = swap;
    }
}

static bool is_after(const struct page *p, uint64_t start_ns, const uint8_t id[16]) {
    return !p->has_after || page_compare(start_ns, id, p->after_start_ns, p->after_id) > 0;
}

bool page_takes(const struct page *p, uint64_t start_ns, const uint8_t id[16]) {
    if (!is_after(p, start_ns, id)) return false;
    return p->n < p->limit || page_compare(start_ns, id, p->at[0].start_ns, p->at[0].id) < 0;
}

bool page_keeps(const struct page *p, uint64_t start_ns, const uint8_t id[16]) {
    if (!is_after(p, start_ns, id)) return false;
    return p->n < p->limit || page_compare(start_ns, id, p->at[0].start_ns, p->at[0].id) <= 0;
}

static enum err grow(struct page *p, uint32_t more_hits) {
    struct page_hit *more = mem_grow(p->at, p->n + more_hits, &p->cap, sizeof *more);
    if (!more) return ERR_NOMEM;
    p->at = more;
    return ERR_OK;
}

enum err page_add(struct page *p, const struct page_hit *hit) {
    if (!page_takes(p, hit->start_ns, hit->id)) return ERR_OK;
    if (p->n == p->limit) {
        p->at[0] = *hit;
        sift_down(p->at, p->n, 0);
        return ERR_OK;
    }
    TRY(grow(p, 1));
    p->at[p->n++] = *hit;
    if (p->n == p->limit) // now the worst must be known
        for (uint32_t i = p->n / 2; i-- > 0;) sift_down(p->at, p->n, i);
    return ERR_OK;
}

enum err page_add_all(struct page *p, const struct page_hit *hits, uint32_t n) {
    if (p->has_after || n >= p->limit - p->n) {
        for (uint32_t i = 0; i < n; i++) TRY(page_add(p, &hits[i]));
        return ERR_OK;
    }
    TRY(grow(p, n)); // there is room for all
    if (n) memcpy(p->at + p->n, hits, n * sizeof *hits);
    p->n += n;
    return ERR_OK;
}

// --- sorting ---------------------------------------------------------------------------------------

// Sources find the traces of a page one after the other, each in order: what is to be merged are long runs.
static uint32_t find_runs(const struct page_hit *h, uint32_t n, uint32_t *ends, uint32_t most) {
    uint32_t k = 0;
    for (uint32_t i = 1; i <= n; i++) {
        if (i < n && compare_hits(&h[i - 1], &h[i]) <= 0) continue;
        if (k == most) return 0;
        ends[k++] = i;
    }
    return k;
}

static void merge(const struct page_hit *a, const struct page_hit *a_end, const struct page_hit *b,
                  const struct page_hit *b_end, struct page_hit *to) {
    while (a < a_end && b < b_end) *to++ = compare_hits(a, b) <= 0 ? *a++ : *b++;
    for (; a < a_end; a++) *to++ = *a;
    for (; b < b_end; b++) *to++ = *b;
}

// Neighbours become one run each; returns how many there are then.
static uint32_t merge_pairs(const struct page_hit *from, struct page_hit *to, uint32_t *ends, uint32_t n) {
    uint32_t begin = 0, k = 0;
    for (uint32_t i = 0; i < n; i += 2) {
        uint32_t mid = ends[i], end = i + 1 < n ? ends[i + 1] : mid;
        merge(from + begin, from + mid, from + mid, from + end, to + begin);
        ends[k++] = begin = end;
    }
    return k;
}

void page_sort(struct page *p) {
    enum { RUNS_MAX = 256 };
    uint32_t ends[RUNS_MAX], n_runs = find_runs(p->at, p->n, ends, RUNS_MAX);
    struct page_hit *other = n_runs > 1 ? mem_alloc(p->cap * sizeof *other) : NULL;
    if (p->n > 1 && !other && n_runs != 1) qsort(p->at, p->n, sizeof *p->at, compare_hits);
    while (other && n_runs > 1) {
        n_runs = merge_pairs(p->at, other, ends, n_runs);
        struct page_hit *done = other;
        other = p->at;
        p->at = done;
    }
    mem_free(other);
}
