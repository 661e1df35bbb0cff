// SPDX-License-Identifier: Apache-2.0
// The skeleton of a trace: what a waterfall needs of every span, in columns, for the web app. The
// format is docs/formats/skeleton.md. The caller brings the spans as plain arrays in any order;
// the tree puts them into rows (and is kept by who looks up rows later); the encoder writes them.
// thread: any.
#pragma once

#include "base/str.h"

enum {
    SKELETON_VERSION = 1,
    SKELETON_HEADER_BYTES = 80,
    SKELETON_ROWS_MAX = 1 << 24, // ten times the largest trace that is aimed at
    SKELETON_STRING_MAX = 1024,  // bytes of a name; the details have all of it
    SKELETON_STATUS_ERROR = 2,   // of status, as OTLP has it
};
#define SKELETON_NONE UINT32_MAX

enum skeleton_flag {
    SKELETON_MISSING_PARENT = 1,
    SKELETON_LOOP = 2,
    SKELETON_EVENTS = 4,
    SKELETON_LINKS = 8,
    SKELETON_ENDS_BEFORE = 16,
    SKELETON_NO_TIME = 32,
    SKELETON_SAME_ID = 64,
};

struct skeleton_input {
    uint8_t trace_id[16];
    uint32_t n;                // spans, one element each in the arrays that follow
    uint32_t n_known;          // spans of the trace that are known; more than n: the skeleton is partial
    const uint64_t *span_id;   // the 8 bytes, loaded as they lie in memory
    const uint64_t *parent_id; // likewise; 0 = no parent
    const uint64_t *start_ns, *end_ns;
    const struct str *name;
    const struct str *message; // status messages; NULL = all empty
    const uint32_t *resource;  // index into service
    const uint8_t *kind, *status;
    const uint8_t *flags; // SKELETON_EVENTS, _LINKS; _MISSING_PARENT for a parent id of odd length
    uint32_t n_resources;
    const struct str *service; // service.name of each resource, "" if it has none
};

// The spans in rows: depth first, brothers by start. Arrays of input.n, in the arena.
struct skeleton_tree {
    uint32_t *order;  // by row: index in the input
    uint32_t *parent; // by row: row of the parent, or SKELETON_NONE
    uint8_t *flags;   // by row: all flags
};

// ERR_LIMIT beyond SKELETON_ROWS_MAX; ERR_NOMEM. On error *out is untouched.
NODISCARD enum err skeleton_tree(struct arena *a, const struct skeleton_input *in, struct skeleton_tree *out);

// What of the time there is, and where it begins.
struct skeleton_extent {
    uint64_t base, length; // the first start that is known, and from there to the last end
    uint32_t root;         // row: the first without a parent that is named; SKELETON_NONE: there are no rows
};
struct skeleton_extent skeleton_extent(const struct skeleton_input *in, const struct skeleton_tree *tree);

// A name, cut to SKELETON_STRING_MAX. The arena's where it is cut; "" where that has no room.
struct str skeleton_cut(struct arena *a, struct str name);

// Appends the whole skeleton to out; scratch comes from the arena. ERR_LIMIT when out is full, ERR_NOMEM.
NODISCARD enum err skeleton_encode(struct arena *a, const struct skeleton_input *in,
                                   const struct skeleton_tree *tree, struct buf *out);
