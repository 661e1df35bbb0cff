// SPDX-License-Identifier: Apache-2.0
// Objects in memory, for tests: a sorted array of keys under one lock.
#include "object/object_internal.h"
#include "os/thread.h"

enum { MEM_OBJECT_MAX = 1 << 30, MEM_OBJECTS_MAX = 1 << 20 };

struct mem_object {
    struct mem_store *store;
    struct buf content;
    enum err failed; // the first write that failed
    bool written;    // whole: to be seen by readers; before that it only holds the key
    uint16_t key_len;
    char key[];
};

struct mem_store {
    struct object_store base;
    struct mutex lock;
    struct buf objects; // of struct mem_object *, sorted by key
};

static struct mem_object **all_of(const struct mem_store *m) {
    return (struct mem_object **)(void *)m->objects.ptr;
}
static size_t count_of(const struct mem_store *m) {
    return m->objects.len / sizeof(struct mem_object *);
}
static struct str key_of(const struct mem_object *o) {
    return (struct str){ o->key, o->key_len };
}

// The index of the first object whose key is >= key.
static size_t lower_bound(const struct mem_store *m, struct str key) {
    size_t low = 0, high = count_of(m);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (str_cmp(key_of(all_of(m)[mid]), key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct mem_object *find(const struct mem_store *m, struct str key) {
    size_t i = lower_bound(m, key);
    return i < count_of(m) && str_eq(key_of(all_of(m)[i]), key) ? all_of(m)[i] : NULL;
}

static void object_free(struct mem_object *o) {
    buf_fini(&o->content);
    mem_free(o);
}

static void take_out(struct mem_store *m, struct str key) {
    size_t i = lower_bound(m, key), n = count_of(m);
    memmove(all_of(m) + i, all_of(m) + i + 1, (n - i - 1) * sizeof(struct mem_object *));
    m->objects.len -= sizeof(struct mem_object *);
}

static enum err insert(struct mem_store *m, struct str key, struct mem_object **out) {
    if (find(m, key)) return ERR_EXISTS;
    if (count_of(m) >= MEM_OBJECTS_MAX) return ERR_LIMIT;
    struct mem_object *o = mem_alloc(sizeof *o + key.len);
    if (!o) return ERR_NOMEM;
    *o = (struct mem_object){ .store = m, .key_len = (uint16_t)key.len };
    memcpy(o->key, key.ptr, key.len);
    buf_init(&o->content, MEM_OBJECT_MAX);
    if (!buf_reserve(&m->objects, sizeof o)) {
        m->objects.failed = false;
        mem_free(o);
        return ERR_NOMEM;
    }
    size_t i = lower_bound(m, key), n = count_of(m);
    memmove(all_of(m) + i + 1, all_of(m) + i, (n - i) * sizeof o);
    all_of(m)[i] = o;
    m->objects.len += sizeof o;
    *out = o;
    return ERR_OK;
}

static enum err append(struct mem_object *o, const void *src, size_t n) {
    if (n > MEM_OBJECT_MAX - o->content.len) return ERR_LIMIT;
    buf_add(&o->content, src, n);
    bool failed = o->content.failed;
    o->content.failed = false;
    return failed ? ERR_NOMEM : ERR_OK;
}

static enum err mem_create(struct object_store *s, struct str key, struct object_writer **out) {
    struct mem_store *m = (struct mem_store *)s;
    if (!object_key_ok(key)) return ERR_INVALID;
    mutex_lock(&m->lock);
    struct mem_object *o;
    enum err e = insert(m, key, &o);
    mutex_unlock(&m->lock);
    if (e == ERR_OK) *out = (struct object_writer *)o;
    return e;
}

static enum err mem_write(struct object_writer *w, const void *src, size_t n) {
    struct mem_object *o = (struct mem_object *)w;
    if (o->failed == ERR_OK) o->failed = append(o, src, n);
    return o->failed;
}

static void mem_abort(struct object_writer *w) {
    struct mem_object *o = (struct mem_object *)w;
    if (!o) return;
    struct mem_store *m = o->store;
    mutex_lock(&m->lock);
    take_out(m, key_of(o));
    mutex_unlock(&m->lock);
    object_free(o);
}

static enum err mem_finish(struct object_writer *w) {
    struct mem_object *o = (struct mem_object *)w;
    enum err e = o->failed;
    if (e != ERR_OK) {
        mem_abort(w);
        return e;
    }
    mutex_lock(&o->store->lock);
    o->written = true;
    mutex_unlock(&o->store->lock);
    return ERR_OK;
}

static enum err mem_put_if_absent(struct object_store *s, struct str key, struct str content) {
    struct mem_store *m = (struct mem_store *)s;
    if (!object_key_ok(key)) return ERR_INVALID;
    mutex_lock(&m->lock);
    struct mem_object *o;
    enum err e = insert(m, key, &o);
    if (e == ERR_OK) {
        e = append(o, content.ptr, content.len);
        o->written = e == ERR_OK;
        if (e != ERR_OK) {
            take_out(m, key);
            object_free(o);
        }
    }
    mutex_unlock(&m->lock);
    return e;
}

static enum err mem_read(struct object_store *s, struct str key, uint64_t off, void *dst, size_t n) {
    struct mem_store *m = (struct mem_store *)s;
    if (!object_key_ok(key)) return ERR_INVALID;
    mutex_lock(&m->lock);
    struct mem_object *o = find(m, key);
    enum err e = o && o->written ? ERR_OK : ERR_NOT_FOUND;
    if (e == ERR_OK) {
        struct str part = off > o->content.len ? STR("") : str_sub(buf_view(&o->content), off, n);
        if (part.len < n) e = ERR_CORRUPT;
        if (part.len) memcpy(dst, part.ptr, part.len);
    }
    mutex_unlock(&m->lock);
    return e;
}

static enum err mem_size(struct object_store *s, struct str key, uint64_t *out) {
    struct mem_store *m = (struct mem_store *)s;
    if (!object_key_ok(key)) return ERR_INVALID;
    mutex_lock(&m->lock);
    struct mem_object *o = find(m, key);
    enum err e = o && o->written ? ERR_OK : ERR_NOT_FOUND;
    if (e == ERR_OK) *out = o->content.len;
    mutex_unlock(&m->lock);
    return e;
}

static enum err mem_remove(struct object_store *s, struct str key) {
    struct mem_store *m = (struct mem_store *)s;
    if (!object_key_ok(key)) return ERR_INVALID;
    mutex_lock(&m->lock);
    struct mem_object *o = find(m, key);
    if (o && o->written) {
        take_out(m, key);
        object_free(o);
    }
    mutex_unlock(&m->lock);
    return ERR_OK;
}

// Copies the first written key > after that begins with prefix; false when there is none.
static bool next_key(struct mem_store *m, struct str prefix, struct str after, char *key, size_t *len,
                     uint64_t *size) {
    mutex_lock(&m->lock);
    size_t i = lower_bound(m, str_cmp(after, prefix) > 0 ? after : prefix);
    struct mem_object *found = NULL;
    for (; i < count_of(m) && !found; i++) {
        struct mem_object *o = all_of(m)[i];
        if (!str_starts(key_of(o), prefix)) break;
        if (o->written && (after.len == 0 || str_cmp(key_of(o), after) > 0)) found = o;
    }
    if (found) {
        memcpy(key, found->key, found->key_len);
        *len = found->key_len;
        *size = found->content.len;
    }
    mutex_unlock(&m->lock);
    return found;
}

static enum err mem_list(struct object_store *s, struct str prefix, struct str after, void *ctx,
                         enum err (*each)(void *ctx, struct str key, uint64_t size_bytes)) {
    struct mem_store *m = (struct mem_store *)s;
    if (!object_prefix_ok(prefix)) return ERR_INVALID;
    char key[OBJECT_KEY_MAX];
    size_t len;
    uint64_t size;
    while (next_key(m, prefix, after, key, &len, &size)) {
        after = (struct str){ key, len };
        TRY(each(ctx, after, size));
    }
    return ERR_OK;
}

static void mem_close(struct object_store *s) {
    struct mem_store *m = (struct mem_store *)s;
    if (!m) return;
    for (size_t i = 0; i < count_of(m); i++) object_free(all_of(m)[i]);
    buf_fini(&m->objects);
    mutex_fini(&m->lock);
    mem_free(m);
}

enum err object_mem_open(struct object_store **out) {
    static const struct object_ops ops = {
        .create = mem_create,
        .write = mem_write,
        .finish = mem_finish,
        .abort = mem_abort,
        .put_if_absent = mem_put_if_absent,
        .read = mem_read,
        .size = mem_size,
        .remove = mem_remove,
        .list = mem_list,
        .close = mem_close,
    };
    struct mem_store *m = mem_zalloc(sizeof *m);
    if (!m) return ERR_NOMEM;
    m->base.ops = &ops;
    mutex_init(&m->lock);
    buf_init(&m->objects, MEM_OBJECTS_MAX * sizeof(struct mem_object *));
    *out = &m->base;
    return ERR_OK;
}
