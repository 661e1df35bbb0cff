// SPDX-License-Identifier: Apache-2.0
// Two sides of random traces against a plain computation, in whatever order they come; what is named, cut and
// bounded.
#include "api/spend.h"

#include <math.h>

#include "api/spans_test.h"

enum { TRACES = 60, SPANS = 12, OPERATIONS = 6, SERVICES = 3 };

static const char *const names[OPERATIONS] = { "get", "put", "charge", "", "get ", "sélect" };
static const char *const services[SERVICES] = { "shop", "pay", "" };

// A trace, and which side it is of.
struct sample {
    struct spans spans;
    struct skeleton_tree tree;
    struct critical c;
    int side;
    uint64_t length;
};

static void sample_make(struct sample *x, struct arena *a, uint32_t number) {
    struct spans *s = &x->spans;
    uint32_t n = 1 + (uint32_t)test_below(SPANS);
    uint64_t first = UINT64_MAX, last = 0;
    spans_init(s);
    s->in.n_resources = SERVICES;
    for (int i = 0; i < SERVICES; i++) s->service[i] = str_of(services[i]);
    memcpy(s->in.trace_id, &number, sizeof number);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t start = 1000 + test_below(100);
        span_add(s, i + 1, i ? 1 + test_below(i) : 0, start, start + test_below(200),
                 names[test_below(OPERATIONS)]);
        s->resource[i] = (uint32_t)test_below(SERVICES);
        s->status[i] = (uint8_t)test_below(3);
        first = start < first ? start : first;
        last = s->end[i] > last ? s->end[i] : last;
    }
    x->side = (int)test_below(SPEND_SIDES);
    x->length = last - first;
    CHECK_OK(skeleton_tree(a, &s->in, &x->tree));
    CHECK_OK(critical_path(a, &s->in, &x->tree, &x->c));
}

static enum err try_add(struct spend *s, const struct sample *x) {
    struct spend_part part;
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    enum err e = spend_part_make(&a, &x->spans.in, &x->tree, &x->c, &part);
    if (e == ERR_OK) e = spend_add(s, x->side, &part);
    arena_fini(&a);
    return e;
}

static void add(struct spend *s, const struct sample *x) {
    CHECK_OK(try_add(s, x));
}

// What one trace spends in an operation. false: it does not have it.
static bool spent_in(const struct sample *x, struct str service, struct str name, uint64_t *self,
                     uint64_t *critical, uint64_t *spans, uint64_t *errors) {
    *self = *critical = *spans = *errors = 0;
    for (uint32_t row = 0; row < x->spans.in.n; row++) {
        uint32_t i = x->tree.order[row];
        if (!str_eq(x->spans.name[i], name) || !str_eq(x->spans.service[x->spans.resource[i]], service))
            continue;
        *self += x->c.self_ns[row];
        *critical += x->c.critical_ns[row];
        *spans += 1;
        *errors += x->spans.status[i] == 2;
    }
    return *spans > 0;
}

static bool is_near(double a, double b) {
    return fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b) + 1);
}

// The traces of a side that spend most in an operation, one after the other.
static void check_top(const struct spend_row *r, int side, const struct sample *all, uint32_t n) {
    bool named[TRACES] = { false };
    const struct spend_side *of = &r->of[side];
    CHECK_U64(of->n_top, of->traces < SPEND_TOP ? of->traces : SPEND_TOP);
    for (uint32_t k = 0; k < of->n_top; k++) {
        uint64_t best[2] = { 0 }, now[2], spans, errors;
        uint32_t most = UINT32_MAX;
        for (uint32_t i = 0; i < n; i++) {
            if (all[i].side != side || named[i] ||
                !spent_in(&all[i], r->service, r->name, &now[1], &now[0], &spans, &errors))
                continue;
            bool more = now[0] > best[0] || (now[0] == best[0] && now[1] > best[1]);
            bool same = most != UINT32_MAX && now[0] == best[0] && now[1] == best[1];
            if (most != UINT32_MAX && !more &&
                !(same && memcmp(all[i].spans.in.trace_id, all[most].spans.in.trace_id, 16) < 0))
                continue;
            most = i;
            best[0] = now[0], best[1] = now[1];
        }
        CHECK(most != UINT32_MAX && memcmp(of->top[k].id, all[most].spans.in.trace_id, 16) == 0);
        named[most] = true;
    }
}

