// SPDX-License-Identifier: Apache-2.0
// Split traces are joined for the first question about them; for the next one their parts tell alone, where
// they can. Both answers are the same.
#include "query/fixture_test.h"
#include "query/layout.h"
#include "query/plain_test.h"
#include "query/source.h"

#define AT TRIAL_NOW_NS

enum { FILLERS = 200, FIRST_FILLER = 100 }; // whole traces, which nobody asks for
enum { TWICE = 1, ONCE, DOUBLED, IN_HEAD, LONG };
enum { LATER = 90000 };

// Spans of a trace start between those of its other parts.
static const struct spec parts[][6] = {
    { { TWICE, 1, 0, AT + 1, AT + 90, "a", "rare", false },
      { TWICE, 2, 1, AT + 5, AT + 9, "a", "rare", true },
      { ONCE, 1, 0, AT + 10, AT + 20, "b", "op", false },
      { DOUBLED, 1, 0, AT + 20, AT + 30, "a", "rare", false },
      { IN_HEAD, 1, 0, AT + 30, AT + 40, "a", "rare", false },
      { LONG, 1, 0, AT + 100, AT + 900, "a", "rare", false } },
    { { TWICE, 3, 1, AT + 3, AT + 9, "c", "op", false },
      { ONCE, 2, 1, AT + 11, AT + 12, "a", "rare", false },
      { DOUBLED, 1, 0, AT + 21, AT + 30, "a", "rare", false },
      { IN_HEAD, 2, 1, AT + 31, AT + 40, "b", "op", false } },
    { { TWICE, 4, 1, AT + 2, AT + 9, "a", "rare", false },
      { TWICE, 5, 1, AT + 4, AT + 99, "a", "rare", false },
      { ONCE, 3, 1, AT + 9, AT + 13, "c", "op", true } },
    { { LONG, 2, 1, AT + LATER + 5, AT + LATER + 6, "d", "op", false }, // a block that starts later
      { LONG, 3, 1, AT + LATER + 1000, AT + LATER + 1001, "a", "rare", false } },
};
enum { BLOCKS = sizeof parts / sizeof *parts };

static void submit_block(struct trial *t, uint64_t part) {
    struct spec s[FILLERS + 6];
    uint64_t at = AT + (part == BLOCKS - 1 ? LATER : 0);
    size_t n = 0;
    for (size_t i = 0; i < 6 && parts[part][i].trace; i++) s[n++] = parts[part][i];
    for (uint64_t i = 0; i < FILLERS; i++)
        s[n++] = (struct spec){ FIRST_FILLER + part * FILLERS + i, 1, 0, at + i, at + i + 1, "x", "op", 0 };
    CHECK_OK(submit_specs(t, s, n));
    CHECK_OK(trial_flush(t));
}

static struct view *make_view(struct trial *t) {
    static const struct spec late = { IN_HEAD, 3, 1, AT + 32, AT + 33, "a", "rare", false };
    trial_start(t, (struct trial_opts){ .cut_spans = 100000, .mem_store = true });
    for (uint64_t part = 0; part < BLOCKS; part++) submit_block(t, part);
    CHECK_OK(submit_specs(t, &late, 1));
    return ingest_view(t->in);
}

static void ask(struct view *v, struct find f, const char *text, struct find_result *out) {
    struct arena a;
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(&a, str_of(text), &q, &ctx));
    f.query = q;
    CHECK_OK(find_run(v, &f, out, &ctx));
    ql_free(q);
    arena_fini(&a);
}

static bool is_known(struct view *v, uint64_t trace) {
    struct sources s;
    uint8_t id[16];
    CHECK_OK(sources_open(v, &(struct query_bounds){ 0 }, &s));
    spec_trace_id(trace, id);
    uint32_t split = split_find(&s.split, id);
    CHECK(split != MAP_NONE);
    bool known = layout_whole(s.layout, split);
    sources_close(&s);
    return known;
}

// A question of a view to which it is the first one, and of one that was asked about all of its traces.
static void check_same(struct view *known, struct find f, const char *text, uint32_t n) {
    struct trial t;
    struct find_result first, next;
    struct view *fresh = make_view(&t);
    ask(fresh, f, text, &first);
    ask(known, f, text, &next);
    CHECK_U64(first.n, n);
    CHECK(traces_agree(next.traces, next.n, first.traces, first.n));
    CHECK_U64(next.is_exact, first.is_exact);
    CHECK(!first.is_exact || (next.total == first.total && next.matched_spans == first.matched_spans));
    find_fini(&first);
    find_fini(&next);
    view_unref(fresh);
    trial_fini(&t);
}

