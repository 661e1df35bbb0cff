// SPDX-License-Identifier: Apache-2.0
#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "os/disk.h"

struct lock {
    int fd;
};

static int64_t read_pid(int fd) {
    char text[32];
    int64_t pid;
    ssize_t n = pread(fd, text, sizeof text, 0);
    if (n <= 0) return 0;
    struct str s = { text, (size_t)n };
    if (s.ptr[s.len - 1] == '\n') s.len--;
    return str_i64(s, &pid) ? pid : 0;
}

static enum err write_pid(int fd) {
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0) return ERR_IO;
    return pwrite(fd, text, (size_t)n, 0) == n ? ERR_OK : ERR_IO;
}

static enum err take(int fd, int64_t *out_pid) {
    int r;
    do r = flock(fd, LOCK_EX | LOCK_NB);
    while (r < 0 && errno == EINTR);
    if (r == 0) return write_pid(fd);
    if (errno != EWOULDBLOCK) return ERR_IO;
    *out_pid = read_pid(fd);
    return ERR_EXISTS;
}

enum err lock_take(const char *dir, struct lock **out, int64_t *out_pid) {
    char path[DISK_PATH_MAX];
    *out_pid = 0;
    int n = snprintf(path, sizeof path, "%s/lock", dir);
    if (n < 0 || (size_t)n >= sizeof path) return ERR_INVALID;
    struct lock *l = mem_alloc(sizeof *l);
    if (!l) return ERR_NOMEM;
    l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    enum err e = l->fd >= 0 ? take(l->fd, out_pid) : errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    if (e != ERR_OK) {
        if (l->fd >= 0) (void)close(l->fd);
        mem_free(l);
        return e;
    }
    *out = l;
    return ERR_OK;
}

void lock_release(struct lock *l) {
    if (!l) return;
    (void)close(l->fd);
    mem_free(l);
}
