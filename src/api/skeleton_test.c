// SPDX-License-Identifier: Apache-2.0
#include "api/skeleton.h"

#include <stdlib.h>

#include "api/spans_test.h"
#include "base/cursor.h"

static void encode(const struct skeleton_input *in, struct buf *out) {
    struct arena a;
    struct skeleton_tree tree;
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(skeleton_tree(&a, in, &tree));
    CHECK_OK(skeleton_encode(&a, in, &tree, out));
    arena_fini(&a);
}

// The tree as text: for each row the span's id, its depth as indentation, and its flags.
static struct str tree_text(const struct skeleton_input *in, struct arena *a, struct buf *out) {
    struct skeleton_tree t;
    CHECK_OK(skeleton_tree(a, in, &t));
    uint32_t depth[SPANS_MAX];
    for (uint32_t r = 0; r < in->n; r++) {
        CHECK(t.parent[r] == SKELETON_NONE || t.parent[r] < r);
        depth[r] = t.parent[r] == SKELETON_NONE ? 0 : depth[t.parent[r]] + 1;
        for (uint32_t d = 0; d < depth[r]; d++) buf_char(out, '>');
        buf_fmt(out, "%llx", (unsigned long long)__builtin_bswap64(in->span_id[t.order[r]]));
        if (t.flags[r]) buf_fmt(out, "(%u)", t.flags[r]);
        buf_char(out, ' ');
    }
    return buf_view(out);
}

static void check_tree(const struct spans *s, const char *want) {
    struct arena a;
    struct buf out;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&out, 1 << 16);
    CHECK_STR(tree_text(&s->in, &a, &out), str_of(want));
    buf_fini(&out);
    arena_fini(&a);
}

TEST(skeleton_rows_are_depth_first_and_brothers_by_start) {
    struct spans s;
    spans_init(&s);
    span_add(&s, 4, 2, 130, 140, "grandchild");
    span_add(&s, 3, 1, 150, 160, "late child");
    span_add(&s, 5, 1, 120, 125, "same start, larger id");
    span_add(&s, 2, 1, 120, 145, "early child");
    span_add(&s, 1, 0, 100, 200, "root");
    span_add(&s, 7, 0, 90, 95, "earlier root");
    check_tree(&s, "7 1 >2 >>4 >5 >3 ");
}

TEST(skeleton_marks_missing_parents_and_bad_times) {
    struct spans s;
    spans_init(&s);
    span_add(&s, 1, 0, 100, 200, "root");
    span_add(&s, 2, 99, 110, 120, "parent not here");
    span_add(&s, 3, 1, 150, 140, "ends before it starts");
    span_add(&s, 4, 1, 160, 0, "has not ended");
    span_add(&s, 5, 1, 0, 0, "no time");
    s.flags[0] = SKELETON_EVENTS | SKELETON_LINKS;
    check_tree(&s, "1(12) >5(32) >3(16) >4(32) 2(1) ");
}

TEST(skeleton_cuts_loops_at_their_earliest_span) {
    struct spans s;
    spans_init(&s);
    span_add(&s, 9, 9, 50, 60, "its own parent");
    span_add(&s, 1, 3, 30, 60, "loop of three");
    span_add(&s, 2, 1, 20, 60, "the earliest of it");
    span_add(&s, 3, 2, 40, 60, "loop of three");
    span_add(&s, 4, 3, 10, 60, "hangs on the loop, and begins before it");
    check_tree(&s, "2(2) >3 >>4 >>1 9(2) ");
}

TEST(skeleton_hangs_children_on_the_first_of_spans_with_the_same_id) {
    struct spans s;
    spans_init(&s);
    span_add(&s, 1, 0, 10, 60, "first");
    span_add(&s, 1, 0, 20, 90, "second with the same id");
    span_add(&s, 2, 1, 30, 40, "child");
    check_tree(&s, "1(64) >2 1(64) ");
}

