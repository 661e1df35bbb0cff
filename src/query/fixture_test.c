// SPDX-License-Identifier: Apache-2.0
#include "query/fixture_test.h"

#include <stdlib.h>

#include "span/services.h"
#include "span/wire.h"

void trial_start(struct trial *t, struct trial_opts o) {
    static const uint64_t cached[] = { 0, 64 << 10, 64 << 20 };
    o.rand = test_rand;
    block_cache_limit(cached[test_below(3)]);
    CHECK_OK(trial_init(t, o));
    CHECK_OK(trial_open(t));
}

void submit_random(struct trial *t, uint32_t n) {
    struct buf body;
    buf_init(&body, 64 << 20);
    for (uint32_t i = 0; i < n; i++) {
        buf_reset(&body);
        trial_random_body(t, &body);
        CHECK_OK(trial_submit(t, buf_view(&body)));
    }
    buf_fini(&body);
}

// --- traces --------------------------------------------------------------------------------------

static void check_trace(struct view *v, struct model *m, uint32_t first, uint32_t n) {
    struct trace tr;
    struct model got;
    uint32_t g = 0;
    model_init(&got);
    CHECK_OK(trace_load(v, m->at[first].trace, &(struct trace_limits){ 0 }, &tr));
    CHECK(!tr.partial);
    CHECK_OK(model_add_rows(&got, &tr.table, tr.rows, tr.n, true));
    for (uint32_t i = 1; i < got.n; i++) CHECK(model_compare(&got.at[i - 1], &got.at[i]) < 0);
    for (uint32_t i = first; i < first + n; i++) {
        int c = g < got.n ? model_compare(&m->at[i], &got.at[g]) : -1;
        CHECK(c <= 0); // else a span that nobody sent, or one that has changed
        CHECK(c == 0 || !m->at[i].is_sure);
        if (c < 0) continue;
        m->at[i].is_sure = true;
        g++;
    }
    CHECK_U64(g, got.n);
    model_fini(&got);
    trace_fini(&tr);
}

void check_traces_of(struct view *v, struct model *m) {
    model_sort(m);
    for (uint32_t i = 0, k; i < m->n; i = k) {
        for (k = i + 1; k < m->n && memcmp(m->at[k].trace, m->at[i].trace, 16) == 0;) k++;
        check_trace(v, m, i, k - i);
    }
    struct trace tr;
    CHECK_OK(trace_load(v, (const uint8_t *)"nobody sent this", &(struct trace_limits){ 0 }, &tr));
    CHECK_U64(tr.n, 0);
    trace_fini(&tr);
}

void check_some_traces(struct trial *t, uint32_t n) {
    struct model *m = &t->model;
    struct view *v = ingest_view(t->in);
    model_sort(m);
    for (; n > 0 && m->n > 0; n--) {
        uint32_t first, len = model_find(m, m->at[test_below(m->n)].trace, &first);
        check_trace(v, m, first, len);
    }
    view_unref(v);
}

void check_traces(struct trial *t) {
    struct view *v = ingest_view(t->in);
    check_traces_of(v, &t->model);
    view_unref(v);
}

// --- searches ------------------------------------------------------------------------------------

struct expected { // a trace of the model
    uint32_t first, n;
    uint64_t start_ns, end_ns;
    uint32_t errors;
    const struct model_span *root;
};

static struct expected expect(const struct model *m, uint32_t first, uint32_t n) {
    struct expected e = { .first = first, .n = n, .start_ns = UINT64_MAX };
    for (uint32_t i = first; i < first + n; i++) {
        const struct model_span *s = &m->at[i];
        if (s->start_ns < e.start_ns) e.start_ns = s->start_ns;
        if (s->end_ns > e.end_ns) e.end_ns = s->end_ns;
        e.errors += s->is_error;
        if (s->is_root && !e.root) e.root = s;
    }
    return e;
}

static bool matches(const struct model *m, const struct expected *e, const struct listing *l) {
    const struct search *s = &l->how;
    bool in_range = l->start_ns == 0 && l->end_ns == 0, has_service = s->service.len == 0;
    for (uint32_t i = e->first; i < e->first + e->n; i++) {
        in_range |= m->at[i].start_ns > l->start_ns && m->at[i].start_ns <= l->end_ns;
        has_service |= str_eq(m->at[i].service, s->service);
    }
    uint64_t duration = e->end_ns - e->start_ns;
    return in_range && has_service && duration >= s->min_duration_ns &&
           (s->max_duration_ns == 0 || duration <= s->max_duration_ns) && (!s->errors || e->errors > 0) &&
           (s->operation.len == 0 || (e->root && str_eq(e->root->name, s->operation)));
}

