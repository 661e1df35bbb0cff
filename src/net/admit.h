// SPDX-License-Identifier: Apache-2.0
// Admission: who may hold memory for a body. Bytes come from a budget; when it is exhausted
// requests wait in the order of their coming, up to a number of them. A newcomer never overtakes.
// thread: any.
#pragma once

#include "base/mem.h"
#include "os/thread.h"

enum admit { ADMIT_YES, ADMIT_WAIT, ADMIT_NO };

struct admit_wait {
    struct admit_wait *prev, *next;
    uint64_t need_bytes;
    bool waiting;
    // The bytes are taken for this one, which has left the queue. Under the lock of the queue, on
    // the thread that gave bytes back: it only hands the news on.
    void (*granted)(struct admit_wait *w);
};

struct admission {
    struct mutex lock;
    struct mem_budget *budget;
    struct admit_wait head;
    _Atomic uint32_t n_waiting;
    uint32_t max_waiting;
};

void admission_init(struct admission *a, struct mem_budget *budget, uint32_t max_waiting);
void admission_fini(struct admission *a);
// YES: the bytes are taken. WAIT: w is in the queue until granted or canceled. NO: the queue is
// full, or the bytes are more than the whole budget.
enum admit admission_take(struct admission *a, struct admit_wait *w, uint64_t need_bytes);
// Leaves the queue; nothing happens when w is not in it.
void admission_cancel(struct admission *a, struct admit_wait *w);
void admission_give(struct admission *a, uint64_t bytes);
// Looks again, for a budget that others give bytes back to as well.
void admission_retry(struct admission *a);
