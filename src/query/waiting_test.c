// SPDX-License-Identifier: Apache-2.0
// Questions while others have all the memory: what they are told, and that they hold nobody up.
#include "query/fixture_test.h"
#include "query/series.h"
#include "query/tags.h"

#define MIB (1ull << 20)
enum { ALL_MIB = 16, OTHERS = 3 };
#define SOON_NS 30000000ull // less than a question waits for memory

// A store of a few spans in a block, and a memory of which another question has all.
struct crowded {
    struct trial t;
    struct view *view;
    struct query_memory *memory;
    struct query_bounds of_other;
    struct query_share other[OTHERS]; // the first has all but an eighth, the others that
    struct arena arena;
    struct ql_query *search, *metrics;
};

static void crowded_start(struct crowded *c) {
    static const struct spec s[] = { { 1, 1, 0, TRIAL_NOW_NS, TRIAL_NOW_NS + 1, "a", "one", false } };
    struct err_ctx ctx = { 0 };
    trial_start(&c->t, (struct trial_opts){ .mem_store = true });
    CHECK_OK(submit_specs(&c->t, s, 1));
    CHECK_OK(trial_flush(&c->t));
    c->view = ingest_view(c->t.in);
    CHECK_OK(query_memory_new(ALL_MIB * MIB, &c->memory));
    c->of_other = (struct query_bounds){ .memory = c->memory };
    for (int i = 0; i < OTHERS; i++) {
        query_share_init(&c->other[i], &c->of_other);
        CHECK(mem_budget_take(&c->other[i].budget, i ? MIB : query_memory_most(ALL_MIB * MIB)));
    }
    arena_init(&c->arena, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(&c->arena, STR("{ }"), &c->search, &ctx));
    CHECK_OK(ql_parse(&c->arena, STR("{ } | rate() by (name)"), &c->metrics, &ctx));
}

static void crowded_fini(struct crowded *c) {
    struct query_memory_stats now;
    query_memory_stats(c->memory, &now);
    CHECK_U64(now.bytes, ALL_MIB * MIB); // what the others have
    for (int i = 0; i < OTHERS; i++) query_share_end(&c->other[i], NULL);
    query_memory_free(c->memory);
    ql_free(c->search);
    ql_free(c->metrics);
    arena_fini(&c->arena);
    view_unref(c->view);
    trial_fini(&c->t);
}

// Without a deadline: until it is refused.
static struct query_bounds bounds_of(const struct crowded *c, bool is_late) {
    struct query_bounds b = { .start_ns = 1,
                              .end_ns = INT64_MAX / 2,
                              .clock = clock_real(),
                              .memory_max = MIB * ALL_MIB,
                              .memory = c->memory };
    if (is_late) b.deadline_ns = clock_mono_ns(clock_real()) + SOON_NS;
    return b;
}

static bool tells_of_time(bool partial, const char *why) {
    return partial && strstr(why, "query.timeout");
}

static enum err search(const struct crowded *c, bool is_late, struct err_ctx *ctx) {
    struct find_result r;
    struct find f = { .query = c->search, .bounds = bounds_of(c, is_late), .limit = 10 };
    enum err e = find_run(c->view, &f, &r, ctx);
    if (e != ERR_OK) return e;
    CHECK(tells_of_time(r.partial, r.why));
    find_fini(&r);
    return ERR_OK;
}

static enum err count(const struct crowded *c, bool is_late, struct err_ctx *ctx) {
    struct series_answer r;
    struct series_query q = { .query = c->metrics, .bounds = bounds_of(c, is_late) };
    enum err e = series_run(c->view, &q, &r, ctx);
    if (e == ERR_OK) series_fini(&r);
    return e;
}

static enum err list_values(const struct crowded *c, bool is_late, struct err_ctx *ctx) {
    struct field f = { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME };
    struct query_bounds b = bounds_of(c, is_late);
    struct tag_values got;
    enum err e = tags_values(c->view, &f, NULL, &b, 0, &got, ctx);
    if (e != ERR_OK) return e;
    CHECK(tells_of_time(got.partial, got.why));
    tag_values_fini(&got);
    return ERR_OK;
}

