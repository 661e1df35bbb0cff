// SPDX-License-Identifier: Apache-2.0
#include "span/order.h"

#include <stdlib.h>

#include "span/canon.h"

static inline bool is_before(const struct span_key *a, const struct span_key *b) {
    if (a->start_ns != b->start_ns) return a->start_ns < b->start_ns;
    return a->span_id != b->span_id ? a->span_id < b->span_id : a->row < b->row;
}

static void insert_sort(struct span_key *k, uint32_t n) {
    for (uint32_t i = 1; i < n; i++) {
        struct span_key x = k[i];
        uint32_t j = i;
        for (; j > 0 && is_before(&x, &k[j - 1]); j--) k[j] = k[j - 1];
        k[j] = x;
    }
}

// Merges [0, mid) and [mid, n), which are sorted.
static void merge(struct span_key *k, uint32_t mid, uint32_t n, struct span_key *space) {
    uint32_t i = 0, j = mid, at = 0;
    if (!is_before(&k[mid], &k[mid - 1])) return;
    memcpy(space, k, mid * sizeof *k);
    while (i < mid && j < n) k[at++] = is_before(&k[j], &space[i]) ? k[j++] : space[i++];
    memcpy(k + at, space + i, (mid - i) * sizeof *k);
}

// Spans mostly come nearly in order: what is in order already is passed over.
void span_keys_sort(struct span_key *k, uint32_t n, struct span_key *space) {
    enum { SMALL = 24 };
    if (n <= SMALL) {
        insert_sort(k, n);
        return;
    }
    span_keys_sort(k, n / 2, space);
    span_keys_sort(k + n / 2, n - n / 2, space);
    merge(k, n / 2, n, space);
}

// --- equal spans ---------------------------------------------------------------------------------

struct twin {
    struct str span; // canonical bytes
    const struct span_entity *resource, *scope;
    uint32_t row;
};

static int by_entity(const struct span_entity *a, const struct span_entity *b) {
    return a == b ? 0 : str_cmp(a->bytes, b->bytes);
}

// By content alone: the numbers of resources and scopes follow from the order of arrival.
static int by_twin(const void *x, const void *y) {
    const struct twin *a = x, *b = y;
    int c = str_cmp(a->span, b->span);
    if (c == 0) c = by_entity(a->resource, b->resource);
    return c ? c : by_entity(a->scope, b->scope);
}

static enum err twin_bytes(const struct span_table *t, uint32_t row, struct arena *a, struct buf *buf,
                           struct twin *out) {
    buf_reset(buf);
    TRY(canon_span(t, row, a, buf));
    *out = (struct twin){ str_dup(a, buf_view(buf)), span_resource_at(t, SEG_AT(&t->resource, row, uint32_t)),
                          span_scope_at(t, SEG_AT(&t->scope, row, uint32_t)), row };
    return out->span.ptr ? ERR_OK : ERR_NOMEM;
}

// n spans of one trace with the same start and span id: keeps one of those equal in every field.
static enum err drop_equal(const struct span_table *t, struct span_key *k, uint32_t n, uint32_t *out_kept) {
    struct arena a;
    struct buf buf;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&buf, SIZE_MAX);
    struct twin *twins = ARENA_ARRAY(&a, n, struct twin);
    enum err e = twins ? ERR_OK : ERR_NOMEM;
    for (uint32_t i = 0; i < n && e == ERR_OK; i++) e = twin_bytes(t, k[i].row, &a, &buf, &twins[i]);
    uint32_t kept = 0;
    if (e == ERR_OK) {
        struct span_key proto = k[0];
        qsort(twins, n, sizeof *twins, by_twin);
        for (uint32_t i = 0; i < n; i++) {
            if (i > 0 && by_twin(&twins[i], &twins[i - 1]) == 0) continue;
            k[kept] = proto;
            k[kept++].row = twins[i].row;
        }
    }
    buf_fini(&buf);
    arena_fini(&a);
    *out_kept = kept;
    return e;
}

enum err span_keys_settle(const struct span_table *t, struct span_key *k, uint32_t n, uint32_t *out_kept) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n;) {
        uint32_t end = i + 1, m = 1;
        while (end < n && k[end].start_ns == k[i].start_ns && k[end].span_id == k[i].span_id) end++;
        if (end - i > 1) TRY(drop_equal(t, k + i, end - i, &m));
        if (kept != i) memmove(k + kept, k + i, m * sizeof *k);
        kept += m;
        i = end;
    }
    *out_kept = kept;
    return ERR_OK;
}
