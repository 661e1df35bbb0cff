// SPDX-License-Identifier: Apache-2.0
#include "query/plain_test.h"

#include <math.h>

#include "span/wire.h"

// --- text ----------------------------------------------------------------------------------------

static void print_duration(int64_t ns, struct buf *out) {
    static const struct {
        double ns;
        const char *unit;
    } units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1, "ns" } };
    size_t i = 0;
    while (i < 3 && fabs((double)ns) < units[i].ns) i++;
    if (ns == 0) i = 0;
    buf_fmt(out, "%.15g%s", (double)ns / units[i].ns, units[i].unit);
}

static void print_word(const struct value *v, struct buf *out) {
    static const char *const statuses[] = { "unset", "ok", "error" };
    static const char *const kinds[] = {
        "unspecified", "internal", "server", "client", "producer", "consumer"
    };
    bool is_status = v->type == VALUE_STATUS;
    if (v->i < 0 || v->i > (is_status ? 2 : 5))
        buf_fmt(out, "code %lld", (long long)v->i);
    else
        buf_str(out, str_of(is_status ? statuses[v->i] : kinds[v->i]));
}

static void print_value(const struct value *v, struct buf *out) {
    switch (v->type) {
    case VALUE_NIL: buf_str(out, STR("nil")); break;
    case VALUE_BOOL: buf_str(out, v->i ? STR("true") : STR("false")); break;
    case VALUE_INT: buf_fmt(out, "%lld", (long long)v->i); break;
    case VALUE_FLOAT: buf_fmt(out, fabs(v->f) < 1e15 && v->f == floor(v->f) ? "%.1f" : "%.9g", v->f); break;
    case VALUE_DURATION: print_duration(v->i, out); break;
    case VALUE_STATUS:
    case VALUE_KIND: print_word(v, out); break;
    case VALUE_STRING: buf_fmt(out, "\"%.*s\"", STR_ARG(v->s)); break;
    default: buf_fmt(out, "any of %zu bytes", v->s.len);
    }
}

static void print_attrs(const struct find_attr *attrs, uint32_t n, const char *between, struct buf *out) {
    for (uint32_t i = 0; i < n; i++) {
        if (attrs[i].value.type == VALUE_NIL) continue;
        buf_str(out, i ? str_of(between) : STR(""));
        buf_str(out, attrs[i].key);
        buf_char(out, '=');
        print_value(&attrs[i].value, out);
    }
}

static void print_set(const struct find_trace *t, const struct find_set *s, const struct find_names *names,
                      struct buf *out) {
    buf_str(out, STR(" {"));
    for (uint32_t i = 0; i < s->n_spans; i++) {
        if (i) buf_char(out, ' ');
        buf_str(out, names->name(names->ctx, t->summary.id, &s->spans[i]));
        if (!names->with_attrs) continue;
        buf_char(out, '[');
        print_attrs(s->spans[i].attrs, s->spans[i].n_attrs, " ", out);
        buf_char(out, ']');
    }
    if (s->matched > s->n_spans) buf_fmt(out, " +%u", s->matched - s->n_spans);
    buf_char(out, '}');
    if (s->n_attrs) buf_char(out, ' ');
    print_attrs(s->attrs, s->n_attrs, " ", out);
}

static void print_trace_id(const uint8_t id[16], struct buf *out) {
    char hex[32];
    size_t zeros = 0;
    hex_encode(id, 16, hex);
    while (zeros < 31 && hex[zeros] == '0') zeros++;
    buf_add(out, hex + zeros, 32 - zeros);
}

void print_traces(const struct find_trace *t, uint32_t n, const struct find_names *names, struct buf *out) {
    for (uint32_t i = 0; i < n; i++) {
        print_trace_id(t[i].summary.id, out);
        buf_char(out, ':');
        for (uint32_t k = 0; k < t[i].n_sets; k++) print_set(&t[i], &t[i].sets[k], names, out);
        buf_char(out, '\n');
    }
    if (n == 0) buf_str(out, STR("nothing\n"));
}

static void print_sample(double low, double high, struct buf *out) {
    if (isnan(low))
        buf_str(out, STR(" -"));
    else if (low == high)
        buf_fmt(out, " %.9g", low);
    else
        buf_fmt(out, " %.9g~%.9g", low, high);
}

static void print_labels(const struct metric_label *l, uint32_t n, struct buf *out) {
    buf_char(out, '{');
    for (uint32_t i = 0; i < n; i++) {
        if (i) buf_char(out, ' ');
        buf_str(out, l[i].key);
        buf_char(out, '=');
        print_value(&l[i].value, out);
    }
    buf_char(out, '}');
}

