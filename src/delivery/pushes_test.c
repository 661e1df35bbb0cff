// SPDX-License-Identifier: Apache-2.0
#include "delivery/pushes.h"

#include "base/test.h"
#include "delivery/delivery.h"
#include "delivery/fixture_test.h"
#include "os/disk.h"
#include "vcs/sha.h"

#define HOUR 3600000000000ll
#define T0 1767225600000000000ll // 2026-01-01

enum { REQUESTS_MAX = 32, BODY_MAX = 8 << 10 };

struct request {
    const char *source, *type;
    char body[BODY_MAX];
};
static struct request requests[REQUESTS_MAX];
static unsigned n_requests;

static struct request *next_request(const char *source, const char *type) {
    struct request *r = &requests[n_requests++];
    CHECK(n_requests <= REQUESTS_MAX);
    *r = (struct request){ .source = source, .type = type };
    return r;
}

static char *put(char *at, const char *format, ...) __attribute__((format(printf, 2, 3)));
static char *put(char *at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    at += vsprintf(at, format, args);
    va_end(args);
    return at;
}

// The sha of a letter: "aaaa…"; '0' is none.
static const char *sha_of(char letter) {
    static char text[4][SHA_HEX + 1];
    static unsigned turn;
    char *to = text[turn++ % 4];
    for (unsigned i = 0; i < SHA_HEX; i += 2) (void)sprintf(to + i, "%02x", letter == '0' ? 0 : letter);
    return to;
}

static char *put_commits(char *at, const char *letters, unsigned hour) {
    at = put(at, "\"commits\":[");
    for (unsigned i = 0; letters[i]; i++)
        at = put(at,
                 "%s{\"id\":\"%s\",\"timestamp\":\"2026-01-02T%02u:%02u:00+01:00\",\"message\":\"%s "
                 "%c\\n\\nmore\","
                 "\"author\":{\"name\":\"Ann\",\"email\":\"a@example.org\"},\"distinct\":true}",
                 i ? "," : "", sha_of(letters[i]), hour, i,
                 letters[i] >= 'A' && letters[i] <= 'Z' ? "Merge pull request #12 from" : "work (#7)",
                 letters[i]);
    return put(at, "]");
}

static void github(const char *branch, char before, const char *letters, unsigned hour) {
    struct request *r = next_request("github", "push");
    char *at = put(r->body, "{\"ref\":\"refs/heads/%s\",\"before\":\"%s\",\"after\":\"%s\",\"forced\":false,",
                   branch, sha_of(before), sha_of(letters[strlen(letters) - 1]));
    at = put_commits(at, letters, hour);
    (void)put(at,
              ",\"repository\":{\"full_name\":\"acme/shop\",\"html_url\":\"https://github.com/acme/"
              "shop\",\"pushed_at\":"
              "%lld,\"default_branch\":\"main\"}}",
              (long long)(T0 / 1000000000 + 86400 + hour * 3600));
}

static void gitlab(char before, const char *letters, unsigned total, unsigned hour) {
    struct request *r = next_request("gitlab", "push");
    char *at =
        put(r->body,
            "{\"object_kind\":\"push\",\"ref\":\"refs/heads/trunk\",\"before\":\"%s\",\"after\":\"%s\","
            "\"total_commits_count\":%u,",
            sha_of(before), sha_of(letters[strlen(letters) - 1]), total);
    at = put_commits(at, letters, hour);
    (void)put(
        at,
        ",\"project\":{\"path_with_namespace\":\"acme/shop\",\"web_url\":\"https://gitlab.com/acme/shop\","
        "\"default_branch\":\"trunk\"}}");
}

static void deploy(char letter, unsigned hour) {
    struct request *r = next_request("events", "");
    (void)put(
        r->body,
        "{\"specversion\":\"1.0\",\"id\":\"%c\",\"source\":\"t\",\"type\":\"dev.takt.deploy\",\"data\":{"
        "\"id\":"
        "\"%c\",\"service\":\"shop\",\"environment\":\"production\",\"version\":\"%c\",\"sha\":\"%s\","
        "\"state\":"
        "\"success\",\"ended_at\":\"2026-01-02T%02u:30:00Z\",\"succeeded_at\":\"2026-01-02T%02u:30:00Z\"}}",
        letter, letter, letter, sha_of(letter), hour, hour);
}

static void send(struct delivery *d, const struct request *q) {
    struct delivery_taken taken = fixture_take(d, q->source, q->type, str_of(q->body), T0 + 100 * HOUR);
    CHECK_U64(taken.unknown + taken.aside, 0);
}

