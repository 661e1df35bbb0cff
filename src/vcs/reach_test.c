// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"
#include "vcs/reach.h"

static struct arena arena;

static struct arena *fresh(void) {
    arena_fini(&arena);
    arena_init(&arena, (size_t)256 << 20, NULL);
    return &arena;
}

// --- histories known by hand -------------------------------------------------------------------------

// A commit is a letter; "B:A" has the parent A, "M:BC" merges. Commits without a colon have no parents.
static struct graph_view graph_of(struct graph *g, const char *text) {
    graph_init(g);
    struct str rest = str_of(text), word;
    while (rest.len) {
        struct sha id = { { 0 } }, parents[8] = { { { 0 } } };
        uint32_t n = 0, row;
        (void)str_cut(rest, ' ', &word, &rest);
        id.byte[0] = (uint8_t)word.ptr[0];
        for (size_t i = 2; i < word.len; i++) parents[n++].byte[0] = (uint8_t)word.ptr[i];
        CHECK_OK(graph_add(g, &id, parents, n, &row));
    }
    return graph_view(g);
}

static uint32_t row_of(const struct graph *g, char commit) {
    return graph_find(g, &(struct sha){ { (uint8_t)commit } });
}

// Rollouts are letters too: upper case in the graph, '!' before a failed one, '?' = unknown. Answers:
// "A=baseline B=B C=DC ?=unknown": the commits in the order of the list, merges in round brackets.
static void check_rollouts(const char *graph, const char *rollouts, const char *want) {
    struct graph g;
    struct graph_view v = graph_of(&g, graph);
    struct reach *r;
    struct buf got;
    buf_init(&got, 1 << 12);
    CHECK_OK(reach_new(&r));
    for (const char *p = rollouts; *p; p++) {
        struct reach_set set;
        bool ok = *p != '!';
        if (!ok) p++;
        CHECK_OK(reach_add(r, &v, *p == '?' ? GRAPH_NONE : row_of(&g, *p), ok, fresh(), &set));
        static const char *const kinds[] = { "", "baseline", "unknown", "unknown-base" };
        buf_fmt(&got, "%s%s%c=%s", got.len ? " " : "", ok ? "" : "!", *p, kinds[set.kind]);
        for (uint32_t i = 0; i < set.n; i++) {
            struct sha id = graph_sha(&g, set.commits[i].row);
            buf_fmt(&got, set.commits[i].is_merge ? "(%c)" : "%c", id.byte[0]);
        }
        if (set.is_cut) buf_str(&got, STR("..."));
    }
    struct str text = test_exact(buf_view(&got));
    reach_free(r);
    graph_fini(&g);
    buf_fini(&got);
    CHECK_STR(text, str_of(want));
}

TEST(reach_of_a_straight_line) {
    check_rollouts("A B:A C:B D:C", "ABD", "A=baseline B=B D=DC");
    check_rollouts("A B:A C:B D:C", "DB", "D=baseline B="); // a first deploy of everything, then an old one
}

TEST(reach_of_rollback_redeploy_and_roll_forward_is_empty) {
    check_rollouts("A B:A C:B", "ABBABC", "A=baseline B=B B= A= B= C=C");
}

TEST(reach_lists_merges_as_such) {
    check_rollouts("A B:A T:A M:BT", "AM", "A=baseline M=(M)BT");
    check_rollouts("A B:A T:A M:BT", "ABM", "A=baseline B=B M=(M)T");
}

// The release R2 (D) is out; a hotfix is cut from the release before (B): H, a pick of F, which the next
// release brings again. `previous..current` for E after H would list C and D a second time.
TEST(reach_counts_each_commit_once_after_a_hotfix_from_an_old_branch) {
    check_rollouts("A B:A C:B D:C F:D E:F H:B", "ABDHE", "A=baseline B=B D=DC H=H E=EF");
}

TEST(reach_of_a_failed_rollout_delivers_nothing) {
    check_rollouts("A B:A C:B", "!AA!BC!C", "!A=baseline A=baseline !B=B C=CB !C=");
}

TEST(reach_of_unknown_commits_is_never_all_of_history) {
    check_rollouts("A B:A C:B", "?BC", "?=unknown B=unknown-base C=C");
    check_rollouts("A B:A C:B D:C", "A?CD", "A=baseline ?=unknown C=unknown-base D=D");
    check_rollouts("A B:A C:B D:C", "A?ACD", "A=baseline ?=unknown A= C=unknown-base D=D");
    check_rollouts("A B:A C:B D:C", "A!?C", "A=baseline !?=unknown C=CB"); // it did not come to anything
    check_rollouts("A B:A C:B D:C", "A?!CD", "A=baseline ?=unknown !C=unknown-base D=unknown-base");
}

