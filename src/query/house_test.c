// SPDX-License-Identifier: Apache-2.0
// Cutting, merging and letting go, under readers that hold an old view.
#include <stdlib.h>

#include "base/pb.h"
#include "query/fixture_test.h"
#include "span/services.h"

#define HOUR 3600000000000ull

static struct spec span_of(uint64_t trace, uint64_t id) {
    return (struct spec){ trace, id, 0, TRIAL_NOW_NS - 1000, TRIAL_NOW_NS, "shop", "GET /", false };
}

static void submit_span(struct trial *t, uint64_t trace, uint64_t id) {
    struct spec s = span_of(trace, id);
    CHECK_OK(submit_specs(t, &s, 1));
}

static struct ingest_stats stats_of(struct trial *t) {
    struct ingest_stats s;
    ingest_stats(t->in, &s);
    return s;
}

static enum err count_key(void *ctx, struct str key, uint64_t size) {
    (void)key, (void)size;
    ++*(uint64_t *)ctx;
    return ERR_OK;
}

static uint64_t files_of(struct trial *t) {
    uint64_t n = 0;
    CHECK_OK(t->store->ops->list(t->store, STR("blocks/"), STR(""), &n, count_key));
    return n;
}

// Lets the keeper look at what is due.
static void keep(struct trial *t) {
    CHECK_OK(trial_flush(t));
    trial_settle(t);
}

TEST(house_a_flush_answers_when_the_blocks_are_in_the_catalog) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000 });
    CHECK_OK(trial_flush(&t)); // nothing to do
    CHECK_U64(stats_of(&t).snapshot, 0);
    for (uint64_t i = 1; i <= 20; i++) { // so often that one that comes too early is seen
        submit_span(&t, i, 1);
        CHECK_OK(trial_flush(&t));
        struct ingest_stats s = stats_of(&t);
        CHECK(s.snapshot >= i && s.head_spans == 0 && s.frozen_heads == 0);
        CHECK_U64(s.block_spans, i);
        CHECK_U64(s.wal.last_seq, i);
    }
    trial_close(&t);
    CHECK_OK(trial_open(&t));
    CHECK_U64(t.replay.spans, 0); // the blocks hold everything
    check_traces(&t);
    trial_fini(&t);
}

TEST(house_small_blocks_are_merged_and_nothing_is_forgotten) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .random = { .spans_max = 3, .duplicate_percent = 20 },
                                         .cut_spans = 200 });
    for (uint64_t i = 1; i <= 12; i++) {
        submit_random(&t, 1); // which may be nothing
        submit_span(&t, i, 1);
        CHECK_OK(trial_flush(&t));
    }
    keep(&t);
    struct ingest_stats s = stats_of(&t);
    CHECK(s.merges_total > 0 && s.blocks < 12);
    check_traces(&t);
    check_searches(&t, 5);
    CHECK(files_of(&t) <= s.blocks * 8); // the inputs are gone
    trial_close(&t);
    CHECK_OK(trial_open(&t));
    check_traces(&t);
    trial_fini(&t);
}

TEST(house_merges_stay_within_a_window_of_received_time) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000 });
    for (uint64_t i = 1; i <= 8; i++) {
        t.now_ns += 2 * HOUR;
        submit_span(&t, i, 1);
        CHECK_OK(trial_flush(&t));
    }
    keep(&t);
    CHECK_U64(stats_of(&t).merges_total, 0);
    CHECK_U64(stats_of(&t).blocks, 8);
    trial_fini(&t);
}

TEST(house_retention_lets_go_by_received_time) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000 });
    trial_close(&t);
    t.opts.retention_ns = 24 * HOUR;
    CHECK_OK(trial_open(&t));
    for (uint64_t i = 1; i <= 4; i++) { // their start times are all the same
        submit_span(&t, i, 1);
        CHECK_OK(trial_flush(&t));
        t.now_ns += 10 * HOUR;
    }
    keep(&t); // now + 40 h: received at 0 and 10 h are older than 24 h
    for (uint64_t i = 1; i <= 4; i++) CHECK_U64(spans_now(&t, i), i > 2);
    CHECK_U64(stats_of(&t).expired_spans_total, 2);
    t.now_ns += 100 * HOUR;
    keep(&t);
    for (uint64_t i = 1; i <= 4; i++) CHECK_U64(spans_now(&t, i), 0);
    CHECK_U64(files_of(&t), 0);
    trial_close(&t);
    CHECK_OK(trial_open(&t));
    CHECK_U64(stats_of(&t).blocks, 0);
    trial_fini(&t);
}

