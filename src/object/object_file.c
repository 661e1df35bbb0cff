// SPDX-License-Identifier: Apache-2.0
// Objects as files below a directory. Names that begin with '~' (no key does) are temporary.
#include "object/object_internal.h"

#include <stdio.h>

#include "object/object_cache.h"
#include "object/object_walk.h"

enum {
    KNOWN_MAX = 64,    // folders remembered as durable; a forgotten one costs one more sync
    TEMP_TRIES = 1000, // names of temporaries that a crash left and that could not be removed
    RACE_TRIES = 16,   // a folder may be removed, empty, between its making and its first file
};

// Below here every path is "<dir>/<key>".
struct path {
    char z[DISK_PATH_MAX];
};

struct file_store {
    struct object_store base;
    struct disk *disk;
    struct mutex lock;                         // of all below, and of removing folders
    char known[KNOWN_MAX][OBJECT_KEY_MAX + 1]; // folders whose own entry is durable
    unsigned known_next;
    bool is_root_durable, is_swept;
    uint64_t temp_next;
    struct object_cache cache; // has a lock of its own
    char dir[];
};

struct file_writer {
    struct file_store *store;
    struct disk_file *file;
    uint64_t off;
    enum err failed; // the first write that failed
    uint16_t key_len;
    char key[];
};

static void path_of(const struct file_store *fs, struct str key, struct path *out) {
    int n = snprintf(out->z, sizeof out->z, "%s%s%.*s", fs->dir, key.len ? "/" : "", STR_ARG(key));
    ASSERT(n > 0 && (size_t)n < sizeof out->z); // object_file_open left room for any key
}

// The folder of a key, "" at the top.
static struct str folder_of(struct str key) {
    while (key.len && key.ptr[key.len - 1] != '/') key.len--;
    return str_sub(key, 0, key.len ? key.len - 1 : 0);
}

// --- durable folders ---

static bool is_known(const struct file_store *fs, struct str folder) {
    for (size_t i = 0; i < KNOWN_MAX; i++)
        if (str_eq(str_of(fs->known[i]), folder)) return true;
    return false;
}

static void remember(struct file_store *fs, struct str folder) {
    char *slot = fs->known[fs->known_next++ % KNOWN_MAX];
    memcpy(slot, folder.ptr, folder.len);
    slot[folder.len] = '\0';
}

static void forget(struct file_store *fs, struct str folder) {
    for (size_t i = 0; i < KNOWN_MAX; i++)
        if (str_eq(str_of(fs->known[i]), folder)) fs->known[i][0] = '\0';
}

// Syncs a folder that got an entry, and whatever is above it that is not known to be durable.
// Under the lock, so that no folder on the way is removed and made anew meanwhile.
static enum err make_durable_locked(struct file_store *fs, struct str folder) {
    struct path p;
    path_of(fs, folder, &p);
    TRY(fs->disk->ops->sync_dir(fs->disk, p.z));
    for (; folder.len && !is_known(fs, folder); folder = folder_of(folder)) {
        path_of(fs, folder_of(folder), &p);
        TRY(fs->disk->ops->sync_dir(fs->disk, p.z));
        remember(fs, folder);
    }
    if (!fs->is_root_durable) TRY(disk_make_dir(fs->disk, fs->dir));
    fs->is_root_durable = true;
    return ERR_OK;
}

static enum err make_durable(struct file_store *fs, struct str folder) {
    mutex_lock(&fs->lock);
    enum err e = make_durable_locked(fs, folder);
    mutex_unlock(&fs->lock);
    return e;
}

static void remove_empty_folders(struct file_store *fs, struct str folder) {
    enum err e = ERR_OK;
    mutex_lock(&fs->lock);
    for (; folder.len && e == ERR_OK; folder = folder_of(folder)) {
        struct path p;
        path_of(fs, folder, &p);
        forget(fs, folder);
        e = fs->disk->ops->rmdir(fs->disk, p.z); // fails where something else is in it
    }
    mutex_unlock(&fs->lock);
}

