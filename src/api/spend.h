// SPDX-License-Identifier: Apache-2.0
// Where traces of two sides spend their time, by service and operation, side by side: on their critical
// paths, and by themselves. A mean is over all traces of its side, 0 in those without the operation, so that
// the rows of a side add up to what its traces take. The same rows whether a side is one trace or a thousand.
// thread: one at a time.
#pragma once

#include "api/critical.h"
#include "base/map.h"

enum {
    SPEND_SIDES = 2,
    SPEND_ROWS_MAX = 16384, // services and operations; past them spans count in the totals only
    SPEND_TOP = 10,         // traces named per row and side
};

struct spend_trace {
    uint8_t id[16];
    uint64_t critical_ns, self_ns; // of the operation
};
struct spend_side {
    uint32_t traces; // that have the operation
    uint64_t spans, errors;
    unsigned __int128 self_ns, critical_ns;
    struct spend_trace top[SPEND_TOP]; // that spend most there: on the critical path, then by themselves
    uint32_t n_top;
};
struct spend_row {
    struct str service, name; // as a skeleton cuts them
    struct spend_side of[SPEND_SIDES];
    double self_ns[SPEND_SIDES], critical_ns[SPEND_SIDES]; // means
    double delta_ns, self_delta_ns;                        // of the means, the second side's less the first's
    double share;                                          // of |delta| in that of all rows
    uint32_t in_trace, place; // the last one that it was met in, and where in that
};
struct spend_total {
    uint32_t traces;
    uint64_t spans, errors;
    unsigned __int128 length_ns, critical_ns; // of the traces, and of their roots
};
struct spend {
    struct arena arena; // names
    struct map map;
    struct spend_row *rows;
    uint32_t n, cap;
    uint32_t n_traces;
    uint64_t n_left_out; // spans of operations past the limit
    struct spend_total total[SPEND_SIDES];
};

struct spend_key {
    struct str service, name;
};
struct spend_part { // a trace
    const struct skeleton_input *in;
    const struct skeleton_tree *tree;
    const struct critical *critical;
    const struct spend_key *keys; // of its spans, in the order of the tree
    uint32_t *row;                // theirs
    uint32_t *met, n_met;         // those that it has,
    struct spend_trace *spent;    // and what it spends there
};

void spend_init(struct spend *s, uint64_t memory_max); // of names; 0 = none
void spend_fini(struct spend *s);
// Makes a trace ready to be added, once, in memory of its own.
NODISCARD enum err spend_part_make(struct arena *a, const struct skeleton_input *in,
                                   const struct skeleton_tree *tree, const struct critical *c,
                                   struct spend_part *out);
// Adds it to a side. ERR_NOMEM: nothing of it counts.
NODISCARD enum err spend_add(struct spend *s, int side, struct spend_part *p);
// Means and differences; what differs most on the critical path comes first, then by self time and by name.
void spend_rank(struct spend *s);
