// SPDX-License-Identifier: Apache-2.0
#include "parquet/index.h"

#include "parquet/stats.h"
#include "parquet/thrift.h"

enum { OFFSETS_PAGES = 1 };
enum { PLACE_OFFSET = 1, PLACE_SIZE, PLACE_ROW };
enum { BOUNDS_ALL_NULL = 1, BOUNDS_MIN, BOUNDS_MAX, BOUNDS_ORDER, BOUNDS_NULLS };
enum { ORDER_NONE = 0, ORDER_UP = 1, ORDER_DOWN = 2 };

void index_write_pages(struct buf *out, const struct pq_page *pages, size_t n) {
    struct thrift_out t = { .buf = out };
    thrift_begin(&t);
    thrift_list(&t, OFFSETS_PAGES, THRIFT_STRUCT, n);
    for (size_t i = 0; i < n; i++) {
        thrift_begin(&t);
        thrift_i64(&t, PLACE_OFFSET, (int64_t)pages[i].offset);
        thrift_i32(&t, PLACE_SIZE, (int32_t)pages[i].size);
        thrift_i64(&t, PLACE_ROW, pages[i].first_row);
        thrift_end(&t);
    }
    thrift_end(&t);
}

static int order_of(const struct pq_column *c, const struct pq_bounds *b, size_t n) {
    bool up = true, down = true;
    const struct pq_bounds *last = NULL;
    for (size_t i = 0; i < n; i++) {
        if (b[i].all_null) continue;
        int min = last ? stats_cmp(c, last->min, b[i].min) : 0;
        int max = last ? stats_cmp(c, last->max, b[i].max) : 0;
        up = up && min <= 0 && max <= 0;
        down = down && min >= 0 && max >= 0;
        last = &b[i];
    }
    return up ? ORDER_UP : down ? ORDER_DOWN : ORDER_NONE;
}

void index_write_bounds(struct buf *out, const struct pq_column *c, const struct pq_bounds *b, size_t n) {
    struct thrift_out t = { .buf = out };
    bool nulls = true;
    thrift_begin(&t);
    thrift_list(&t, BOUNDS_ALL_NULL, THRIFT_TRUE, n);
    for (size_t i = 0; i < n; i++) {
        thrift_item_bool(&t, b[i].all_null);
        nulls = nulls && b[i].null_count >= 0;
    }
    thrift_list(&t, BOUNDS_MIN, THRIFT_BINARY, n);
    for (size_t i = 0; i < n; i++) thrift_item_binary(&t, b[i].min);
    thrift_list(&t, BOUNDS_MAX, THRIFT_BINARY, n);
    for (size_t i = 0; i < n; i++) thrift_item_binary(&t, b[i].max);
    thrift_i32(&t, BOUNDS_ORDER, order_of(c, b, n));
    if (nulls) {
        thrift_list(&t, BOUNDS_NULLS, THRIFT_I64, n);
        for (size_t i = 0; i < n; i++) wr_zigzag(out, b[i].null_count);
    }
    thrift_end(&t);
}

static void read_place(struct reader *r, struct pq_page *out, uint64_t *row) {
    struct thrift_field f = { 0 };
    int64_t offset = -1, first = -1;
    int32_t size = -1;
    while (thrift_next(r, &f)) switch (f.id) {
        case PLACE_OFFSET: offset = thrift_get_i64(r, &f); break;
        case PLACE_SIZE: size = thrift_get_i32(r, &f); break;
        case PLACE_ROW: first = thrift_get_i64(r, &f); break;
        default: thrift_skip(r, &f);
        }
    if (offset < 0 || size <= 0 || first < 0) r->bad = true;
    *out = (struct pq_page){ .offset = (uint64_t)offset, .size = (uint32_t)size };
    *row = (uint64_t)first;
}

