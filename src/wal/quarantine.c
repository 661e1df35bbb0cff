// SPDX-License-Identifier: Apache-2.0
#include "wal/wal_internal.h"

#include <stdio.h>

static enum err copy_bytes(struct disk_file *f, struct window *v, uint64_t from, uint64_t to) {
    for (uint64_t off = from; off < to;) {
        const uint8_t *p;
        size_t n;
        TRY(window_get(v, off, 1, &p, &n));
        if (n == 0) return ERR_OK; // the file is shorter than it should be
        if (n > to - off) n = (size_t)(to - off);
        struct iovec iov = { (void *)(uintptr_t)p, n };
        TRY(v->disk->ops->write(f, off - from, &iov, 1));
        off += n;
    }
    return v->disk->ops->sync(f);
}

enum err quarantine_copy(struct wal *w, struct window *v, uint64_t segment_id, uint64_t from, uint64_t to) {
    struct disk *d = w->disk;
    struct disk_stat st;
    struct disk_file *f;
    char dir[DISK_PATH_MAX], path[DISK_PATH_MAX + 64], temp[DISK_PATH_MAX + 64];
    (void)snprintf(dir, sizeof dir, "%s/quarantine", w->dir); // wal_open left room for the names
    (void)snprintf(path, sizeof path, "%s/%020llu-%020llu.bin", dir, (unsigned long long)segment_id,
                   (unsigned long long)from);
    (void)snprintf(temp, sizeof temp, "%s/new.tmp", dir);
    enum err e = d->ops->stat(d, path, &st);
    if (e == ERR_OK && st.size_bytes == to - from) return ERR_OK; // by an opening before this one
    if (e != ERR_OK && e != ERR_NOT_FOUND) return e;
    TRY(disk_make_dir(d, dir));
    e = d->ops->unlink(d, temp);
    if (e != ERR_OK && e != ERR_NOT_FOUND) return e;
    TRY(d->ops->open(d, temp, DISK_CREATE, &f));
    e = copy_bytes(f, v, from, to);
    d->ops->close(f);
    if (e == ERR_OK) e = d->ops->rename(d, temp, path);
    return e == ERR_OK ? d->ops->sync_dir(d, dir) : e;
}