static struct str text(struct delivery *d, struct arena *a, const char *sql) {
    struct db *db;
    struct db_row *r;
    bool row;
    CHECK_OK(delivery_reader(d, &db));
    CHECK_OK(db_prepare(db, sql, &r));
    CHECK_OK(db_step(r, &row));
    CHECK(row);
    struct str s = str_dup(a, db_text(r, 0));
    db_reset(r);
    delivery_reader_done(d, db);
    return s;
}

// What each rollout brought, by its version: "c:b,c M:f,g", and how that is known.
static const char brought[] =
    "SELECT group_concat(version || '=' || commits_state || ':' || letters, ' ') FROM (SELECT o.version, "
    "o.commits_state, ifnull((SELECT group_concat(char(unhex), '') FROM (SELECT unicode(substr(CAST(c.sha AS "
    "TEXT), 1, 1)) AS unhex FROM rollout_commit c WHERE c.rollout = o.id ORDER BY 1)), '') AS letters FROM "
    "rollout o ORDER BY o.finished_at)";
static const char everything[] =
    "SELECT group_concat(x, char(10)) FROM (SELECT 'c' || quote(rollout) || quote(sha) || quote(authored_at) "
    "|| "
    "quote(committed_at) || quote(flags) || quote(author) || quote(subject) AS x FROM rollout_commit UNION "
    "ALL "
    "SELECT 's' || service || hex(figures) FROM series UNION ALL SELECT 'p' || key || quote(sha) || "
    "quote(next_sha) || quote(base_sha) || quote(change_number) FROM pushed_commit UNION ALL SELECT 'd' || "
    "key "
    "|| default_branch FROM repository ORDER BY 1)";

static void begin(void) {
    n_requests = 0;
}
static struct delivery *all_in_order(void) {
    struct delivery *d = fixture_delivery(test_dir());
    for (unsigned i = 0; i < n_requests; i++) send(d, &requests[i]);
    return d;
}

// Straight pushes, a branch of its own and its merge.
static void tell_story(void) {
    begin();
    github("main", 'z', "a", 1);
    deploy('a', 2);
    github("main", 'a', "bc", 3);
    deploy('c', 4);
    github("fast", '0', "f", 4);
    github("fast", 'f', "g", 5);
    github("main", 'c', "d", 5);
    deploy('d', 6);
    github("main", 'd', "fgM", 7);
    deploy('M', 8);
}

TEST(pushes_tell_what_a_rollout_brought) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    tell_story();
    struct delivery *d = all_in_order();
    CHECK_STR(text(d, &a, brought), STR("a=baseline: c=known:bc d=known:d M=known:fg"));
    CHECK_STR(
        text(d, &a,
             "SELECT group_concat(DISTINCT author || ' ' || subject) FROM rollout_commit c JOIN rollout "
             "o ON o.id = c.rollout WHERE o.version = 'd'"),
        STR("Ann work (#7) d"));
    // 5 h in Berlin, and rolled out at 6:30
    CHECK_STR(text(d, &a,
                   "SELECT ((o.finished_at - c.authored_at) / 60000000000) || ' ' || (c.committed_at = "
                   "c.authored_at) FROM rollout_commit c JOIN rollout o ON o.id = c.rollout WHERE "
                   "o.version = 'd'"),
              STR("150 1"));
    CHECK_STR(text(d, &a, "SELECT default_branch FROM repository WHERE key = 'github.com/acme/shop'"),
              STR("main"));
    arena_fini(&a);
    delivery_close(d);
}

TEST(pushes_in_any_order_and_again_tell_the_same) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    tell_story();
    struct delivery *d = all_in_order();
    struct str want = text(d, &a, everything);
    for (unsigned i = 0; i < n_requests; i++) send(d, &requests[i]);
    CHECK_STR(text(d, &a, everything), want);
    CHECK_OK(delivery_reprocess(d, NULL, NULL));
    CHECK_STR(text(d, &a, everything), want);
    delivery_close(d);
    for (unsigned round = 0; round < 4; round++) {
        const char *dir = str_z(&a, str_fmt(&a, "%s/%u", test_dir(), round));
        struct disk *disk = disk_real();
        CHECK_OK(disk->ops->mkdir(disk, dir));
        for (unsigned i = n_requests; i-- > 1;) {
            unsigned k = (unsigned)test_below(i + 1);
            struct request swap = requests[i];
            requests[i] = requests[k];
            requests[k] = swap;
        }
        d = fixture_delivery(dir);
        for (unsigned i = 0; i < n_requests; i++) {
            send(d, &requests[i]);
            if (i % 3 == 0) CHECK_OK(delivery_settle(d));
        }
        CHECK_STR(text(d, &a, everything), want);
        delivery_close(d);
    }
    arena_fini(&a);
}

