// SPDX-License-Identifier: Apache-2.0
// Lists of services as they are written, read back; and what is no such list.
#include "span/services.h"

#include "base/test.h"

enum { SERVICES_MAX = 60, NAMES = 24, NAME_MAX = 40 };

struct world {
    struct arena arena;
    struct str names[NAMES];
};

static void world_init(struct world *w) {
    static const char chars[] = "abcdefghijklmnopqrstuvwxyz-._/\"\\\n\xc3\xa4";
    arena_init(&w->arena, SIZE_MAX, NULL);
    for (int i = 0; i < NAMES; i++) {
        char name[NAME_MAX];
        uint32_t n = (uint32_t)test_below(NAME_MAX), odd = test_below(4) == 0;
        for (uint32_t k = 0; k < n; k++) name[k] = chars[test_below(odd ? sizeof chars - 3 : 30)];
        w->names[i] = str_dup(&w->arena, (struct str){ name, n });
    }
}

static void world_fini(struct world *w) {
    arena_fini(&w->arena);
}

static uint32_t random_count(void) {
    static const uint32_t edges[] = { 9, 10, 99, 100, UINT32_MAX };
    return test_below(6) ? (uint32_t)test_below(10) : edges[test_below(5)];
}

static void write(const struct service_count *list, uint32_t n, struct buf *out) {
    struct json_writer j = json_writer_on(out);
    jw_object(&j);
    for (uint32_t i = 0; i < n; i++) {
        jw_key(&j, list[i].name);
        jw_array(&j);
        jw_u64(&j, list[i].spans);
        jw_u64(&j, list[i].errors);
        jw_array_end(&j);
    }
    jw_object_end(&j);
}

static uint32_t random_list(const struct world *w, struct service_count *out) {
    uint32_t n = (uint32_t)test_below(test_below(10) ? 12 : SERVICES_MAX + 1);
    for (uint32_t i = 0; i < n; i++)
        out[i] = (struct service_count){ w->names[test_below(NAMES)], random_count(), random_count() };
    return n;
}

// Reads a list in a block of just its size; *out_n: how many of it were read.
static enum err read(struct str text, struct service_count *out, uint32_t *out_n, struct arena *a) {
    char *copy = mem_alloc(text.len);
    struct services s;
    struct service_count c;
    *out_n = 0;
    if (text.len) memcpy(copy, text.ptr, text.len);
    services_begin(&s, (struct str){ copy, text.len });
    while (services_next(&s, &c)) {
        ASSERT(*out_n < 2 * SERVICES_MAX);
        out[(*out_n)++] = (struct service_count){ str_dup(a, c.name), c.spans, c.errors };
    }
    CHECK(!services_next(&s, &c)); // the end stays
    enum err e = services_end(&s);
    mem_free(copy);
    return e;
}

TEST(services_read_what_was_written) {
    for (int i = 0; i < 500; i++) {
        struct world w;
        struct service_count want[SERVICES_MAX], got[SERVICES_MAX];
        struct buf text;
        uint32_t n_got;
        world_init(&w);
        buf_init(&text, SIZE_MAX);
        uint32_t n = random_list(&w, want);
        write(want, n, &text);
        CHECK_OK(read(buf_view(&text), got, &n_got, &w.arena));
        CHECK_U64(n_got, n);
        for (uint32_t k = 0; k < n; k++) {
            CHECK_STR(got[k].name, want[k].name);
            CHECK(got[k].spans == want[k].spans && got[k].errors == want[k].errors);
        }
        buf_fini(&text);
        world_fini(&w);
    }
}

TEST(services_of_no_text_are_an_error) {
    struct services s;
    struct service_count c;
    services_begin(&s, (struct str){ NULL, 0 });
    CHECK(!services_next(&s, &c));
    CHECK(services_end(&s) == ERR_CORRUPT);
}

TEST(services_refuse_what_is_no_list) {
    static const char *const bad[] = {
        "",
        "{",
        "}",
        "[]",
        "{\"a\"}",
        "{\"a\":1}",
        "{\"a\":[]}",
        "{\"a\":[1]}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[1,2,3]}",
        "{\"a\":[1,2]",
        "{\"a\":[1,2]]",
        "{\"a\":[-1,2]}",
        "{\"a\":[4294967296,2]}",
        "{\"a\":[1,2]}}",
        "{\"a\":[1,2],}",
        "{\"a:[1,2]}",
        "{\"a\":[1;2]}",
        "{\"a\":(1,2]}",
        "{\"a\":[1,2] \"b\":[1,2]}",
        "{\"\\q\":[1,2]}",
    };
    struct world w;
    world_init(&w);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct service_count list[SERVICES_MAX];
        uint32_t n;
        CHECK(read(str_of(bad[i]), list, &n, &w.arena) == ERR_CORRUPT);
    }
    world_fini(&w);
}

// Any byte of a list changed: an answer or an error, and nothing is read past the end.
TEST(services_survive_changed_bytes) {
    struct world w;
    struct service_count list[SERVICES_MAX], got[2 * SERVICES_MAX];
    world_init(&w);
    for (int round = 0; round < 3000; round++) {
        struct buf text;
        uint32_t n;
        buf_init(&text, SIZE_MAX);
        write(list, random_list(&w, list), &text);
        if (test_below(2)) text.len = test_below(text.len + 1);
        if (text.len) text.ptr[test_below(text.len)] = "\"\\:[],{}0a"[test_below(10)];
        enum err e = read(buf_view(&text), got, &n, &w.arena);
        CHECK(e == ERR_OK || e == ERR_CORRUPT);
        buf_fini(&text);
    }
    world_fini(&w);
}
