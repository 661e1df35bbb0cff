// SPDX-License-Identifier: Apache-2.0
// One table of checks for the real disk and the simulated one, and what only the latter can show.
#include "base/test.h"
#include "os/disk_sim.h"

#include <limits.h>
#include <stdlib.h>

static enum err put(struct disk *d, const char *path, struct str text, bool sync) {
    struct disk_file *f;
    TRY(d->ops->open(d, path, DISK_CREATE, &f));
    struct iovec iov = { (void *)(uintptr_t)text.ptr, text.len };
    enum err e = d->ops->write(f, 0, &iov, 1);
    if (e == ERR_OK && sync) e = d->ops->sync(f);
    d->ops->close(f);
    return e;
}

static struct str get(struct disk *d, const char *path, char *dst, size_t cap) {
    struct disk_file *f;
    size_t n = 0;
    if (d->ops->open(d, path, DISK_READ, &f) != ERR_OK) return STR("(none)");
    if (d->ops->read(f, 0, dst, cap, &n) != ERR_OK) n = 0;
    d->ops->close(f);
    return (struct str){ dst, n };
}

static bool exists(struct disk *d, const char *path) {
    struct disk_stat st;
    return d->ops->stat(d, path, &st) == ERR_OK;
}

static const char *at(const char *dir, const char *name) { // four at a time
    static char paths[4][DISK_PATH_MAX];
    static unsigned next;
    char *p = paths[next++ % 4];
    (void)snprintf(p, DISK_PATH_MAX, "%s/%s", dir, name);
    return p;
}

static struct disk *sim_new(uint64_t seed) {
    struct disk *d;
    CHECK_OK(disk_sim_new(&(struct disk_sim_opts){ .seed = seed }, &d));
    return d;
}

static enum err collect(void *ctx, const char *name, bool is_dir) {
    buf_fmt(ctx, "%s%s ", name, is_dir ? "/" : "");
    return ERR_OK;
}
static enum err stop_at_once(void *ctx, const char *name, bool is_dir) {
    (void)ctx, (void)name, (void)is_dir;
    return ERR_CANCELED;
}

// --- what every disk does ---

static void files_hold_what_was_written(struct disk *d, const char *dir) {
    char got[64];
    struct disk_file *f;
    struct disk_stat st;
    CHECK_OK(d->ops->open(d, at(dir, "f"), DISK_CREATE, &f));
    struct iovec iov[3] = { { (void *)"abc", 3 }, { NULL, 0 }, { (void *)"defg", 4 } };
    CHECK_OK(d->ops->reserve(f, 4096));
    CHECK_OK(d->ops->write(f, 2, iov, 3));
    CHECK_OK(d->ops->sync(f));
    size_t n;
    CHECK_OK(d->ops->read(f, 3, got, 3, &n));
    CHECK_STR(((struct str){ got, n }), STR("bcd"));
    CHECK_OK(d->ops->read(f, 7, got, sizeof got, &n));
    CHECK_STR(((struct str){ got, n }), STR("fg"));
    CHECK_OK(d->ops->read(f, 9, got, sizeof got, &n));
    CHECK_U64(n, 0);
    CHECK_OK(d->ops->truncate(f, 4));
    CHECK_OK(d->ops->truncate(f, 6));
    d->ops->close(f);
    CHECK_STR(get(d, at(dir, "f"), got, sizeof got), STR("\0\0ab\0\0"));
    CHECK_OK(d->ops->stat(d, at(dir, "f"), &st));
    CHECK(st.size_bytes == 6 && !st.is_dir);
    CHECK_OK(d->ops->open(d, at(dir, "f"), DISK_WRITE, &f));
    CHECK_OK(d->ops->write(f, 0, iov, 1));
    d->ops->close(f);
    CHECK_STR(get(d, at(dir, "f"), got, sizeof got), STR("abcb\0\0"));
}