static const struct model *sorting;
static int newest_first(const void *x, const void *y) {
    const struct expected *a = x, *b = y;
    if (a->start_ns != b->start_ns) return a->start_ns > b->start_ns ? -1 : 1;
    return memcmp(sorting->at[a->first].trace, sorting->at[b->first].trace, 16);
}

static struct expected *expect_all(const struct model *m, const struct listing *l, uint32_t *out_n) {
    struct expected *all = mem_alloc((m->n + 1ull) * sizeof *all);
    uint32_t n = 0;
    CHECK(all);
    for (uint32_t i = 0, k; i < m->n; i = k) {
        for (k = i + 1; k < m->n && memcmp(m->at[k].trace, m->at[i].trace, 16) == 0;) k++;
        all[n] = expect(m, i, k - i);
        n += matches(m, &all[n], l);
    }
    sorting = m;
    if (n > 1) qsort(all, n, sizeof *all, newest_first);
    *out_n = n;
    return all;
}

static void check_services(const struct model *m, const struct expected *e, struct str text) {
    struct services s;
    struct service_count c;
    char before[64] = "";
    uint32_t spans = 0;
    services_begin(&s, text);
    while (services_next(&s, &c)) {
        uint32_t n = 0, errors = 0;
        CHECK(spans == 0 || str_cmp(str_of(before), c.name) < 0);
        (void)snprintf(before, sizeof before, "%.*s", STR_ARG(c.name));
        for (uint32_t k = e->first; k < e->first + e->n; k++) {
            if (!str_eq(m->at[k].service, c.name)) continue;
            n++;
            errors += m->at[k].is_error;
        }
        CHECK_U64(c.spans, n);
        CHECK_U64(c.errors, errors);
        spans += n;
    }
    CHECK_OK(services_end(&s));
    CHECK_U64(spans, e->n);
}

static void check_summary(const struct model *m, const struct expected *e, const struct trace_summary *got) {
    CHECK(memcmp(got->id, m->at[e->first].trace, 16) == 0);
    CHECK_U64(got->start_ns, e->start_ns);
    CHECK_U64(got->duration_ns, e->end_ns - e->start_ns);
    CHECK_U64(got->spans, e->n);
    CHECK_U64(got->has_root, e->root != NULL);
    CHECK_STR(got->root_name, e->root ? e->root->name : STR(""));
    CHECK_STR(got->root_service, e->root ? e->root->service : STR(""));
    check_services(m, e, got->services);
}

void list_traces(struct view *v, const struct listing *l, const struct trace_summary *after,
                 struct find_result *out) {
    struct arena a;
    struct str text;
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(search_text(&a, &l->how, &text));
    CHECK_OK(ql_parse(&a, text, &q, &ctx));
    struct find f = { .query = q,
                      .bounds = { .start_ns = l->start_ns, .end_ns = l->end_ns },
                      .limit = l->limit,
                      .count = !l->stops,
                      .has_after = after != NULL };
    if (after) {
        f.after_start_ns = after->start_ns;
        memcpy(f.after_id, after->id, 16);
    }
    CHECK_OK(find_run(v, &f, out, &ctx));
    ql_free(q);
    arena_fini(&a);
}

static void check_pages(struct view *v, struct model *m, struct listing l, const struct expected *want,
                        uint32_t n) {
    uint32_t seen = 0;
    struct trace_summary last;
    for (bool more = true; more;) {
        struct find_result r;
        list_traces(v, &l, seen ? &last : NULL, &r);
        CHECK(r.is_exact || l.stops);
        if (r.is_exact) CHECK_U64(r.total, n);
        CHECK_U64(r.n, n - seen < l.limit ? n - seen : l.limit);
        for (uint32_t i = 0; i < r.n; i++) {
            check_summary(m, &want[seen + i], &r.traces[i].summary);
            CHECK_U64(r.traces[i].n_sets, 0);
        }
        seen += r.n;
        more = seen < n;
        if (r.n) last = r.traces[r.n - 1].summary;
        find_fini(&r);
    }
}

void check_search(struct view *v, struct model *m, struct listing l) {
    uint32_t n;
    struct expected *want = expect_all(m, &l, &n);
    for (int stops = 0; stops < 2; stops++) {
        l.stops = stops;
        check_pages(v, m, l, want, n);
    }
    mem_free(want);
}

