// SPDX-License-Identifier: Apache-2.0
// Where a trace spends its time, by the rows of its skeleton: of a span what none of its children covers
// (its self time), and the critical path: for each moment of the root, the one span that the answer waited
// for. It is walked backwards from the end of a span: the child that ended last was waited for, back to its
// start; before that the child that ended last before, and so on; what no child explains is the span's own.
// Of a child only what lies within its parent counts. The web app draws the same (ui/src/trace/critical.ts);
// both are held to tests/cases/critical. thread: any.
#pragma once

#include "api/skeleton.h"

struct critical {
    uint64_t *self_ns, *critical_ns; // by row
    uint64_t total_ns;               // of the root, which the critical path adds up to
};
// Arrays in the arena. ERR_NOMEM.
NODISCARD enum err critical_path(struct arena *a, const struct skeleton_input *in,
                                 const struct skeleton_tree *tree, struct critical *out);