void print_series(const struct plain_metrics *m, struct buf *out) {
    for (uint32_t i = 0; i < m->n; i++) {
        const struct plain_series *s = &m->series[i];
        print_labels(s->labels, s->n_labels, out);
        for (uint32_t k = 0; k < m->n_steps; k++) print_sample(s->low[k], s->high[k], out);
        buf_char(out, '\n');
    }
    if (m->n == 0) buf_str(out, STR("nothing\n"));
}

// --- searches ------------------------------------------------------------------------------------

static void print_lines(struct str s) {
    struct str line;
    while (s.len > 0) {
        (void)str_cut(s, '\n', &line, &s);
        printf("#     %.*s\n", STR_ARG(line));
    }
}

static bool differ(struct str query, const char *what, struct buf *fast, struct buf *slow) {
    printf("# query: %.*s\n# differs in %s; engine:\n", STR_ARG(query), what);
    print_lines(buf_view(fast));
    printf("# plain:\n");
    print_lines(buf_view(slow));
    buf_fini(fast);
    buf_fini(slow);
    return false;
}

static struct str id_as_name(const void *ctx, const uint8_t trace[16], const struct find_span *s) {
    static char hex[16];
    (void)ctx, (void)trace;
    hex_encode(&s->span_id, 8, hex);
    return (struct str){ hex, 16 };
}

static bool find_differs(struct str query, const char *what, const struct find_trace *fast, uint32_t n_fast,
                         const struct find_trace *slow, uint32_t n_slow) {
    struct find_names names = { id_as_name, NULL, true };
    struct buf f, s;
    buf_init(&f, SIZE_MAX);
    buf_init(&s, SIZE_MAX);
    print_traces(fast, n_fast, &names, &f);
    print_traces(slow, n_slow, &names, &s);
    return differ(query, what, &f, &s);
}

static bool floats_agree(double a, double b) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= 1e-12 * fmax(fabs(a), fabs(b));
}

static bool values_agree(const struct value *a, const struct value *b) {
    if (a->type == VALUE_FLOAT && b->type == VALUE_FLOAT) return floats_agree(a->f, b->f);
    return plain_order(a, b) == 0;
}

static bool attrs_agree(const struct find_attr *a, uint32_t n, const struct find_attr *b, uint32_t m) {
    uint32_t i = 0, k = 0;
    for (; i < n; i++) {
        if (a[i].value.type == VALUE_NIL) continue; // an absent one is left out by who prints it
        if (k == m || !str_eq(a[i].key, b[k].key) || !values_agree(&a[i].value, &b[k].value)) return false;
        k++;
    }
    return k == m;
}

static const char *span_difference(const struct find_span *a, const struct find_span *b) {
    if (a->span_id != b->span_id) return "another span";
    if (a->has_name != b->has_name) return "the name is shown, or not";
    if (b->has_name && !str_eq(a->name, b->name)) return "the name of a span";
    if (a->is_error != b->is_error) return "a span in error";
    if (a->start_ns != b->start_ns || a->duration_ns != b->duration_ns) return "the time of a span";
    return attrs_agree(a->attrs, a->n_attrs, b->attrs, b->n_attrs) ? NULL : "the attributes of a span";
}

static const char *set_difference(const struct find_set *a, const struct find_set *b) {
    const char *what = NULL;
    if (a->matched != b->matched) return "the number of spans matched";
    if (a->n_spans != b->n_spans) return "the number of spans shown";
    if (!attrs_agree(a->attrs, a->n_attrs, b->attrs, b->n_attrs)) return "the attributes of a set";
    for (uint32_t i = 0; i < a->n_spans && !what; i++) what = span_difference(&a->spans[i], &b->spans[i]);
    return what;
}

static const char *summary_difference(const struct trace_summary *a, const struct trace_summary *b) {
    if (memcmp(a->id, b->id, 16) != 0) return "another trace";
    if (a->start_ns != b->start_ns || a->duration_ns != b->duration_ns) return "the time of a trace";
    if (a->has_root != b->has_root) return "the root of a trace";
    if (!str_eq(a->root_name, b->root_name)) return "the name of a root";
    if (!str_eq(a->root_service, b->root_service)) return "the service of a root";
    if (a->spans != b->spans) return "the spans of a trace";
    if (!str_eq(a->services, b->services)) return "the services of a trace";
    return NULL;
}

