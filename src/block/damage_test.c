// SPDX-License-Identifier: Apache-2.0
// A block whose files were damaged, whose writer had no memory or whose disk failed.
#include "base/test.h"
#include "block/sample.h"
#include "os/disk_sim.h"

static const char *const names[] = { "spans",     "traces", "events", "links",
                                     "resources", "scopes", "large",  "split" };
enum { FILES = sizeof names / sizeof *names };

struct sample {
    struct span_table table;
    struct object_store *store;
    struct block_meta meta;
    struct str file[FILES]; // as written
    char key[FILES][BLOCK_KEY_MAX];
};

static void sample_init(struct sample *s, uint32_t n_spans) {
    struct object_store *store;
    span_table_init(&s->table, SIZE_MAX, NULL);
    CHECK_OK(sample_table(&s->table, test_rand(), n_spans));
    CHECK_OK(object_mem_open(&store));
    CHECK_OK(sample_write(store, &s->table, NULL, &s->meta));
    for (int i = 0; i < FILES; i++) {
        uint64_t size = 0;
        block_key(s->key[i], STR("t"), SAMPLE_ID, names[i]);
        enum err e = store->ops->size(store, str_of(s->key[i]), &size);
        CHECK(e == ERR_OK || e == ERR_NOT_FOUND);
        s->file[i] = (struct str){ NULL, size };
        if (e != ERR_OK) continue;
        char *bytes = mem_alloc(size);
        CHECK_OK(store->ops->read(store, str_of(s->key[i]), 0, bytes, size));
        s->file[i] = test_exact((struct str){ bytes, size });
        mem_free(bytes);
    }
    store->ops->close(store);
}

// The store with file `damaged` replaced (NULL: missing).
static struct object_store *store_with(struct sample *s, int damaged, const struct str *content) {
    struct object_store *store;
    CHECK_OK(object_mem_open(&store));
    for (int i = 0; i < FILES; i++) {
        if (i == damaged && !content) continue;
        struct str bytes = i == damaged ? *content : s->file[i];
        if (bytes.ptr) CHECK_OK(store->ops->put_if_absent(store, str_of(s->key[i]), bytes));
    }
    return store;
}

static bool is_clear(enum err e) {
    return e == ERR_OK || e == ERR_CORRUPT || e == ERR_UNSUPPORTED || e == ERR_LIMIT || e == ERR_NOT_FOUND;
}

static enum err read_damaged(struct sample *s, int damaged, const struct str *content) {
    struct object_store *store = store_with(s, damaged, content);
    struct span_table got;
    span_table_init(&got, 256 << 20, NULL);
    enum err e = sample_read(store, &s->meta, &got);
    span_table_fini(&got);
    store->ops->close(store);
    return e;
}

TEST(damage_of_any_byte_is_an_error_or_harmless) {
    struct sample s;
    int errors = 0;
    sample_init(&s, 60);
    for (int i = 0; i < 1500; i++) {
        int f = (int)test_below(FILES);
        if (!s.file[f].len) continue;
        char *bytes = mem_alloc(s.file[f].len);
        memcpy(bytes, s.file[f].ptr, s.file[f].len);
        for (uint64_t n = 1 + test_below(3); n > 0; n--) {
            // Half of the hits go where the footer is: nothing else guards it.
            size_t tail = s.file[f].len < 3000 ? s.file[f].len : 3000;
            size_t at = test_below(2) ? s.file[f].len - 1 - test_below(tail) : test_below(s.file[f].len);
            bytes[at] = (char)(test_below(2) ? bytes[at] ^ (char)(1 << test_below(8)) : (char)test_rand());
        }
        struct str content = { bytes, s.file[f].len };
        enum err e = read_damaged(&s, f, &content);
        CHECK(is_clear(e));
        errors += e != ERR_OK;
        mem_free(bytes);
    }
    CHECK(errors > 300);
    span_table_fini(&s.table);
}

TEST(damage_truncation_is_an_error) {
    struct sample s;
    sample_init(&s, 60);
    for (int f = 0; f < FILES; f++) {
        for (int i = 0; i < 40 && s.file[f].len; i++) {
            struct str content = test_exact(str_sub(s.file[f], 0, test_below(s.file[f].len)));
            CHECK(read_damaged(&s, f, &content) == ERR_CORRUPT);
        }
    }
    span_table_fini(&s.table);
}