static void check_row(const struct spend_row *r, const struct sample *all, uint32_t n, const uint32_t *of) {
    double self[SPEND_SIDES] = { 0 }, critical[SPEND_SIDES] = { 0 };
    uint64_t traces[SPEND_SIDES] = { 0 }, spans[SPEND_SIDES] = { 0 }, errors[SPEND_SIDES] = { 0 };
    for (uint32_t i = 0; i < n; i++) {
        uint64_t x, y, k, e;
        int side = all[i].side;
        traces[side] += spent_in(&all[i], r->service, r->name, &x, &y, &k, &e);
        self[side] += (double)x / of[side];
        critical[side] += (double)y / of[side];
        spans[side] += k;
        errors[side] += e;
    }
    for (int side = 0; side < SPEND_SIDES; side++) {
        CHECK(is_near(r->self_ns[side], self[side]) && is_near(r->critical_ns[side], critical[side]));
        CHECK(r->of[side].traces == traces[side] && r->of[side].spans == spans[side] &&
              r->of[side].errors == errors[side]);
        check_top(r, side, all, n);
    }
    CHECK(is_near(r->delta_ns, critical[1] - critical[0]) && is_near(r->self_delta_ns, self[1] - self[0]));
}

static void check_all(const struct spend *s, const struct sample *all, uint32_t n) {
    uint32_t of[SPEND_SIDES] = { 0 };
    double length[SPEND_SIDES] = { 0 }, root[SPEND_SIDES] = { 0 }, sum[SPEND_SIDES] = { 0 }, share = 0,
           most = 0;
    uint64_t spans = 0, met = 0;
    for (uint32_t i = 0; i < n; i++) {
        of[all[i].side]++;
        length[all[i].side] += (double)all[i].length;
        root[all[i].side] += (double)all[i].c.total_ns;
        spans += all[i].spans.in.n;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        const struct spend_row *r = &s->rows[i];
        check_row(r, all, n, of);
        CHECK(i == 0 || fabs(s->rows[i - 1].delta_ns) >= fabs(r->delta_ns));
        for (int side = 0; side < SPEND_SIDES; side++) sum[side] += r->critical_ns[side];
        met += r->of[0].spans + r->of[1].spans;
        share += r->share;
        most = fmax(most, fabs(r->delta_ns));
    }
    CHECK_U64(met, spans); // each span stands in one row
    CHECK(is_near(share, most > 0 ? 1 : 0));
    for (int side = 0; side < SPEND_SIDES; side++) {
        const struct spend_total *t = &s->total[side];
        CHECK(t->traces == of[side] && (double)t->length_ns == length[side] &&
              (double)t->critical_ns == root[side]);
        if (of[side]) CHECK(is_near(sum[side], root[side] / of[side])); // the rows add up
    }
}

TEST(spend_of_random_traces_is_what_a_plain_sum_says) {
    struct sample *all = mem_alloc(TRACES * sizeof *all);
    CHECK(all);
    for (int round = 0; round < 20; round++) {
        struct spend s, back;
        struct arena a;
        uint32_t n = 1 + (uint32_t)test_below(TRACES);
        arena_init(&a, SIZE_MAX, NULL);
        spend_init(&s, 0);
        spend_init(&back, 0);
        for (uint32_t i = 0; i < n; i++) sample_make(&all[i], &a, i);
        for (uint32_t i = 0; i < n; i++) add(&s, &all[i]);
        for (uint32_t i = n; i-- > 0;) add(&back, &all[i]);
        spend_rank(&s);
        spend_rank(&back);
        check_all(&s, all, n);
        CHECK_U64(back.n, s.n);
        for (uint32_t i = 0; i < s.n; i++) {
            CHECK_STR(back.rows[i].name, s.rows[i].name);
            CHECK(back.rows[i].share == s.rows[i].share &&
                  memcmp(back.rows[i].of, s.rows[i].of, sizeof s.rows[i].of) == 0);
        }
        spend_fini(&s);
        spend_fini(&back);
        arena_fini(&a);
    }
    mem_free(all);
}