TEST(reach_where_history_ends_is_marked) {
    check_rollouts("C:B D:C E:D", "DE", "D=baseline... E=E");       // B is not there
    check_rollouts("C:B D:C E:DX", "DE", "D=baseline... E=(E)..."); // a branch from before the cut
    check_rollouts("C:B D:C E:D", "CBE", "C=baseline... B=unknown E=unknown-base");
}

TEST(reach_takes_what_lies_behind_a_cut_as_delivered) {
    struct graph g;
    struct graph_view v = graph_of(&g, "C:B D:C F:DB");
    struct reach *r;
    struct reach_set set;
    struct sha a = { { 'A' } }, b = { { 'B' } };
    uint32_t row;
    CHECK_OK(reach_new(&r));
    CHECK_OK(reach_add(r, &v, row_of(&g, 'D'), true, fresh(), &set));
    CHECK_OK(graph_add(&g, &b, &a, 1, &row)); // the clone is deepened
    CHECK_OK(graph_add(&g, &a, NULL, 0, &row));
    v = graph_view(&g);
    CHECK_OK(reach_add(r, &v, row_of(&g, 'F'), true, fresh(), &set));
    CHECK_U64(set.n, 1);
    CHECK_U64(set.commits[0].row, row_of(&g, 'F'));
    CHECK(reach_has(r, row_of(&g, 'B')) && !reach_has(r, 1000000));
    reach_free(r);
    graph_fini(&g);
}

TEST(reach_peeks_without_leaving_a_trace) {
    struct graph g;
    struct graph_view v = graph_of(&g, "A B:A C:B");
    struct reach *r;
    struct reach_set set;
    CHECK_OK(reach_new(&r));
    CHECK_OK(reach_peek(r, &v, row_of(&g, 'C'), fresh(), &set));
    CHECK(set.kind == REACH_BASELINE && set.n == 0);
    CHECK_OK(reach_add(r, &v, row_of(&g, 'A'), true, fresh(), &set));
    CHECK_OK(reach_peek(r, &v, row_of(&g, 'C'), fresh(), &set));
    CHECK(set.kind == REACH_SET && set.n == 2);
    CHECK(!reach_has(r, row_of(&g, 'C')));
    CHECK_U64(reach_count(r), 1);
    reach_free(r);
    graph_fini(&g);
}

// --- limits and failures -----------------------------------------------------------------------------

static void line(struct graph *g, uint32_t n) {
    graph_init(g);
    for (uint32_t i = 0, row; i < n; i++) {
        struct sha id = { { 0 } }, parent = { { 0 } };
        memcpy(id.byte, &i, sizeof i);
        uint32_t before = i - 1;
        memcpy(parent.byte, &before, sizeof before);
        CHECK_OK(graph_add(g, &id, &parent, i > 0, &row));
        CHECK_U64(row, i);
    }
}

TEST(reach_caps_what_it_lists_and_says_so) {
    struct graph g;
    struct reach *r;
    struct reach_set set;
    line(&g, REACH_SET_MAX + 3);
    struct graph_view v = graph_view(&g);
    CHECK_OK(reach_new(&r));
    CHECK_OK(reach_add(r, &v, 0, true, fresh(), &set));
    CHECK_OK(reach_add(r, &v, REACH_SET_MAX + 1, true, fresh(), &set));
    CHECK_U64(set.n, REACH_SET_MAX);
    CHECK_U64(set.n_new, REACH_SET_MAX + 1);
    CHECK(set.is_capped);
    CHECK_U64(set.commits[0].row, REACH_SET_MAX + 1); // the nearest are listed
    CHECK_OK(reach_add(r, &v, REACH_SET_MAX + 2, true, fresh(), &set));
    CHECK(set.n == 1 && !set.is_capped);
    reach_free(r);
    graph_fini(&g);
}

TEST(reach_refuses_nodes_that_point_outside) {
    static const struct graph_node nodes[] = { { 0, 0 }, { 0, 1 }, { 1, 2 }, { 9, 1 } };
    static const uint32_t parents[] = { 0, 1 };
    struct graph_view v = { 4, 2, nodes, parents };
    struct reach *r;
    struct reach_set set;
    CHECK_OK(reach_new(&r));
    CHECK(reach_add(r, &v, 3, true, fresh(), &set) == ERR_INVALID);
    CHECK(reach_add(r, &v, 2, true, fresh(), &set) == ERR_INVALID);
    CHECK(!reach_has(r, 2) && reach_count(r) == 0);
    CHECK_OK(reach_add(r, &v, 1, true, fresh(), &set));
    CHECK(set.kind == REACH_BASELINE && set.n_new == 2);
    reach_free(r);
}

