// SPDX-License-Identifier: Apache-2.0
// What the tools of the shop's teams send about a delivery: webhooks of GitHub, Argo Rollouts,
// PagerDuty and LaunchDarkly, and a few events of a script, each with the time when it is due. No
// I/O. thread: one at a time.
#pragma once

#include "base/mem.h"
#include "load/ship.h"

struct told {
    int64_t due_ns;
    const char *path;   // where it is posted to
    const char *type;   // Content-Type
    struct str headers; // more lines, each with its end
    struct str body;
};

struct telling {
    struct arena *arena; // of all that is told
    struct told *items;
    uint32_t n, cap;
    bool failed; // out of memory
    char sha[SHIP_LINES][SHIP_VERSIONS_KEPT][41];
};

#define TELL_ORGANISATION "tide-shop"

// Adds the events of a delivery, in no order.
void tell_ship(struct telling *t, const struct ship *h);
// Flips of flags, about two a week, in the weeks of the past; and one for a live delivery that went well.
void tell_flags(struct telling *t, const struct ships *s);
void tell_flag_of(struct telling *t, const struct ship *h);