// Reads the places; each begins behind the end of the one before.
static enum err read_places(struct reader *r, uint32_t n, uint32_t n_rows, struct pq_range where,
                            struct pq_page *pages) {
    const uint64_t where_end = where.off + where.len;
    uint64_t end = where.off, row = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct pq_page *p = &pages[i];
        uint64_t first;
        read_place(r, p, &first);
        if (r->bad || p->offset < end || p->offset > where_end || p->size > where_end - p->offset)
            return ERR_CORRUPT;
        if (first >= n_rows || (i ? first <= row : first != 0)) return ERR_CORRUPT;
        p->first_row = (uint32_t)first;
        if (i) pages[i - 1].n_rows = p->first_row - pages[i - 1].first_row;
        end = p->offset + p->size;
        row = first;
    }
    if (n) pages[n - 1].n_rows = n_rows - pages[n - 1].first_row;
    return n || n_rows == 0 ? ERR_OK : ERR_CORRUPT;
}

enum err index_read_pages(struct str data, uint32_t n_rows, struct pq_range where, struct arena *a,
                          const struct pq_page **out, size_t *out_n) {
    struct reader r = reader_of(data);
    struct thrift_field f = { 0 };
    struct pq_page *pages = NULL;
    uint32_t n = 0;
    while (thrift_next(&r, &f)) {
        if (f.id != OFFSETS_PAGES || pages) {
            thrift_skip(&r, &f);
            continue;
        }
        n = thrift_get_list(&r, &f, THRIFT_STRUCT);
        pages = ARENA_ARRAY(a, n, struct pq_page);
        if (!pages) return ERR_NOMEM;
        TRY(read_places(&r, n, n_rows, where, pages));
    }
    if (r.bad || (!pages && n_rows > 0)) return ERR_CORRUPT;
    *out = pages;
    *out_n = n;
    return ERR_OK;
}

static bool read_count(struct reader *r, const struct thrift_field *f, enum thrift_type type, size_t n) {
    return thrift_get_list(r, f, type) == n && !r->bad;
}

// Numbers must have their width, so that who compares them need not ask.
static bool bound_fits(const struct pq_column *c, struct str s) {
    uint32_t width = c->type == PQ_BOOLEAN ? 1 : c->type == PQ_FIXED ? 0 : pq_width(c);
    return width == 0 || s.len == width;
}

enum err index_read_bounds(struct str data, const struct pq_column *c, size_t n, struct arena *a,
                           const struct pq_bounds **out) {
    struct reader r = reader_of(data);
    struct thrift_field f = { 0 };
    if (n > data.len) return ERR_CORRUPT;
    struct pq_bounds *b = arena_zalloc(a, n * sizeof *b);
    if (!b) return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) b[i].null_count = -1;
    unsigned seen = 0;
    while (thrift_next(&r, &f)) {
        if (f.id > BOUNDS_NULLS || f.id == BOUNDS_ORDER) {
            thrift_skip(&r, &f);
            continue;
        }
        enum thrift_type type = f.id == BOUNDS_ALL_NULL ? THRIFT_TRUE
                                : f.id == BOUNDS_NULLS  ? THRIFT_I64
                                                        : THRIFT_BINARY;
        if (!read_count(&r, &f, type, n)) return ERR_CORRUPT;
        seen |= 1u << f.id;
        for (size_t i = 0; i < n; i++) switch (f.id) {
            case BOUNDS_ALL_NULL: b[i].all_null = rd_u8(&r) == THRIFT_TRUE; break;
            case BOUNDS_MIN: b[i].min = thrift_get_item_binary(&r); break;
            case BOUNDS_MAX: b[i].max = thrift_get_item_binary(&r); break;
            default: b[i].null_count = rd_zigzag(&r);
            }
    }
    const unsigned wanted = 1u << BOUNDS_ALL_NULL | 1u << BOUNDS_MIN | 1u << BOUNDS_MAX;
    if (r.bad || (seen & wanted) != wanted) return ERR_CORRUPT;
    for (size_t i = 0; i < n; i++)
        if (!b[i].all_null && (!bound_fits(c, b[i].min) || !bound_fits(c, b[i].max))) return ERR_CORRUPT;
    *out = b;
    return ERR_OK;
}
