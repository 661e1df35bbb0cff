// SPDX-License-Identifier: Apache-2.0
// OTLP as JSON and as protobuf: the cases of tests/cases/otlp, and properties over random messages.
#include <dirent.h>
#include <stdlib.h>

#include "base/pb.h"
#include "base/test.h"
#include "otlp/json.h"
#include "otlp/plain.h"
#include "otlp/random.h"

enum { LIMIT = 64 << 20 };

static const struct otlp_message *const messages[] = {
    &otlp_export_request,
    &otlp_export_response,
    &otlp_partial_success,
    &otlp_traces_data,
    &otlp_batches,
    &otlp_resource_spans,
    &otlp_resource,
    &otlp_entity_ref,
    &otlp_scope_spans,
    &otlp_scope,
    &otlp_span,
    &otlp_event,
    &otlp_link,
    &otlp_span_status,
    &otlp_key_value,
    &otlp_any_value,
    &otlp_array_value,
    &otlp_key_value_list,
    &otlp_rpc_status,
};
enum { N_MESSAGES = sizeof messages / sizeof *messages };

// --- text cases --------------------------------------------------------------------------------

struct text_case {
    struct str input, expected, tempo; // JSON as it stands in the file
    struct buf error;
    uint64_t unknown, line, column;
    bool has_expected, has_error;
    struct buf raw; // the content of an input that is a string
};

static struct str value_of(struct json *j) {
    const char *from = j->token;
    json_skip(j);
    return (struct str){ from, (size_t)(j->pos - from) };
}

static void case_member(struct json *j, struct text_case *c) {
    struct str key = j->text;
    enum json_kind kind = json_next(j);
    if (str_eq(key, STR("input")) && kind == JSON_STRING) {
        json_text(j, &c->raw);
        c->input = buf_view(&c->raw);
    } else if (str_eq(key, STR("input"))) {
        c->input = value_of(j);
    } else if (str_eq(key, STR("expected"))) {
        c->expected = value_of(j);
        c->has_expected = true;
    } else if (str_eq(key, STR("expected_tempo"))) {
        c->tempo = value_of(j);
    } else if (str_eq(key, STR("expected_error"))) {
        json_text(j, &c->error);
        c->has_error = true;
    } else if (str_eq(key, STR("unknown"))) {
        CHECK(json_u64(j->text, &c->unknown));
    } else if (str_eq(key, STR("line"))) {
        CHECK(json_u64(j->text, &c->line));
    } else if (str_eq(key, STR("column"))) {
        CHECK(json_u64(j->text, &c->column));
    } else {
        CHECK(str_eq(key, STR("why")));
    }
}

// The tokens of a JSON text without white space and needless escapes.
static void canonical_json(struct str in, struct buf *out) {
    struct json j;
    struct err_ctx ctx = { 0 };
    struct buf text;
    struct json_writer w = json_writer_on(out);
    json_init(&j, in, JSON_DEPTH_MAX, &ctx);
    buf_init(&text, LIMIT);
    while (json_next(&j) != JSON_END && j.err == ERR_OK) {
        buf_reset(&text);
        if (j.kind == JSON_KEY || j.kind == JSON_STRING) json_text(&j, &text);
        switch (j.kind) {
        case JSON_OBJECT: jw_object(&w); break;
        case JSON_OBJECT_END: jw_object_end(&w); break;
        case JSON_ARRAY: jw_array(&w); break;
        case JSON_ARRAY_END: jw_array_end(&w); break;
        case JSON_KEY: jw_key(&w, buf_view(&text)); break;
        case JSON_STRING: jw_str(&w, buf_view(&text)); break;
        case JSON_NUMBER: jw_raw(&w, j.text); break;
        case JSON_NULL: jw_null(&w); break;
        default: jw_bool(&w, j.kind == JSON_TRUE);
        }
    }
    CHECK_OK(j.err);
    buf_fini(&text);
}

static void check_output(const struct otlp_message *m, struct str pb, enum otlp_flavour flavour,
                         struct str want) {
    struct buf got, canonical;
    buf_init(&got, LIMIT);
    buf_init(&canonical, LIMIT);
    CHECK_OK(otlp_pb_to_json(m, pb, flavour, &got));
    canonical_json(want, &canonical);
    CHECK_STR(buf_view(&got), buf_view(&canonical));
    buf_fini(&got);
    buf_fini(&canonical);
}