static void opening_tells_what_is_there(struct disk *d, const char *dir) {
    struct disk_file *f;
    CHECK_OK(put(d, at(dir, "f"), STR("x"), false));
    CHECK(d->ops->open(d, at(dir, "f"), DISK_CREATE, &f) == ERR_EXISTS);
    CHECK(d->ops->open(d, at(dir, "g"), DISK_READ, &f) == ERR_NOT_FOUND);
    CHECK(d->ops->open(d, at(dir, "g"), DISK_WRITE, &f) == ERR_NOT_FOUND);
    CHECK(d->ops->open(d, at(dir, "f/g"), DISK_READ, &f) == ERR_NOT_FOUND);
    CHECK(d->ops->open(d, at(dir, "no/g"), DISK_CREATE, &f) == ERR_NOT_FOUND);
    CHECK(d->ops->open(d, dir, DISK_READ, &f) == ERR_NOT_FOUND);
    CHECK(d->ops->open(d, dir, DISK_WRITE, &f) == ERR_NOT_FOUND);
}

static void names_move_and_go(struct disk *d, const char *dir) {
    char got[8];
    CHECK_OK(put(d, at(dir, "a"), STR("1"), false));
    CHECK_OK(put(d, at(dir, "b"), STR("2"), false));
    CHECK(d->ops->link(d, at(dir, "a"), at(dir, "b")) == ERR_EXISTS);
    CHECK(d->ops->link(d, at(dir, "none"), at(dir, "c")) == ERR_NOT_FOUND);
    CHECK_OK(d->ops->link(d, at(dir, "a"), at(dir, "c")));
    CHECK_OK(d->ops->unlink(d, at(dir, "a")));
    CHECK_STR(get(d, at(dir, "c"), got, sizeof got), STR("1"));
    CHECK_OK(d->ops->rename(d, at(dir, "c"), at(dir, "b")));
    CHECK_STR(get(d, at(dir, "b"), got, sizeof got), STR("1"));
    CHECK(!exists(d, at(dir, "c")));
    CHECK(d->ops->rename(d, at(dir, "c"), at(dir, "b")) == ERR_NOT_FOUND);
    CHECK(d->ops->unlink(d, at(dir, "c")) == ERR_NOT_FOUND);
}

static void folders_come_with_parents(struct disk *d, const char *dir) {
    struct disk_stat st;
    CHECK_OK(d->ops->mkdir(d, at(dir, "p/q/r")));
    CHECK_OK(d->ops->mkdir(d, at(dir, "p/q/r")));
    CHECK_OK(d->ops->stat(d, at(dir, "p/q"), &st));
    CHECK(st.is_dir);
    CHECK(d->ops->rmdir(d, at(dir, "p/q")) == ERR_EXISTS);
    CHECK_OK(d->ops->rmdir(d, at(dir, "p/q/r")));
    CHECK(d->ops->rmdir(d, at(dir, "p/q/r")) == ERR_NOT_FOUND);
    CHECK_OK(put(d, at(dir, "p/f"), STR(""), false));
    CHECK(d->ops->mkdir(d, at(dir, "p/f")) == ERR_EXISTS);
    CHECK(d->ops->mkdir(d, at(dir, "p/f/g")) == ERR_EXISTS);
    CHECK_OK(d->ops->sync_dir(d, at(dir, "p")));
    CHECK(d->ops->sync_dir(d, at(dir, "none")) == ERR_NOT_FOUND);
    CHECK_OK(disk_make_dir(d, at(dir, "x/y/z")));
    CHECK_OK(disk_make_dir(d, at(dir, "x/y/z")));
    CHECK(disk_make_dir(d, at(dir, "p/f/g")) != ERR_OK);
    CHECK(exists(d, at(dir, "x/y/z")));
}

