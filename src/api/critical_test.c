// SPDX-License-Identifier: Apache-2.0
// Self times and critical paths: the cases that the web app is held to as well, random traces against a plain
// computation that asks for each moment, and shapes that could be too much.
#include "api/critical.h"

#include "api/spans_test.h"

// By id, which are small numbers.
enum { IDS = 1000 };
struct spent {
    uint64_t self[IDS], critical[IDS], total;
};

static void spent_of(const struct spans *s, struct spent *out) {
    struct arena a;
    struct skeleton_tree tree;
    struct critical c;
    memset(out, 0, sizeof *out);
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(skeleton_tree(&a, &s->in, &tree));
    CHECK_OK(critical_path(&a, &s->in, &tree, &c));
    for (uint32_t row = 0; row < s->in.n; row++) {
        uint64_t id = __builtin_bswap64(s->id[tree.order[row]]);
        CHECK(id < IDS);
        out->self[id] += c.self_ns[row];
        out->critical[id] += c.critical_ns[row];
    }
    out->total = c.total_ns;
    arena_fini(&a);
}

// --- cases -------------------------------------------------------------------------------------------------

enum { CASE_BYTES = 1 << 16, BASE = 1000 };

static uint64_t number(struct str *line) {
    struct str word;
    uint64_t n = 0;
    (void)str_cut(*line, ' ', &word, line);
    if (!str_eq(word, STR("-"))) CHECK(str_u64(word, &n));
    return n;
}

static void check_case(const struct spans *s, struct str what, const uint64_t *self,
                       const uint64_t *critical) {
    struct spent got;
    spent_of(s, &got);
    for (uint32_t i = 0; i < s->in.n; i++) {
        uint64_t id = __builtin_bswap64(s->id[i]);
        if (got.self[id] != self[i] || got.critical[id] != critical[i])
            printf("# %.*s: span %llu\n", STR_ARG(what), (unsigned long long)id);
        CHECK_U64(got.self[id], self[i]);
        CHECK_U64(got.critical[id], critical[i]);
    }
}

TEST(critical_cases_shared_with_the_web_app) {
    static char room[CASE_BYTES];
    FILE *f = fopen("tests/cases/critical/paths.case", "rb");
    CHECK(f);
    struct str text = { room, fread(room, 1, sizeof room, f) }, line, what = STR("");
    (void)fclose(f);
    struct spans s;
    uint64_t self[SPANS_MAX], critical[SPANS_MAX];
    uint32_t n_cases = 0;
    spans_init(&s);
    while (text.len) {
        (void)str_cut(text, '\n', &line, &text);
        bool is_end = line.len == 0 || text.len == 0;
        if (str_starts(line, STR("#"))) {
            what = line;
        } else if (line.len) {
            uint64_t id = number(&line), parent = number(&line), start = number(&line), end = number(&line);
            uint32_t i = span_add(&s, id, parent, BASE + start, BASE + end, "op");
            self[i] = number(&line);
            critical[i] = number(&line);
        }
        if (s.in.n == 0 || !is_end) continue;
        check_case(&s, what, self, critical);
        spans_init(&s);
        n_cases++;
    }
    CHECK(n_cases > 20);
}

// --- moment by moment --------------------------------------------------------------------------------------

static uint64_t end_of(const struct spans *s, uint32_t i) {
    return s->end[i] > s->start[i] ? s->end[i] : s->start[i];
}

// The child of a span that ends last of those that were not tried; of equal ones the last in order.
static uint32_t last_child(const struct spans *s, uint32_t of, const bool *tried) {
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < s->in.n; i++) {
        if (s->parent[i] != s->id[of] || i == of || tried[i]) continue;
        if (best == UINT32_MAX || end_of(s, i) > end_of(s, best)) best = i;
        if (end_of(s, i) == end_of(s, best) &&
            (s->start[i] > s->start[best] || (s->start[i] == s->start[best] && i > best)))
            best = i;
    }
    return best;
}

// Which span the answer waited for in [t, t + 1).
static uint32_t waited_for(const struct spans *s, uint32_t of, uint64_t floor, uint64_t at, uint64_t t) {
    bool tried[SPANS_MAX] = { false };
    for (uint32_t kid; (kid = last_child(s, of, tried)) != UINT32_MAX && t < at;) {
        uint64_t from = s->start[kid] > floor ? s->start[kid] : floor;
        uint64_t to = end_of(s, kid) < at ? end_of(s, kid) : at;
        tried[kid] = true;
        if (to <= from) continue;
        if (t >= to) return of;
        if (t >= from) return waited_for(s, kid, from, to, t);
        at = from;
    }
    return of;
}