static void run_case(const struct text_case *c) {
    struct buf pb;
    struct err_ctx ctx = { 0 };
    uint64_t unknown = 0;
    buf_init(&pb, LIMIT);
    buf_str(&pb, STR("before"));
    enum err e = otlp_json_to_pb(test_exact(c->input), &pb, &unknown, &ctx);
    struct str added = str_sub(buf_view(&pb), 6, pb.len);
    CHECK(c->has_expected != c->has_error);
    if (c->has_error) {
        if (!strstr(ctx.text, c->error.ptr)) printf("# %s (%u:%u)\n", ctx.text, ctx.line, ctx.column);
        CHECK(e == ERR_INVALID || e == ERR_LIMIT);
        CHECK(strstr(ctx.text, c->error.ptr) && added.len == 0);
        CHECK(ctx.line > 0 && ctx.column > 0);
        if (c->line) CHECK_U64(ctx.line, c->line);
        if (c->column) CHECK_U64(ctx.column, c->column);
    } else {
        if (e != ERR_OK) printf("# %s (%u:%u)\n", ctx.text, ctx.line, ctx.column);
        CHECK_OK(e);
        CHECK_U64(unknown, c->unknown);
        check_output(&otlp_export_request, added, OTLP_FLAVOUR_OTLP, c->expected);
        if (c->tempo.len) check_output(&otlp_batches, added, OTLP_FLAVOUR_TEMPO, c->tempo);
    }
    buf_fini(&pb);
}

static void replay_case(const char *path) {
    FILE *f = fopen(path, "rb");
    CHECK(f);
    char text[32768];
    size_t n = fread(text, 1, sizeof text, f);
    CHECK(n < sizeof text);
    (void)fclose(f);
    struct json j;
    struct err_ctx ctx = { 0 };
    struct text_case c = { 0 };
    buf_init(&c.error, 4096);
    buf_init(&c.raw, sizeof text);
    json_init(&j, (struct str){ text, n }, JSON_DEPTH_MAX, &ctx);
    CHECK(json_next(&j) == JSON_OBJECT);
    while (json_next(&j) == JSON_KEY) case_member(&j, &c);
    CHECK_OK(j.err);
    buf_char(&c.error, '\0');
    run_case(&c);
    buf_fini(&c.error);
    buf_fini(&c.raw);
}

TEST(otlp_json_cases) {
    DIR *dir = opendir("tests/cases/otlp");
    if (!dir) test_fail(__FILE__, __LINE__, "run me from the root of the repository");
    int n = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[512];
        if (e->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "tests/cases/otlp/%s", e->d_name);
        printf("# %s\n", e->d_name);
        replay_case(path);
        n++;
    }
    (void)closedir(dir);
    CHECK(n >= 40);
}

// --- round trips -------------------------------------------------------------------------------

// Canonical protobuf → JSON → the same bytes, for every message of the schema and both flavours.
TEST(otlp_json_keeps_every_message) {
    struct random_otlp g;
    random_init(&g, (struct random_opts){ .rand = test_rand, .depth_max = 6 });
    for (int round = 0; round < 3000; round++) {
        const struct otlp_message *m = messages[(size_t)round % N_MESSAGES];
        enum otlp_flavour flavour = round & 1 ? OTLP_FLAVOUR_TEMPO : OTLP_FLAVOUR_OTLP;
        struct buf pb, json, back;
        struct err_ctx ctx = { 0 };
        buf_init(&pb, LIMIT);
        buf_init(&json, LIMIT);
        buf_init(&back, LIMIT);
        random_message(&g, m, &pb);
        CHECK_OK(otlp_pb_to_json(m, buf_view(&pb), flavour, &json));
        enum err e = otlp_message_from_json(m, flavour, buf_view(&json), &back, &ctx);
        if (e != ERR_OK) printf("# %s at %u:%u\n", ctx.text, ctx.line, ctx.column);
        CHECK_OK(e);
        if (!str_eq(buf_view(&back), buf_view(&pb)))
            printf("# %s: %.*s\n", m->name, STR_ARG(buf_view(&json)));
        CHECK(str_eq(buf_view(&back), buf_view(&pb)));
        buf_fini(&pb);
        buf_fini(&json);
        buf_fini(&back);
    }
    random_fini(&g);
}

static void canonical(struct str pb, struct arena *a, struct buf *out) {
    struct plain_request q;
    CHECK_OK(plain_decode(pb, a, &q));
    CHECK_OK(plain_canonical(&q, a, out));
}

static void check_same_spans(struct str a, struct str b) {
    struct arena arena;
    struct buf x, y;
    arena_init(&arena, SIZE_MAX, NULL);
    buf_init(&x, LIMIT);
    buf_init(&y, LIMIT);
    canonical(a, &arena, &x);
    canonical(b, &arena, &y);
    CHECK_STR(buf_view(&x), buf_view(&y));
    buf_fini(&x);
    buf_fini(&y);
    arena_fini(&arena);
}