static void listing_is_in_byte_order(struct disk *d, const char *dir) {
    struct buf names;
    buf_init(&names, 1 << 20);
    static const char *const make[] = { "b", "B", "a.b", "a", "\xc3\xa4", "a-b" };
    for (size_t i = 0; i < sizeof make / sizeof *make; i++)
        CHECK_OK(put(d, at(dir, make[i]), STR(""), false));
    CHECK_OK(d->ops->mkdir(d, at(dir, "a+")));
    CHECK_OK(d->ops->list(d, dir, &names, collect));
    CHECK_STR(buf_view(&names), STR("B a a+/ a-b a.b b \xc3\xa4 "));
    CHECK(d->ops->list(d, dir, NULL, stop_at_once) == ERR_CANCELED);
    CHECK(d->ops->list(d, at(dir, "none"), NULL, stop_at_once) == ERR_NOT_FOUND);
    buf_fini(&names);
}

static void more_pieces_than_the_kernel_takes(struct disk *d, const char *dir) {
    enum { N = 3 * IOV_MAX + 7 };
    struct iovec *iov = calloc(N, sizeof *iov);
    char *text = malloc(N * 3), *got = malloc(N * 3 + 1);
    CHECK(iov && text && got);
    size_t total = 0;
    for (size_t i = 0; i < N; i++) {
        size_t n = test_below(4);
        for (size_t k = 0; k < n; k++) text[total + k] = (char)test_rand();
        iov[i] = (struct iovec){ text + total, n };
        total += n;
    }
    struct disk_file *f;
    CHECK_OK(d->ops->open(d, at(dir, "f"), DISK_CREATE, &f));
    CHECK_OK(d->ops->write(f, 5, iov, N));
    size_t n;
    CHECK_OK(d->ops->read(f, 5, got, N * 3 + 1, &n));
    CHECK(n == total && memcmp(got, text, n) == 0);
    d->ops->close(f);
    free(iov), free(text), free(got);
}

static void space_is_told(struct disk *d, const char *dir) {
    uint64_t free_bytes = 1, total = 0;
    CHECK_OK(d->ops->space(d, dir, &free_bytes, &total));
    CHECK(total > 0 && free_bytes <= total);
}

static void (*const contract[])(struct disk *, const char *) = {
    files_hold_what_was_written,
    opening_tells_what_is_there,
    names_move_and_go,
    folders_come_with_parents,
    listing_is_in_byte_order,
    more_pieces_than_the_kernel_takes,
    space_is_told,
};

static void check_contract(struct disk *d, const char *base) {
    for (size_t i = 0; i < sizeof contract / sizeof *contract; i++) {
        char dir[DISK_PATH_MAX];
        (void)snprintf(dir, sizeof dir, "%s/%zu", base, i);
        CHECK_OK(d->ops->mkdir(d, dir));
        contract[i](d, dir);
    }
}

TEST(disk_real_keeps_the_contract) {
    check_contract(disk_real(), test_dir());
}

TEST(disk_sim_keeps_the_contract) {
    struct disk *d = sim_new(test_rand());
    check_contract(d, "/deep/inside");
    CHECK_U64(disk_sim_open_files(d), 0);
    disk_sim_free(d);
}

TEST(disk_parent_of_every_form) {
    static const struct {
        const char *path, *parent;
    } rows[] = {
        { "a/b/c", "a/b" }, { "a", "." },    { "/a", "/" },  { "/", "/" },
        { "/a/b/", "/a" },  { "a//b", "a" }, { "./a", "." }, { ".", "." },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[DISK_PATH_MAX];
        disk_parent(rows[i].path, out);
        CHECK_STR(str_of(out), str_of(rows[i].parent));
    }
}

// --- the power goes ---

TEST(disk_sim_crash_keeps_what_was_synced) {
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct disk *d = sim_new(seed);
        char got[8];
        CHECK_OK(disk_make_dir(d, "/a/b"));
        CHECK_OK(put(d, "/a/b/f", STR("kept"), true));
        CHECK_OK(d->ops->sync_dir(d, "/a/b"));
        CHECK_OK(disk_sim_crash(d, test_rand()));
        CHECK_STR(get(d, "/a/b/f", got, sizeof got), STR("kept"));
        disk_sim_free(d);
    }
}