TEST(reach_survives_each_failed_allocation) {
    struct graph g;
    struct reach *r;
    line(&g, 300);
    struct graph_view v = graph_view(&g);
    for (uint64_t n = 1;; n++) {
        static const uint32_t at[] = { 10, 200, 250, 299 };
        static const bool ok[] = { true, true, false, true };
        static const uint32_t want[] = { 0, 190, 50, 99 };
        uint32_t failed = 0;
        CHECK_OK(reach_new(&r));
        mem_fail_at(n, false);
        for (int i = 0; i < 4;) {
            struct reach_set set;
            enum err e = reach_add(r, &v, at[i], ok[i], fresh(), &set);
            if (e == ERR_OK) CHECK_U64(set.n, want[i]);
            if (e == ERR_OK) CHECK_U64(reach_count(r), ++i);
            if (e != ERR_OK) CHECK(e == ERR_NOMEM && ++failed < 2);
        }
        mem_fail_at(0, false);
        reach_free(r);
        if (!failed) break;
    }
    graph_fini(&g);
}

TEST(graph_survives_each_failed_allocation) {
    for (uint64_t n = 1;; n++) {
        struct graph g;
        uint32_t failed = 0;
        graph_init(&g);
        mem_fail_at(n, false);
        for (uint32_t i = 0; i < 200;) {
            struct sha id = { { (uint8_t)i } },
                       parents[2] = { { { (uint8_t)(i + 1) } }, { { (uint8_t)(i + 2) } } };
            uint32_t row;
            enum err e = graph_add(&g, &id, parents, 2, &row);
            if (e == ERR_OK)
                CHECK_U64(row, i++);
            else
                CHECK(e == ERR_NOMEM && ++failed < 2);
        }
        mem_fail_at(0, false);
        struct graph_view v = graph_view(&g);
        CHECK_U64(v.n, 202);
        for (uint32_t i = 0; i < 200; i++) {
            CHECK_U64(v.nodes[i].n_parents, 2);
            CHECK(v.parents[v.nodes[i].at] == i + 1 && v.parents[v.nodes[i].at + 1] == i + 2);
        }
        CHECK(graph_is_absent(&v, 200) && graph_is_absent(&v, 201) && graph_is_absent(&v, 202));
        graph_fini(&g);
        if (!failed) break;
    }
}

// --- against an implementation that starts over for every rollout --------------------------------------

enum { MAX_ROWS = 60, MAX_ROLLOUTS = 24 };

struct world {
    uint32_t n, n_rollouts;
    struct graph_node nodes[MAX_ROWS];
    uint32_t parents[MAX_ROWS * 3], n_parents;
    uint32_t row[MAX_ROLLOUTS];
    bool ok[MAX_ROLLOUTS];
};

static void draw_world(struct world *w) {
    *w = (struct world){ .n = 1 + (uint32_t)test_below(MAX_ROWS),
                         .n_rollouts = 1 + (uint32_t)test_below(MAX_ROLLOUTS) };
    uint32_t absent = (uint32_t)test_below(3) ? 0 : 10, near = 1 + (uint32_t)test_below(8);
    for (uint32_t i = 0; i < w->n; i++) {
        uint32_t n = i == 0 ? 0 : test_below(12) == 0 ? 0 : 1 + (test_below(4) == 0) + (test_below(20) == 0);
        w->nodes[i] = (struct graph_node){ w->n_parents, n };
        for (uint32_t p = 0; p < n; p++) {
            uint32_t back = 1 + (uint32_t)test_below(near);
            w->parents[w->n_parents++] = test_below(40) == 0 ? GRAPH_NONE - 1 : back > i ? 0 : i - back;
        }
        if (absent && test_below(absent) == 0) w->nodes[i].n_parents = GRAPH_ABSENT;
    }
    for (uint32_t i = 0; i < w->n_rollouts; i++) {
        uint32_t mostly = (uint32_t)((uint64_t)w->n * (i + 1) / w->n_rollouts); // forward, more or less
        w->row[i] = test_below(10) == 0 ? GRAPH_NONE
                                        : (uint32_t)test_below(test_below(3) ? mostly ? mostly : 1 : w->n);
        w->ok[i] = test_below(5) != 0;
    }
}

static void mark_ancestors(const struct world *w, uint32_t row, bool *in, bool *cut) {
    if (in[row]) return;
    in[row] = true;
    if (w->nodes[row].n_parents == GRAPH_ABSENT) {
        *cut = true;
        return;
    }
    for (uint32_t p = 0; p < w->nodes[row].n_parents; p++) {
        uint32_t parent = w->parents[w->nodes[row].at + p];
        if (parent >= w->n)
            *cut = true;
        else
            mark_ancestors(w, parent, in, cut);
    }
}

struct answer {
    enum reach_kind kind;
    uint32_t n_new, n_merges;
    bool in[MAX_ROWS];
};