TEST(skeleton_of_a_very_deep_trace_needs_no_stack) {
    enum { DEEP = 200000 };
    uint64_t *id = mem_alloc(DEEP * 8), *parent = mem_alloc(DEEP * 8), *start = mem_alloc(DEEP * 8);
    struct str *name = mem_zalloc(DEEP * sizeof *name), service = STR("deep");
    uint8_t *zero = mem_zalloc(DEEP * 4);
    CHECK(id && parent && start && name && zero);
    for (uint32_t i = 0; i < DEEP; i++) id[i] = i + 1, parent[i] = i, start[i] = 1000 + i;
    struct skeleton_input in = { .n = DEEP,
                                 .n_known = DEEP,
                                 .span_id = id,
                                 .parent_id = parent,
                                 .start_ns = start,
                                 .end_ns = start,
                                 .name = name,
                                 .resource = (uint32_t *)zero,
                                 .kind = zero,
                                 .status = zero,
                                 .flags = zero,
                                 .n_resources = 1,
                                 .service = &service };
    struct buf out;
    buf_init(&out, SIZE_MAX);
    encode(&in, &out);
    uint32_t last;
    memcpy(&last, out.ptr + SKELETON_HEADER_BYTES + 4 * (DEEP - 1), 4);
    CHECK_U64(last, DEEP - 2);
    buf_fini(&out);
    mem_free(id), mem_free(parent), mem_free(start), mem_free(name), mem_free(zero);
}

// A random trace: some parents missing, some in loops, some times odd.
static void random_spans(struct spans *s, uint32_t n) {
    static const char *names[] = { "GET /", "SELECT", "", "publish" };
    spans_init(s);
    s->in.n_resources = 3;
    s->service[0] = STR("shop"), s->service[1] = STR("db"), s->service[2] = STR("");
    for (uint32_t i = 0; i < n; i++) {
        uint64_t start = test_below(20) ? 1000 + test_below(50) : 0;
        uint32_t at =
            span_add(s, 1 + i, test_below(n + 2), start, start + test_below(30), names[test_below(4)]);
        s->resource[at] = (uint32_t)test_below(3);
        s->status[at] = (uint8_t)test_below(3);
    }
}

#define SWAP(a, i, j) \
    do { \
        __typeof__((a)[0]) swap_ = (a)[i]; \
        (a)[i] = (a)[j]; \
        (a)[j] = swap_; \
    } while (0)

static void shuffle(struct spans *s) {
    for (uint32_t i = s->in.n; i > 1; i--) {
        uint32_t j = (uint32_t)test_below(i), k = i - 1;
        SWAP(s->id, k, j);
        SWAP(s->parent, k, j);
        SWAP(s->start, k, j);
        SWAP(s->end, k, j);
        SWAP(s->name, k, j);
        SWAP(s->resource, k, j);
        SWAP(s->status, k, j);
    }
}

TEST(skeleton_does_not_depend_on_the_order_of_arrival) {
    for (int round = 0; round < 60; round++) {
        struct spans *s = mem_alloc(sizeof *s);
        CHECK(s);
        random_spans(s, 1 + (uint32_t)test_below(SPANS_MAX));
        struct buf one, two;
        buf_init(&one, 1 << 20);
        buf_init(&two, 1 << 20);
        encode(&s->in, &one);
        shuffle(s);
        encode(&s->in, &two);
        CHECK_STR(buf_view(&one), buf_view(&two));
        buf_fini(&one);
        buf_fini(&two);
        mem_free(s);
    }
}

// Every span once, children inside the run of rows of their parent, brothers in order.
TEST(skeleton_rows_keep_every_span_and_parent) {
    struct spans s;
    random_spans(&s, SPANS_MAX);
    struct arena a;
    struct skeleton_tree t;
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(skeleton_tree(&a, &s.in, &t));
    bool seen[SPANS_MAX] = { false };
    for (uint32_t r = 0; r < s.in.n; r++) {
        uint32_t at = t.order[r], p = t.parent[r];
        CHECK(!seen[at]);
        seen[at] = true;
        if (p == SKELETON_NONE) {
            CHECK(s.parent[at] == 0 || t.flags[r] & (SKELETON_MISSING_PARENT | SKELETON_LOOP));
            continue;
        }
        CHECK_U64(s.parent[at], s.id[t.order[p]]);
        for (uint32_t q = r - 1; q != p; q = t.parent[q])
            CHECK(t.parent[q] != SKELETON_NONE && t.parent[q] >= p);
    }
    arena_fini(&a);
}

TEST(skeleton_cuts_long_names_between_characters) {
    struct spans s;
    spans_init(&s);
    char text[3 * 700 + 1];
    for (int i = 0; i < 700; i++) memcpy(text + i * 3, "€", 3);
    text[0] = text[1] = text[2] = '\0'; // a NUL is a character like any other
    span_add(&s, 1, 0, 100, 200, "");
    s.name[0] = (struct str){ text, 2100 };
    struct buf out;
    buf_init(&out, 1 << 16);
    s.in.n_resources = 1;
    encode(&s.in, &out);
    struct str tail = str_sub(buf_view(&out), out.len - 1024, 1024);
    CHECK_STR(str_sub(tail, 0, 3), ((struct str){ "\0\0\0", 3 }));
    CHECK_STR(str_sub(tail, 1017, 6), STR("€…"));
    buf_fini(&out);
}