TEST(disk_sim_crash_may_lose_every_thing_not_synced) {
    unsigned no_entry = 0, no_bytes = 0, whole = 0, no_parent = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct disk *d = sim_new(seed);
        char got[8];
        CHECK_OK(put(d, "/f", STR("data"), true)); // but its entry is not
        CHECK_OK(put(d, "/g", STR("data"), false));
        CHECK_OK(d->ops->mkdir(d, "/p/q"));
        CHECK_OK(d->ops->sync_dir(d, "/p")); // but the entry of p is not
        CHECK_OK(disk_sim_crash(d, test_rand()));
        no_entry += !exists(d, "/f");
        struct str g = get(d, "/g", got, sizeof got);
        no_bytes += exists(d, "/g") && !str_eq(g, STR("data"));
        whole += str_eq(g, STR("data"));
        no_parent += !exists(d, "/p");
        disk_sim_free(d);
    }
    CHECK(no_entry > 5 && no_bytes > 5 && whole > 5 && no_parent > 5);
}

TEST(disk_sim_crash_tears_inside_sectors_and_reorders) {
    unsigned torn = 0, later_without_earlier = 0, short_size = 0;
    char text[4 * DISK_SIM_SECTOR], got[sizeof text];
    memset(text, 'x', sizeof text);
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct disk *d = sim_new(seed);
        CHECK_OK(put(d, "/f", STR(""), true));
        CHECK_OK(d->ops->sync_dir(d, "/"));
        struct disk_file *f;
        CHECK_OK(d->ops->open(d, "/f", DISK_WRITE, &f));
        struct iovec iov = { text, sizeof text };
        CHECK_OK(d->ops->write(f, 0, &iov, 1));
        d->ops->close(f);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        struct str s = get(d, "/f", got, sizeof got);
        short_size += s.len > 0 && s.len < sizeof text;
        bool first = s.len >= DISK_SIM_SECTOR && s.ptr[0] == 'x' && s.ptr[DISK_SIM_SECTOR - 1] == 'x';
        bool last = s.len == sizeof text && s.ptr[sizeof text - 1] == 'x';
        later_without_earlier += last && !first;
        for (size_t i = 0; i + DISK_SIM_SECTOR <= s.len; i += DISK_SIM_SECTOR)
            torn += (s.ptr[i] == 'x') != (s.ptr[i + DISK_SIM_SECTOR - 1] == 'x');
        disk_sim_free(d);
    }
    CHECK(torn > 2 && later_without_earlier > 2 && short_size > 2);
}

TEST(disk_sim_rename_is_whole_or_not_at_all) {
    unsigned old = 0, new = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct disk *d = sim_new(seed);
        CHECK_OK(put(d, "/f", STR("1"), true));
        CHECK_OK(d->ops->sync_dir(d, "/"));
        CHECK_OK(d->ops->rename(d, "/f", "/g"));
        CHECK_OK(disk_sim_crash(d, test_rand()));
        CHECK(exists(d, "/f") != exists(d, "/g"));
        old += exists(d, "/f"), new += exists(d, "/g");
        disk_sim_free(d);
    }
    CHECK(old > 5 && new > 5);
}

TEST(disk_sim_failed_sync_drops_the_pages_for_good) {
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct disk *d = sim_new(seed);
        char got[8];
        struct disk_file *f;
        CHECK_OK(put(d, "/f", STR("...."), true));
        CHECK_OK(d->ops->sync_dir(d, "/"));
        CHECK_OK(d->ops->open(d, "/f", DISK_WRITE, &f));
        struct iovec iov = { (void *)"data", 4 };
        CHECK_OK(d->ops->write(f, 0, &iov, 1));
        disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_SYNC, .nth = 1 });
        CHECK(d->ops->sync(f) == ERR_IO);
        CHECK_OK(d->ops->sync(f)); // says nothing about the pages that are gone
        CHECK_STR(get(d, "/f", got, sizeof got), STR("data"));
        d->ops->close(f);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        lost += !str_eq(get(d, "/f", got, sizeof got), STR("data"));
        disk_sim_free(d);
    }
    CHECK(lost > 5);
}