static const char *trace_difference(const struct find_trace *a, const struct find_trace *b) {
    const char *what = summary_difference(&a->summary, &b->summary);
    if (!what && a->n_sets != b->n_sets) what = "the number of sets";
    for (uint32_t i = 0; i < a->n_sets && !what; i++) what = set_difference(&a->sets[i], &b->sets[i]);
    return what;
}

bool check_find(struct str query, const struct find_result *fast, const struct plain_answer *slow,
                uint32_t from) {
    const struct find_trace *want = slow->traces + from;
    uint32_t n = slow->n - from;
    if (fast->partial) return find_differs(query, "a partial answer", fast->traces, fast->n, want, n);
    for (uint32_t i = 0; i < fast->n && i < n; i++) {
        const char *what = trace_difference(&fast->traces[i], &want[i]);
        if (what) return find_differs(query, what, &fast->traces[i], 1, &want[i], 1);
    }
    if (fast->n > n || (fast->n < n && !fast->has_more))
        return find_differs(query, "the number of traces", fast->traces, fast->n, want, n);
    return true;
}

bool traces_agree(const struct find_trace *fast, uint32_t n_fast, const struct find_trace *slow,
                  uint32_t n_slow) {
    bool same = n_fast == n_slow;
    for (uint32_t i = 0; i < n_slow && same; i++) same = trace_difference(&fast[i], &slow[i]) == NULL;
    return same;
}

// --- spans ---------------------------------------------------------------------------------------

static void print_any(struct str any, struct buf *out);

static void print_items(struct str list, bool pairs, struct buf *out) {
    struct reader r = reader_of(list);
    struct pb_field f, kv;
    buf_char(out, pairs ? '{' : '[');
    for (bool first = true; pb_next(&r, &f); first = false) {
        if (!first) buf_char(out, ',');
        struct reader in = reader_of(f.bytes);
        if (!pairs) print_any(f.bytes, out);
        while (pairs && pb_next(&in, &kv)) {
            if (kv.number == KV_KEY) buf_fmt(out, "\"%.*s\"=", STR_ARG(kv.bytes));
            if (kv.number == KV_VALUE) print_any(kv.bytes, out);
        }
    }
    buf_char(out, pairs ? '}' : ']');
}

static void print_any(struct str any, struct buf *out) {
    struct reader r = reader_of(any);
    struct pb_field f;
    char hex[2];
    if (!pb_next(&r, &f))
        buf_str(out, STR("()"));
    else if (f.number == ANY_STRING)
        buf_fmt(out, "\"%.*s\"", STR_ARG(f.bytes));
    else if (f.number == ANY_BOOL)
        buf_str(out, f.value ? STR("true") : STR("false"));
    else if (f.number == ANY_INT)
        buf_fmt(out, "%lld", (long long)f.value);
    else if (f.number == ANY_DOUBLE)
        buf_fmt(out, "%.17g%s", pb_double(&f), floor(pb_double(&f)) == pb_double(&f) ? ".0" : "");
    else if (f.number == ANY_ARRAY || f.number == ANY_KVLIST)
        print_items(f.bytes, f.number == ANY_KVLIST, out);
    else {
        buf_str(out, STR("x\""));
        for (size_t i = 0; i < f.bytes.len; i++) {
            hex_encode(f.bytes.ptr + i, 1, hex);
            buf_add(out, hex, 2);
        }
        buf_char(out, '"');
    }
}

static void print_pairs(const char *prefix, const struct plain_attrs *a, struct buf *out) {
    for (uint32_t i = 0; i < a->n; i++) {
        if (*prefix == 'r' && str_eq(a->at[i].key, STR("service.name"))) continue;
        buf_fmt(out, " %s\"%.*s\"=", prefix, STR_ARG(a->at[i].key));
        if (a->at[i].value.type == VALUE_ANY)
            print_any(a->at[i].value.s, out);
        else
            print_value(&a->at[i].value, out);
    }
}

