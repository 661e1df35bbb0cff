// SPDX-License-Identifier: Apache-2.0
#include "load/load.h"

#include "base/pb.h"
#include "base/test.h"

static const uint64_t start_ns = 1790000000000000000u;

// What a decoder of its own finds in requests.
struct seen {
    size_t spans, roots, errors, orphans, slow, resources;
    uint64_t ids[20000], parents[20000], starts[20000];
    uint64_t newest_end_ns;
};

static uint64_t id_of(struct str s) {
    uint64_t id = 0;
    CHECK(s.len == 8);
    memcpy(&id, s.ptr, 8);
    return id;
}

static void see_span(struct seen *seen, struct str bytes) {
    struct reader r = reader_of(bytes);
    struct pb_field f;
    size_t at = seen->spans++;
    CHECK(at < 20000);
    uint64_t end = 0;
    bool failed = false;
    seen->parents[at] = 0;
    while (pb_next(&r, &f)) switch (f.number) {
        case 1: CHECK(f.bytes.len == 16); break;
        case 2: seen->ids[at] = id_of(f.bytes); break;
        case 4: seen->parents[at] = id_of(f.bytes); break;
        case 5: CHECK(f.bytes.len > 0 && str_is_utf8(f.bytes)); break;
        case 7: seen->starts[at] = f.value; break;
        case 8: end = f.value; break;
        case 15: failed = true; break;
        default: break;
        }
    CHECK(!r.bad);
    CHECK(end >= seen->starts[at]);
    if (end > seen->newest_end_ns) seen->newest_end_ns = end;
    seen->roots += !seen->parents[at];
    seen->errors += failed;
    seen->slow += end - seen->starts[at] > 2000000000u;
}

static void see_request(struct seen *seen, struct str bytes) {
    struct reader r = reader_of(bytes), rs, ss;
    struct pb_field f;
    while (pb_next(&r, &f)) {
        CHECK(f.number == 1);
        seen->resources++;
        for (rs = reader_of(f.bytes); pb_next(&rs, &f);) {
            if (f.number != 2) continue;
            for (ss = reader_of(f.bytes); pb_next(&ss, &f);)
                if (f.number == 2) see_span(seen, f.bytes);
            CHECK(!ss.bad);
        }
        CHECK(!rs.bad);
    }
    CHECK(!r.bad);
}

// Runs a generator in steps of a tenth of a second until it is done or seconds are over.
static void run(const struct load_gen_opts *opts, unsigned seconds, struct seen *seen, struct buf *all) {
    struct load_gen *g;
    struct buf out;
    CHECK_OK(load_gen_new(opts, &g));
    buf_init(&out, 16 << 20);
    memset(seen, 0, sizeof *seen);
    for (unsigned tick = 0; tick < 10 * seconds && !load_gen_done(g); tick++) {
        size_t n = 1;
        while (n) {
            buf_reset(&out);
            CHECK_OK(load_gen_next(g, start_ns + tick * 100000000ull, &out, &n));
            CHECK(n <= LOAD_REQUEST_SPANS + 1);
            size_t before = seen->spans;
            see_request(seen, buf_view(&out));
            CHECK_U64(seen->spans - before, n);
            if (all) buf_str(all, buf_view(&out));
        }
    }
    buf_fini(&out);
    load_gen_free(g);
}

static struct seen seen;

TEST(shop_keeps_its_rate_and_shows_errors_and_slow_traces_soon) {
    struct load_gen_opts opts = { .seed = 1, .rate = 300 };
    run(&opts, 10, &seen, NULL);
    CHECK(seen.spans > 1800 && seen.spans < 4000);
    CHECK(seen.errors > 0 && seen.slow > 0);
    CHECK(seen.newest_end_ns <= start_ns + 10000000000ull); // nothing comes from the future
}

TEST(same_seed_gives_same_bytes) {
    struct buf a, b;
    buf_init(&a, 64 << 20);
    buf_init(&b, 64 << 20);
    struct load_gen_opts opts = { .seed = 7, .rate = 200 };
    run(&opts, 5, &seen, &a);
    run(&opts, 5, &seen, &b);
    CHECK(a.len > 100000 && str_eq(buf_view(&a), buf_view(&b)));
    buf_reset(&b);
    opts.seed = 8;
    run(&opts, 5, &seen, &b);
    CHECK(!str_eq(buf_view(&a), buf_view(&b)));
    buf_fini(&a);
    buf_fini(&b);
}

static bool has_id(uint64_t id) {
    for (size_t i = 0; i < seen.spans; i++)
        if (seen.ids[i] == id) return true;
    return false;
}

static size_t missing_parents(void) {
    size_t n = 0;
    for (size_t i = 0; i < seen.spans; i++) n += seen.parents[i] && !has_id(seen.parents[i]);
    return n;
}

