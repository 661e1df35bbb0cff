// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"
#include "os/lock.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(lock_is_held_once_in_a_process) {
    struct lock *a, *b;
    int64_t pid;
    CHECK_OK(lock_take(test_dir(), &a, &pid));
    CHECK(lock_take(test_dir(), &b, &pid) == ERR_EXISTS);
    CHECK_U64(pid, getpid());
    lock_release(a);
    CHECK_OK(lock_take(test_dir(), &b, &pid));
    lock_release(b);
    lock_release(NULL);
    CHECK(lock_take("/nonexistent/takt", &b, &pid) == ERR_NOT_FOUND);
}

// The child holds the lock until it is killed; -1 when it could not.
static pid_t child_with_lock(const char *dir) {
    int ready[2];
    char byte = 0;
    if (pipe(ready) < 0) return -1;
    pid_t child = fork();
    if (child == 0) {
        struct lock *l;
        int64_t pid;
        byte = lock_take(dir, &l, &pid) == ERR_OK;
        (void)!write(ready[1], &byte, 1);
        for (;;) pause();
    }
    bool ok = child > 0 && read(ready[0], &byte, 1) == 1 && byte;
    close(ready[0]), close(ready[1]);
    return ok ? child : -1;
}

TEST(lock_of_another_process_names_its_pid_and_ends_with_it) {
    struct lock *l;
    int64_t pid;
    pid_t child = child_with_lock(test_dir());
    CHECK(child > 0);
    enum err while_alive = lock_take(test_dir(), &l, &pid);
    kill(child, SIGKILL);
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(while_alive == ERR_EXISTS);
    CHECK_U64(pid, child);
    CHECK_OK(lock_take(test_dir(), &l, &pid));
    lock_release(l);
}

TEST(lock_allocation_failure_leaves_it_free) {
    struct lock *l;
    int64_t pid;
    mem_fail_at(1, false);
    CHECK(lock_take(test_dir(), &l, &pid) == ERR_NOMEM);
    mem_fail_at(0, false);
    CHECK_OK(lock_take(test_dir(), &l, &pid));
    lock_release(l);
}
