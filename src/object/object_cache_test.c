// SPDX-License-Identifier: Apache-2.0
#include "object/object_cache.h"

#include <stdio.h>

#include "base/test.h"
#include "object/object.h"
#include "os/disk_sim.h"

enum { LEN = 16 };

static struct str key_of(size_t i, char dst[LEN]) {
    return (struct str){ dst, (size_t)snprintf(dst, LEN, "k/%05zu", i) };
}

// Files k/00000 …, each with its own key as content.
static struct disk *disk_with(size_t n_files) {
    struct disk *d;
    struct disk_file *f;
    CHECK_OK(disk_sim_new(&(struct disk_sim_opts){ .seed = 1 }, &d));
    CHECK_OK(d->ops->mkdir(d, "/s/k"));
    for (size_t i = 0; i < n_files; i++) {
        char key[LEN], path[LEN * 2];
        struct str k = key_of(i, key);
        (void)snprintf(path, sizeof path, "/s/%s", key);
        CHECK_OK(d->ops->open(d, path, DISK_CREATE, &f));
        CHECK_OK(d->ops->write(f, 0, &(struct iovec){ key, k.len }, 1));
        d->ops->close(f);
    }
    return d;
}

static enum err read_one(struct object_cache *c, size_t i) {
    char key[LEN], got[LEN];
    struct str k = key_of(i, key);
    TRY(object_cache_read(c, k, 0, got, k.len));
    CHECK_STR(((struct str){ got, k.len }), k);
    return ERR_OK;
}

TEST(object_cache_a_file_is_opened_once) {
    struct disk *d = disk_with(3);
    struct object_cache c;
    object_cache_init(&c, d, "/s");
    uint64_t before = disk_sim_calls(d, DISK_SIM_OPEN);
    for (size_t i = 0; i < 30; i++) CHECK_OK(read_one(&c, i % 3));
    CHECK(read_one(&c, 3) == ERR_NOT_FOUND);
    CHECK_U64(disk_sim_calls(d, DISK_SIM_OPEN) - before, 4);
    object_cache_fini(&c);
    CHECK_U64(disk_sim_open_files(d), 0);
    disk_sim_free(d);
}

// What is read between all others stays open.
TEST(object_cache_holds_no_more_than_its_number) {
    enum { FILES = OBJECT_CACHE_FILES * 2 };
    struct disk *d = disk_with(FILES);
    struct object_cache c;
    object_cache_init(&c, d, "/s");
    uint64_t before = disk_sim_calls(d, DISK_SIM_OPEN);
    for (size_t i = 1; i < FILES; i++) {
        CHECK_OK(read_one(&c, i));
        CHECK_OK(read_one(&c, 0));
        CHECK(disk_sim_open_files(d) <= OBJECT_CACHE_FILES);
    }
    CHECK(disk_sim_calls(d, DISK_SIM_OPEN) - before <= FILES + 2);
    CHECK_U64(disk_sim_open_files(d), OBJECT_CACHE_FILES);
    object_cache_fini(&c);
    CHECK_U64(disk_sim_open_files(d), 0);
    disk_sim_free(d);
}

TEST(object_cache_a_removed_object_is_closed) {
    struct disk *d;
    struct object_store *s;
    char got[3];
    CHECK_OK(disk_sim_new(&(struct disk_sim_opts){ .seed = 1 }, &d));
    CHECK_OK(object_file_open(d, "/s", &s));
    static const char *const contents[] = { "one", "two", "six" };
    for (size_t i = 0; i < 3; i++) {
        CHECK_OK(s->ops->put_if_absent(s, STR("a/b"), str_of(contents[i])));
        CHECK_OK(s->ops->read(s, STR("a/b"), 0, got, 3));
        CHECK_STR(((struct str){ got, 3 }), str_of(contents[i]));
        CHECK_U64(disk_sim_open_files(d), 1);
        CHECK_OK(s->ops->remove(s, STR("a/b")));
        CHECK_U64(disk_sim_open_files(d), 0);
        CHECK(s->ops->read(s, STR("a/b"), 0, got, 3) == ERR_NOT_FOUND);
    }
    s->ops->close(s);
    disk_sim_free(d);
}

TEST(object_cache_an_aborted_object_is_closed) {
    struct disk *d;
    struct object_store *s;
    struct object_writer *w;
    char got;
    CHECK_OK(disk_sim_new(&(struct disk_sim_opts){ .seed = 1 }, &d));
    CHECK_OK(object_file_open(d, "/s", &s));
    CHECK_OK(s->ops->create(s, STR("a/b"), &w));
    CHECK_OK(s->ops->write(w, "x", 1));
    CHECK_OK(s->ops->read(s, STR("a/b"), 0, &got, 1));
    s->ops->abort(w);
    CHECK_U64(disk_sim_open_files(d), 0);
    s->ops->close(s);
    disk_sim_free(d);
}

