// SPDX-License-Identifier: Apache-2.0
// Threads that help queries: a query offers its pieces of work, and whoever is free takes the next
// one. The thread of the query works along, so that a query goes on when all helpers are busy, and
// helpers go round among the queries, so that a large one does not keep them from small ones.
// thread: any.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct crew;

// n helpers beside the threads of the queries; 0 is fine.
NODISCARD enum err crew_new(uint32_t n, struct crew **out);
void crew_free(struct crew *c);           // no query may run; NULL is fine
uint32_t crew_size(const struct crew *c); // helpers

// Calls work(ctx, worker) on several threads until it answers false on each: it takes one piece of
// work, or says that none is left. worker < crew_size + 1 tells the threads apart, and is never used
// by two at once. Returns when all calls have returned. c NULL: alone.
void crew_run(struct crew *c, bool (*work)(void *ctx, uint32_t worker), void *ctx);