static enum err create_in(struct file_store *fs, struct str folder, const char *path,
                          struct disk_file **out) {
    struct disk *d = fs->disk;
    struct path p;
    path_of(fs, folder, &p);
    enum err e = d->ops->open(d, path, DISK_CREATE, out);
    for (int i = 0; e == ERR_NOT_FOUND && i < RACE_TRIES; i++) {
        TRY(d->ops->mkdir(d, p.z));
        e = d->ops->open(d, path, DISK_CREATE, out);
    }
    return e;
}

// --- streams ---

static enum err file_create(struct object_store *s, struct str key, struct object_writer **out) {
    struct file_store *fs = (struct file_store *)s;
    if (!object_key_ok(key)) return ERR_INVALID;
    struct file_writer *w = mem_alloc(sizeof *w + key.len);
    if (!w) return ERR_NOMEM;
    *w = (struct file_writer){ .store = fs, .key_len = (uint16_t)key.len };
    memcpy(w->key, key.ptr, key.len);
    struct path p;
    path_of(fs, key, &p);
    enum err e = create_in(fs, folder_of(key), p.z, &w->file);
    if (e == ERR_OK) {
        *out = (struct object_writer *)w;
        return ERR_OK;
    }
    if (e != ERR_EXISTS) remove_empty_folders(fs, folder_of(key));
    mem_free(w);
    return e;
}

static enum err file_write(struct object_writer *writer, const void *src, size_t n) {
    struct file_writer *w = (struct file_writer *)writer;
    struct iovec iov = { (void *)(uintptr_t)src, n };
    if (w->failed == ERR_OK) w->failed = w->store->disk->ops->write(w->file, w->off, &iov, 1);
    if (w->failed == ERR_OK) w->off += n;
    return w->failed;
}

static void discard(struct file_store *fs, struct str key) {
    struct path p;
    path_of(fs, key, &p);
    (void)fs->disk->ops->unlink(fs->disk, p.z); // what stays is dead: nothing names it
    object_cache_forget(&fs->cache, key);
    remove_empty_folders(fs, folder_of(key));
}

static enum err file_finish(struct object_writer *writer) {
    struct file_writer *w = (struct file_writer *)writer;
    struct file_store *fs = w->store;
    struct str key = { w->key, w->key_len };
    enum err e = w->failed;
    if (e == ERR_OK) e = fs->disk->ops->sync(w->file);
    fs->disk->ops->close(w->file);
    if (e == ERR_OK) e = make_durable(fs, folder_of(key));
    if (e != ERR_OK) discard(fs, key);
    mem_free(w);
    return e;
}

static void file_abort(struct object_writer *writer) {
    struct file_writer *w = (struct file_writer *)writer;
    if (!w) return;
    w->store->disk->ops->close(w->file);
    discard(w->store, (struct str){ w->key, w->key_len });
    mem_free(w);
}

// --- whole or not at all ---

static enum err sweep_one(void *ctx, struct str key, uint64_t size_bytes) {
    (void)size_bytes;
    struct file_store *fs = ctx;
    struct path p;
    path_of(fs, key, &p);
    (void)fs->disk->ops->unlink(fs->disk, p.z);
    return ERR_OK;
}

// As far as it goes: a temporary that stays only wastes its bytes.
static void sweep(struct file_store *fs) {
    enum err e = object_walk(fs->disk, fs->dir, OBJECT_WALK_TEMP, STR(""), STR(""), fs, sweep_one);
    (void)e;
}

// A temporary file that did not exist before, in the folder of the key: a link to its final name
// then never crosses a border between file systems.
static enum err create_temp(struct file_store *fs, struct str key, struct path *temp,
                            struct disk_file **out) {
    struct str folder = folder_of(key);
    mutex_lock(&fs->lock);
    if (!fs->is_swept) sweep(fs); // before the first temporary of our own
    fs->is_swept = true;
    enum err e = ERR_EXISTS;
    for (int i = 0; e == ERR_EXISTS && i < TEMP_TRIES; i++) {
        char name[OBJECT_KEY_MAX + 32];
        int n = snprintf(name, sizeof name, "%.*s%s~%llu", STR_ARG(folder), folder.len ? "/" : "",
                         (unsigned long long)fs->temp_next++);
        path_of(fs, (struct str){ name, (size_t)n }, temp);
        e = create_in(fs, folder, temp->z, out);
    }
    mutex_unlock(&fs->lock);
    return e;
}

