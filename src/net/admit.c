// SPDX-License-Identifier: Apache-2.0
#include "net/admit.h"

void admission_init(struct admission *a, struct mem_budget *budget, uint32_t max_waiting) {
    *a = (struct admission){ .budget = budget, .max_waiting = max_waiting };
    a->head.prev = a->head.next = &a->head;
    mutex_init(&a->lock);
}

void admission_fini(struct admission *a) {
    ASSERT(a->head.next == &a->head);
    mutex_fini(&a->lock);
}

static void leave(struct admission *a, struct admit_wait *w) {
    w->prev->next = w->next;
    w->next->prev = w->prev;
    w->waiting = false;
    a->n_waiting--;
}

static void grant_first(struct admission *a) {
    while (a->head.next != &a->head) {
        struct admit_wait *w = a->head.next;
        if (!mem_budget_take(a->budget, w->need_bytes)) return;
        leave(a, w);
        w->granted(w);
    }
}

// The budget is tried once more after n_waiting was raised: who gives bytes back looks at it after
// giving, so either that one sees us or we see its bytes.
static enum admit enqueue(struct admission *a, struct admit_wait *w, uint64_t need_bytes) {
    if (a->n_waiting >= a->max_waiting) return ADMIT_NO;
    bool first = a->n_waiting++ == 0;
    if (first && mem_budget_take(a->budget, need_bytes)) {
        a->n_waiting--;
        return ADMIT_YES;
    }
    w->need_bytes = need_bytes;
    w->waiting = true;
    w->prev = a->head.prev;
    w->next = &a->head;
    a->head.prev->next = w;
    a->head.prev = w;
    return ADMIT_WAIT;
}

enum admit admission_take(struct admission *a, struct admit_wait *w, uint64_t need_bytes) {
    ASSERT(!w->waiting);
    if (a->budget->limit && need_bytes > a->budget->limit) return ADMIT_NO;
    if (a->n_waiting == 0 && mem_budget_take(a->budget, need_bytes)) return ADMIT_YES;
    mutex_lock(&a->lock);
    enum admit r = enqueue(a, w, need_bytes);
    mutex_unlock(&a->lock);
    return r;
}

void admission_cancel(struct admission *a, struct admit_wait *w) {
    mutex_lock(&a->lock);
    bool was_first = w->waiting && a->head.next == w;
    if (w->waiting) leave(a, w);
    if (was_first) grant_first(a); // the next may need less
    mutex_unlock(&a->lock);
}

void admission_give(struct admission *a, uint64_t bytes) {
    mem_budget_give(a->budget, bytes);
    admission_retry(a);
}

void admission_retry(struct admission *a) {
    if (a->n_waiting == 0) return;
    mutex_lock(&a->lock);
    grant_first(a);
    mutex_unlock(&a->lock);
}
