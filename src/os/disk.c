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
    char at[DISK_PATH_MAX], above[DISK_PATH_MAX];
    memcpy(at, path, strlen(path) + 1);
    for (int i = 0;; i++) { // from the inside out
        disk_parent(at, above);
        if (strcmp(at, above) == 0) return ERR_OK;
        enum err e = d->ops->sync_dir(d, above);
        if (e != ERR_OK) return i == 0 || i < missing ? e : ERR_OK;
        memcpy(at, above, sizeof at);
    }
}
