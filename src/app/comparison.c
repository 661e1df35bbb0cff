// SPDX-License-Identifier: Apache-2.0
#include "app/comparison.h"

#include <math.h>
#include <stdlib.h>

#include "app/node.h"
#include "app/plot.h"

enum side { SELECTION, REST, SIDES };
enum { ROWS_MAX = 20, COLUMNS = 5 };

struct item {
    struct str field, value;
    double n[SIDES], diff;
};
struct comparison {
    struct item *items;
    uint32_t n;
    double spans[SIDES];
    struct str *uncounted; // fields with too many values
    uint32_t n_uncounted;
};

static double sum_of(const struct doc_node *series) {
    const struct doc_node *samples = node_at(series, "samples");
    double sum = 0;
    for (const struct doc_node *x = samples ? samples->first : NULL; x; x = x->next)
        sum += node_f64(x, "value");
    return sum;
}

// A series: a value of a field on one side, or how many spans of the side have the field.
static void add_series(struct arena *a, struct comparison *c, const struct doc_node *series) {
    const struct doc_node *labels = node_at(series, "labels"), *field = NULL;
    struct str kind = STR("");
    bool is_uncounted = false;
    for (const struct doc_node *l = labels ? labels->first : NULL; l; l = l->next) {
        struct str key = node_text(l, "key");
        if (str_eq(key, STR("__meta_type")))
            kind = node_text(l, "value.stringValue");
        else if (str_eq(key, STR("__meta_error")))
            is_uncounted = true;
        else
            field = l;
    }
    if (!field) return;
    if (is_uncounted) {
        c->uncounted[c->n_uncounted++] = node_text(field, "key");
        return;
    }
    enum side side = str_starts(kind, STR("selection")) ? SELECTION : REST;
    double n = sum_of(series);
    if (str_ends(kind, STR("_total"))) {
        c->spans[side] = fmax(c->spans[side], n);
        return;
    }
    struct buf text;
    buf_init(&text, 64 << 10);
    node_print_any(node_at(field, "value"), &text);
    struct item *x = &c->items[c->n++];
    *x = (struct item){ .field = node_text(field, "key"), .value = str_dup(a, buf_view(&text)) };
    x->n[side] = n;
    buf_fini(&text);
}

static int by_field_and_value(const void *x, const void *y) {
    const struct item *a = x, *b = y;
    int c = str_cmp(a->field, b->field);
    return c ? c : str_cmp(a->value, b->value);
}

static int by_diff(const void *x, const void *y) {
    const struct item *a = x, *b = y;
    if (fabs(a->diff) != fabs(b->diff)) return fabs(a->diff) > fabs(b->diff) ? -1 : 1;
    return by_field_and_value(x, y);
}

static void join_equal(struct comparison *c) {
    uint32_t n = 0;
    if (c->n > 1) qsort(c->items, c->n, sizeof *c->items, by_field_and_value);
    for (uint32_t i = 0; i < c->n; i++) {
        bool again = n && by_field_and_value(&c->items[n - 1], &c->items[i]) == 0;
        if (!again)
            c->items[n++] = c->items[i];
        else
            for (int side = 0; side < SIDES; side++) c->items[n - 1].n[side] += c->items[i].n[side];
    }
    c->n = n;
}

static bool is_uncounted(const struct comparison *c, struct str field) {
    for (uint32_t i = 0; i < c->n_uncounted; i++)
        if (str_eq(c->uncounted[i], field)) return true;
    return false;
}

// Without what cannot be told: fields with too many values, and a value that one side did not give though
// it gave as many as it may.
static void keep_known(struct comparison *c, uint32_t top) {
    uint32_t n = 0;
    for (uint32_t i = 0, end; i < c->n; i = end) {
        uint32_t given[SIDES] = { 0 };
        for (end = i; end < c->n && str_eq(c->items[end].field, c->items[i].field); end++)
            for (int side = 0; side < SIDES; side++) given[side] += c->items[end].n[side] > 0;
        bool all_unknown = is_uncounted(c, c->items[i].field);
        for (uint32_t k = i; k < end && !all_unknown; k++) {
            struct item *x = &c->items[k];
            bool known =
                (x->n[SELECTION] > 0 || given[SELECTION] < top) && (x->n[REST] > 0 || given[REST] < top);
            if (known) c->items[n++] = *x;
        }
    }
    c->n = n;
}

static double share_of(const struct comparison *c, const struct item *x, enum side side) {
    return c->spans[side] > 0 ? x->n[side] / c->spans[side] : 0;
}

static struct str percent(struct arena *a, double share, const char *sign) {
    return str_fmt(a, "%s%.0f %%", sign, round(fabs(share) * 100));
}

static void put_row(struct arena *a, const struct comparison *c, const struct item *x, struct str *row) {
    row[0] = plot_cell(a, x->field);
    row[1] = plot_cell(a, x->value);
    row[2] = percent(a, x->diff, x->diff < 0 ? "-" : "+");
    row[3] = percent(a, share_of(c, x, SELECTION), "");
    row[4] = percent(a, share_of(c, x, REST), "");
}

enum err comparison_print(struct arena *a, const struct doc_node *series, uint32_t top, struct buf *out) {
    static const char *const heads[COLUMNS] = { "FIELD", "VALUE", "DIFFERENCE", "SELECTION", "REST" };
    size_t n = series ? series->n : 0;
    struct comparison c = { .items = ARENA_ARRAY(a, n + 1, struct item),
                            .uncounted = ARENA_ARRAY(a, n + 1, struct str) };
    struct str *cells = ARENA_ARRAY(a, (ROWS_MAX + 1) * COLUMNS, struct str);
    if (!c.items || !c.uncounted || !cells) return ERR_NOMEM;
    for (const struct doc_node *s = series ? series->first : NULL; s; s = s->next) add_series(a, &c, s);
    join_equal(&c);
    keep_known(&c, top);
    for (uint32_t i = 0; i < c.n; i++)
        c.items[i].diff = share_of(&c, &c.items[i], SELECTION) - share_of(&c, &c.items[i], REST);
    if (c.n > 1) qsort(c.items, c.n, sizeof *c.items, by_diff);
    uint32_t shown = c.n < ROWS_MAX ? c.n : ROWS_MAX;
    for (uint32_t i = 0; i < COLUMNS; i++) cells[i] = str_of(heads[i]);
    for (uint32_t i = 0; i < shown; i++) put_row(a, &c, &c.items[i], cells + (size_t)(i + 1) * COLUMNS);
    if (shown) table_print(&(struct table){ cells, shown + 1, COLUMNS }, out);
    buf_fmt(out, "selection of %.0f spans against the other %.0f; %u of %u values", c.spans[SELECTION],
            c.spans[REST], shown, c.n);
    return a->failed ? ERR_NOMEM : ERR_OK;
}