static const size_t NONE = SIZE_MAX;
static size_t child_of(uint64_t id) {
    for (size_t i = 0; i < seen.spans; i++)
        if (seen.parents[i] == id) return i;
    return NONE;
}

static uint64_t root_id(void) {
    size_t i = child_of(0);
    CHECK(i != NONE);
    return seen.ids[i];
}

static void run_shape(enum load_shape shape, uint64_t n) {
    struct load_gen_opts opts = { .seed = 3, .shape = shape, .n_spans = n };
    run(&opts, 1, &seen, NULL);
    CHECK_U64(seen.spans, n);
}

TEST(a_single_trace_of_the_shop_is_whole) {
    run_shape(LOAD_SHOP, 5000);
    CHECK_U64(seen.roots, 1);
    CHECK_U64(missing_parents(), 0);
}

TEST(wide_has_one_level) {
    run_shape(LOAD_WIDE, 3000);
    CHECK_U64(seen.roots, 1);
    for (size_t i = 1; i < seen.spans; i++)
        CHECK(seen.parents[i] == seen.ids[0] || i == 0 || !seen.parents[i]);
}

TEST(deep_has_a_thousand_levels) {
    run_shape(LOAD_DEEP, 2500);
    CHECK_U64(seen.roots, 1);
    CHECK_U64(missing_parents(), 0);
    size_t deepest = 0;
    for (size_t i = 0; i < seen.spans; i++) {
        if (seen.parents[i] != root_id()) continue;
        size_t depth = 1;
        for (size_t at = i; at != NONE; at = child_of(seen.ids[at])) depth++;
        if (depth > deepest) deepest = depth;
    }
    CHECK_U64(deepest, 1000);
}

TEST(orphans_have_no_root_and_miss_parents) {
    run_shape(LOAD_ORPHANS, 2000);
    CHECK_U64(seen.roots, 0);
    size_t missing = missing_parents();
    CHECK(missing > 50 && missing < 200);
}

TEST(sparse_sleeps_for_eight_hours) {
    run_shape(LOAD_SPARSE, 1000);
    uint64_t low = UINT64_MAX, high = 0, middle = 0;
    for (size_t i = 0; i < seen.spans; i++) {
        if (seen.starts[i] < low) low = seen.starts[i];
        if (seen.starts[i] > high) high = seen.starts[i];
    }
    for (size_t i = 0; i < seen.spans; i++)
        middle += seen.starts[i] > low + 10000000000u && seen.starts[i] + 10000000000u < high;
    CHECK(high - low >= 8ull * 3600 * 1000000000 - 10000000000u);
    CHECK_U64(middle, 0);
}

TEST(skew_lets_children_begin_before_their_parents) {
    run_shape(LOAD_SKEW, 1000);
    size_t early = 0;
    for (size_t i = 0; i < seen.spans; i++)
        for (size_t j = 0; j < seen.spans; j++)
            early += seen.parents[i] == seen.ids[j] && seen.starts[i] < seen.starts[j];
    CHECK(early > 100);
    CHECK_U64(missing_parents(), 0);
}

TEST(shapes_have_names) {
    enum load_shape shape;
    CHECK(load_shape_of(STR("skew"), &shape) && shape == LOAD_SKEW);
    CHECK(!load_shape_of(STR("round"), &shape));
    for (unsigned i = 0; i < LOAD_SHAPE_COUNT; i++)
        CHECK(load_shape_of(str_of(load_shape_text((enum load_shape)i)), &shape) && shape == i);
}

TEST(too_large_a_trace_is_refused) {
    struct load_gen *g;
    struct load_gen_opts opts = { .n_spans = LOAD_SPANS_MAX + 1 };
    CHECK(load_gen_new(&opts, &g) == ERR_LIMIT);
}

// Whichever allocation is the first to fail: an error, and nothing is leaked (ASan would say so).
TEST(every_failed_allocation_is_survived) {
    for (uint64_t n = 1;; n++) {
        struct load_gen_opts opts = { .seed = 5, .rate = 0 };
        struct load_gen *g = NULL;
        struct buf out;
        buf_init(&out, 16 << 20);
        mem_fail_at(n, true);
        enum err e = load_gen_new(&opts, &g);
        for (unsigned i = 0; i < 4 && e == ERR_OK; i++) {
            size_t spans;
            e = load_gen_next(g, start_ns + i * 500000000u, &out, &spans);
        }
        bool reached = mem_fail_seen() >= n;
        mem_fail_at(0, false);
        load_gen_free(g);
        buf_fini(&out);
        CHECK(e == ERR_OK || reached);
        if (!reached) break;
        CHECK(e == ERR_NOMEM || e == ERR_LIMIT);
        if (n > 300) n += n / 4; // each of the first, then fewer
    }
}