// A file in the place of another: every table must have the columns that it should have.
TEST(damage_by_swapped_files_is_an_error) {
    struct sample s;
    sample_init(&s, 60);
    for (int f = 0; f < FILES; f++)
        for (int g = 0; g < FILES; g++)
            if (f != g && s.file[f].len && s.file[g].len) CHECK(is_clear(read_damaged(&s, f, &s.file[g])));
    CHECK(read_damaged(&s, 0, &s.file[1]) == ERR_CORRUPT);
    CHECK(read_damaged(&s, 1, &s.file[0]) == ERR_CORRUPT);
    CHECK(read_damaged(&s, 2, &s.file[3]) == ERR_CORRUPT);
    CHECK(read_damaged(&s, 6, &s.file[7]) == ERR_CORRUPT);
    CHECK(read_damaged(&s, 0, NULL) == ERR_NOT_FOUND);
    span_table_fini(&s.table);
}

static enum err count_key(void *ctx, struct str key, uint64_t size) {
    (void)key, (void)size;
    ++*(uint64_t *)ctx;
    return ERR_OK;
}

static uint64_t keys_of(struct object_store *s) {
    uint64_t n = 0;
    CHECK_OK(s->ops->list(s, STR("blocks/"), STR(""), &n, count_key));
    return n;
}

TEST(damage_every_failing_allocation_of_a_write_leaves_nothing) {
    struct sample s;
    bool failed = true;
    sample_init(&s, 25);
    for (uint64_t nth = 1; failed; nth++) {
        struct object_store *store;
        struct block_meta meta;
        CHECK_OK(object_mem_open(&store));
        mem_fail_at(nth, false);
        enum err e = sample_write(store, &s.table, NULL, &meta);
        mem_fail_at(0, false);
        failed = e != ERR_OK;
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        if (failed) CHECK_U64(keys_of(store), 0);
        if (!failed) CHECK_OK(sample_read(store, &meta, NULL));
        store->ops->close(store);
    }
    span_table_fini(&s.table);
}

TEST(damage_every_failing_allocation_of_a_read_is_an_error) {
    struct sample s;
    bool failed = true;
    sample_init(&s, 25);
    struct object_store *store = store_with(&s, -1, NULL);
    for (uint64_t nth = 1; failed; nth += 1 + test_below(3)) {
        struct span_table got;
        span_table_init(&got, SIZE_MAX, NULL);
        mem_fail_at(nth, false);
        enum err e = sample_read(store, &s.meta, &got);
        mem_fail_at(0, false);
        failed = e != ERR_OK;
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        span_table_fini(&got);
    }
    store->ops->close(store);
    span_table_fini(&s.table);
}

TEST(damage_every_failing_call_of_the_disk_leaves_nothing) {
    struct sample s;
    bool failed = true;
    sample_init(&s, 25);
    for (uint64_t nth = 1; failed; nth++) {
        struct disk *d;
        struct object_store *store;
        struct block_meta meta;
        CHECK_OK(disk_sim_new(&(struct disk_sim_opts){ .seed = test_rand() }, &d));
        CHECK_OK(object_file_open(d, "/store", &store));
        disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_ANY, .nth = nth });
        uint64_t before = disk_sim_calls(d, DISK_SIM_ANY);
        enum err e = sample_write(store, &s.table, NULL, &meta);
        failed = disk_sim_calls(d, DISK_SIM_ANY) - before >= nth;
        disk_sim_arm(d, NULL);
        CHECK(e == ERR_OK || e == ERR_IO); // a call whose failure does no harm is no error
        if (e != ERR_OK) CHECK_U64(keys_of(store), 0);
        if (e == ERR_OK) CHECK_OK(sample_read(store, &meta, NULL));
        CHECK_U64(disk_sim_open_files(d) > 16, 0);
        store->ops->close(store);
        disk_sim_free(d);
    }
    span_table_fini(&s.table);
}

TEST(damage_a_budget_too_small_is_no_memory) {
    struct sample s;
    struct object_store *store;
    struct block_meta meta;
    sample_init(&s, 60);
    for (uint64_t limit = 1 << 10; limit < 1 << 22; limit *= 2) {
        struct mem_budget budget = { .limit = limit };
        CHECK_OK(object_mem_open(&store));
        enum err e = sample_write(store, &s.table, &budget, &meta);
        CHECK(e == ERR_OK || (e == ERR_NOMEM && keys_of(store) == 0));
        CHECK_U64(budget.used, 0);
        CHECK(limit > 4096 || e == ERR_NOMEM);
        store->ops->close(store);
    }
    span_table_fini(&s.table);
}
