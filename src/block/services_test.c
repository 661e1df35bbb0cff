// SPDX-License-Identifier: Apache-2.0
// Lists of services as they are written, read back; and what is no such list.
#include "block/services.h"

#include "base/json.h"
#include "base/test.h"

enum { SERVICES_MAX = 60, NAMES = 24, NAME_MAX = 40 };

struct world {
    struct arena arena;
    struct services services;
    struct str names[NAMES];
};

static void world_init(struct world *w) {
    static const char chars[] = "abcdefghijklmnopqrstuvwxyz-._/\"\\\n\xc3\xa4";
    arena_init(&w->arena, SIZE_MAX, NULL);
    services_init(&w->services, &w->arena);
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

// In a block of just its size, so that nothing behind it is read.
static char *exact(struct buf *b) {
    char *copy = mem_alloc(b->len);
    if (b->len) memcpy(copy, b->ptr, b->len);
    return copy;
}

static void write(const struct batch_service *list, uint32_t n, struct buf *out) {
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

static uint32_t random_list(const struct world *w, struct batch_service *out) {
    uint32_t n = (uint32_t)test_below(test_below(10) ? 12 : SERVICES_MAX + 1);
    for (uint32_t i = 0; i < n; i++)
        out[i] = (struct batch_service){ w->names[test_below(NAMES)], random_count(), random_count() };
    return n;
}

TEST(services_read_what_was_written) {
    struct world w;
    struct batch_service want[50][SERVICES_MAX];
    const struct batch_service *got[50];
    uint32_t n[50], n_got;
    char *texts[50];
    world_init(&w);
    for (int i = 0; i < 50; i++) {
        struct buf text;
        buf_init(&text, SIZE_MAX);
        n[i] = random_list(&w, want[i]);
        write(want[i], n[i], &text);
        texts[i] = exact(&text);
        CHECK_OK(services_read(&w.services, (struct str){ texts[i], text.len }, &got[i], &n_got));
        CHECK_U64(n_got, n[i]);
        buf_fini(&text);
    }
    for (int i = 0; i < 50; i++) { // those read before are still there
        for (uint32_t k = 0; k < n[i]; k++) {
            CHECK_STR(got[i][k].name, want[i][k].name);
            CHECK(got[i][k].spans == want[i][k].spans && got[i][k].errors == want[i][k].errors);
        }
    }
    for (int i = 0; i < 50; i++) mem_free(texts[i]);
    world_fini(&w);
}

TEST(services_of_one_name_share_its_bytes) {
    struct world w;
    const struct batch_service *a, *b;
    uint32_t n;
    world_init(&w);
    CHECK_OK(services_read(&w.services, STR("{\"cart\":[1,0],\"checkout\":[2,1]}"), &a, &n));
    CHECK_OK(services_read(&w.services, STR("{\"checkout\":[12,0]}"), &b, &n));
    CHECK(n == 1 && b[0].name.ptr == a[1].name.ptr && b[0].spans == 12);
    world_fini(&w);
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
        const struct batch_service *list;
        uint32_t n;
        size_t len = strlen(bad[i]);
        char *text = mem_alloc(len);
        memcpy(text, bad[i], len);
        services_init(&w.services, &w.arena);
        CHECK(services_read(&w.services, (struct str){ text, len }, &list, &n) == ERR_CORRUPT);
        mem_free(text);
    }
    world_fini(&w);
}

// Any byte of a list changed: an answer or an error, and nothing is read past the end.
TEST(services_survive_changed_bytes) {
    struct world w;
    struct batch_service list[SERVICES_MAX];
    world_init(&w);
    for (int round = 0; round < 3000; round++) {
        const struct batch_service *got;
        struct buf text;
        uint32_t n;
        buf_init(&text, SIZE_MAX);
        write(list, random_list(&w, list), &text);
        size_t len = test_below(2) ? text.len : test_below(text.len + 1);
        char *copy = exact(&text);
        char *cut = mem_alloc(len);
        memcpy(cut, copy, len);
        services_init(&w.services, &w.arena);
        if (len) cut[test_below(len)] = "\"\\:[],{}0a"[test_below(10)];
        enum err e = services_read(&w.services, (struct str){ cut, len }, &got, &n);
        CHECK(e == ERR_OK || e == ERR_CORRUPT);
        mem_free(cut);
        mem_free(copy);
        buf_fini(&text);
    }
    world_fini(&w);
}