static void fill_budget(struct trial *t, bool drop_oldest) {
    trial_start(t, (struct trial_opts){ .random = { .spans_max = 4 }, .cut_spans = 30 });
    trial_close(t);
    t->opts.cut_bytes = 1 << 20;
    t->opts.disk_budget_bytes = (1 << 20) + (100 << 10);
    t->opts.drop_oldest = drop_oldest;
    t->opts.merge = false;
    t->opts.wal_segment_bytes = 8 << 10;
    CHECK_OK(trial_open(t));
}

TEST(house_the_disk_budget_refuses_until_there_is_room) {
    struct trial t;
    struct buf body;
    enum err e = ERR_OK;
    fill_budget(&t, false);
    buf_init(&body, 64 << 20);
    for (int i = 0; i < 2000 && e == ERR_OK; i++) {
        buf_reset(&body);
        trial_random_body(&t, &body);
        e = trial_submit(&t, buf_view(&body));
        if (i % 10 == 0) trial_settle(&t);
    }
    CHECK(e == ERR_LIMIT && stats_of(&t).disk_full);
    CHECK_U64(stats_of(&t).dropped_spans_total, 0);
    check_some_traces(&t, 10);
    trial_close(&t);
    t.opts.disk_budget_bytes *= 2; // somebody made room
    CHECK_OK(trial_open(&t));
    keep(&t);
    submit_random(&t, 1);
    check_traces(&t);
    buf_fini(&body);
    trial_fini(&t);
}

TEST(house_dropping_the_oldest_is_a_choice_and_counted) {
    struct trial t;
    uint64_t sent = 0;
    fill_budget(&t, true);
    for (uint64_t i = 1; i <= 60; i++) {
        t.now_ns += 1000000;
        for (uint64_t k = 1; k <= 10; k++, sent++) submit_span(&t, i, k);
        CHECK_OK(trial_flush(&t));
    }
    keep(&t);
    struct ingest_stats s = stats_of(&t);
    CHECK(s.dropped_spans_total > 0 && s.dropped_blocks_total > 0 && !s.disk_full);
    CHECK_U64(s.block_spans + s.dropped_spans_total, sent);
    for (uint64_t i = 1; i <= 60; i++) CHECK_U64(spans_now(&t, i), i > s.dropped_blocks_total ? 10 : 0);
    trial_fini(&t);
}

static uint64_t bytes_beside(void *ctx) {
    return *(uint64_t *)ctx;
}

TEST(house_what_others_keep_counts_in_the_disk_budget) {
    for (unsigned drop = 0; drop < 2; drop++) {
        struct trial t;
        uint64_t beside = 0;
        fill_budget(&t, drop);
        trial_close(&t);
        t.opts.beside = bytes_beside;
        t.opts.beside_ctx = &beside;
        CHECK_OK(trial_open(&t));
        for (uint64_t i = 1; i <= 5; i++) submit_span(&t, i, 1);
        CHECK_OK(trial_flush(&t));
        keep(&t);
        struct ingest_stats s = stats_of(&t);
        CHECK(!s.disk_full && s.beside_bytes == 0 && s.disk_bytes == s.block_bytes + s.wal.bytes);
        CHECK(ingest_has_room(t.in));
        beside = 101 << 10; // more than the budget leaves to them, with no block at all
        CHECK(!ingest_has_room(t.in));
        keep(&t);
        s = stats_of(&t);
        CHECK(s.disk_full && s.beside_bytes == beside);
        CHECK_U64(s.disk_bytes, s.block_bytes + s.wal.bytes + beside);
        CHECK_U64(s.dropped_spans_total, 0); // it would make no room
        beside = 100 << 10;                  // just fits, without blocks
        if (drop) CHECK(ingest_has_room(t.in) == !stats_of(&t).disk_full);
        keep(&t);
        s = stats_of(&t);
        CHECK_U64(s.blocks == 0, drop);
        CHECK(s.disk_full == !drop && ingest_has_room(t.in) == (drop != 0));
        trial_fini(&t);
    }
}

