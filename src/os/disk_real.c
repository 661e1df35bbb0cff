// SPDX-License-Identifier: Apache-2.0
#include "os/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

// Names of one folder are gathered to be sorted; this bounds what a listing may hold.
enum { LIST_BYTES_MAX = 1 << 30, FILE_MODE = 0640, DIR_MODE = 0750 };

struct disk_file {
    int fd;
};

static enum err err_of(int code) {
    switch (code) {
    case ENOENT:
    case ENOTDIR: return ERR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY: return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return ERR_LIMIT;
    case ENOMEM: return ERR_NOMEM;
    case ENAMETOOLONG:
    case EINVAL: return ERR_INVALID;
    default: return ERR_IO;
    }
}

static enum err err_if(int result) {
    return result < 0 ? err_of(errno) : ERR_OK;
}

static int open_retrying(const char *path, int flags) {
    int fd;
    do fd = open(path, flags | O_CLOEXEC, FILE_MODE);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static enum err real_open(struct disk *d, const char *path, enum disk_open how, struct disk_file **out) {
    (void)d;
    static const int flags[] = {
        [DISK_READ] = O_RDONLY, [DISK_WRITE] = O_RDWR, [DISK_CREATE] = O_RDWR | O_CREAT | O_EXCL
    };
    struct disk_file *f = mem_alloc(sizeof *f);
    if (!f) return ERR_NOMEM;
    f->fd = open_retrying(path, flags[how]);
    enum err e = f->fd < 0 ? errno == EISDIR ? ERR_NOT_FOUND : err_of(errno) : ERR_OK;
    struct stat st; // open(2) takes a folder for reading; a file is what was asked for
    if (e == ERR_OK && how == DISK_READ) {
        e = err_if(fstat(f->fd, &st));
        if (e == ERR_OK && S_ISDIR(st.st_mode)) e = ERR_NOT_FOUND;
        if (e != ERR_OK) (void)close(f->fd);
    }
    if (e != ERR_OK) {
        mem_free(f);
        return e;
    }
    *out = f;
    return ERR_OK;
}

static enum err real_read(struct disk_file *f, uint64_t off, void *dst, size_t n, size_t *out_n) {
    size_t got = 0;
    while (got < n) {
        ssize_t r = pread(f->fd, (char *)dst + got, n - got, (off_t)(off + got));
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return err_of(errno);
        if (r == 0) break;
        got += (size_t)r;
    }
    *out_n = got;
    return ERR_OK;
}

static enum err write_all(int fd, const char *src, size_t n, uint64_t off) {
    while (n) {
        ssize_t r = pwrite(fd, src, n, (off_t)off);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return err_of(errno);
        if (r == 0) return ERR_IO;
        src += r, n -= (size_t)r, off += (uint64_t)r;
    }
    return ERR_OK;
}

// The pieces go down as they are, as many a call as the kernel takes. After a short write the
// piece that was cut is finished alone, so that the caller's array need not be copied.
static enum err real_write(struct disk_file *f, uint64_t off, const struct iovec *iov, int n_iov) {
    for (int i = 0; i < n_iov;) {
        int n = n_iov - i < IOV_MAX ? n_iov - i : IOV_MAX;
        ssize_t r = pwritev(f->fd, iov + i, n, (off_t)off);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return err_of(errno);
        size_t left = (size_t)r;
        off += left;
        int last = i + n;
        for (; i < last && left >= iov[i].iov_len; i++) left -= iov[i].iov_len;
        if (i == last) continue;
        size_t rest = iov[i].iov_len - left;
        TRY(write_all(f->fd, (const char *)iov[i].iov_base + left, rest, off));
        off += rest;
        i++;
    }
    return ERR_OK;
}

static enum err real_reserve(struct disk_file *f, uint64_t size_bytes) {
    int r;
    do r = fallocate(f->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size_bytes);
    while (r < 0 && errno == EINTR);
    return r < 0 && errno != EOPNOTSUPP && errno != ENOSYS ? err_of(errno) : ERR_OK;
}

// Never retried, not even after EINTR: whether the pages of a failed sync are still dirty is not
// to be known.
static enum err real_sync(struct disk_file *f) {
    return err_if(fdatasync(f->fd));
}

static enum err real_truncate(struct disk_file *f, uint64_t size_bytes) {
    int r;
    do r = ftruncate(f->fd, (off_t)size_bytes);
    while (r < 0 && errno == EINTR);
    return err_if(r);
}

static void real_close(struct disk_file *f) {
    if (!f) return;
    (void)close(f->fd); // what matters was synced before
    mem_free(f);
}

static enum err real_stat(struct disk *d, const char *path, struct disk_stat *out) {
    (void)d;
    struct stat st;
    TRY(err_if(stat(path, &st)));
    *out = (struct disk_stat){ .size_bytes = (uint64_t)st.st_size, .is_dir = S_ISDIR(st.st_mode) };
    return ERR_OK;
}

static enum err make_one(const char *path) {
    struct stat st;
    if (mkdir(path, DIR_MODE) == 0) return ERR_OK;
    int code = errno;
    if (code == ENOTDIR) return ERR_EXISTS; // a file where a folder should be
    if (code == ENOENT) return ERR_NOT_FOUND;
    if (stat(path, &st) < 0) return err_of(code);
    return S_ISDIR(st.st_mode) ? ERR_OK : ERR_EXISTS;
}

static enum err real_mkdir(struct disk *d, const char *path) {
    (void)d;
    enum err e = make_one(path);
    if (e != ERR_NOT_FOUND) return e;
    char at[DISK_PATH_MAX];
    size_t n = strlen(path);
    if (n >= sizeof at) return ERR_INVALID;
    memcpy(at, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (at[i] != '/') continue;
        at[i] = '\0';
        TRY(make_one(at));
        at[i] = '/';
    }
    return make_one(path);
}

static enum err real_link(struct disk *d, const char *from, const char *to) {
    (void)d;
    return err_if(link(from, to));
}

static enum err real_rename(struct disk *d, const char *from, const char *to) {
    (void)d;
    return err_if(rename(from, to));
}

static enum err real_unlink(struct disk *d, const char *path) {
    (void)d;
    return err_if(unlink(path));
}

static enum err real_rmdir(struct disk *d, const char *path) {
    (void)d;
    return err_if(rmdir(path));
}

static enum err real_sync_dir(struct disk *d, const char *path) {
    (void)d;
    int fd = open_retrying(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return err_of(errno);
    enum err e = err_if(fsync(fd));
    (void)close(fd);
    return e;
}

// One entry of a listing: the kind, then the name and its NUL.
static int compare_entries(const void *a, const void *b) {
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    return strcmp(x + 1, y + 1);
}

static bool entry_is_dir(DIR *dir, const struct dirent *ent) {
    struct stat st;
    if (ent->d_type != DT_UNKNOWN && ent->d_type != DT_LNK) return ent->d_type == DT_DIR;
    return fstatat(dirfd(dir), ent->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static enum err gather(DIR *dir, struct arena *a, struct buf *entries) {
    for (;;) {
        errno = 0;
        struct dirent *ent = readdir(dir);
        if (!ent) return errno ? err_of(errno) : ERR_OK;
        if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0) continue;
        size_t n = strlen(ent->d_name) + 1;
        char *entry = arena_alloc(a, n + 1);
        if (!entry) return ERR_NOMEM;
        entry[0] = entry_is_dir(dir, ent);
        memcpy(entry + 1, ent->d_name, n);
        buf_add(entries, &entry, sizeof entry);
        if (entries->failed) return ERR_NOMEM;
    }
}

static enum err real_list(struct disk *d, const char *path, void *ctx,
                          enum err (*each)(void *ctx, const char *name, bool is_dir)) {
    (void)d;
    DIR *dir = opendir(path);
    if (!dir) return err_of(errno);
    struct arena a;
    struct buf entries; // of char *
    arena_init(&a, LIST_BYTES_MAX, NULL);
    buf_init(&entries, LIST_BYTES_MAX);
    enum err e = gather(dir, &a, &entries);
    (void)closedir(dir);
    char **all = (char **)(void *)entries.ptr;
    size_t n = entries.len / sizeof *all;
    if (e == ERR_OK && n) qsort(all, n, sizeof *all, compare_entries);
    for (size_t i = 0; e == ERR_OK && i < n; i++) e = each(ctx, all[i] + 1, all[i][0]);
    buf_fini(&entries);
    arena_fini(&a);
    return e;
}

static enum err real_space(struct disk *d, const char *path, uint64_t *out_free, uint64_t *out_total) {
    (void)d;
    struct statvfs v;
    TRY(err_if(statvfs(path, &v)));
    *out_free = (uint64_t)v.f_bavail * v.f_frsize;
    *out_total = (uint64_t)v.f_blocks * v.f_frsize;
    return ERR_OK;
}

struct disk *disk_real(void) {
    static const struct disk_ops ops = {
        .open = real_open,
        .read = real_read,
        .write = real_write,
        .reserve = real_reserve,
        .sync = real_sync,
        .truncate = real_truncate,
        .close = real_close,
        .stat = real_stat,
        .mkdir = real_mkdir,
        .link = real_link,
        .rename = real_rename,
        .unlink = real_unlink,
        .rmdir = real_rmdir,
        .sync_dir = real_sync_dir,
        .list = real_list,
        .space = real_space,
    };
    static struct disk real = { &ops };
    return &real;
}
