// SPDX-License-Identifier: Apache-2.0
#include "exec/tree.h"

void tree_init(struct tree *t, struct batch *b) {
    *t = (struct tree){ .batch = b };
}

enum err tree_places(struct tree *t) {
    const struct batch *b = t->batch;
    if (t->place || !b->order) return ERR_OK;
    uint32_t *place = arena_zalloc(b->arena, b->n_rows * sizeof *place);
    if (!place) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_traces; i++)
        for (uint32_t k = 0; k < b->traces[i].n; k++)
            place[b->order[b->traces[i].first + k]] = b->traces[i].first + k;
    t->place = place;
    return ERR_OK;
}

// --- cycles ----------------------------------------------------------------------------------------

// Spans on a cycle hang on nothing. A parent mostly stands before its child in the order, and then
// there is none.
static bool may_have_cycle(const struct tree *t, const struct batch_trace *trace) {
    const struct batch *b = t->batch;
    for (uint32_t k = 0; k < trace->n; k++) {
        uint32_t row = batch_row(b, trace, k), parent = t->parent[row];
        if (parent < BATCH_ORPHAN && tree_place(t, parent) >= trace->first + k) return true;
    }
    return false;
}

// All rows at once, where they are in order: row - 1 - parent is below 2^31 if the parent stands before
// the row, and also for BATCH_ROOT and BATCH_ORPHAN, which are -1 and -2.
static bool all_stand_before(const uint32_t *parent, uint32_t n) {
    typedef uint32_t lanes __attribute__((vector_size(16)));
    lanes bad = { 0 }, row = { 0, 1, 2, 3 }, up;
    uint32_t any = 0, i = 0;
    for (; i + 4 <= n; i += 4, row += 4) {
        memcpy(&up, parent + i, sizeof up);
        bad |= row - 1 - up;
    }
    for (; i < n; i++) any |= i - 1 - parent[i];
    for (int k = 0; k < 4; k++) any |= bad[k];
    return any >> 31 == 0;
}

enum { WALK_NEW, WALK_NOW, WALK_DONE };

static void cut_cycle(uint32_t *parent, uint8_t *state, uint32_t from) {
    for (uint32_t row = from, next;; row = next) {
        next = parent[row];
        parent[row] = BATCH_ORPHAN;
        state[row] = WALK_DONE; // the walk that marks the others ends at the cut
        if (next == from) return;
    }
}

static void cut_cycles(const struct tree *t, const struct batch_trace *trace, uint32_t *parent,
                       uint8_t *state) {
    for (uint32_t k = 0; k < trace->n; k++) {
        uint32_t start = batch_row(t->batch, trace, k), row = start;
        while (row < BATCH_ORPHAN && state[row] == WALK_NEW) {
            state[row] = WALK_NOW;
            row = parent[row];
        }
        if (row < BATCH_ORPHAN && state[row] == WALK_NOW) cut_cycle(parent, state, row);
        for (row = start; row < BATCH_ORPHAN && state[row] == WALK_NOW; row = parent[row])
            state[row] = WALK_DONE;
    }
}

enum err tree_parents(struct tree *t) {
    const struct batch *b = t->batch;
    uint32_t *own = NULL;
    uint8_t *state = NULL;
    if (t->parent || b->n_rows == 0) return ERR_OK;
    TRY(tree_places(t));
    TRY(b->ops->parents(t->batch, 0, b->n_rows, &t->parent));
    if (!b->order && all_stand_before(t->parent, b->n_rows)) return ERR_OK;
    for (uint32_t i = 0; i < b->n_traces; i++) {
        if (!may_have_cycle(t, &b->traces[i])) continue;
        if (!own) {
            own = arena_copy(b->arena, t->parent, b->n_rows * sizeof *own);
            state = arena_zalloc(b->arena, b->n_rows);
            if (!own || !state) {
                t->parent = NULL;
                return ERR_NOMEM;
            }
            t->parent = own;
        }
        cut_cycles(t, &b->traces[i], own, state);
    }
    return ERR_OK;
}

enum err tree_traces(struct tree *t) {
    const struct batch *b = t->batch;
    if (t->trace) return ERR_OK;
    uint32_t *trace = arena_zalloc(b->arena, (b->n_rows + 1ull) * sizeof *trace);
    if (!trace) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_traces; i++)
        for (uint32_t k = 0; k < b->traces[i].n; k++) trace[batch_row(b, &b->traces[i], k)] = i;
    t->trace = trace;
    return ERR_OK;
}

enum err tree_child_counts(struct tree *t) {
    const struct batch *b = t->batch;
    if (t->child_count) return ERR_OK;
    TRY(tree_parents(t));
    uint32_t *count = arena_zalloc(b->arena, (b->n_rows + 1ull) * sizeof *count);
    if (!count) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_traces; i++)
        for (uint32_t k = 0; k < b->traces[i].n; k++) {
            uint32_t parent = t->parent[batch_row(b, &b->traces[i], k)];
            if (parent < BATCH_ORPHAN) count[parent]++;
        }
    t->child_count = count;
    return ERR_OK;
}

// --- nested sets -----------------------------------------------------------------------------------

struct nesting {
    const struct tree *t;
    uint32_t *first_child, *next; // by row; BATCH_ROOT = none
    int32_t *left, *right, *above;
};

// Depth first from one root, without a stack: up again by the parents.
static int32_t number_from(struct nesting *n, uint32_t root, int32_t counter) {
    uint32_t row = root;
    n->left[row] = counter++;
    n->above[row] = -1;
    for (;;) {
        uint32_t child = n->first_child[row];
        if (child != BATCH_ROOT) {
            n->first_child[row] = n->next[child]; // each is visited once
            n->above[child] = n->left[row];
            row = child;
            n->left[row] = counter++;
            continue;
        }
        n->right[row] = counter++;
        if (row == root) return counter;
        row = n->t->parent[row];
    }
}

static void number_trace(struct nesting *n, const struct batch_trace *trace) {
    const struct batch *b = n->t->batch;
    int32_t counter = 1;
    for (uint32_t k = 0; k < trace->n; k++) n->first_child[batch_row(b, trace, k)] = BATCH_ROOT;
    for (uint32_t k = trace->n; k-- > 0;) {
        uint32_t row = batch_row(b, trace, k), parent = n->t->parent[row];
        if (parent >= BATCH_ORPHAN) continue;
        n->next[row] = n->first_child[parent];
        n->first_child[parent] = row;
    }
    for (uint32_t k = 0; k < trace->n; k++) {
        uint32_t row = batch_row(b, trace, k);
        if (n->t->parent[row] == BATCH_ROOT) counter = number_from(n, row, counter);
    }
}

enum err tree_nested_sets(struct tree *t) {
    const struct batch *b = t->batch;
    size_t size = (b->n_rows + 1ull) * sizeof(uint32_t);
    if (t->left) return ERR_OK;
    TRY(tree_parents(t));
    struct nesting n = { t,
                         arena_alloc(b->arena, size),
                         arena_alloc(b->arena, size),
                         arena_zalloc(b->arena, size),
                         arena_zalloc(b->arena, size),
                         arena_zalloc(b->arena, size) };
    if (!n.first_child || !n.next || !n.left || !n.right || !n.above) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_traces; i++) number_trace(&n, &b->traces[i]);
    t->left = n.left;
    t->right = n.right;
    t->above = n.above;
    return ERR_OK;
}
