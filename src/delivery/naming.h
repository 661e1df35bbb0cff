// SPDX-License-Identifier: Apache-2.0
// Rollouts of one series by what people and tools call them: the id, the key or group of the first attempt
// (which name it alone), the version or digest, the sha or at least 7 digits of it. Pure. thread: any.
#pragma once

#include "delivery/rollout.h"

bool naming_is(const struct rollout *r, struct str name);
bool naming_is_alone(const struct rollout *r, struct str name);  // and not merely what it shipped
bool naming_is_itself(const struct rollout *r, struct str name); // nor the group, which several may share

// The same of all rollouts at once.
struct naming_entry {
    struct str name;
    uint32_t rollout;
    bool alone;
};
struct naming {
    const struct rollouts *all;
    struct naming_entry *names, *shas; // each by name, then rollout
    uint32_t n_names, n_shas;
};
NODISCARD enum err naming_of(struct arena *a, const struct rollouts *all, struct naming *out);

// Those that have a name: those that it names by more than a sha first, by number; some may come twice.
struct naming_at {
    const struct naming_entry *at, *end, *sha, *sha_end;
};
struct naming_at naming_find(const struct naming *n, struct str name);
bool naming_next(struct naming_at *at, uint32_t *rollout, bool *alone);
// The first success that has the name; alone: that is named alone. ROLLOUT_NONE.
uint32_t naming_first(const struct naming *n, struct str name, bool alone);
