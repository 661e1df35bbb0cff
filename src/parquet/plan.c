// SPDX-License-Identifier: Apache-2.0
// Where pages end. Borders are common to all columns so that a range of rows touches few pages of
// each; a column with few values passes over them, because a page costs some 40 bytes and a read.
#include "parquet/writer.h"

enum { SKIP_BELOW = 1024 }; // values in a page that passes over a border

// The first value that belongs to a row >= row; values before `from` do not.
static size_t value_of_row(const struct chunk_shape *s, size_t from, uint32_t row) {
    if (!s->rows) return row < s->n_values ? row : s->n_values;
    size_t lo = from, hi = s->n_values;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->rows[mid] < row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

// How far values from `from` on fit into a page: past one at least, to `to` at most.
static size_t fit(const struct chunk_shape *s, size_t from, size_t to, uint32_t page_bytes) {
    if (to - from <= 1) return to;
    if (!s->strs) {
        uint64_t n = (uint64_t)page_bytes * 8 / (s->value_bits ? s->value_bits : 1);
        if (n == 0) n = 1;
        return to - from > n ? from + (size_t)n : to;
    }
    uint64_t bytes = 4 + s->strs[from].len;
    for (size_t i = from + 1; i < to; i++) {
        bytes += 4 + s->strs[i].len;
        if (bytes > page_bytes) return i;
    }
    return to;
}

// The next border behind row, and what of the forced ones is used up.
static uint32_t next_border(const struct pq_writer *w, uint32_t n_rows, uint32_t row, size_t *forced) {
    if (w->n_borders) {
        while (*forced < w->n_borders && w->borders[*forced] <= row) ++*forced;
        return *forced < w->n_borders ? w->borders[*forced] : n_rows;
    }
    uint64_t next = ((uint64_t)row / w->page_rows + 1) * w->page_rows;
    return next < n_rows ? (uint32_t)next : n_rows;
}

static struct page_plan *add_plan(struct pq_writer *w, size_t n) {
    struct page_plan *p = w->plans.ptr;
    if ((n + 1) * sizeof *p > w->plans.cap) {
        size_t cap = w->plans.cap ? w->plans.cap * 2 : 64 * sizeof *p;
        p = mem_realloc(p, cap);
        if (!p) return NULL;
        w->plans = (struct scratch){ p, cap };
    }
    return p + n;
}

enum err plan_pages(struct pq_writer *w, const struct chunk_shape *s, size_t *out_n) {
    size_t n = 0, forced = 0, value = 0;
    for (uint32_t row = 0; row < s->n_rows;) {
        uint32_t end = next_border(w, s->n_rows, row, &forced);
        size_t to = value_of_row(s, value, end);
        bool may_skip = w->n_borders == 0 || s->n_values == 0;
        while (may_skip && end < s->n_rows && to - value < SKIP_BELOW) {
            end = next_border(w, s->n_rows, end, &forced);
            to = value_of_row(s, value, end);
        }
        size_t stop = fit(s, value, to, w->page_bytes);
        if (stop < to) {
            to = stop;
            end = s->rows ? s->rows[stop] : (uint32_t)stop;
        }
        struct page_plan *p = add_plan(w, n);
        if (!p) return ERR_NOMEM;
        *p = (struct page_plan){
            .first_row = row, .n_rows = end - row, .first_value = value, .n_values = to - value
        };
        n++;
        row = end;
        value = to;
    }
    *out_n = n;
    return ERR_OK;
}
