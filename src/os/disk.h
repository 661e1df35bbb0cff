// SPDX-License-Identifier: Apache-2.0
// The file system behind a vtable, so that tests can put a disk in its place that loses, tears and
// reorders what was not synced. The only callers of open(2) and its relatives are in this folder.
// Paths are NUL-terminated. Errors: ERR_NOT_FOUND, ERR_EXISTS (also: a folder that is not empty),
// ERR_LIMIT (disk full), ERR_INVALID (a name too long), ERR_IO, ERR_NOMEM.
// thread: any, but a file is written by one thread at a time.
#pragma once

#include <sys/uio.h>

#include "base/str.h"

enum { DISK_PATH_MAX = 4096 }; // with the NUL

struct disk;
struct disk_file;

enum disk_open {
    DISK_READ,   // must exist
    DISK_WRITE,  // must exist; to read and to write
    DISK_CREATE, // created empty; ERR_EXISTS if it is there
};

struct disk_stat {
    uint64_t size_bytes;
    bool is_dir;
};

struct disk_ops {
    enum err (*open)(struct disk *d, const char *path, enum disk_open how, struct disk_file **out);
    // Reads up to n bytes at off; *out_n < n only at the end of the file.
    enum err (*read)(struct disk_file *f, uint64_t off, void *dst, size_t n, size_t *out_n);
    // Writes all of iov at off, or fails. Past the end it extends the file.
    enum err (*write)(struct disk_file *f, uint64_t off, const struct iovec *iov, int n_iov);
    enum err (*reserve)(struct disk_file *f, uint64_t size_bytes); // a hint; the size may grow
    enum err (*sync)(struct disk_file *f);                         // fdatasync
    enum err (*truncate)(struct disk_file *f, uint64_t size_bytes);
    void (*close)(struct disk_file *f);

    enum err (*stat)(struct disk *d, const char *path, struct disk_stat *out);
    enum err (*mkdir)(struct disk *d, const char *path);                // with parents; fine if it is there
    enum err (*link)(struct disk *d, const char *from, const char *to); // ERR_EXISTS
    enum err (*rename)(struct disk *d, const char *from, const char *to);
    enum err (*unlink)(struct disk *d, const char *path);
    enum err (*rmdir)(struct disk *d, const char *path);
    enum err (*sync_dir)(struct disk *d, const char *path);
    // Calls `each` for every entry but . and .., in byte order of their names.
    enum err (*list)(struct disk *d, const char *path, void *ctx,
                     enum err (*each)(void *ctx, const char *name, bool is_dir));
    enum err (*space)(struct disk *d, const char *path, uint64_t *out_free, uint64_t *out_total);
};

struct disk {
    const struct disk_ops *ops;
};

// The real file system; one object, never freed.
struct disk *disk_real(void);

// Creates a folder and the parents that are missing, durably. Every folder above is synced: who
// made them may have died before the sync. (Above those made here and the parent of `path`, as far
// as this process may open them.)
NODISCARD enum err disk_make_dir(struct disk *d, const char *path);
// The folder of a path, into out (DISK_PATH_MAX bytes): "a/b" gives "a", "b" gives ".", "/b" "/".
void disk_parent(const char *path, char *out);