TEST(disk_sim_faults_hit_the_call_they_name) {
    struct disk *d = sim_new(1);
    disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_OPEN, .nth = 2, .err = ERR_LIMIT });
    CHECK_OK(put(d, "/a", STR("1"), true));
    CHECK(put(d, "/b", STR("1"), true) == ERR_LIMIT);
    CHECK_OK(put(d, "/b", STR("1"), true));
    disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_ANY, .nth = 2, .keep = true });
    CHECK(put(d, "/c", STR("1"), true) == ERR_IO);
    CHECK(d->ops->mkdir(d, "/d") == ERR_IO);
    disk_sim_arm(d, NULL);
    CHECK_OK(d->ops->mkdir(d, "/d"));
    uint64_t opened = disk_sim_calls(d, DISK_SIM_OPEN);
    CHECK_U64(opened, 4);
    disk_sim_free(d);
}

TEST(disk_sim_without_power_every_call_fails) {
    struct disk *d = sim_new(test_rand());
    struct disk_stat st;
    CHECK_OK(put(d, "/a", STR("1"), true));
    disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_SYNC, .nth = 1, .power_off = true });
    CHECK(put(d, "/b", STR("1"), true) == ERR_IO);
    CHECK(disk_sim_is_down(d));
    CHECK(d->ops->stat(d, "/a", &st) == ERR_IO);
    CHECK_OK(disk_sim_crash(d, 7));
    CHECK(!disk_sim_is_down(d));
    CHECK_OK(put(d, "/c", STR("1"), true));
    disk_sim_free(d);
}

TEST(disk_sim_has_an_end) {
    struct disk *d;
    CHECK_OK(disk_sim_new(&(struct disk_sim_opts){ .seed = 1, .size_limit_bytes = 10 }, &d));
    CHECK_OK(put(d, "/a", STR("123456"), true));
    CHECK(put(d, "/b", STR("123456"), true) == ERR_LIMIT);
    CHECK_OK(d->ops->unlink(d, "/a"));
    CHECK_OK(d->ops->unlink(d, "/b"));
    CHECK_OK(put(d, "/c", STR("1234567890"), true));
    disk_sim_free(d);
}

TEST(disk_sim_same_seed_same_ruin) {
    char a[2048], b[2048], text[1500];
    memset(text, 'y', sizeof text);
    uint64_t seed = test_rand();
    struct str got[2];
    for (int i = 0; i < 2; i++) {
        struct disk *d = sim_new(seed);
        CHECK_OK(put(d, "/f", (struct str){ text, sizeof text }, false));
        CHECK_OK(d->ops->sync_dir(d, "/"));
        CHECK_OK(disk_sim_crash(d, seed + 1));
        got[i] = get(d, "/f", i ? b : a, sizeof a);
        disk_sim_free(d);
    }
    CHECK_STR(got[0], got[1]);
}

TEST(disk_sim_allocation_failure_changes_nothing) {
    for (uint64_t nth = 1;; nth++) {
        struct disk *d = sim_new(1);
        char got[8];
        CHECK_OK(put(d, "/f", STR("old"), true));
        mem_fail_at(nth, false);
        enum err e = d->ops->mkdir(d, "/p");
        if (e == ERR_OK) e = put(d, "/p/g", STR("new"), true);
        if (e == ERR_OK) e = d->ops->rename(d, "/p/g", "/h");
        bool done = mem_fail_seen() < nth;
        mem_fail_at(0, false);
        CHECK(e == (done ? ERR_OK : ERR_NOMEM));
        CHECK_STR(get(d, "/f", got, sizeof got), STR("old"));
        CHECK_U64(disk_sim_open_files(d), 0);
        disk_sim_free(d);
        if (done) break;
    }
}