// Whatever the wire looks like, JSON says the same as the plain decoder understands.
static void check_wild(struct random_opts opts, int rounds) {
    struct random_otlp g;
    opts.rand = test_rand;
    random_init(&g, opts);
    for (int round = 0; round < rounds; round++) {
        struct buf pb, json, back;
        struct err_ctx ctx = { 0 };
        buf_init(&pb, LIMIT);
        buf_init(&json, LIMIT);
        buf_init(&back, LIMIT);
        random_request(&g, &pb);
        CHECK_OK(otlp_pb_to_json(&otlp_export_request, buf_view(&pb), OTLP_FLAVOUR_OTLP, &json));
        CHECK_OK(otlp_json_to_pb(buf_view(&json), &back, NULL, &ctx));
        check_same_spans(buf_view(&pb), buf_view(&back));
        buf_fini(&pb);
        buf_fini(&json);
        buf_fini(&back);
    }
    random_fini(&g);
}

TEST(otlp_json_understands_a_wild_wire) {
    check_wild((struct random_opts){ .wild = true, .depth_max = 8, .duplicate_percent = 20 }, 100);
}

TEST(otlp_json_keeps_invalid_ids_and_times) {
    check_wild((struct random_opts){ .invalid_percent = 60, .wild = true, .duplicate_percent = 10 }, 50);
}

TEST(otlp_json_keeps_large_and_deep_values) {
    check_wild((struct random_opts){ .wild = true, .large = true, .depth_max = 32 }, 30);
}

// n containers inside each other, arrays and key-value lists in turn or only one of them.
static void nested(struct buf *out, unsigned n, unsigned kinds) {
    size_t marks[3 * 200], used = 0;
    marks[used++] = pb_begin(out, 2); // the value of a KeyValue
    for (unsigned i = 0; i < n; i++) {
        bool list = kinds == 1 || (kinds == 2 && i % 2);
        marks[used++] = pb_begin(out, list ? 6 : 5);
        marks[used++] = pb_begin(out, 1);
        if (list) marks[used++] = pb_begin(out, 2);
    }
    pb_varint(out, 3, 7);
    while (used) pb_end(out, marks[--used]);
}

TEST(otlp_json_nests_to_32_and_stops_somewhere_above) {
    for (unsigned kinds = 0; kinds < 3; kinds++) {
        unsigned deepest = 0;
        for (unsigned n = 1; n <= 190; n++) {
            struct buf kv, pb, json, back;
            struct err_ctx ctx = { 0 };
            buf_init(&kv, LIMIT);
            buf_init(&pb, LIMIT);
            buf_init(&json, LIMIT);
            buf_init(&back, LIMIT);
            nested(&kv, n, kinds);
            static const uint32_t path[] = { 1, 2, 2, 11, 3 }; // an attribute of an event
            size_t marks[5];
            for (int i = 0; i < 5; i++) marks[i] = pb_begin(&pb, path[i]);
            buf_str(&pb, buf_view(&kv));
            for (int i = 5; i-- > 0;) pb_end(&pb, marks[i]);
            enum err e = otlp_pb_to_json(&otlp_export_request, buf_view(&pb), OTLP_FLAVOUR_OTLP, &json);
            CHECK(e == ERR_OK || (e == ERR_LIMIT && n > 32));
            if (e == ERR_OK) e = otlp_json_to_pb(buf_view(&json), &back, NULL, &ctx);
            CHECK(e == ERR_OK || (e == ERR_LIMIT && n > 32));
            if (e == ERR_OK) CHECK(str_eq(buf_view(&pb), buf_view(&back)) && deepest == n - 1);
            if (e == ERR_OK) deepest = n;
            buf_fini(&kv);
            buf_fini(&pb);
            buf_fini(&json);
            buf_fini(&back);
        }
        CHECK(deepest >= 32 && deepest < 64);
    }
}

TEST(otlp_json_mends_strings_that_are_not_utf8) {
    struct buf pb, json;
    buf_init(&pb, 100);
    buf_init(&json, 100);
    pb_bytes(&pb, 1, STR("a\xff"));
    CHECK_OK(otlp_pb_to_json(&otlp_key_value, buf_view(&pb), OTLP_FLAVOUR_OTLP, &json));
    CHECK_STR(buf_view(&json), STR("{\"key\":\"a\xef\xbf\xbd\"}"));
    buf_fini(&pb);
    buf_fini(&json);
}

TEST(otlp_json_is_a_value_on_an_open_writer) {
    struct buf pb, out;
    buf_init(&pb, 100);
    buf_init(&out, 1000);
    pb_bytes(&pb, 1, STR(""));
    struct json_writer w = json_writer_on(&out);
    jw_object(&w);
    jw_key(&w, STR("trace"));
    CHECK_OK(otlp_json_write(&otlp_traces_data, buf_view(&pb), OTLP_FLAVOUR_TEMPO, &w));
    jw_key(&w, STR("metrics"));
    jw_object(&w);
    jw_key(&w, STR("inspectedBytes"));
    jw_u64_str(&w, 123);
    jw_object_end(&w);
    jw_object_end(&w);
    CHECK(!w.nonfinite_string);
    CHECK_STR(buf_view(&out),
              STR("{\"trace\":{\"resourceSpans\":[{}]},\"metrics\":{\"inspectedBytes\":\"123\"}}"));
    buf_fini(&pb);
    buf_fini(&out);
}

