// SPDX-License-Identifier: Apache-2.0
// A small valid block whose files the input damages. Reading it gives an answer or an error.
// Each 5 bytes of the input are a hit: file and kind, place (16 bits), value (16 bits).
#include "block/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "spans",     "traces", "events", "links",
                                     "resources", "scopes", "large",  "split" };
enum { FILES = 8, HITS_MAX = 64, HIT_BYTES = 5 };
enum { HIT_HEAD, HIT_TAIL, HIT_CUT, HIT_INSERT };

static struct {
    struct block_meta meta;
    struct file {
        char key[BLOCK_KEY_MAX];
        char *bytes;
        size_t len;
    } file[FILES];
} sample;

static void make_sample(void) {
    struct span_table t;
    struct object_store *store;
    span_table_init(&t, SIZE_MAX, NULL);
    enum err e = sample_table(&t, 7, 60);
    ASSERT(e == ERR_OK);
    e = object_mem_open(&store);
    ASSERT(e == ERR_OK);
    e = sample_write(store, &t, NULL, &sample.meta);
    ASSERT(e == ERR_OK);
    for (int i = 0; i < FILES; i++) {
        struct file *f = &sample.file[i];
        uint64_t size;
        block_key(f->key, STR("t"), SAMPLE_ID, names[i]);
        if (store->ops->size(store, str_of(f->key), &size) != ERR_OK) continue;
        f->len = size;
        f->bytes = mem_alloc(size);
        e = store->ops->read(store, str_of(f->key), 0, f->bytes, size);
        ASSERT(e == ERR_OK);
    }
    store->ops->close(store);
    span_table_fini(&t);
}

static void hit(struct buf *files, const uint8_t *p) {
    struct buf *f = &files[p[0] % FILES];
    uint32_t place = p[1] | (uint32_t)p[2] << 8;
    if (f->len == 0) return;
    place %= (uint32_t)f->len;
    switch (p[0] / FILES % 4) {
    case HIT_HEAD: f->ptr[place] = (char)p[3]; break;
    case HIT_TAIL: f->ptr[f->len - 1 - place] = (char)p[3]; break;
    case HIT_CUT: f->len -= place % 64; break;
    default: // a part of another place
        if (place + p[4] <= f->len && p[3] + p[4] <= (int)f->len)
            memmove(f->ptr + place, f->ptr + p[3], p[4]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct object_store *store;
    struct span_table got;
    struct buf files[FILES];
    if (!sample.file[0].bytes) make_sample();
    if (size > HITS_MAX * HIT_BYTES || object_mem_open(&store) != ERR_OK) return 0;
    for (int i = 0; i < FILES; i++) {
        buf_init(&files[i], SIZE_MAX);
        buf_add(&files[i], sample.file[i].bytes, sample.file[i].len);
    }
    for (size_t i = 0; i + HIT_BYTES <= size; i += HIT_BYTES) hit(files, data + i);
    for (int i = 0; i < FILES; i++) {
        if (!sample.file[i].bytes) continue;
        enum err e = store->ops->put_if_absent(store, str_of(sample.file[i].key), buf_view(&files[i]));
        ASSERT(e == ERR_OK);
        buf_fini(&files[i]);
    }
    span_table_init(&got, 256 << 20, NULL);
    enum err e = sample_read(store, &sample.meta, &got);
    ASSERT(e != ERR_INVALID && e != ERR_NOT_FOUND && e != ERR_IO);
    ASSERT(size > 0 || e == ERR_OK);
    span_table_fini(&got);
    store->ops->close(store);
    return 0;
}
