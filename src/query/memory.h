// SPDX-License-Identifier: Apache-2.0
// The memory of all questions together. Each question has a share: a budget of its own that takes what it
// needs from here in pieces of 1 MiB, and keeps them until it ends. The last eighth is for the first piece of
// each, so that small questions get through beside large ones. Where nothing is left, a question waits until
// another ends, but only for a moment, and not past its deadline; and when all that have memory wait, the
// youngest gives up at once, so that the others go on. thread: any; not while holding a lock, as it may wait.
#pragma once

#include "base/mem.h"
#include "query/stats.h"

struct query_memory;
NODISCARD enum err query_memory_new(uint64_t limit, struct query_memory **out);
void query_memory_free(struct query_memory *m); // no share may be held; NULL is fine

// What one question may take of it at most.
uint64_t query_memory_most(uint64_t limit);

struct query_memory_stats {
    uint64_t bytes, limit;   // taken
    uint64_t waits, refused; // questions that waited for memory, and that got none, so far
};
void query_memory_stats(struct query_memory *m, struct query_memory_stats *out);

// Of one question; must not move while it is in use. Arenas take from .budget.
struct query_share {
    struct mem_budget budget; // the first member; its limit is the question's own
    struct query_memory *of;  // NULL: only the question's own limit counts
    const struct query_bounds *bounds;
    _Atomic bool is_refused; // memory was wanted that others have: an ERR_NOMEM may be tried again
    // Private, under the lock of the memory:
    uint64_t number;           // by age; 0: has none of it yet
    uint32_t n_waiting;        // threads
    struct query_share *after; // in the list of those that wait
};
void query_share_init(struct query_share *s, const struct query_bounds *b);

// What an answer holds when its question is over: it counts until it is released.
struct query_held {
    struct query_memory *of;
    uint64_t bytes;
};
// The end of the question; what its budget has given out still belongs to *held, from now on without a
// budget. held NULL: nothing is left of it.
void query_share_end(struct query_share *s, struct query_held *held);
void query_held_release(struct query_held *held); // {0} is fine

// Before the end. An ERR_NOMEM of a question whose deadline passed, or whose client went away, is ERR_TIMEOUT
// or ERR_CANCELED, as it is for those that wait for nothing. All else is e.
enum err query_share_cause(const struct query_share *s, enum err e);

// What became of a question whose share was refused is ERR_AGAIN, with text: be it ERR_NOMEM, ERR_AGAIN
// without text, or an answer that lacks something for that reason alone. All else is e.
enum err query_share_explain(const struct query_share *s, enum err e, struct err_ctx *ctx);