// The definition, word by word.
static struct answer naive(const struct world *w, uint32_t k) {
    struct answer a = { .kind = REACH_SET };
    bool mine[MAX_ROWS] = { false }, before[MAX_ROWS] = { false }, cut = false;
    bool has_base = false, in_doubt = false;
    struct graph_view v = { w->n, w->n_parents, w->nodes, w->parents };
    for (uint32_t i = 0; i < k; i++) {
        if (!w->ok[i]) continue;
        bool known = !graph_is_absent(&v, w->row[i]);
        if (known && !before[w->row[i]]) has_base = true, in_doubt = false;
        if (!known) in_doubt = true;
        if (known) mark_ancestors(w, w->row[i], before, &cut);
    }
    if (graph_is_absent(&v, w->row[k])) {
        a.kind = REACH_UNKNOWN;
        return a;
    }
    if (before[w->row[k]]) return a;
    a.kind = in_doubt ? REACH_UNKNOWN_BASE : has_base ? REACH_SET : REACH_BASELINE;
    mark_ancestors(w, w->row[k], mine, &cut);
    for (uint32_t i = 0; i < w->n; i++) {
        if (!mine[i] || before[i] || graph_is_absent(&v, i)) continue;
        a.in[i] = true;
        a.n_new++;
        a.n_merges += w->nodes[i].n_parents >= 2;
    }
    return a;
}

static void check_answer(const struct world *w, uint32_t k, const struct reach_set *set) {
    struct answer want = naive(w, k);
    bool listed[MAX_ROWS] = { false };
    CHECK_U64(set->kind, want.kind);
    if (set->kind == REACH_SET) CHECK_U64(set->n, want.n_new);
    if (set->kind != REACH_SET) CHECK_U64(set->n, 0);
    if (set->kind == REACH_SET || w->ok[k]) CHECK_U64(set->n_new, want.n_new);
    if (set->kind == REACH_SET || w->ok[k]) CHECK_U64(set->n_merges, want.n_merges);
    for (uint32_t i = 0; i < set->n; i++) {
        uint32_t row = set->commits[i].row;
        CHECK(row < w->n && want.in[row] && !listed[row]);
        CHECK(set->commits[i].is_merge == (w->nodes[row].n_parents >= 2));
        listed[row] = true;
    }
}

TEST(reach_says_what_the_definition_says_of_random_histories) {
    static struct world w;
    for (int round = 0; round < 1500; round++) {
        struct reach *r;
        draw_world(&w);
        struct graph_view v = { w.n, w.n_parents, w.nodes, w.parents };
        CHECK_OK(reach_new(&r));
        for (uint32_t k = 0; k < w.n_rollouts; k++) {
            struct reach_set set, peek;
            CHECK_OK(reach_peek(r, &v, w.row[k], fresh(), &peek));
            CHECK_OK(reach_add(r, &v, w.row[k], w.ok[k], fresh(), &set));
            CHECK(peek.kind == set.kind && peek.n == set.n);
            check_answer(&w, k, &set);
        }
        reach_free(r);
    }
}

static bool same_set(const struct reach_set *a, const struct reach_set *b) {
    if (a->kind != b->kind || a->n != b->n || a->n_new != b->n_new || a->is_cut != b->is_cut) return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->commits[i].row != b->commits[i].row) return false;
    return true;
}

TEST(reach_rewound_for_a_late_rollout_says_the_same_as_from_scratch) {
    static struct world w;
    for (int round = 0; round < 1500; round++) {
        struct reach *late, *scratch;
        struct reach_set a, b;
        struct arena *mem = fresh();
        draw_world(&w);
        struct graph_view v = { w.n, w.n_parents, w.nodes, w.parents };
        uint32_t missed = (uint32_t)test_below(w.n_rollouts), start = (uint32_t)test_below(w.n_rollouts + 1);
        CHECK_OK(reach_new(&late));
        CHECK_OK(reach_new(&scratch));
        for (uint32_t k = 0; k < w.n_rollouts; k++) // all but one, and some of them twice
            if (k != missed) CHECK_OK(reach_add(late, &v, w.row[k], w.ok[k], mem, &a));
        reach_rewind(late, missed);
        CHECK_U64(reach_count(late), missed);
        if (start > missed) start = missed;
        reach_rewind(late, start);
        reach_rewind(late, MAX_ROLLOUTS); // nothing to take back
        for (uint32_t k = 0; k < w.n_rollouts; k++) {
            CHECK_OK(reach_add(scratch, &v, w.row[k], w.ok[k], mem, &b));
            if (k < start) continue;
            CHECK_OK(reach_add(late, &v, w.row[k], w.ok[k], mem, &a));
            CHECK(same_set(&a, &b));
        }
        for (uint32_t i = 0; i < w.n; i++) CHECK(reach_has(late, i) == reach_has(scratch, i));
        reach_free(late), reach_free(scratch);
    }
}
