// SPDX-License-Identifier: Apache-2.0
#include "vcs/git_test.h"
#include "vcs/tag_shapes.h"
#include "vcs/tags.h"

#include <time.h>

#define NOW 1800000000000000000ll
#define S 1000000000ll

// --- dates in names ----------------------------------------------------------------------------------

TEST(tag_names_that_spell_a_date) {
    static const struct {
        const char *name, *want; // want "" = no date; with a time only if one is spelt
    } cases[] = {
        { "2024-05-01", "2024-05-01" },
        { "2024.05.01", "2024-05-01" },
        { "2024_05_01", "2024-05-01" },
        { "20240501", "2024-05-01" },
        { "20240501-1230", "2024-05-01 12:30:00" },
        { "20240501T123005", "2024-05-01 12:30:05" },
        { "20240501T123005Z", "2024-05-01 12:30:05" },
        { "20240501t1230z", "2024-05-01 12:30:00" },
        { "2024-05-01T12-30-05Z", "2024-05-01 12:30:05" },
        { "2024-05-01_12.30", "2024-05-01 12:30:00" },
        { "2024-05-01-12-30", "2024-05-01 12:30:00" },
        { "2024.05.01-123005", "2024-05-01 12:30:05" },
        { "202405011230", "2024-05-01 12:30:00" },
        { "20240501123005", "2024-05-01 12:30:05" },
        { "release-2024-05-01", "2024-05-01" },
        { "release/2024.05.01-rc1", "2024-05-01" },
        { "v20240501", "2024-05-01" },
        { "v1.2.3-20240501.4", "2024-05-01" },
        { "prod_20240501_235959_abc", "2024-05-01 23:59:59" },
        { "20240501-235960", "2024-05-02 00:00:00" }, // a leap second
        { "2024-02-29", "2024-02-29" },
        { "2000-02-29", "2000-02-29" },
        { "1990-01-01", "1990-01-01" },
        { "2099-12-31", "2099-12-31" },
        { "20240501-20250601", "2024-05-01" }, // the first; eight digits are no time
        { "20241301-20240501", "2024-05-01" }, // the first that exists
        { "20240501-12", "2024-05-01" },       // a number of a build
        { "20240501-2460", "2024-05-01" },     // no such time
        { "2024-05-01-12:30", "2024-05-01" },
        { "2024.05.01.1230", "2024-05-01" }, // after a dot: a number of a build
        { "2024-05-01-12-60-00", "2024-05-01" },
        { "2023-02-29", "" },
        { "2100-01-01", "" },
        { "1989-12-31", "" },
        { "2024-00-10", "" },
        { "2024-04-31", "" },
        { "2024-05-1", "" },
        { "2024-5-01", "" },
        { "2024.5.1", "" }, // a version
        { "2024-05.01", "" },
        { "2024-05", "" },
        { "2024-05-011", "" },
        { "12024-05-01", "" },
        { "202405019999", "" },
        { "2024050112", "" },
        { "202405011", "" },
        { "v1.2.3", "" },
        { "v2024", "" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tag_date d = { 0, false };
        char got[32] = "";
        if (tag_name_date(test_exact(str_of(cases[i].name)), &d)) {
            time_t at = (time_t)(d.ns / S);
            struct tm tm;
            CHECK(d.ns % S == 0 && gmtime_r(&at, &tm));
            strftime(got, sizeof got, d.has_time ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d", &tm);
        }
        if (!str_eq(str_of(got), str_of(cases[i].want))) printf("# %s\n", cases[i].name);
        CHECK_STR(str_of(got), str_of(cases[i].want));
    }
}

TEST(tag_dates_of_all_days_agree_with_the_calendar) {
    struct tm tm = { .tm_year = 90, .tm_mday = 1 };
    for (time_t at = timegm(&tm); tm.tm_year < 200; at += 86400) {
        char name[32];
        struct tag_date d;
        gmtime_r(&at, &tm);
        if (tm.tm_year >= 200) break;
        strftime(name, sizeof name, "%Y%m%d", &tm);
        CHECK(tag_name_date(str_of(name), &d) && d.ns == at * S && !d.has_time);
    }
}

// --- patterns ----------------------------------------------------------------------------------------

static void check_shapes(const char *const *names, size_t n, const char *want) {
    static struct arena a;
    struct tag_shapes t;
    struct tag_shape *list;
    uint32_t n_list;
    struct buf got;
    arena_init(&a, 1 << 20, NULL);
    buf_init(&got, 1 << 14);
    tag_shapes_init(&t);
    for (size_t i = 0; i < n; i++) CHECK_OK(tag_shapes_add(&t, test_exact(str_of(names[i]))));
    CHECK_OK(tag_shapes_list(&t, &a, &list, &n_list));
    for (uint32_t i = 0; i < n_list; i++)
        buf_fmt(&got, "%s%u/%u %.*s %.*s", i ? "\n" : "", list[i].n, list[i].n_dated, STR_ARG(list[i].regex),
                STR_ARG(list[i].example));
    struct str text = test_exact(buf_view(&got));
    tag_shapes_fini(&t);
    arena_fini(&a);
    buf_fini(&got);
    CHECK_STR(text, str_of(want));
}
#define SHAPES(want, ...) \
    check_shapes((const char *const[]){ __VA_ARGS__ }, \
                 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), want)

TEST(tag_shapes_are_numbers_ids_and_the_rest) {
    SHAPES("3/0 ^v\\d+\\.\\d+\\.\\d+$ v10.0.1\n"
           "1/0 ^v\\d+\\.\\d+\\.\\d+-rc\\.\\d+$ v1.3.0-rc.1",
           "v1.2.3", "v1.3.0-rc.1", "v1.2.4", "v10.0.1");
    SHAPES("2/2 ^prod/\\d+-\\d+-\\d+$ prod/2024-05-02\n1/0 ^cart-v\\d+$ cart-v7\n1/0 ^pay-v\\d+$ pay-v8",
           "prod/2024-05-01", "prod/2024-05-02", "cart-v7", "pay-v8");
    SHAPES("2/2 ^\\d+$ 20240502", "20240501", "20240502");
    SHAPES("1/0 ^a\\+b\\(c\\)\\{d\\}\\$\\|$ a+b(c){d}$|", "a+b(c){d}$|");
    SHAPES("1/0 ^\xc3\xa9\\d+$ \xc3\xa9"
           "7",
           "\xc3\xa9"
           "7");
}

TEST(tag_shapes_know_short_shas) {
    SHAPES("3/0 ^deploy-[0-9a-f]+$ deploy-f00ba42", "deploy-1a2b3c4", "deploy-1234567", "deploy-f00ba42");
    SHAPES("2/0 ^deploy-\\d+$ deploy-1234568", "deploy-1234567", "deploy-1234568"); // no id beside them
    SHAPES("3/1 ^build-\\d+$ build-7", "build-12", "build-20240501", "build-7");
    SHAPES("2/0 ^\\d+-[0-9a-f]+$ 8-0123456789abcdef0123456789abcdef01234567", "7-a1b2c3d",
           "8-0123456789abcdef0123456789abcdef01234567");
    SHAPES("1/0 ^deadbeef$ deadbeef\n1/0 ^v\\d+a$ v7a", "deadbeef", "v7a"); // words, too
}

TEST(tag_shapes_are_bounded) {
    struct tag_shapes t;
    struct arena a;
    struct tag_shape *list;
    uint32_t n;
    char name[TAG_SHAPE_BYTES_MAX + 2];
    arena_init(&a, 1 << 24, NULL);
    tag_shapes_init(&t);
    for (int i = 0; i < TAG_SHAPES_MAX + 20; i++) {
        for (int c = 0; c < 4; c++) name[c] = (char)('g' + (i >> (4 * c) & 15));
        CHECK_OK(tag_shapes_add(&t, (struct str){ name, 4 }));
    }
    memset(name, 'x', sizeof name);
    CHECK_OK(tag_shapes_add(&t, (struct str){ name, sizeof name }));
    CHECK_OK(tag_shapes_add(&t, STR("")));
    CHECK_OK(tag_shapes_add(&t, STR("a\001b")));
    CHECK_U64(t.n_shapeless, 23);
    CHECK_OK(tag_shapes_add(&t, STR("gggg"))); // those found go on counting
    CHECK_OK(tag_shapes_list(&t, &a, &list, &n));
    CHECK_U64(n, TAG_SHAPES_MAX);
    CHECK_STR(list[0].regex, STR("^gggg$"));
    CHECK_U64(list[0].n, 2);
    tag_shapes_fini(&t);
    arena_fini(&a);
}

// --- tags of repositories ----------------------------------------------------------------------------

static struct tags read_all(struct repo *r, bool (*want)(void *ctx, struct str name)) {
    struct tags t;
    struct err_ctx ctx = { 0 };
    struct tags_in in = { .want = want, .now_ns = NOW };
    enum err e = tags_read(git_arena(), r, &in, &ctx, &t);
    if (e != ERR_OK) printf("# %s\n", ctx.text);
    CHECK_OK(e);
    for (uint32_t i = 1; i < t.n; i++) CHECK(str_cmp(t.tags[i - 1].name, t.tags[i].name) < 0);
    return t;
}

static const struct tag *tag(const struct tags *t, const char *name) {
    for (uint32_t i = 0; i < t->n; i++)
        if (str_eq(t->tags[i].name, str_of(name))) return &t->tags[i];
    printf("# no tag %s\n", name);
    CHECK(false);
    return NULL;
}

static const char tagged[] =
    "git init -q r; cd r; at 1700000000; save f 1 A; git tag v1.0.0; at 1700000500 +1400; git tag -am note "
    "v1.1.0\n"
    "at 1700001000; save f 2 B; git tag release/2024-05-01; at 1700002000; git tag -am nested again v1.1.0\n"
    "git tag tree HEAD^{tree}; git tag -am blob blob HEAD:f\n"
    "printf 'object %s\\ntype commit\\ntag old\\n\\nno tagger\\n' $(git rev-parse HEAD) >raw\n"
    "git update-ref refs/tags/old $(git hash-object -t tag -w raw)\n"
    "echo 7777777777777777777777777777777777777777 >.git/refs/tags/lost\n"
    "git update-ref \"$(printf 'refs/tags/b\\374se')\" HEAD\n";

static void check_tagged(struct repo *r) {
    struct tags t = read_all(r, NULL);
    struct sha a = git_sha(r, "v1.0.0"), b = git_sha(r, "main");
    CHECK_U64(t.n_names, 9);
    CHECK_U64(t.n, 6);
    CHECK_U64(t.n_not_commit, 2);
    CHECK_U64(t.n_unreadable, 1);
    CHECK_U64(t.n_cut + t.n_not_wanted + t.n_shapeless, 0);
    const struct tag *light = tag(&t, "v1.0.0"), *note = tag(&t, "v1.1.0"), *nested = tag(&t, "again");
    const struct tag *dated = tag(&t, "release/2024-05-01"), *old = tag(&t, "old"),
                     *odd = tag(&t, "b\xef\xbf\xbdse");
    CHECK(!light->is_annotated && !light->has_tagger && sha_eq(&light->commit, &a));
    CHECK(light->created_at.ns == 1700000000 * S && !light->has_date);
    CHECK(note->is_annotated && note->has_tagger && sha_eq(&note->commit, &a));
    CHECK(note->created_at.ns == 1700000500 * S && note->created_at.offset_min == 840);
    CHECK(nested->is_annotated && sha_eq(&nested->commit, &a) && nested->created_at.ns == 1700002000 * S);
    CHECK(!dated->is_annotated && sha_eq(&dated->commit, &b) && dated->created_at.ns == 1700001000 * S);
    CHECK(dated->has_date && !dated->date.has_time && dated->date.ns == 1714521600 * S);
    CHECK(old->is_annotated && !old->has_tagger && old->created_at.ns == 1700001000 * S);
    CHECK(sha_eq(&odd->commit, &b));
    CHECK_STR(t.shapes[0].regex, STR("^v\\d+\\.\\d+\\.\\d+$"));
    CHECK_U64(t.shapes[0].n, 2);
    CHECK_STR(t.shapes[0].example, STR("v1.1.0"));
}

TEST(tags_of_all_kinds) {
    git_sh("%s", tagged);
    struct repo *r = git_open("r");
    check_tagged(r);
    repo_close(r);
    git_sh("cd r; rm .git/refs/tags/lost; git pack-refs --all; git repack -qad\n"
           "echo 7777777777777777777777777777777777777777 >.git/refs/tags/lost");
    r = git_open("r");
    check_tagged(r);
    repo_close(r);
}

static bool is_version(void *ctx, struct str name) {
    (void)ctx;
    return str_starts(name, STR("v1."));
}

TEST(tags_are_filtered_by_the_caller) {
    git_sh("%s", tagged);
    struct repo *r = git_open("r");
    struct tags t = read_all(r, is_version);
    CHECK_U64(t.n, 2);
    CHECK_U64(t.n_names, 9);
    CHECK_U64(t.n_not_wanted, 7);
    CHECK_U64(t.n_unreadable + t.n_not_commit, 0);
    CHECK_U64(t.n_shapes, 8);
    repo_close(r);
}

TEST(tags_of_empty_and_shallow_repositories) {
    git_sh("git init -q e; git init -q a; cd a; save f 1 A; git tag early; save f 2 B; git tag -am x late; "
           "cd ..\n"
           "git clone -q --depth 1 file://$PWD/a s; cd s; git update-ref refs/tags/early $(git -C ../a "
           "rev-parse early) "
           "2>/dev/null || git -C ../a rev-parse early >.git/refs/tags/early");
    struct repo *e = git_open("e"), *s = git_open("s");
    struct tags t = read_all(e, NULL);
    CHECK_U64(t.n + t.n_names + t.n_shapes, 0);
    t = read_all(s, NULL);
    CHECK_U64(t.n, 1);
    CHECK_U64(t.n_unreadable, 1);
    repo_close(e), repo_close(s);
}

TEST(tags_past_the_limit_are_counted_and_still_have_patterns) {
    git_sh("git init -q r; cd r; save f 1 A; h=$(git rev-parse HEAD); git pack-refs --all\n"
           "seq -f 'refs/tags/build-%%04.0f' 0 1009 | awk -v h=$h '{print h, $1}' >>.git/packed-refs");
    struct repo *r = git_open("r");
    struct tags_in in = { .now_ns = NOW, .max_tags = 1000 };
    struct tags t;
    CHECK_OK(tags_read(git_arena(), r, &in, &(struct err_ctx){ 0 }, &t));
    CHECK_U64(t.n, 1000);
    CHECK_U64(t.n_cut, 10);
    CHECK_U64(t.n_names, 1010);
    CHECK_U64(t.n_shapes, 1);
    CHECK_STR(t.shapes[0].regex, STR("^build-\\d+$"));
    CHECK_U64(t.shapes[0].n, 1010);
    repo_close(r);
}

TEST(tags_survive_each_failed_allocation) {
    git_sh("%s", tagged);
    struct repo *r = git_open("r");
    struct tags_in in = { .now_ns = NOW };
    struct tags t;
    enum err e = ERR_NOMEM;
    for (uint64_t n = 1; e != ERR_OK; n++) {
        struct arena *a = git_arena();
        CHECK(n < 1000);
        mem_fail_at(n, false);
        e = tags_read(a, r, &in, &(struct err_ctx){ 0 }, &t);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
    }
    CHECK_U64(t.n, 6);
    repo_close(r);
}