static void print_span(const struct plain_span *s, uint64_t base, struct buf *out) {
    char id[16], parent[16];
    hex_encode(s->id, 8, id);
    if (s->parent_id.len == 8) hex_encode(s->parent_id.ptr, 8, parent);
    buf_fmt(out, "\"%.*s\" %.*s %lldns %lldns id:%.16s parent:%.*s status:%d kind:%d", STR_ARG(s->name),
            s->service.len ? (int)s->service.len : 1, s->service.len ? s->service.ptr : "-",
            (long long)(s->start_ns - base), (long long)(s->end_ns - s->start_ns), id,
            s->parent_id.len == 8 ? 16 : 4, s->parent_id.len == 8 ? parent : "none", (int)s->status,
            (int)s->kind);
    if (s->status_message.len) buf_fmt(out, " \"%.*s\"", STR_ARG(s->status_message));
    if (s->scope_name.len || s->scope_version.len)
        buf_fmt(out, " scope:%.*s@%.*s", STR_ARG(s->scope_name), STR_ARG(s->scope_version));
    print_pairs("", &s->attrs, out);
    print_pairs("resource.", &s->resource, out);
    print_pairs("scope.", &s->scope, out);
    for (uint32_t i = 0; i < s->n_events; i++) {
        buf_fmt(out, "\n    * \"%.*s\" %lldns", STR_ARG(s->events[i].name),
                (long long)(s->events[i].time_ns - s->start_ns));
        print_pairs("", &s->events[i].attrs, out);
    }
    for (uint32_t i = 0; i < s->n_links; i++) {
        char trace[32], span[16];
        hex_encode(s->links[i].trace_id.ptr, 16, trace);
        hex_encode(s->links[i].span_id.ptr, 8, span);
        buf_fmt(out, "\n    > %.32s %.16s", trace, span);
        print_pairs("", &s->links[i].attrs, out);
    }
    buf_char(out, '\n');
}

void print_spans(const struct plain_data *d) {
    const uint64_t base = 1700000000000000000u;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    for (uint32_t i = 0; i < d->n_spans; i++) {
        if (i == 0 || memcmp(d->spans[i].trace, d->spans[i - 1].trace, 16) != 0) {
            buf_str(&out, STR("trace "));
            print_trace_id(d->spans[i].trace, &out);
            buf_char(&out, '\n');
        }
        buf_str(&out, STR("  "));
        print_span(&d->spans[i], base, &out);
    }
    print_lines(buf_view(&out));
    buf_fini(&out);
}

// --- series --------------------------------------------------------------------------------------

static bool has_samples(const struct metric_series *s, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (!isnan(s->samples[i])) return true;
    return false;
}

static bool labels_agree(const struct metric_series *a, const struct plain_series *b) {
    if (a->n_labels != b->n_labels) return false;
    for (uint32_t i = 0; i < a->n_labels; i++)
        if (!str_eq(a->labels[i].key, b->labels[i].key) ||
            !values_agree(&a->labels[i].value, &b->labels[i].value))
            return false;
    return true;
}

static bool sample_agrees(double got, double low, double high, bool rough) {
    if (isnan(got) || isnan(low)) return isnan(got) && isnan(low);
    double slack = (rough ? 0.01 : 1e-9) * fmax(fabs(low), fabs(high));
    return got == low || (got >= fmin(low, high) - slack && got <= fmax(low, high) + slack);
}

static bool series_agree(const struct metric_series *a, const struct plain_series *b,
                         const struct plain_metrics *m) {
    bool same = labels_agree(a, b);
    for (uint32_t i = 0; i < m->n_steps && same; i++)
        same = sample_agrees(a->samples[i], b->low[i], b->high[i], m->is_rough);
    return same;
}

static bool series_differ(struct str query, const char *what, const struct series_answer *fast,
                          const struct plain_metrics *slow) {
    struct buf f, s;
    buf_init(&f, SIZE_MAX);
    buf_init(&s, SIZE_MAX);
    for (uint32_t i = 0; i < fast->n; i++) {
        print_labels(fast->series[i].labels, fast->series[i].n_labels, &f);
        for (uint32_t k = 0; k < slow->n_steps; k++)
            print_sample(fast->series[i].samples[k], fast->series[i].samples[k], &f);
        buf_char(&f, '\n');
    }
    print_series(slow, &s);
    return differ(query, what, &f, &s);
}

bool check_series(struct str query, const struct series_answer *fast, const struct plain_metrics *slow) {
    uint32_t k = 0;
    if (fast->partial) return series_differ(query, "a partial answer", fast, slow);
    for (uint32_t i = 0; i < fast->n; i++) {
        if (!has_samples(&fast->series[i], slow->n_steps)) continue;
        if (k == slow->n || !series_agree(&fast->series[i], &slow->series[k], slow))
            return series_differ(query, "a series", fast, slow);
        k++;
    }
    if (k != slow->n) return series_differ(query, "the number of series", fast, slow);
    return true;
}
