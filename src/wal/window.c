// SPDX-License-Identifier: Apache-2.0
#include "wal/wal_internal.h"

enum err window_open(struct window *v, struct disk *disk, const char *path, size_t piece) {
    *v = (struct window){ .disk = disk, .piece = piece };
    return disk->ops->open(disk, path, DISK_READ, &v->file);
}

void window_close(struct window *v) {
    if (v->file) v->disk->ops->close(v->file);
    mem_free(v->bytes);
    *v = (struct window){ 0 };
}

static enum err window_grow(struct window *v, size_t need) {
    size_t cap = need > v->piece ? need : v->piece;
    if (v->cap >= cap) return ERR_OK;
    mem_free(v->bytes);
    v->n = v->cap = 0;
    v->bytes = mem_alloc(cap);
    if (!v->bytes) return ERR_NOMEM;
    v->cap = cap;
    return ERR_OK;
}

enum err window_get(struct window *v, uint64_t off, size_t need, const uint8_t **out, size_t *out_n) {
    bool inside = off >= v->off && off - v->off <= v->n;
    if (!inside || v->n - (off - v->off) < need || v->n == 0) {
        TRY(window_grow(v, need));
        v->n = 0;
        v->off = off;
        TRY(v->disk->ops->read(v->file, off, v->bytes, v->cap, &v->n));
    }
    *out = v->bytes + (off - v->off);
    *out_n = v->n - (size_t)(off - v->off);
    return ERR_OK;
}

enum err window_trim_zeros(struct window *v, uint64_t from, uint64_t to, uint64_t *out) {
    while (to > from) {
        uint64_t start = to - from > v->piece ? to - v->piece : from;
        const uint8_t *p;
        size_t n;
        TRY(window_get(v, start, (size_t)(to - start), &p, &n));
        if (n > to - start) n = (size_t)(to - start);
        while (n > 0 && p[n - 1] == 0) n--;
        if (n > 0) {
            *out = start + n;
            return ERR_OK;
        }
        to = start;
    }
    *out = from;
    return ERR_OK;
}