TEST(house_a_view_keeps_its_answer_over_cut_merge_and_retention) {
    struct trial t;
    struct model then;
    trial_start(&t, (struct trial_opts){ .random = { .spans_max = 3 }, .cut_spans = 300 });
    for (int i = 0; i < 6; i++) {
        submit_random(&t, 2);
        if (i % 2) CHECK_OK(trial_flush(&t));
    }
    trial_settle(&t);
    submit_random(&t, 2); // in the head
    struct view *v = ingest_view(t.in);
    CHECK_OK(trial_flush(&t)); // the head grows no more
    model_sort(&t.model);
    then = t.model; // what comes later goes into a model of its own
    model_init(&t.model);
    for (int i = 0; i < 8; i++) {
        submit_random(&t, 1);
        CHECK_OK(trial_flush(&t));
        check_search(v, &then, (struct listing){ .limit = 50 });
    }
    keep(&t);
    CHECK(stats_of(&t).merges_total > 0);
    trial_close(&t);
    t.opts.retention_ns = 1000 * HOUR;
    CHECK_OK(trial_open(&t));
    view_unref(v); // of the ingest before: its blocks are still there
    v = ingest_view(t.in);
    uint64_t files = files_of(&t);
    t.now_ns += 2000 * HOUR; // not before the view is held: the keeper is quick
    keep(&t);
    CHECK_U64(stats_of(&t).blocks, 0);
    CHECK_U64(files_of(&t), files); // they go when nobody holds them
    for (uint32_t i = 0; i < then.n && i < 20; i++) {
        struct trace tr;
        CHECK_OK(trace_load(v, then.at[i].trace, &(struct trace_limits){ 0 }, &tr));
        CHECK(tr.n > 0 && !tr.partial);
        trace_fini(&tr);
    }
    view_unref(v);
    CHECK_U64(files_of(&t), 0);
    model_fini(&then);
    trial_fini(&t);
}

TEST(house_ten_thousand_copies_of_a_span_are_one) {
    enum { N = 10000 };
    struct trial t;
    trial_start(&t, (struct trial_opts){ .cut_spans = 3000 });
    struct spec *s = malloc(N * sizeof *s);
    CHECK(s);
    for (int i = 0; i < N; i++) s[i] = span_of(1, 1);
    CHECK_OK(submit_specs(&t, s, N));
    for (int i = 0; i < 50; i++) CHECK_OK(submit_specs(&t, s, 100));
    free(s);
    submit_span(&t, 2, 1);
    keep(&t);
    CHECK_U64(spans_now(&t, 1), 1);
    check_searches(&t, 2);
    check_traces(&t);
    trial_fini(&t);
}

struct sought {
    struct object_store *store;
    struct str text;
    uint32_t n; // files that hold it
};

static enum err seek_text(void *ctx, struct str key, uint64_t size) {
    struct sought *s = ctx;
    if (!str_ends(key, STR("/spans.parquet"))) return ERR_OK;
    char *bytes = mem_alloc(size);
    CHECK(bytes);
    CHECK_OK(s->store->ops->read(s->store, key, 0, bytes, size));
    s->n += memmem(bytes, size, s->text.ptr, s->text.len) != NULL;
    mem_free(bytes);
    return ERR_OK;
}

// Blocks with a column of this name: it stands in their footer.
static uint32_t blocks_with(struct trial *t, const char *column) {
    struct sought s = { t->store, str_of(column), 0 };
    CHECK_OK(t->store->ops->list(t->store, STR("blocks/"), STR(""), &s, seek_text));
    return s.n;
}

static void submit_keys(struct trial *t, const char *const *keys, uint32_t n) {
    struct buf body;
    buf_init(&body, SIZE_MAX);
    size_t resource = pb_begin(&body, 1), scope = pb_begin(&body, 2), span = pb_begin(&body, 2);
    uint8_t id[16];
    spec_trace_id(1, id);
    pb_bytes(&body, 1, (struct str){ (const char *)id, 16 });
    pb_bytes(&body, 2, STR("span id."));
    for (uint32_t i = 0; i < n; i++) {
        size_t kv = pb_begin(&body, 9);
        pb_bytes(&body, 1, str_of(keys[i]));
        pb_bytes(&body, 2, STR("\x0a\x01v"));
        pb_end(&body, kv);
    }
    pb_end(&body, span);
    pb_end(&body, scope);
    pb_end(&body, resource);
    CHECK_OK(trial_submit(t, buf_view(&body)));
    buf_fini(&body);
}

TEST(house_the_choice_of_columns_outlives_a_restart) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000 });
    submit_keys(&t, (const char *const[]){ "userid" }, 1);
    CHECK_OK(trial_flush(&t));
    trial_close(&t);
    CHECK_OK(trial_open(&t));
    submit_keys(&t, (const char *const[]){ "userId", "userid" }, 2);
    CHECK_OK(trial_flush(&t));
    CHECK_U64(blocks_with(&t, "span.userid"), 2);
    CHECK_U64(blocks_with(&t, "span.userId"), 0);
    trial_fini(&t);
}

