// SPDX-License-Identifier: Apache-2.0
// What sets some spans of a query apart from the rest of them: compare() of TraceQL, its selection
// given by a time and a duration (a rectangle that somebody drew around them), its series turned
// into a list of attributes, the most telling first.
#include <math.h>
#include <stdlib.h>

#include "api/api_internal.h"
#include "api/choice.h"
#include "api/page.h"
#include "query/series.h"

enum {
    VALUES_COUNTED = QL_COMPARE_TOP_MAX, // of an attribute
    VALUES_SHOWN = 10,                   // of an attribute
    ATTRIBUTES_SHOWN = 50,
};

// --- what is asked -----------------------------------------------------------------------------------------

static void write_selection(const struct selection *c, struct buf *out) {
    buf_str(out, STR("{"));
    if (c->min_ns) buf_fmt(out, " duration >= %lluns", (unsigned long long)c->min_ns);
    if (c->min_ns && c->max_ns) buf_str(out, STR(" &&"));
    if (c->max_ns) buf_fmt(out, " duration <= %lluns", (unsigned long long)c->max_ns);
    buf_str(out, STR(" }"));
}

// The search of q in its plain form, and compare() behind it.
static enum err compare_text(struct ask *k, const struct selection *c, struct str *out) {
    struct ql_query *q;
    struct str search;
    struct buf text;
    TRY(choice_search(k, &q, &search));
    buf_init(&text, 2 * QL_TEXT_MAX);
    buf_str(&text, search);
    buf_str(&text, STR(" | compare("));
    write_selection(c, &text);
    buf_fmt(&text, ", %d", VALUES_COUNTED);
    if (c->to_ns) // there the first moment counts, and the last does not
        buf_fmt(&text, ", %llu, %llu", (unsigned long long)c->from_ns + 1,
                (unsigned long long)c->to_ns + (c->to_ns < INT64_MAX));
    buf_str(&text, STR(")"));
    *out = str_dup(&k->arena, buf_view(&text));
    bool failed = text.failed || !out->ptr;
    buf_fini(&text);
    return failed ? ERR_NOMEM : ERR_OK;
}

// --- what is answered --------------------------------------------------------------------------------------

struct item { // a value of an attribute
    struct str field;
    struct value value;
    double selection, rest;
    double diff; // of the shares
};
struct group { // an attribute: items[first … first + n)
    uint32_t first, n;
    double selection, rest; // spans that have it
    double selection_most;  // spans of the selection that share a value of it
    double most;            // the largest difference
    bool is_partly_known;   // too many values to count them all: no shares can be told
    struct str field;
};
struct ranking {
    struct item *items;
    struct group *groups;
    uint32_t n_items, n_groups;
    double selection, rest; // spans
};

enum side { SELECTION, REST, SELECTION_TOTAL, REST_TOTAL, SIDES };

// Which of the four a series is, and of which attribute. is_error: it had too many values.
static bool read_series(const struct metric_series *m, enum side *side, struct metric_label *label,
                        bool *is_error) {
    static const char *const names[SIDES] = { "selection", "baseline", "selection_total", "baseline_total" };
    bool has_side = false, has_label = false;
    *is_error = false;
    for (uint32_t i = 0; i < m->n_labels; i++) {
        const struct metric_label *l = &m->labels[i];
        if (str_eq(l->key, STR("__meta_error"))) {
            *is_error = true;
            continue;
        }
        if (!str_eq(l->key, STR("__meta_type"))) {
            *label = *l;
            has_label = true;
            continue;
        }
        for (int s = 0; s < SIDES; s++)
            if (l->value.type == VALUE_STRING && str_eq(l->value.s, str_of(names[s]))) {
                *side = (enum side)s;
                has_side = true;
            }
    }
    return has_side && has_label;
}

static int by_field_and_value(const void *x, const void *y) {
    const struct item *a = x, *b = y;
    int c = str_cmp(a->field, b->field);
    return c ? c : value_order(&a->value, &b->value);
}

