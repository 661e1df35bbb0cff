// SPDX-License-Identifier: Apache-2.0
#include "os/disk.h"

void disk_parent(const char *path, char *out) {
    size_t n = strlen(path);
    ASSERT(n < DISK_PATH_MAX);
    while (n > 1 && path[n - 1] == '/') n--;
    while (n > 0 && path[n - 1] != '/') n--;
    while (n > 1 && path[n - 1] == '/') n--;
    if (n == 0) {
        memcpy(out, ".", 2);
        return;
    }
    memmove(out, path, n);
    out[n] = '\0';
}

// Counts the ancestors of `path`, itself included, that are not there.
static enum err count_missing(struct disk *d, const char *path, int *out) {
    char at[DISK_PATH_MAX];
    memcpy(at, path, strlen(path) + 1);
    for (*out = 0;; ++*out) {
        struct disk_stat st;
        enum err e = d->ops->stat(d, at, &st);
        if (e == ERR_OK) return st.is_dir ? ERR_OK : ERR_EXISTS;
        if (e != ERR_NOT_FOUND) return e;
        if (strcmp(at, "/") == 0 || strcmp(at, ".") == 0) return e;
        disk_parent(at, at);
    }
}

enum err disk_make_dir(struct disk *d, const char *path) {
    if (strlen(path) >= DISK_PATH_MAX) return ERR_INVALID;
    int missing;
    TRY(count_missing(d, path, &missing));
    TRY(d->ops->mkdir(d, path));
    char at[DISK_PATH_MAX];
    memcpy(at, path, strlen(path) + 1);
    // From the inside out: an entry that is durable in a folder that is not is no loss.
    for (int i = 0; i < missing || i == 0; i++) {
        disk_parent(at, at);
        TRY(d->ops->sync_dir(d, at));
    }
    return ERR_OK;
}