static void golden_spans(struct spans *s) {
    const uint64_t ms = 1000000, t0 = 1763000000000 * ms;
    spans_init(s);
    for (uint8_t i = 0; i < 16; i++) s->in.trace_id[i] = (uint8_t)(0xa0 + i);
    s->service[0] = STR("shop"), s->service[1] = STR("payments"), s->service[2] = STR("");
    s->in.n_resources = 3;
    span_add(s, 0x11, 0, t0, t0 + 5000 * ms, "POST /pay");
    uint32_t charge = span_add(s, 0x12, 0x11, t0 + 10 * ms, t0 + 4990 * ms, "charge");
    span_add(s, 0x13, 0x12, t0 + 20 * ms, t0 + 15 * ms, "clock runs back");
    span_add(s, 0x14, 0xdead, t0 + 30 * ms, t0 + 31 * ms, "名前 <script>");
    span_add(s, 0x15, 0x11, t0 + 40 * ms, 0, "charge");
    s->resource[charge] = 1;
    s->status[charge] = 2;
    s->message[charge] = STR("card declined");
    s->flags[charge] = SKELETON_EVENTS;
    s->kind[0] = 2, s->kind[charge] = 3;
    s->resource[3] = 2;
    s->in.n_known = 7;
}

// The web app's decoder is tested with the same file. TAKT_UPDATE=1 writes it anew.
TEST(skeleton_bytes_are_the_golden_ones) {
    static const char path[] = "tests/golden/skeleton.bin";
    struct spans s;
    golden_spans(&s);
    struct buf out;
    buf_init(&out, 1 << 16);
    encode(&s.in, &out);
    FILE *f = fopen(path, getenv("TAKT_UPDATE") ? "w+" : "r");
    CHECK(f != NULL);
    if (getenv("TAKT_UPDATE")) {
        CHECK_U64(fwrite(out.ptr, 1, out.len, f), out.len);
        rewind(f);
    }
    char golden[4096];
    size_t n = fread(golden, 1, sizeof golden, f);
    (void)fclose(f);
    CHECK_STR(buf_view(&out), ((struct str){ golden, n }));
    buf_fini(&out);
}

TEST(skeleton_without_spans_is_a_header) {
    struct spans s;
    spans_init(&s);
    struct buf out;
    buf_init(&out, 1 << 16);
    encode(&s.in, &out);
    CHECK_U64(out.len, SKELETON_HEADER_BYTES + 4);
    buf_fini(&out);
}

TEST(skeleton_refuses_what_is_over_a_limit) {
    struct spans s;
    golden_spans(&s);
    struct arena a;
    struct skeleton_tree t;
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(skeleton_tree(&a, &s.in, &t));
    struct buf out;
    buf_init(&out, 300);
    CHECK(skeleton_encode(&a, &s.in, &t, &out) == ERR_LIMIT);
    buf_fini(&out);
    buf_init(&out, 400); // the rows fit, the strings do not
    CHECK(skeleton_encode(&a, &s.in, &t, &out) == ERR_LIMIT);
    buf_fini(&out);
    s.in.n = SKELETON_ROWS_MAX + 1;
    CHECK(skeleton_tree(&a, &s.in, &t) == ERR_LIMIT);
    arena_fini(&a);
}

TEST(skeleton_survives_every_failed_allocation) {
    struct spans s;
    random_spans(&s, 300);
    for (uint64_t n = 1; n < 100; n++) {
        struct arena a;
        struct buf out;
        struct skeleton_tree t;
        arena_init(&a, SIZE_MAX, NULL);
        buf_init(&out, 1 << 20);
        mem_fail_at(n, true);
        enum err e = skeleton_tree(&a, &s.in, &t);
        if (e == ERR_OK) e = skeleton_encode(&a, &s.in, &t, &out);
        mem_fail_at(0, false);
        buf_fini(&out);
        arena_fini(&a);
        if (e == ERR_OK) return; // needed fewer than n
        CHECK(e == ERR_NOMEM);
    }
    CHECK(!"still failing after 100 allocations");
}