static void know_all(struct view *v) {
    struct find_result r;
    ask(v, (struct find){ .limit = 1000, .spans_per_set = 1 }, "{ span:childCount >= 0 }", &r);
    CHECK_U64(r.n, BLOCKS * FILLERS + LONG);
    find_fini(&r);
}

TEST(parts_are_known_after_the_first_question) {
    struct trial t;
    struct view *v = make_view(&t);
    CHECK(!is_known(v, TWICE) && !is_known(v, LONG));
    know_all(v);
    CHECK(is_known(v, TWICE) && is_known(v, ONCE) && is_known(v, LONG));
    CHECK(!is_known(v, DOUBLED) && !is_known(v, IN_HEAD));
    view_unref(v);
    trial_fini(&t);
}

TEST(parts_answer_as_joined_traces_do) {
    struct trial t;
    struct view *v = make_view(&t);
    know_all(v);
    for (uint32_t spans = 0; spans <= 5; spans++) {
        struct find f = { .limit = 1000, .spans_per_set = spans, .errors = true };
        check_same(v, f, "{ name = \"rare\" }", 5);
        check_same(v, f, "{ status = error }", 2);
        check_same(v, f, "{ resource.service.name != \"x\" } | select(kind)", 5);
        f.limit = 2;
        check_same(v, f, "{ name = \"rare\" }", 2);
        f.count = true;
        check_same(v, f, "{ name = \"rare\" }", 2);
    }
    view_unref(v);
    trial_fini(&t);
}

// A trace is judged whole, though one of its spans alone starts in the range.
TEST(parts_out_of_the_range_count) {
    static const uint64_t ends[][2] = {
        { 50, 150 }, { 50, 100000 }, { 200, 100000 }, { 2, 6 }, { LATER, LATER + 200 }
    };
    struct trial t;
    struct view *v = make_view(&t);
    know_all(v);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct find f = { .limit = 1000,
                          .spans_per_set = 3,
                          .bounds = { .start_ns = AT + ends[i][0], .end_ns = AT + ends[i][1] } };
        check_same(v, f, "{ name = \"rare\" }", 1);
    }
    view_unref(v);
    trial_fini(&t);
}

TEST(parts_that_come_in_later_are_seen) {
    static const struct spec late = { ONCE, 4, 1, AT + 8, AT + 9, "e", "rare", false };
    struct trial t;
    struct find_result r;
    struct view *v = make_view(&t);
    know_all(v);
    CHECK_OK(submit_specs(&t, &late, 1));
    ask(v, (struct find){ .limit = 1000, .spans_per_set = 3 }, "{ name = \"rare\" }", &r);
    const struct trace_summary *once = &r.traces[3].summary; // it starts later than TWICE alone
    CHECK(r.n == 5 && once->start_ns == AT + 8 && once->spans == 4);
    CHECK_U64(r.traces[3].sets[0].matched, 2);
    find_fini(&r);
    view_unref(v);
    trial_fini(&t);
}

// Spans of known traces come in while their parts are being judged: each is found once.
struct meanwhile {
    struct trial *t;
    uint32_t at, calls;
};

static bool submit_meanwhile(void *ctx) {
    static const struct spec late[] = { { ONCE, 4, 1, AT + 12, AT + 13, "e", "op", false },
                                        { TWICE, 6, 1, AT + 12, AT + 13, "e", "op", false } };
    struct meanwhile *m = ctx;
    if (m->calls++ == m->at) CHECK_OK(submit_specs(m->t, late, 2));
    return false;
}

TEST(parts_are_found_when_another_comes_in_meanwhile) {
    for (uint32_t at = 0, calls = 1; at < calls; at++) {
        struct trial t;
        struct find_result r;
        struct view *v = make_view(&t);
        struct meanwhile m = { &t, at, 0 };
        know_all(v);
        ask(v,
            (struct find){ .limit = 1000,
                           .spans_per_set = 3,
                           .bounds = { .canceled = submit_meanwhile, .canceled_ctx = &m } },
            "{ name = \"rare\" || resource.service.name = \"x\" }", &r); // many: all parts are looked at
        calls = m.calls;
        CHECK(calls > at);
        CHECK_U64(r.n, BLOCKS * FILLERS + LONG);
        find_fini(&r);
        view_unref(v);
        trial_fini(&t);
    }
}

// --- memory ----------------------------------------------------------------------------------------

