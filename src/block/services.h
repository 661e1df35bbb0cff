// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: the services that traces pass, out of what traces.parquet says of them:
// {"name":[spans,errors],…}. A name that many traces have is mostly the same bytes in all of their lists,
// so that who copies it can tell by its place. thread: one at a time.
#pragma once

#include "span/batch.h"

enum { SERVICES_NAMES = 1 << 8 };

struct services {
    struct arena *arena;
    struct batch_service *list;       // of the trace that is read
    uint32_t n, room;                 // of the list
    uint32_t chunk;                   // how many were made room for the last time
    struct str names[SERVICES_NAMES]; // seen before, by a hash
};
void services_init(struct services *s, struct arena *a);
// The list of one trace, in the arena; its names are bytes of a text that was read, this one or one before,
// so that all texts stay where they are as long as there are lists. ERR_CORRUPT, ERR_NOMEM.
NODISCARD enum err services_read(struct services *s, struct str json, const struct batch_service **out,
                                 uint32_t *out_n);
