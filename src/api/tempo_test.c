// SPDX-License-Identifier: Apache-2.0
#include "api/tempo.h"

#include "api/series.h"
#include "base/pb.h"
#include "base/test.h"

static void check_json(struct message *m, const char *want) {
    message_close(m);
    CHECK_OK(m->err);
    CHECK_STR(buf_view(&m->buf), str_of(want));
    message_fini(m);
}

static void stats_tail(const void *stats, struct message *m, bool last) {
    if (stats) tempo_search_metrics(m, stats);
    if (!stats && last) tempo_status(m, "why");
}

static void check_empty(const struct otlp_message *type, const struct query_stats *stats, const char *want) {
    struct tempo_pieces p;
    tempo_pieces_init(&p, type, true);
    p.tail = stats_tail;
    p.tail_ctx = stats;
    CHECK_OK(tempo_pieces_end(&p));
    CHECK_STR(buf_view(&p.message.buf), str_of(want));
    tempo_pieces_fini(&p);
}

TEST(tempo_an_empty_list_is_there) {
    struct query_stats none = { 0 };
    check_empty(&tempo_search_response, &none,
                "{\"traces\":[],\"metrics\":{\"completedJobs\":1,\"totalJobs\":1}}");
    check_empty(&tempo_range_response, NULL, "{\"series\":[],\"status\":\"PARTIAL\",\"message\":\"why\"}");
}

TEST(tempo_values_as_they_are_told) {
    struct value list[] = { VALUE_OF_STR(STR("s")),
                            VALUE_OF_INT(-5),
                            VALUE_OF_BOOL(false),
                            VALUE_OF_FLOAT(0),
                            { .type = VALUE_DURATION, .i = 1500000000 },
                            { .type = VALUE_STATUS, .i = 2 },
                            { .type = VALUE_KIND, .i = 3 },
                            VALUE_OF_NIL,
                            { .type = VALUE_ANY, .s = STR("\x2a\x04\x0a\x02\x18\x01") } };
    struct message m;
    message_init(&m, &tempo_instant_response, true);
    message_begin(&m, TEMPO_LIST);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        tempo_attribute(&m, TEMPO_SERIES_LABELS, STR("k"), &list[i]);
    message_end(&m);
    check_json(
        &m,
        "{\"series\":[{\"labels\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"s\"}},"
        "{\"key\":\"k\",\"value\":{\"intValue\":\"-5\"}},{\"key\":\"k\",\"value\":{\"boolValue\":false}},"
        "{\"key\":\"k\",\"value\":{\"doubleValue\":0}},{\"key\":\"k\",\"value\":{\"stringValue\":\"1.5s\"}},"
        "{\"key\":\"k\",\"value\":{\"stringValue\":\"error\"}},{\"key\":\"k\",\"value\":{\"stringValue\":"
        "\"client\"}},{\"key\":\"k\",\"value\":{\"stringValue\":\"nil\"}},{\"key\":\"k\",\"value\":{"
        "\"arrayValue\":{\"values\":[{\"intValue\":\"1\"}]}}}]}]}");
}

TEST(tempo_a_value_that_is_no_protobuf) {
    struct value v = { .type = VALUE_ANY, .s = STR("\x2a\x7f") };
    struct tempo_pieces p;
    tempo_pieces_init(&p, &tempo_instant_response, true);
    tempo_item_begin(&p);
    message_begin(&p.message, TEMPO_LIST);
    tempo_attribute(&p.message, TEMPO_SERIES_LABELS, STR("k"), &v);
    message_end(&p.message);
    CHECK(tempo_item_end(&p) == ERR_INVALID);
    tempo_pieces_fini(&p);
}

struct sent {
    uint32_t pieces, items, tails, lasts;
    size_t most;
};

static void tail(const void *ctx, struct message *m, bool last) {
    struct sent *s = (struct sent *)(uintptr_t)ctx;
    s->tails++;
    s->lasts += last;
    message_begin(m, TEMPO_METRICS);
    message_end(m);
}

static enum err take(void *ctx, struct buf *pb, bool last) {
    struct sent *s = ctx;
    struct reader r = reader_of(buf_view(pb));
    struct pb_field f;
    bool ended = false;
    CHECK(!last || s->lasts == 1);
    while (pb_next(&r, &f)) {
        CHECK(!ended);
        s->items += f.number == 1;
        ended = f.number == 2;
    }
    CHECK(!r.bad && ended);
    s->pieces++;
    if (pb->len > s->most) s->most = pb->len;
    buf_reset(pb);
    return ERR_OK;
}

static void write_names(struct tempo_pieces *p, uint32_t n, size_t most_bytes) {
    static const char text[400] = { 0 };
    for (uint32_t i = 0; i < n; i++) {
        tempo_item_begin(p);
        message_text(&p->message, TEMPO_LIST, (struct str){ text, test_below(most_bytes) });
        CHECK_OK(tempo_item_end(p));
    }
    CHECK_OK(tempo_pieces_end(p));
}

TEST(tempo_pieces_hold_every_item_once_and_end_alike) {
    for (size_t most = 0; most < 1000; most += 90) {
        struct sent s = { 0 };
        struct tempo_pieces p;
        uint32_t n = (uint32_t)test_below(40);
        tempo_pieces_init(&p, &tempo_tags_response, false);
        p.most = most;
        p.tail = tail;
        p.tail_ctx = &s;
        p.send = take;
        p.send_ctx = &s;
        write_names(&p, n, 400);
        CHECK_U64(s.items, n);
        CHECK_U64(s.tails, s.pieces);
        CHECK_U64(s.lasts, 1);
        CHECK(most ? s.most <= (most > 404 ? most : 404) + 2 : s.pieces == 1);
        tempo_pieces_fini(&p);
    }
}

static enum err gather(void *ctx, struct buf *json, bool last) {
    (void)last;
    buf_str(ctx, buf_view(json));
    buf_reset(json);
    return ERR_OK;
}

TEST(tempo_pieces_of_json_are_one_text) {
    for (size_t most = 1; most < 300; most += 50) {
        struct sent s = { 0 };
        struct tempo_pieces p;
        struct buf all;
        buf_init(&all, 10000);
        tempo_pieces_init(&p, &tempo_tags_response, true);
        p.most = most;
        p.tail = tail;
        p.tail_ctx = &s;
        p.send = gather;
        p.send_ctx = &all;
        write_names(&p, 40, 1);
        CHECK_U64(s.tails, 1);
        CHECK(str_starts(buf_view(&all), STR("{\"tagNames\":[\"\",\"\",")));
        CHECK_U64(all.len, 13 + 40 * 3 + 14);
        CHECK_STR(str_sub(buf_view(&all), all.len - 16, 16), STR("\"],\"metrics\":{}}"));
        tempo_pieces_fini(&p);
        buf_fini(&all);
    }
}

TEST(tempo_the_usual_step_of_a_range) {
    static const struct {
        uint64_t range_ms, step_ms;
    } cases[] = { { 1, 50 },           { 12000, 50 },        { 24000, 100 },        { 59999, 200 },
                  { 60000, 1000 },     { 300000, 1000 },     { 3600000, 15000 },    { 7200000, 30000 },
                  { 21600000, 60000 }, { 86400000, 300000 }, { 864000000, 3600000 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_U64(series_default_step(cases[i].range_ms * 1000000), cases[i].step_ms * 1000000);
}