TEST(object_cache_a_file_that_failed_is_opened_anew) {
    struct disk *d = disk_with(1);
    struct object_cache c;
    object_cache_init(&c, d, "/s");
    CHECK_OK(read_one(&c, 0));
    disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_READ, .nth = 1 });
    CHECK(read_one(&c, 0) == ERR_IO);
    CHECK_U64(disk_sim_open_files(d), 0);
    CHECK_OK(read_one(&c, 0));
    mem_fail_at(1, true);
    object_cache_forget(&c, STR("k/00000"));
    CHECK(read_one(&c, 0) == ERR_NOMEM);
    mem_fail_at(0, false);
    CHECK_U64(disk_sim_open_files(d), 0);
    CHECK_OK(read_one(&c, 0));
    object_cache_fini(&c);
    disk_sim_free(d);
}

// --- removed in the middle of something: a disk that lets us in between -----------------------------------

struct between {
    struct disk base;
    struct disk_ops ops;
    struct disk *inner;
    struct object_cache *cache;
    bool in_open, in_read;
};
static struct between between; // files know their disk, so there is one

static enum err open_between(struct disk *d, const char *path, enum disk_open how, struct disk_file **out) {
    (void)d;
    enum err e = between.inner->ops->open(between.inner, path, how, out);
    if (between.in_open) object_cache_forget(between.cache, STR("k/00000"));
    return e;
}

static enum err read_between(struct disk_file *f, uint64_t off, void *dst, size_t n, size_t *out_n) {
    if (between.in_read) object_cache_forget(between.cache, STR("k/00000"));
    CHECK_U64(disk_sim_open_files(between.inner), 1); // still there while it is read
    return between.inner->ops->read(f, off, dst, n, out_n);
}

TEST(object_cache_a_file_removed_meanwhile_does_not_stay) {
    for (int in_read = 0; in_read < 2; in_read++) {
        struct disk *d = disk_with(1);
        struct object_cache c;
        between = (struct between){ .inner = d, .cache = &c, .in_open = !in_read, .in_read = in_read };
        between.ops = *d->ops;
        between.ops.open = open_between;
        between.ops.read = read_between;
        between.base.ops = &between.ops;
        object_cache_init(&c, &between.base, "/s");
        CHECK_OK(read_one(&c, 0));
        CHECK_U64(disk_sim_open_files(d), 0);
        between.in_open = between.in_read = false;
        CHECK_OK(read_one(&c, 0));
        CHECK_U64(disk_sim_open_files(d), 1);
        object_cache_fini(&c);
        disk_sim_free(d);
    }
}

// --- threads ----------------------------------------------------------------------------------------------

struct reading {
    struct object_store *s;
    struct thread thread;
    uint64_t state, seen, wrong;
};

enum { CROWD = OBJECT_CACHE_FILES + 40, READS = 4000 };

// An object holds its own key, whole, or is not there.
static void read_many(void *arg) {
    struct reading *r = arg;
    for (int i = 0; i < READS; i++) {
        char key[LEN], got[LEN];
        r->state = r->state * 6364136223846793005u + 1442695040888963407u;
        struct str k = key_of((r->state >> 33) % CROWD, key);
        enum err e = r->s->ops->read(r->s, k, 0, got, k.len);
        bool same = e == ERR_OK && memcmp(got, key, k.len) == 0;
        r->seen += same;
        r->wrong += !same && e != ERR_NOT_FOUND;
    }
}

TEST(object_cache_many_read_what_comes_and_goes) {
    struct disk *d;
    struct object_store *s;
    struct reading readers[3] = { 0 };
    char key[LEN];
    CHECK_OK(disk_sim_new(&(struct disk_sim_opts){ .seed = 1 }, &d));
    CHECK_OK(object_file_open(d, "/s", &s));
    for (size_t i = 0; i < CROWD; i++) CHECK_OK(s->ops->put_if_absent(s, key_of(i, key), key_of(i, key)));
    for (size_t i = 0; i < 3; i++) {
        readers[i] = (struct reading){ .s = s, .state = test_rand() };
        CHECK_OK(thread_start(&readers[i].thread, "reader", read_many, &readers[i]));
    }
    for (int i = 0; i < 400; i++) {
        struct str k = key_of(test_below(CROWD), key);
        CHECK_OK(s->ops->remove(s, k));
        if (test_below(2)) CHECK_OK(s->ops->put_if_absent(s, k, k));
    }
    for (size_t i = 0; i < 3; i++) {
        thread_join(&readers[i].thread);
        CHECK_U64(readers[i].wrong, 0);
        CHECK(readers[i].seen > READS / 10);
    }
    for (size_t i = 0; i < CROWD; i++) CHECK_OK(s->ops->remove(s, key_of(i, key)));
    CHECK_U64(disk_sim_open_files(d), 0);
    s->ops->close(s);
    disk_sim_free(d);
}