static struct group *group_of(struct ranking *r, struct str field) {
    uint32_t low = 0, high = r->n_groups;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        int c = str_cmp(r->groups[mid].field, field);
        if (c == 0) return &r->groups[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

// One item per series, sorted, then those of one value joined, then their groups.
static enum err collect(struct arena *a, const struct series_answer *s, struct ranking *r) {
    enum side side;
    struct metric_label label;
    bool is_error;
    *r = (struct ranking){ .items = ARENA_ARRAY(a, s->n + 1ull, struct item),
                           .groups = ARENA_ARRAY(a, s->n + 1ull, struct group) };
    if (!r->items || !r->groups) return ERR_NOMEM;
    for (uint32_t i = 0; i < s->n; i++) {
        double v = s->series[i].samples[0];
        if (!read_series(&s->series[i], &side, &label, &is_error) || side >= SELECTION_TOTAL || is_error ||
            !(v > 0))
            continue;
        r->items[r->n_items++] = (struct item){ .field = label.key,
                                                .value = label.value,
                                                .selection = side == SELECTION ? v : 0,
                                                .rest = side == REST ? v : 0 };
    }
    if (r->n_items > 1) qsort(r->items, r->n_items, sizeof *r->items, by_field_and_value);
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n_items; i++) {
        if (n && by_field_and_value(&r->items[n - 1], &r->items[i]) == 0) {
            r->items[n - 1].selection += r->items[i].selection;
            r->items[n - 1].rest += r->items[i].rest;
            continue;
        }
        r->items[n] = r->items[i];
        if (n == 0 || !str_eq(r->items[n].field, r->items[n - 1].field))
            r->groups[r->n_groups++] = (struct group){ .first = n, .field = r->items[n].field };
        r->groups[r->n_groups - 1].n++;
        n++;
    }
    r->n_items = n;
    for (uint32_t i = 0; i < s->n; i++) {
        if (!read_series(&s->series[i], &side, &label, &is_error)) continue;
        struct group *g = group_of(r, label.key);
        if (g && is_error) g->is_partly_known = true;
        if (side < SELECTION_TOTAL || is_error) continue;
        double v = s->series[i].samples[0];
        if (!g || isnan(v)) continue;
        *(side == SELECTION_TOTAL ? &g->selection : &g->rest) = v;
    }
    return ERR_OK;
}

static int by_diff(const void *x, const void *y) {
    const struct item *a = x, *b = y;
    if (fabs(a->diff) != fabs(b->diff)) return fabs(a->diff) > fabs(b->diff) ? -1 : 1;
    return value_order(&a->value, &b->value);
}

static int by_most(const void *x, const void *y) {
    const struct group *a = x, *b = y;
    if (a->most != b->most) return a->most > b->most ? -1 : 1;
    return str_cmp(a->field, b->field);
}

static double share(double part, double whole) {
    return whole > 0 ? part / whole : 0;
}

// An attribute of which not all values were counted on one side says nothing about the other.
static void drop_partly_known(struct ranking *r) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n_groups; i++)
        if (!r->groups[i].is_partly_known) r->groups[n++] = r->groups[i];
    r->n_groups = n;
}

// Shares are of all spans, so that an attribute that few spans have does not come first.
static void rank(struct ranking *r) {
    drop_partly_known(r);
    for (uint32_t i = 0; i < r->n_groups; i++) {
        if (r->groups[i].selection > r->selection) r->selection = r->groups[i].selection;
        if (r->groups[i].rest > r->rest) r->rest = r->groups[i].rest;
    }
    for (uint32_t i = 0; i < r->n_groups; i++) {
        struct group *g = &r->groups[i];
        struct item *items = r->items + g->first;
        for (uint32_t j = 0; j < g->n; j++) {
            items[j].diff = share(items[j].selection, r->selection) - share(items[j].rest, r->rest);
            g->selection_most = fmax(g->selection_most, items[j].selection);
        }
        qsort(items, g->n, sizeof *items, by_diff);
        g->most = fabs(items[0].diff);
    }
    if (r->n_groups > 1) qsort(r->groups, r->n_groups, sizeof *r->groups, by_most);
}

static void write_number(struct json_writer *w, struct str key, double v) {
    jw_key(w, key);
    jw_f64(w, v);
}

static void write_item(struct json_writer *w, const struct group *g, const struct item *x) {
    struct buf text;
    buf_init(&text, SIZE_MAX);
    value_text(&x->value, &text);
    jw_object(w);
    jw_key(w, STR("field"));
    jw_str(w, x->field);
    jw_key(w, STR("value"));
    jw_str(w, buf_view(&text));
    jw_key(w, STR("type"));
    jw_str(w, page_type_name(x->value.type));
    write_number(w, STR("selection"), x->selection);
    write_number(w, STR("selectionTotal"), g->selection);
    write_number(w, STR("selectionMost"), g->selection_most);
    write_number(w, STR("rest"), x->rest);
    write_number(w, STR("restTotal"), g->rest);
    write_number(w, STR("diff"), x->diff);
    jw_object_end(w);
    w->out->failed |= text.failed;
    buf_fini(&text);
}

static void write_ranking(struct json_writer *w, const struct ask *k, const struct ranking *r,
                          struct str query) {
    jw_object(w);
    jw_key(w, STR("query"));
    jw_str(w, query);
    write_number(w, STR("selection"), r->selection);
    write_number(w, STR("rest"), r->rest);
    jw_key(w, STR("attributes"));
    jw_array(w);
    for (uint32_t i = 0; i < r->n_groups && i < ATTRIBUTES_SHOWN; i++)
        for (uint32_t j = 0; j < r->groups[i].n && j < VALUES_SHOWN; j++)
            write_item(w, &r->groups[i], &r->items[r->groups[i].first + j]);
    jw_array_end(w);
    jw_key(w, STR("complete"));
    jw_bool(w, k->partial[0] == '\0');
    jw_key(w, STR("why"));
    if (k->partial[0])
        jw_str(w, str_of(k->partial));
    else
        jw_null(w);
    jw_object_end(w);
}

static enum err explain(struct ask *k, struct json_writer *w) {
    struct choice c;
    struct str text;
    struct ql_query *q;
    struct series_answer s;
    struct ranking r;
    TRY(choice_read(k, &c));
    TRY(compare_text(k, &c.selection, &text));
    TRY(ask_parse(k, text, &q));
    struct series_query how = { .query = q, .bounds = ask_bounds(k, c.start_ns, c.end_ns) };
    TRY(series_run(k->view, &how, &s, &k->ctx));
    ask_note_scan(k, &s.stats);
    enum err e = s.partial ? ask_note_partial(k, s.why, &s.stats) : ERR_OK;
    if (e == ERR_OK) e = collect(&s.arena, &s, &r);
    if (e == ERR_OK) {
        rank(&r);
        write_ranking(w, k, &r, text);
    }
    series_fini(&s);
    return e;
}

void takt_explain_handle(struct api *a, struct net_request *rq) {
    reply_asked(a, rq, explain);
}