// --- hostile input, and memory that is not there -----------------------------------------------

TEST(otlp_damaged_protobuf_is_refused_or_read) {
    struct random_otlp g;
    random_init(&g, (struct random_opts){ .rand = test_rand, .wild = true });
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    int refused = 0;
    for (int round = 0; round < 500; round++) {
        struct buf pb, json, text;
        buf_init(&pb, LIMIT);
        buf_init(&json, LIMIT);
        buf_init(&text, LIMIT);
        random_request(&g, &pb);
        for (uint64_t n = 1 + test_below(4); n > 0; n--) pb.ptr[test_below(pb.len)] = (char)test_rand();
        if (test_below(2)) pb.len = test_below(pb.len);
        struct str damaged = test_exact(buf_view(&pb));
        struct plain_request q;
        enum err e = plain_decode(damaged, &a, &q);
        CHECK(e == ERR_OK || e == ERR_INVALID);
        // The plain decoder is stricter: it reads what a later field overrides, too.
        enum err j = otlp_pb_to_json(&otlp_export_request, damaged, OTLP_FLAVOUR_OTLP, &json);
        CHECK(j == ERR_OK || (j == ERR_INVALID && e == ERR_INVALID));
        if (e == ERR_OK) CHECK_OK(plain_canonical(&q, &a, &text));
        refused += e != ERR_OK;
        buf_fini(&pb);
        buf_fini(&json);
        buf_fini(&text);
        arena_reset(&a);
    }
    CHECK(refused > 50 && refused < 500);
    arena_fini(&a);
    random_fini(&g);
}

TEST(otlp_json_survives_memory_that_is_not_there) {
    static const char text[] =
        "{\"resource\\u0053pans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"\\u0061b\","
        "\"name\":\"a\\nb\",\"attributes\":[{\"key\":\"k\",\"value\":{\"doubleValue\":0.1}},"
        "{\"key\":\"l\",\"value\":{\"bytesValue\":\"AAAA\"}}]}]}]}]}";
    bool done = false;
    for (uint64_t n = 1; !done && n < 1000; n++) {
        struct buf pb, json;
        struct err_ctx ctx = { 0 };
        buf_init(&pb, 1 << 20);
        buf_init(&json, 1 << 20);
        mem_fail_at(n, false);
        enum err e = otlp_json_to_pb(str_of(text), &pb, NULL, &ctx);
        if (e == ERR_OK) e = otlp_pb_to_json(&otlp_export_request, buf_view(&pb), OTLP_FLAVOUR_OTLP, &json);
        done = mem_fail_seen() < n;
        mem_fail_at(0, false);
        CHECK(e == (done ? ERR_OK : ERR_NOMEM));
        buf_fini(&pb);
        buf_fini(&json);
    }
    CHECK(done);
}

TEST(otlp_plain_survives_memory_that_is_not_there) {
    struct random_otlp g;
    struct buf pb;
    random_init(&g, (struct random_opts){ .rand = test_rand, .wild = true });
    buf_init(&pb, LIMIT);
    while (pb.len < 3000) random_request(&g, &pb);
    bool done = false;
    for (uint64_t n = 1; !done && n < 100000; n += 1 + n / 8) {
        struct arena a;
        struct buf text;
        struct plain_request q;
        arena_init(&a, SIZE_MAX, NULL);
        buf_init(&text, LIMIT);
        mem_fail_at(n, true);
        enum err e = plain_decode(buf_view(&pb), &a, &q);
        if (e == ERR_OK) e = plain_canonical(&q, &a, &text);
        done = mem_fail_seen() < n;
        mem_fail_at(0, false);
        CHECK(e == (done ? ERR_OK : ERR_NOMEM));
        buf_fini(&text);
        arena_fini(&a);
    }
    CHECK(done);
    buf_fini(&pb);
    random_fini(&g);
}

TEST(otlp_json_respects_the_limit_of_its_buffer) {
    struct str text = STR("{\"resourceSpans\":[{\"schemaUrl\":\"12345678901234567890\"}]}");
    for (size_t limit = 0; limit < 40; limit++) {
        struct buf pb;
        struct err_ctx ctx = { 0 };
        buf_init(&pb, limit);
        enum err e = otlp_json_to_pb(text, &pb, NULL, &ctx);
        CHECK(e == (limit < 24 ? ERR_NOMEM : ERR_OK));
        CHECK_U64(pb.len, e == ERR_OK ? 24 : 0);
        buf_fini(&pb);
    }
}