enum { MANY = 1000, MANY_MEMORY = 1 << 20 };

// Two blocks that hold a span each of the older half of the traces, and two of the others.
static struct view *make_many(struct trial *t) {
    struct spec *s = mem_alloc(MANY * sizeof *s);
    CHECK(s);
    trial_start(t, (struct trial_opts){ .cut_spans = 100000, .mem_store = true });
    for (uint64_t block = 0; block < 4; block++) {
        uint64_t part = block % 2, n = MANY / 2, at = block / 2 * n;
        for (uint64_t i = 0; i < n; i++, at++)
            s[i] = (struct spec){ at + 1, part + 1, part, AT + at, AT + MANY, "shop", "op", false };
        CHECK_OK(submit_specs(t, s, n));
        CHECK_OK(trial_flush(t));
    }
    mem_free(s);
    return ingest_view(t->in);
}

// Traces that are only counted take no memory to be shown.
TEST(parts_that_are_counted_are_not_shown) {
    struct trial t;
    struct find_result r;
    struct find f = { .limit = 2, .spans_per_set = 100, .count = true };
    struct view *v = make_many(&t);
    ask(v, f, "{ }", &r);
    CHECK(r.is_exact && r.total == MANY && r.matched_spans == 2 * MANY);
    find_fini(&r);
    CHECK(is_known(v, 1) && is_known(v, MANY));
    f.bounds.memory_max = MANY_MEMORY;
    for (f.limit = 1; f.limit < 4; f.limit++) {
        ask(v, f, "{ }", &r);
        CHECK(r.is_exact && r.total == MANY && r.matched_spans == 2 * MANY && r.n == f.limit);
        CHECK(r.traces[0].summary.start_ns == AT + MANY - 1 && r.traces[0].sets[0].n_spans == 2);
        find_fini(&r);
    }
    view_unref(v);
    trial_fini(&t);
}

// Nor do those that others leave no room for; and what is older is not looked at.
TEST(parts_that_get_not_on_the_page_are_not_shown) {
    struct trial t;
    struct find_result r;
    struct find f = { .limit = 2, .spans_per_set = 100 };
    struct view *v = make_many(&t);
    ask(v, (struct find){ .limit = MANY }, "{ }", &r);
    CHECK(r.n == MANY && is_known(v, 1));
    find_fini(&r);
    f.bounds.memory_max = MANY_MEMORY;
    for (uint64_t last = MANY; last > 0; last -= 2) { // page by page
        ask(v, f, "{ }", &r);
        CHECK(r.n == 2 && !r.partial && r.has_more && r.total < 10);
        CHECK(last != MANY || r.stats.groups == 2);
        for (uint32_t i = 0; i < r.n; i++)
            CHECK(r.traces[i].summary.start_ns == AT + last - 1 - i && r.traces[i].sets[0].n_spans == 2);
        f.has_after = true;
        f.after_start_ns = r.traces[1].summary.start_ns;
        memcpy(f.after_id, r.traces[1].summary.id, sizeof f.after_id);
        find_fini(&r);
    }
    view_unref(v);
    trial_fini(&t);
}

TEST(parts_with_an_allocation_that_fails) {
    static const char *const texts[] = { "{ name = \"rare\" } | select(kind)",
                                         "{ resource.service.name != \"x\" }" };
    struct trial t;
    struct view *v = make_view(&t);
    know_all(v);
    for (size_t i = 0; i < 2; i++) {
        struct arena a;
        struct ql_query *q;
        struct err_ctx ctx = { 0 };
        struct find_result want, r;
        struct find f = { .limit = 1000, .spans_per_set = 3, .errors = true, .count = true };
        arena_init(&a, SIZE_MAX, NULL);
        CHECK_OK(ql_parse(&a, str_of(texts[i]), &q, &ctx));
        f.query = q;
        CHECK_OK(find_run(v, &f, &want, &ctx));
        for (uint64_t n = 1, failed = 1; failed; n++) {
            mem_fail_at(n, n % 2);
            enum err e = find_run(v, &f, &r, &ctx);
            failed = mem_fail_seen() >= n;
            mem_fail_at(0, false);
            CHECK(e == ERR_OK || e == ERR_NOMEM);
            if (e != ERR_OK) continue;
            CHECK(r.partial ? r.n <= want.n : traces_agree(r.traces, r.n, want.traces, want.n));
            find_fini(&r);
        }
        find_fini(&want);
        ql_free(q);
        arena_fini(&a);
    }
    view_unref(v);
    trial_fini(&t);
}