// As many spans as memory and time of the variant allow.
TEST(house_a_giant_trace_comes_back_whole) {
#ifdef TAKT_DEBUG
    enum { N = 40000, PER_REQUEST = 1000 };
#else
    enum { N = 1000000, PER_REQUEST = 10000 };
#endif
    struct trial t;
    trial_start(&t, (struct trial_opts){ .cut_spans = N / 4 + 1, .mem_store = true });
    struct spec *s = malloc(PER_REQUEST * sizeof *s);
    struct buf body;
    CHECK(s);
    buf_init(&body, SIZE_MAX);
    for (uint64_t i = 0; i < N; i += PER_REQUEST) {
        for (uint64_t k = 0; k < PER_REQUEST; k++)
            s[k] = (struct spec){ 1,   i + k + 1, i + k, TRIAL_NOW_NS + i + k, TRIAL_NOW_NS + N,
                                  "a", "b",       k == 0 };
        buf_reset(&body);
        spec_body(s, PER_REQUEST, &body);
        CHECK_OK(trial_send(t.in, buf_view(&body), t.now_ns));
    }
    free(s);
    buf_fini(&body);
    struct find_result r;
    struct services services;
    struct service_count c;
    uint32_t errors;
    for (int i = 0; i < 2; i++) {
        struct view *v = ingest_view(t.in);
        CHECK_U64(spans_of(v, 1), N);
        list_traces(v, &(struct listing){ .how = { .errors = true }, .limit = 5 }, NULL, &r);
        CHECK_U64(r.n, 1);
        CHECK_U64(r.traces[0].summary.spans, N);
        services_begin(&services, r.traces[0].summary.services);
        for (errors = 0; services_next(&services, &c);) errors += c.errors;
        CHECK_OK(services_end(&services));
        CHECK_U64(errors, N / PER_REQUEST);
        CHECK_U64(r.traces[0].summary.duration_ns, N);
        find_fini(&r);
        view_unref(v);
        keep(&t);
    }
    trial_fini(&t);
}

// More resources than a head has room for, one to a request.
TEST(house_a_head_full_of_resources_is_cut_and_replayed) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000000 });
    enum { PER_REQUEST = 5000, REQUESTS = 13 };
    static char names[PER_REQUEST][16];
    struct spec *s = malloc(PER_REQUEST * sizeof *s);
    struct buf body;
    CHECK(s);
    buf_init(&body, SIZE_MAX);
    disk_sim_arm(t.disk, &(struct disk_sim_fault){ .op = DISK_SIM_LINK, .nth = 1, .keep = true }); // no block
    for (uint64_t i = 0; i < REQUESTS; i++) {
        for (uint64_t k = 0; k < PER_REQUEST; k++) {
            (void)snprintf(names[k], sizeof names[k], "s%u-%u", (unsigned)i, (unsigned)k);
            s[k] = span_of(i + 1, k + 1);
            s[k].service = names[k];
        }
        buf_reset(&body);
        spec_body(s, PER_REQUEST, &body);
        CHECK_OK(trial_send(t.in, buf_view(&body), t.now_ns));
    }
    free(s);
    buf_fini(&body);
    for (int i = 0; i < 2; i++) {
        for (uint64_t k = 1; k <= REQUESTS; k++) CHECK_U64(spans_now(&t, k), PER_REQUEST);
        trial_close(&t);
        disk_sim_arm(t.disk, NULL);
        CHECK_OK(trial_open(&t));
    }
    trial_fini(&t);
}

// A request that no head can hold is refused, and never stands in the way of an opening.
TEST(house_a_request_too_large_for_any_head_is_refused_for_good) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000000 });
    enum { N = RESOURCES_MAX + 1 };
    static char names[N][16];
    struct spec *s = malloc(N * sizeof *s);
    struct buf body;
    CHECK(s);
    buf_init(&body, SIZE_MAX);
    for (uint64_t k = 0; k < N; k++) {
        (void)snprintf(names[k], sizeof names[k], "s%u", (unsigned)k);
        s[k] = span_of(77, k + 1);
        s[k].service = names[k];
    }
    spec_body(s, N, &body);
    submit_span(&t, 1, 1);
    CHECK(trial_send(t.in, buf_view(&body), t.now_ns) == ERR_INVALID);
    submit_span(&t, 2, 1);
    for (int i = 0; i < 2; i++) {
        CHECK_U64(spans_now(&t, 77), 0);
        CHECK_U64(spans_now(&t, 1), 1);
        CHECK_U64(spans_now(&t, 2), 1);
        trial_close(&t);
        CHECK_OK(trial_open(&t));
    }
    free(s);
    buf_fini(&body);
    trial_fini(&t);
}