// A time at, just before or just after the start of some span.
static uint64_t some_time(const struct model *m) {
    uint64_t at = m->n ? m->at[test_below(m->n)].start_ns : 0;
    return at + test_below(3) - (at > 0);
}

static struct listing random_search(const struct model *m) {
    struct listing l = { .limit = 5 + (uint32_t)test_below(40) };
    struct search *s = &l.how;
    const struct model_span *any = m->n ? &m->at[test_below(m->n)] : NULL;
    if (test_below(2)) {
        l.start_ns = some_time(m);
        l.end_ns = some_time(m);
        if (l.end_ns < l.start_ns) l.end_ns = l.start_ns + test_below(1000000000);
    }
    if (any && test_below(3) == 0) s->min_duration_ns = any->end_ns - any->start_ns;
    if (any && test_below(3) == 0) s->max_duration_ns = (any->end_ns - any->start_ns) * 2 + test_below(2);
    if (any && test_below(3) == 0) s->service = any->service;
    if (any && test_below(3) == 0) s->operation = any->name;
    s->errors = test_below(4) == 0;
    return l;
}

void check_searches(struct trial *t, uint32_t n) {
    struct view *v = ingest_view(t->in);
    model_sort(&t->model);
    check_search(v, &t->model, (struct listing){ .limit = 7 });
    check_search(v, &t->model, (struct listing){ .limit = SEARCH_LIMIT_MAX });
    for (uint32_t i = 0; i < n; i++) check_search(v, &t->model, random_search(&t->model));
    view_unref(v);
}

// --- spans to order ------------------------------------------------------------------------------

void spec_trace_id(uint64_t trace, uint8_t out[16]) {
    memset(out, 0, 16);
    for (int i = 0; i < 8; i++) out[15 - i] = (uint8_t)(trace >> 8 * i);
}

static void spec_span(const struct spec *s, struct buf *out) {
    uint8_t trace[16];
    spec_trace_id(s->trace, trace);
    pb_bytes(out, SPAN_TRACE_ID, (struct str){ (const char *)trace, 16 });
    pb_bytes(out, SPAN_SPAN_ID, (struct str){ (const char *)&s->id, 8 });
    if (s->parent) pb_bytes(out, SPAN_PARENT_ID, (struct str){ (const char *)&s->parent, 8 });
    if (s->name) pb_bytes(out, SPAN_NAME, str_of(s->name));
    pb_fixed64(out, SPAN_START, s->start_ns);
    pb_fixed64(out, SPAN_END, s->end_ns);
    if (!s->error) return;
    size_t status = pb_begin(out, SPAN_STATUS);
    pb_varint(out, STATUS_CODE, 2);
    pb_end(out, status);
}

void spec_body(const struct spec *s, size_t n, struct buf *out) {
    for (size_t i = 0; i < n; i++) {
        struct attr_value v = { .type = ATTR_STRING, .text = str_of(s[i].service) };
        size_t rs = pb_begin(out, REQUEST_RESOURCE_SPANS);
        size_t resource = pb_begin(out, RS_RESOURCE);
        if (s[i].service) attr_kv_write(out, RESOURCE_ATTRIBUTE, STR("service.name"), &v);
        pb_end(out, resource);
        size_t ss = pb_begin(out, RS_SCOPE_SPANS);
        for (size_t first = i;; i++) { // those of one service share a resource
            size_t span = pb_begin(out, SS_SPANS);
            spec_span(&s[i], out);
            pb_end(out, span);
            if (i + 1 == n || s[i + 1].service != s[first].service) break;
        }
        pb_end(out, ss);
        pb_end(out, rs);
    }
}

enum err submit_specs(struct trial *t, const struct spec *s, size_t n) {
    struct buf body;
    buf_init(&body, SIZE_MAX);
    spec_body(s, n, &body);
    CHECK(!body.failed);
    enum err e = trial_submit(t, buf_view(&body));
    buf_fini(&body);
    return e;
}

uint32_t spans_of(struct view *v, uint64_t trace) {
    struct trace tr;
    uint8_t id[16];
    spec_trace_id(trace, id);
    CHECK_OK(trace_load(v, id, &(struct trace_limits){ 0 }, &tr));
    uint32_t n = tr.n;
    trace_fini(&tr);
    return n;
}

uint32_t spans_now(struct trial *t, uint64_t trace) {
    struct view *v = ingest_view(t->in);
    uint32_t n = spans_of(v, trace);
    view_unref(v);
    return n;
}