// One trace of n spans, a new operation each.
static void add_operations(struct spend *s, uint32_t n, int side) {
    struct arena a;
    struct skeleton_tree tree;
    struct critical c;
    struct spend_part part;
    struct str service = STR("shop");
    arena_init(&a, SIZE_MAX, NULL);
    uint64_t *id = arena_zalloc(&a, n * sizeof *id), *none = arena_zalloc(&a, n * sizeof *none);
    struct str *name = arena_zalloc(&a, n * sizeof *name);
    uint32_t *resource = arena_zalloc(&a, n * sizeof *resource);
    uint8_t *zero = arena_zalloc(&a, n);
    for (uint32_t i = 0; i < n; i++) {
        char text[SKELETON_STRING_MAX + 40] = "";
        memset(text, 'x', i % 2 ? 3 : SKELETON_STRING_MAX + 5);
        (void)snprintf(text, 20, "%08u", i);
        text[8] = 'x';
        id[i] = i + 1;
        name[i] = str_dup(&a, str_of(text));
    }
    struct skeleton_input in = { .n = n,
                                 .span_id = id,
                                 .parent_id = none,
                                 .start_ns = none,
                                 .end_ns = none,
                                 .name = name,
                                 .resource = resource,
                                 .kind = zero,
                                 .status = zero,
                                 .flags = zero,
                                 .n_resources = 1,
                                 .service = &service };
    CHECK_OK(skeleton_tree(&a, &in, &tree));
    CHECK_OK(critical_path(&a, &in, &tree, &c));
    CHECK_OK(spend_part_make(&a, &in, &tree, &c, &part));
    CHECK_OK(spend_add(s, side, &part));
    arena_fini(&a);
}

TEST(spend_has_room_for_so_many_operations_and_says_what_is_left_out) {
    struct spend s;
    spend_init(&s, 0);
    add_operations(&s, SPEND_ROWS_MAX + 7, 0);
    CHECK(s.n == SPEND_ROWS_MAX && s.n_left_out == 7);
    add_operations(&s, SPEND_ROWS_MAX + 7, 1); // the same again: those that are known still count
    CHECK(s.n == SPEND_ROWS_MAX && s.n_left_out == 14);
    for (uint32_t i = 0; i < s.n; i++) {
        CHECK(s.rows[i].of[0].traces == 1 && s.rows[i].of[1].traces == 1);
        CHECK(s.rows[i].name.len <= SKELETON_STRING_MAX);
    }
    spend_rank(&s);
    CHECK(s.rows[0].share == 0); // nothing differs
    spend_fini(&s);
}

// Where memory ends within a trace, nothing of that counts: not its spans, nor its operations.
TEST(spend_counts_a_trace_whole_or_not_at_all) {
    enum { SOME = 10 };
    struct sample *all = mem_alloc((SOME + 1) * sizeof *all);
    struct arena a;
    uint64_t refused = 0;
    CHECK(all);
    arena_init(&a, SIZE_MAX, NULL);
    for (uint32_t i = 0; i <= SOME; i++) sample_make(&all[i], &a, i);
    for (uint32_t i = 0; i < all[SOME].spans.in.n; i++) { // what the others do not have
        char name[32];
        (void)snprintf(name, sizeof name, "new %u", i % 7);
        all[SOME].spans.name[i] = str_dup(&a, str_of(name));
    }
    for (uint64_t n = 1;; n++) {
        struct spend s;
        spend_init(&s, 0);
        for (uint32_t i = 0; i < SOME; i++) add(&s, &all[i]);
        mem_fail_at(n, true);
        enum err e = try_add(&s, &all[SOME]);
        mem_fail_at(0, false);
        bool whole = e == ERR_OK;
        CHECK(whole || e == ERR_NOMEM);
        refused += !whole;
        if (n % 2 && !whole) { // nor does it stand in the way of its next try
            add(&s, &all[SOME]);
            whole = true;
        }
        spend_rank(&s);
        check_all(&s, all, SOME + whole);
        for (uint32_t i = 0; i < s.n; i++) CHECK(s.rows[i].of[0].traces + s.rows[i].of[1].traces > 0);
        spend_fini(&s);
        if (e == ERR_OK) break;
    }
    CHECK(refused > 0);
    arena_fini(&a);
    mem_free(all);
}