// The branch takes in main: its list names e, which must not be taken to hold the branch's own f.
TEST(pushes_of_a_branch_that_took_in_main_do_not_make_main_hold_it) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    begin();
    github("main", 'z', "a", 1);
    deploy('a', 1);
    github("fast", '0', "f", 2);
    github("main", 'a', "e", 3);
    github("fast", 'f', "eN", 4);
    deploy('e', 5);
    github("main", 'e', "fNM", 6);
    deploy('M', 7);
    struct delivery *d = all_in_order();
    CHECK_STR(text(d, &a, brought), STR("a=baseline: e=known:e M=known:f"));
    arena_fini(&a);
    delivery_close(d);
}

TEST(pushes_that_do_not_list_all_are_cut) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    begin();
    gitlab('z', "a", 1, 1);
    deploy('a', 1);
    gitlab('a', "bc", 22, 2);
    deploy('c', 3);
    gitlab('c', "d", 1, 4);
    deploy('d', 5);
    struct delivery *d = all_in_order();
    CHECK_STR(text(d, &a, brought), STR("a=baseline: c=cut:bc d=known:d"));
    CHECK_STR(text(d, &a, "SELECT default_branch FROM repository WHERE key = 'gitlab.com/acme/shop'"),
              STR("trunk"));
    arena_fini(&a);
    delivery_close(d);
}

static enum err import(struct db *db, void *ctx) {
    (void)ctx;
    return db_run(
        db,
        "INSERT INTO git_repo VALUES(7, 'https://github.com/acme/shop', '/nowhere', 1);"
        "INSERT INTO git_commit VALUES(7, x'6161616161616161616161616161616161616161', 1767225600000000000,"
        " 1767225600000000000, 0, 'Bea', 'old', x'', NULL, NULL, NULL, NULL);"
        "INSERT INTO git_commit VALUES(7, x'6262626262626262626262626262626262626262', 1767225600000000000,"
        " 1767225600000000000, 0, 'Bea', 'imported', x'6161616161616161616161616161616161616161', NULL, NULL,"
        " NULL, NULL);");
}

TEST(pushes_go_on_where_an_import_ended) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    begin();
    github("main", 'a', "bc", 3);
    deploy('a', 2);
    deploy('c', 4);
    struct delivery *d = fixture_delivery(test_dir());
    CHECK_OK(delivery_write(d, import, NULL));
    for (unsigned i = 0; i < n_requests; i++) send(d, &requests[i]);
    CHECK_STR(text(d, &a, brought), STR("a=baseline: c=known:bc"));
    CHECK_STR(text(d, &a,
                   "SELECT group_concat(author || ' ' || subject, '; ') FROM (SELECT * FROM rollout_commit "
                   "ORDER BY sha)"),
              STR("Bea imported; Ann work (#7) c")); // what was imported says more
    arena_fini(&a);
    delivery_close(d);
}

TEST(pushes_with_a_wrong_clock_or_odd_names_harm_nothing) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    begin();
    github("main", 'z', "a", 1);
    deploy('a', 1);
    github("main", 'a', "b", 2);
    deploy('b', 3);
    char *year = strstr(requests[2].body, "\"timestamp\":\"2026");
    CHECK(year != NULL);
    memcpy(year, "\"timestamp\":\"2126", strlen("\"timestamp\":\"2126"));
    struct request *r = next_request("events", "");
    (void)put(r->body,
              "{\"specversion\":\"1.0\",\"id\":\"x\",\"source\":\"t\",\"type\":\"dev.takt.pushed_commit\","
              "\"data\":{\"repo\":"
              "\"github.com/acme/shop\",\"sha\":\"%s\",\"next_sha\":\"%s\",\"base_sha\":\"%s\"}}",
              "ABABABABABABABABABABABABABABABABABABABAB", sha_of('q'), sha_of('b'));
    struct delivery *d = all_in_order();
    CHECK_STR(text(d, &a, brought), STR("a=baseline: b=known:b"));
    CHECK_STR(text(d, &a, "SELECT flags || ' ' || ifnull(authored_at, 0) FROM rollout_commit"), STR("6 0"));
    arena_fini(&a);
    delivery_close(d);
}
