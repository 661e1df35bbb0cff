// SPDX-License-Identifier: Apache-2.0
// Threads, locks and the wake-up of a thread that sleeps in a poller. A misuse of a lock is a bug
// and aborts. thread: any.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct thread {
    pthread_t id;
    bool started;
    void (*run)(void *arg);
    void *arg;
};

// The struct stays at its place until the join. The thread has all signals blocked, so that they
// reach the main thread and a write to a closed socket does not kill. `name` is cut at 15 bytes.
// ERR_LIMIT when the system gives no more threads.
NODISCARD enum err thread_start(struct thread *t, const char *name, void (*run)(void *arg), void *arg);
void thread_join(struct thread *t); // nothing happens when it was not started
unsigned thread_cores(void);        // that this process may use; at least 1
// The calling thread works in turns as short as the kernel has them, and so gets the next one sooner: for
// those that do little at a time and that somebody waits for.
void thread_hurry(void);
// From now on the calling thread has less of the cores than others who want them, and lets these go first.
// It cannot be taken back: that needs a right that a server has not.
void thread_lower(void);
bool thread_is_lowered(void); // the calling thread
// Calls told(ctx) when the calling thread is lowered.
void thread_when_lowered(void (*told)(void *ctx), void *ctx);
uint64_t thread_cpu_ns(void); // that the calling thread has used

struct mutex {
    pthread_mutex_t m;
};
void mutex_init(struct mutex *m);
void mutex_fini(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

struct cond {
    pthread_cond_t c;
};
void cond_init(struct cond *c);
void cond_fini(struct cond *c);
void cond_wait(struct cond *c, struct mutex *m);
// false when timeout_ns passed first. Wakes without a cause happen.
bool cond_wait_for(struct cond *c, struct mutex *m, uint64_t timeout_ns);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

// An eventfd: signals add up until they are cleared; the fd is readable while there are any.
struct wake {
    int fd;
};
NODISCARD enum err wake_init(struct wake *w);
void wake_fini(struct wake *w);
void wake_signal(struct wake *w);
void wake_clear(struct wake *w);
