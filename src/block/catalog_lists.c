// SPDX-License-Identifier: Apache-2.0
// Which blocks go into which list. A list whose blocks are all there still is named again; one that
// lost some is written anew, together with a neighbour when either is small. The newest blocks,
// among which nearly all changes are, stay in the snapshot itself.
#include "block/catalog_internal.h"

enum {
    LIST_SMALL = CATALOG_LIST_MAX / 4, // written together with a neighbour that has room
    TAIL_MAX = 2 * CATALOG_LIST_MAX,   // blocks that stay in the snapshot
};

// Blocks of `next` in a row: of a list that stays, or to be written as one or more.
struct run {
    uint32_t n;
    const struct catalog_list *kept; // NULL: to be written
};

static bool is_joined(const struct run *before, const struct run *r) {
    if (!before->kept && !r->kept) return true;
    if (before->kept && r->kept) return false;
    bool is_small = before->n < LIST_SMALL || r->n < LIST_SMALL;
    return is_small && before->n + r->n <= CATALOG_LIST_MAX;
}

static void add_run(struct run *runs, uint32_t *n_runs, struct run r) {
    struct run *before = *n_runs ? &runs[*n_runs - 1] : NULL;
    if (r.n == 0) return;
    if (before && is_joined(before, &r))
        *before = (struct run){ before->n + r.n, NULL };
    else
        runs[(*n_runs)++] = r;
}

// How many of the base's blocks [from, from + n) are those of `next` from `at` on, in this order.
static uint32_t count_left(const struct catalog *base, uint32_t from, uint32_t n, const struct catalog *next,
                           uint32_t at) {
    uint32_t left = 0;
    for (uint32_t i = from; i < from + n && at + left < next->n_blocks; i++)
        left += memcmp(base->blocks[i].id, next->blocks[at + left].id, ULID_LEN) == 0;
    return left;
}

static uint32_t pieces_of(const struct run *r) {
    return r->kept ? 1 : (r->n + CATALOG_LIST_MAX - 1) / CATALOG_LIST_MAX;
}

static enum err make_lists(const struct run *runs, uint32_t n_runs, struct catalog *next, struct arena *a) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_runs; i++) n += pieces_of(&runs[i]);
    if (n > CATALOG_LISTS_MAX) return ERR_LIMIT;
    next->lists = ARENA_ARRAY(a, n + 1ull, struct catalog_list);
    if (!next->lists) return ERR_NOMEM;
    for (uint32_t i = 0; i < n_runs; i++) {
        uint32_t pieces = pieces_of(&runs[i]);
        for (uint32_t k = 0; k < pieces; k++) {
            struct catalog_list *l = &next->lists[next->n_lists++];
            *l = (struct catalog_list){ .number = next->number };
            l->n_blocks = runs[i].n / pieces + (k < runs[i].n % pieces);
            if (runs[i].kept) *l = *runs[i].kept;
        }
    }
    return ERR_OK;
}

enum err catalog_plan_lists(const struct catalog *base, struct catalog *next, struct arena *a) {
    next->lists = NULL;
    next->n_lists = 0;
    if (next->n_blocks > CATALOG_BLOCKS_MAX) return ERR_LIMIT;
    // Lists once begun go on for a while, so that nothing is written anew at each step over the border.
    if (next->n_blocks <= (base->n_lists ? CATALOG_FLAT_MAX / 2 : CATALOG_FLAT_MAX)) return ERR_OK;
    struct run *runs = ARENA_ARRAY(a, base->n_lists + 1ull, struct run);
    uint32_t n_runs = 0, from = 0, at = 0;
    if (!runs) return ERR_NOMEM;
    for (uint32_t i = 0; i < base->n_lists; i++) {
        const struct catalog_list *l = &base->lists[i];
        uint32_t left = count_left(base, from, l->n_blocks, next, at);
        add_run(runs, &n_runs, (struct run){ left, left == l->n_blocks ? l : NULL });
        from += l->n_blocks;
        at += left;
    }
    uint32_t tail = next->n_blocks - at;
    struct run *last = n_runs ? &runs[n_runs - 1] : NULL;
    if (last && !last->kept && last->n + tail <= TAIL_MAX) { // as near to the newest as to the lists
        tail += last->n;
        n_runs--;
    }
    if (tail > TAIL_MAX) // whole lists, and less than two of them left
        add_run(runs, &n_runs, (struct run){ (tail / CATALOG_LIST_MAX - 1) * CATALOG_LIST_MAX, NULL });
    return make_lists(runs, n_runs, next, a);
}