static enum err fill(struct disk *d, struct disk_file *f, struct str content) {
    struct iovec iov = { (void *)(uintptr_t)content.ptr, content.len };
    enum err e = d->ops->write(f, 0, &iov, 1);
    if (e == ERR_OK) e = d->ops->sync(f);
    d->ops->close(f);
    return e;
}

static enum err file_put_if_absent(struct object_store *s, struct str key, struct str content) {
    struct file_store *fs = (struct file_store *)s;
    struct disk *d = fs->disk;
    struct disk_file *f;
    struct path temp, final;
    if (!object_key_ok(key)) return ERR_INVALID;
    path_of(fs, key, &final);
    enum err e = create_temp(fs, key, &temp, &f);
    if (e == ERR_OK) {
        e = fill(d, f, content);
        if (e == ERR_OK) e = d->ops->link(d, temp.z, final.z);
        (void)d->ops->unlink(d, temp.z);
    }
    if (e == ERR_OK) return make_durable(fs, folder_of(key));
    if (e != ERR_EXISTS) remove_empty_folders(fs, folder_of(key));
    return e;
}

// --- reading ---

static enum err file_read(struct object_store *s, struct str key, uint64_t off, void *dst, size_t n) {
    struct file_store *fs = (struct file_store *)s;
    if (!object_key_ok(key)) return ERR_INVALID;
    return object_cache_read(&fs->cache, key, off, dst, n);
}

static enum err file_size(struct object_store *s, struct str key, uint64_t *out) {
    struct file_store *fs = (struct file_store *)s;
    if (!object_key_ok(key)) return ERR_INVALID;
    struct path p;
    struct disk_stat st;
    path_of(fs, key, &p);
    TRY(fs->disk->ops->stat(fs->disk, p.z, &st));
    if (st.is_dir) return ERR_NOT_FOUND;
    *out = st.size_bytes;
    return ERR_OK;
}

static enum err file_remove(struct object_store *s, struct str key) {
    struct file_store *fs = (struct file_store *)s;
    if (!object_key_ok(key)) return ERR_INVALID;
    struct path p;
    path_of(fs, key, &p);
    enum err e = fs->disk->ops->unlink(fs->disk, p.z);
    object_cache_forget(&fs->cache, key);
    if (e == ERR_OK) remove_empty_folders(fs, folder_of(key));
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err file_list(struct object_store *s, struct str prefix, struct str after, void *ctx,
                          enum err (*each)(void *ctx, struct str key, uint64_t size_bytes)) {
    struct file_store *fs = (struct file_store *)s;
    if (!object_prefix_ok(prefix)) return ERR_INVALID;
    return object_walk(fs->disk, fs->dir, OBJECT_WALK_KEYS, prefix, after, ctx, each);
}

static void file_close(struct object_store *s) {
    struct file_store *fs = (struct file_store *)s;
    if (!fs) return;
    object_cache_fini(&fs->cache);
    mutex_fini(&fs->lock);
    mem_free(fs);
}

enum err object_file_open(struct disk *disk, const char *dir, struct object_store **out) {
    static const struct object_ops ops = {
        .create = file_create,
        .write = file_write,
        .finish = file_finish,
        .abort = file_abort,
        .put_if_absent = file_put_if_absent,
        .read = file_read,
        .size = file_size,
        .remove = file_remove,
        .list = file_list,
        .close = file_close,
    };
    size_t len = strlen(dir);
    if (len == 0 || len > DISK_PATH_MAX - OBJECT_KEY_MAX - 64) return ERR_INVALID;
    struct disk_stat st;
    enum err e = disk->ops->stat(disk, dir, &st);
    if (e == ERR_OK && !st.is_dir) e = ERR_EXISTS;
    if (e == ERR_NOT_FOUND) e = disk_make_dir(disk, dir);
    if (e != ERR_OK) return e;
    struct file_store *fs = mem_zalloc(sizeof *fs + len + 1);
    if (!fs) return ERR_NOMEM;
    fs->base.ops = &ops;
    fs->disk = disk;
    mutex_init(&fs->lock);
    memcpy(fs->dir, dir, len);
    object_cache_init(&fs->cache, disk, fs->dir);
    *out = &fs->base;
    return ERR_OK;
}
