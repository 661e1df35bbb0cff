// SPDX-License-Identifier: Apache-2.0
// Threads that help queries: a query offers its pieces of work, and whoever is free takes the next
// one. The thread of the query works along, so that a query goes on when all helpers are busy.
//
// Small queries go before long ones. Who has had a few milliseconds of work is long from then on: only
// helpers that the kernel runs after all others work for it, and among several the one that was helped
// least is helped next. So a small query beside a large one has the cores nearly for itself, and the large
// one has them whenever nobody else wants them. thread: any.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct crew;

// n helpers beside the threads of the queries, and as many for long ones; 0 is fine.
NODISCARD enum err crew_new(uint32_t n, struct crew **out);
void crew_free(struct crew *c);           // no query may run; NULL is fine
uint32_t crew_size(const struct crew *c); // helpers that one query has at most at once
// The threads of long queries, too, let others go first (thread_lower), for ever. Before any query.
void crew_lower_callers(struct crew *c);

// Calls work(ctx, worker) on several threads until it answers false on each: it takes one piece of
// work, or says that none is left. worker < crew_size + 1 tells apart what is at work at the same time: a
// number is never used by two at once, and 0 is always the thread of the query. Returns when all calls have
// returned. c NULL: alone.
void crew_run(struct crew *c, bool (*work)(void *ctx, uint32_t worker), void *ctx);
