// SPDX-License-Identifier: Apache-2.0
// What a service calls, as its client and producer spans say: which service, data base, topic or host, and by
// which operation; counted in both arms. thread: any.
#pragma once

#include "impact/scan.h"

enum {
    CALLEES_MAX = 256,      // things and their operations together; further ones are left out, and cut is set
    CALLEES_TEXT_MAX = 200, // characters of a name; longer ones are cut, and are one when they begin alike
    CALLEES_ATTRIBUTES = 7,
};

// Whom a span calls: the first of these that it has.
extern const char *const callees_attributes[CALLEES_ATTRIBUTES];

struct callee_seen {
    struct str to, operation;      // operation empty: all of them
    bool to_cut, operation_cut;    // there is more of some
    uint8_t by;                    // attributes that name it, as bits
    uint64_t count[ARM_COUNT];     // of traces
    uint8_t last[ARM_COUNT][16];   // that was counted
    struct arms_examples examples; // of the arm that has it, the old one where both do
};
struct callees {
    struct arena *arena;
    struct callee_seen items[CALLEES_MAX];
    uint32_t n;
    uint8_t
        hidden_by[CALLEES_ATTRIBUTES]; // of each attribute those that stood before it in some span, as bits
    struct scan_environments environments;
    uint64_t unnamed; // spans of calls that do not say whom
    bool cut;
    bool partial; // not all of the window was looked at
};
NODISCARD enum err impact_read_callees(const struct impact_source *src, const struct impact_of *of,
                                       struct impact_window w, struct impact_arm_rule rule,
                                       struct callees *out, struct err_ctx *ctx);
