// SPDX-License-Identifier: Apache-2.0
#include "os/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void *thread_main(void *arg) {
    struct thread *t = arg;
    t->run(t->arg);
    return NULL;
}

enum err thread_start(struct thread *t, const char *name, void (*run)(void *arg), void *arg) {
    *t = (struct thread){ .run = run, .arg = arg };
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&t->id, NULL, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) return ERR_LIMIT;
    t->started = true;
    char cut[16];
    strncpy(cut, name, sizeof cut - 1);
    cut[sizeof cut - 1] = '\0';
    (void)pthread_setname_np(t->id, cut); // the name is only for people
    return ERR_OK;
}

void thread_join(struct thread *t) {
    if (!t->started) return;
    t->started = false;
    ASSERT(pthread_join(t->id, NULL) == 0);
}

// As the kernel has it; the C library knows no name for it.
struct kernel_sched {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static _Thread_local bool is_lowered;

// Turns are known to the kernel since 6.12; before, and where it is not allowed, all goes on without them.
static bool set_turn(int32_t nice, uint64_t turn_ns) {
    struct kernel_sched s = { .size = sizeof s, .policy = SCHED_OTHER, .nice = nice, .runtime_ns = turn_ns };
    return syscall(SYS_sched_setattr, 0, &s, 0) == 0;
}

void thread_hurry(void) {
    enum { TURN_NS = 100000 };
    errno = 0;
    int nice = getpriority(PRIO_PROCESS, (id_t)gettid()); // as the process was started
    if (errno == 0) (void)set_turn(nice, TURN_NS);
}

static _Thread_local struct {
    void (*told)(void *ctx);
    void *ctx;
} lowered;

void thread_when_lowered(void (*told)(void *ctx), void *ctx) {
    lowered.told = told;
    lowered.ctx = ctx;
}

// Two fifths of the weight of others. A short turn ends soon after somebody else wants the core, and with
// this weight it is not sooner due than a usual one.
void thread_lower(void) {
    enum { NICE = 4, NICE_MAX = 19, TURN_NS = 600000 };
    if (is_lowered) return;
    is_lowered = true;
    errno = 0;
    int nice = getpriority(PRIO_PROCESS, (id_t)gettid());
    nice = errno ? NICE : nice + NICE < NICE_MAX ? nice + NICE : NICE_MAX;
    if (!set_turn(nice, TURN_NS)) (void)setpriority(PRIO_PROCESS, (id_t)gettid(), nice);
    if (lowered.told) lowered.told(lowered.ctx);
}

bool thread_is_lowered(void) {
    return is_lowered;
}

uint64_t thread_cpu_ns(void) {
    struct timespec t;
    ASSERT(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

unsigned thread_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

void mutex_init(struct mutex *m) {
    ASSERT(pthread_mutex_init(&m->m, NULL) == 0);
}

void mutex_fini(struct mutex *m) {
    ASSERT(pthread_mutex_destroy(&m->m) == 0);
}

void mutex_lock(struct mutex *m) {
    ASSERT(pthread_mutex_lock(&m->m) == 0);
}

void mutex_unlock(struct mutex *m) {
    ASSERT(pthread_mutex_unlock(&m->m) == 0);
}

// Waits are measured by the monotonic clock, so that a step of wall time neither ends nor
// stretches them.
void cond_init(struct cond *c) {
    pthread_condattr_t attr;
    ASSERT(pthread_condattr_init(&attr) == 0);
    ASSERT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_cond_init(&c->c, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
}

void cond_fini(struct cond *c) {
    ASSERT(pthread_cond_destroy(&c->c) == 0);
}

void cond_wait(struct cond *c, struct mutex *m) {
    ASSERT(pthread_cond_wait(&c->c, &m->m) == 0);
}

bool cond_wait_for(struct cond *c, struct mutex *m, uint64_t timeout_ns) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + timeout_ns % 1000000000u;
    until.tv_sec += (time_t)(timeout_ns / 1000000000u + ns / 1000000000u);
    until.tv_nsec = (long)(ns % 1000000000u);
    int rc = pthread_cond_timedwait(&c->c, &m->m, &until);
    ASSERT(rc == 0 || rc == ETIMEDOUT);
    return rc == 0;
}

void cond_signal(struct cond *c) {
    ASSERT(pthread_cond_signal(&c->c) == 0);
}

void cond_broadcast(struct cond *c) {
    ASSERT(pthread_cond_broadcast(&c->c) == 0);
}

enum err wake_init(struct wake *w) {
    w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return w->fd < 0 ? ERR_LIMIT : ERR_OK;
}

void wake_fini(struct wake *w) {
    if (w->fd >= 0) (void)close(w->fd);
    w->fd = -1;
}

// A full counter is a signal already, so a write that would block is fine.
void wake_signal(struct wake *w) {
    uint64_t one = 1;
    while (write(w->fd, &one, sizeof one) < 0 && errno == EINTR) continue;
}

void wake_clear(struct wake *w) {
    uint64_t n;
    while (read(w->fd, &n, sizeof n) < 0 && errno == EINTR) continue;
}