static bool is_covered(const struct spans *s, uint32_t of, uint64_t t) {
    for (uint32_t i = 0; i < s->in.n; i++)
        if (s->parent[i] == s->id[of] && s->start[i] <= t && t < end_of(s, i)) return true;
    return false;
}

// Ids in the order of starts, so that equal ones are told apart as the tree does it.
static void random_spans(struct spans *s) {
    uint32_t n = 2 + (uint32_t)test_below(25);
    spans_init(s);
    span_add(s, 1, 0, BASE, BASE + 20 + test_below(80), "root");
    for (uint32_t id = 2; id <= n; id++) {
        uint32_t up = (uint32_t)test_below(s->in.n);
        uint64_t start = s->start[up] + test_below(30) - (test_below(4) == 0 ? 5 : 0);
        uint64_t end = start + test_below(50) - (test_below(9) == 0 ? 3 : 0);
        span_add(s, id, test_below(20) ? up + 1 : 500, start, end, "op");
    }
}

TEST(critical_of_random_traces_is_what_each_moment_says) {
    for (int round = 0; round < 300; round++) {
        struct spans s;
        struct spent got, want = { 0 };
        random_spans(&s);
        for (uint64_t t = s.start[0]; t < s.end[0]; t++)
            want.critical[waited_for(&s, 0, s.start[0], s.end[0], t) + 1]++;
        for (uint32_t i = 0; i < s.in.n; i++)
            for (uint64_t t = s.start[i]; t < end_of(&s, i); t++) want.self[i + 1] += !is_covered(&s, i, t);
        spent_of(&s, &got);
        uint64_t sum = 0;
        for (uint32_t id = 1; id <= s.in.n; id++) {
            CHECK_U64(got.self[id], want.self[id]);
            CHECK_U64(got.critical[id], want.critical[id]);
            sum += got.critical[id];
        }
        CHECK_U64(sum, got.total);
        CHECK_U64(got.total, s.end[0] - s.start[0]);
    }
}

// --- shapes ------------------------------------------------------------------------------------------------

TEST(critical_of_spans_without_times_is_nothing) {
    struct spans s;
    struct spent got;
    spans_init(&s);
    span_add(&s, 1, 0, 100, 200, "root");
    span_add(&s, 2, 1, 0, 150, "never began");
    span_add(&s, 3, 1, 120, 0, "never ended");
    span_add(&s, 4, 1, UINT64_MAX - 1, UINT64_MAX, "far away");
    spent_of(&s, &got);
    CHECK_U64(got.critical[1], 100);
    CHECK_U64(got.self[1], 100);
    CHECK(got.self[2] == 0 && got.self[3] == 0 && got.self[4] == 1);
    spans_init(&s);
    spent_of(&s, &got);
    CHECK_U64(got.total, 0);
}

TEST(critical_of_a_deep_chain_and_of_circles) {
    struct spans s;
    struct spent got;
    spans_init(&s);
    for (uint32_t i = 0; i < SPANS_MAX; i++) span_add(&s, i + 1, i, 100 + i, 5000 - i, "level");
    spent_of(&s, &got);
    CHECK_U64(got.total, 4900);
    CHECK(got.critical[1] == 2 && got.self[1] == 2 && got.critical[SPANS_MAX] == 4900 - 2 * (SPANS_MAX - 1));
    spans_init(&s);
    span_add(&s, 1, 2, 100, 200, "a circle");
    span_add(&s, 2, 1, 110, 150, "of two");
    spent_of(&s, &got);
    CHECK(got.critical[1] == 60 && got.critical[2] == 40);
}

TEST(critical_survives_lack_of_memory) {
    struct spans s;
    random_spans(&s);
    for (uint64_t n = 1;; n++) {
        struct arena a;
        struct skeleton_tree tree;
        struct critical c;
        arena_init(&a, SIZE_MAX, NULL);
        mem_fail_at(n, true);
        enum err e = skeleton_tree(&a, &s.in, &tree);
        if (e == ERR_OK) e = critical_path(&a, &s.in, &tree, &c);
        mem_fail_at(0, false);
        arena_fini(&a);
        if (e == ERR_OK) break;
        CHECK(e == ERR_NOMEM);
    }
}