static void check_refused(enum err e, struct err_ctx *ctx) {
    CHECK(e == ERR_AGAIN && strstr(ctx->text, "query.max_memory_total, 16 MiB"));
    *ctx = (struct err_ctx){ 0 };
}

static uint64_t n_refused(const struct crowded *c) {
    struct query_memory_stats now;
    query_memory_stats(c->memory, &now);
    return now.refused;
}

TEST(waiting_questions_are_told_of_their_deadline_when_that_passes_and_are_refused_before) {
    struct crowded c;
    struct err_ctx ctx = { 0 };
    crowded_start(&c);
    CHECK_OK(search(&c, true, &ctx));
    CHECK_OK(list_values(&c, true, &ctx));
    // Series have some time of their own after that, and no memory to use it.
    enum err e = count(&c, true, &ctx);
    CHECK(e == ERR_TIMEOUT && strstr(ctx.text, "query.timeout"));
    ctx = (struct err_ctx){ 0 };
    CHECK_U64(n_refused(&c), 0);
    check_refused(search(&c, false, &ctx), &ctx);
    check_refused(list_values(&c, false, &ctx), &ctx);
    check_refused(count(&c, false, &ctx), &ctx);
    CHECK_U64(n_refused(&c), 3);
    crowded_fini(&c);
}

// --- a trace ---------------------------------------------------------------------------------------

// *left: what the trace has of it, when it is loaded.
static enum err load_within(struct view *v, uint64_t memory, uint64_t *left) {
    struct err_ctx ctx = { 0 };
    struct query_memory *m;
    struct trace t;
    uint8_t id[16];
    CHECK_OK(query_memory_new(memory, &m));
    spec_trace_id(1, id);
    enum err e = trace_load(v, id, &(struct trace_limits){ .memory = m }, &t), later = ERR_OK;
    if (e != ERR_OK) {
        CHECK(e == ERR_AGAIN && trace_explain(&t, e, &ctx) == ERR_AGAIN &&
              strstr(ctx.text, "query.max_memory_total"));
    } else { // what is made of it afterwards
        CHECK(!t.partial);
        *left = t.share.budget.used;
        while (later == ERR_OK) later = arena_alloc(&t.arena, 64 << 10) ? ERR_OK : ERR_NOMEM;
        CHECK(trace_explain(&t, later, &ctx) == ERR_AGAIN && strstr(ctx.text, "query.max_memory_total"));
        trace_fini(&t);
    }
    struct query_memory_stats now;
    query_memory_stats(m, &now);
    CHECK_U64(now.bytes, 0);
    query_memory_free(m);
    return e;
}

// With any less than it takes, wherever that is wanted, it is told to come again. *more: that was wanted,
// beyond what the trace has in the end.
static void load_with_less(struct view *v, uint64_t *more) {
    enum { STEP = 8 << 10, STEPS_MAX = 1000 };
    uint64_t limit = 0, left = 0;
    uint32_t steps = 0;
    enum err e = ERR_AGAIN;
    for (; e == ERR_AGAIN && steps < STEPS_MAX; steps++) {
        limit = MIB / 4 + steps * STEP;
        e = load_within(v, limit, &left);
    }
    CHECK(e == ERR_OK && steps > 5);
    *more = query_memory_most(limit) - left;
}

TEST(waiting_for_the_memory_of_a_trace_ends_in_that_answer_wherever_it_was_wanted) {
    enum { SPANS = 3000 };
    struct spec *s = mem_zalloc(SPANS * sizeof *s);
    struct trial t;
    uint64_t more;
    CHECK(s);
    for (uint64_t i = 0; i < SPANS; i++)
        s[i] = (struct spec){ 1, i + 1, i, TRIAL_NOW_NS + i, TRIAL_NOW_NS + SPANS + i, "a", "one", false };
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
    CHECK_OK(submit_specs(&t, s, SPANS));
    struct view *v = ingest_view(t.in);
    load_with_less(v, &more);
    view_unref(v);
    CHECK_OK(trial_flush(&t));
    v = ingest_view(t.in);
    load_with_less(v, &more);
    CHECK(more > 64 << 10); // what is read of a block counts
    view_unref(v);
    mem_free(s);
    trial_fini(&t);
}
