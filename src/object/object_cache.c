// SPDX-License-Identifier: Apache-2.0
#include "object/object_cache.h"

#include <stdio.h>

#include "base/hash.h"

struct object_file {
    struct disk_file *disk;
    unsigned readers;
    bool in_cache; // else the last reader closes it
    bool used;     // since the hand came by
    size_t key_len;
    char key[];
};

enum { NOWHERE = -1 };

void object_cache_init(struct object_cache *c, struct disk *d, const char *dir) {
    memset(c, 0, sizeof *c);
    c->disk = d;
    c->dir = dir;
    mutex_init(&c->lock);
}

static void file_free(struct object_cache *c, struct object_file *f) {
    if (!f) return;
    c->disk->ops->close(f->disk);
    mem_free(f);
}

void object_cache_fini(struct object_cache *c) {
    for (int i = 0; i < OBJECT_CACHE_FILES; i++) file_free(c, c->file[i]);
    mutex_fini(&c->lock);
}

static uint64_t hash_of(struct str key) {
    return hash_str(key) | 1;
}

// --- under the lock ---

static int find(const struct object_cache *c, struct str key, uint64_t hash) {
    for (int i = 0; i < OBJECT_CACHE_FILES; i++) {
        if (c->hash[i] != hash) continue;
        const struct object_file *f = c->file[i];
        if (str_eq((struct str){ f->key, f->key_len }, key)) return i;
    }
    return NOWHERE;
}

// Empties a slot. The file to be closed, if nobody reads it; NULL = its last reader will.
static struct object_file *drop(struct object_cache *c, int slot) {
    struct object_file *f = TAKE(c->file[slot]);
    c->hash[slot] = 0;
    if (!f) return NULL;
    f->in_cache = false;
    return f->readers ? NULL : f;
}

// A slot that is free, or whose file was not read since the hand last came by.
static int choose(struct object_cache *c) {
    for (int turns = 0; turns < 2 * OBJECT_CACHE_FILES; turns++) {
        int slot = (int)(c->hand++ % OBJECT_CACHE_FILES);
        struct object_file *f = c->file[slot];
        if (!f || (!f->used && !f->readers)) return slot;
        f->used = false;
    }
    return NOWHERE;
}

// Keeps a file that was just opened, unless another thread was faster, all are being read, or
// something was removed meanwhile: it may have been this one. *out_old is to be closed.
static void keep(struct object_cache *c, struct object_file *f, uint64_t n_forgotten,
                 struct object_file **out_old) {
    struct str key = { f->key, f->key_len };
    uint64_t hash = hash_of(key);
    if (c->n_forgotten != n_forgotten || find(c, key, hash) != NOWHERE) return;
    int slot = choose(c);
    if (slot == NOWHERE) return;
    *out_old = drop(c, slot);
    c->hash[slot] = hash;
    c->file[slot] = f;
    f->in_cache = true;
}

// --- reading ---

static enum err open_file(struct object_cache *c, struct str key, uint64_t n_forgotten,
                          struct object_file **out) {
    struct object_file *f = mem_alloc(sizeof *f + key.len), *old = NULL;
    char path[DISK_PATH_MAX];
    if (!f) return ERR_NOMEM;
    *f = (struct object_file){ .readers = 1, .used = true, .key_len = key.len };
    memcpy(f->key, key.ptr, key.len);
    (void)snprintf(path, sizeof path, "%s/%.*s", c->dir, STR_ARG(key));
    enum err e = c->disk->ops->open(c->disk, path, DISK_READ, &f->disk);
    if (e != ERR_OK) {
        mem_free(f);
        return e;
    }
    mutex_lock(&c->lock);
    keep(c, f, n_forgotten, &old);
    mutex_unlock(&c->lock);
    file_free(c, old);
    *out = f;
    return ERR_OK;
}

static enum err take(struct object_cache *c, struct str key, struct object_file **out) {
    mutex_lock(&c->lock);
    int slot = find(c, key, hash_of(key));
    uint64_t n_forgotten = c->n_forgotten;
    if (slot != NOWHERE) {
        *out = c->file[slot];
        (*out)->readers++;
        (*out)->used = true;
    }
    mutex_unlock(&c->lock);
    return slot == NOWHERE ? open_file(c, key, n_forgotten, out) : ERR_OK;
}

static void give(struct object_cache *c, struct object_file *f) {
    mutex_lock(&c->lock);
    bool last = --f->readers == 0 && !f->in_cache;
    mutex_unlock(&c->lock);
    if (last) file_free(c, f);
}

enum err object_cache_read(struct object_cache *c, struct str key, uint64_t off, void *dst, size_t n) {
    struct object_file *f;
    size_t got = 0;
    TRY(take(c, key, &f));
    enum err e = c->disk->ops->read(f->disk, off, dst, n, &got);
    give(c, f);
    if (e != ERR_OK) object_cache_forget(c, key); // the next one opens it anew
    return e == ERR_OK && got < n ? ERR_CORRUPT : e;
}

void object_cache_forget(struct object_cache *c, struct str key) {
    mutex_lock(&c->lock);
    int slot = find(c, key, hash_of(key));
    struct object_file *f = slot == NOWHERE ? NULL : drop(c, slot);
    c->n_forgotten++;
    mutex_unlock(&c->lock);
    file_free(c, f);
}
