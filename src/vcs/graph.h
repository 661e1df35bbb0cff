// SPDX-License-Identifier: Apache-2.0
// Commits and their parents as plain numbers: a row for each commit. graph_view is what the walks of
// vcs/reach.h read; struct graph grows one from any source, in any order of arrival (a repository, the
// commits of push events, rows of a data base). thread: one at a time.
#pragma once

#include "base/map.h"
#include "vcs/sha.h"

#define GRAPH_NONE UINT32_MAX   // no row
#define GRAPH_ABSENT UINT32_MAX // n_parents of a commit that is only known as somebody's parent

enum {
    GRAPH_ROWS_MAX = 8 << 20,
    GRAPH_PARENTS_MAX = 16 << 20, // of all commits together
};

struct graph_node {
    uint32_t at;        // its parents are parents[at .. at + n_parents)
    uint32_t n_parents; // or GRAPH_ABSENT
};

// Borrowed arrays. A parent that is not below n has no row.
struct graph_view {
    uint32_t n, n_parents;
    const struct graph_node *nodes;
    const uint32_t *parents;
};

static inline bool graph_is_absent(const struct graph_view *g, uint32_t row) {
    return row >= g->n || g->nodes[row].n_parents == GRAPH_ABSENT;
}
static inline bool graph_is_merge(const struct graph_view *g, uint32_t row) {
    return g->nodes[row].n_parents >= 2 && g->nodes[row].n_parents != GRAPH_ABSENT;
}

struct graph {
    struct buf shas;    // struct sha, a row each
    struct buf nodes;   // struct graph_node
    struct buf parents; // uint32_t
    struct map rows;    // sha → row
};

void graph_init(struct graph *g);
void graph_fini(struct graph *g);
// Adds a commit with its parents; parents not seen yet get rows that are absent until they are added
// themselves. A commit that is there keeps what was said first. Rows never change their number.
// ERR_LIMIT, ERR_NOMEM; then the commit is as it was, parents may have got rows.
NODISCARD enum err graph_add(struct graph *g, const struct sha *id, const struct sha *parents,
                             uint32_t n_parents, uint32_t *out_row);
uint32_t graph_find(const struct graph *g, const struct sha *id); // GRAPH_NONE; may be an absent one
struct sha graph_sha(const struct graph *g, uint32_t row);
// Valid until the next graph_add.
struct graph_view graph_view(const struct graph *g);
