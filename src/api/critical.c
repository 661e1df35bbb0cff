// SPDX-License-Identifier: Apache-2.0
#include "api/critical.h"

#include <stdlib.h>

// Times as the axis has them: a span without a start begins with the trace, one that ends before it starts,
// or has no end, has no length.
struct path {
    uint32_t n;
    const uint32_t *parent;
    uint64_t *start, *end; // by row
    uint32_t *kids;        // rows, those of a parent together, by end as soon as it is on the path
    uint32_t *first;       // by row: of its kids; n + 1 elements
    struct critical out;
};

// What a span still has to explain, [floor, at], by those of its children that are left.
struct frame {
    uint32_t row, n_left;
    uint64_t floor, at;
};

static enum err path_init(struct path *p, struct arena *a, const struct skeleton_input *in,
                          const struct skeleton_tree *tree) {
    struct skeleton_extent x = skeleton_extent(in, tree);
    *p = (struct path){ .n = in->n,
                        .parent = tree->parent,
                        .start = ARENA_ARRAY(a, in->n, uint64_t),
                        .end = ARENA_ARRAY(a, in->n, uint64_t),
                        .kids = ARENA_ARRAY(a, in->n, uint32_t),
                        .first = arena_zalloc(a, (in->n + 2ull) * sizeof *p->first),
                        .out = { .self_ns = arena_zalloc(a, in->n * sizeof(uint64_t)),
                                 .critical_ns = arena_zalloc(a, in->n * sizeof(uint64_t)) } };
    if (a->failed) return ERR_NOMEM;
    for (uint32_t row = 0; row < in->n; row++) {
        uint64_t start = in->start_ns[tree->order[row]], end = in->end_ns[tree->order[row]];
        p->start[row] = start ? start : x.base;
        p->end[row] = start && end > start ? end : p->start[row];
    }
    return ERR_OK;
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}
static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

// Children come by start: what each covers begins where those before it end, at the earliest.
static void self_times(struct path *p, uint64_t *covered_to) {
    memcpy(covered_to, p->start, p->n * sizeof *covered_to);
    for (uint32_t row = 0; row < p->n; row++) {
        uint32_t up = p->parent[row];
        p->out.self_ns[row] += p->end[row] - p->start[row];
        if (up == SKELETON_NONE) continue;
        uint64_t from = later(covered_to[up], p->start[row]), to = earlier(p->end[up], p->end[row]);
        if (to <= from) continue;
        p->out.self_ns[up] -= to - from;
        covered_to[up] = to;
    }
}

static void hang_kids(struct path *p) {
    for (uint32_t row = 0; row < p->n; row++)
        if (p->parent[row] != SKELETON_NONE) p->first[p->parent[row] + 2]++;
    for (uint32_t row = 0; row < p->n; row++) p->first[row + 2] += p->first[row + 1];
    for (uint32_t row = 0; row < p->n; row++) // first[i + 1] is where the next of i goes, in the end its end
        if (p->parent[row] != SKELETON_NONE) p->kids[p->first[p->parent[row] + 1]++] = row;
}

static int by_end(const void *x, const void *y, void *ctx) {
    const uint64_t *end = ctx;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    if (end[a] != end[b]) return end[a] < end[b] ? -1 : 1;
    return a < b ? -1 : a > b;
}

static struct frame frame_of(struct path *p, uint32_t row, uint64_t floor, uint64_t at) {
    uint32_t n = p->first[row + 1] - p->first[row];
    if (n > 1) qsort_r(p->kids + p->first[row], n, sizeof *p->kids, by_end, p->end);
    return (struct frame){ row, n, floor, at };
}

// A row is on the stack once at most, so that n frames are enough.
static void walk(struct path *p, uint32_t root, struct frame *stack) {
    uint32_t depth = 0;
    stack[depth++] = frame_of(p, root, p->start[root], p->end[root]);
    while (depth) {
        struct frame *f = &stack[depth - 1];
        if (f->n_left == 0 || f->at <= f->floor) {
            p->out.critical_ns[f->row] += f->at - f->floor;
            depth--;
            continue;
        }
        uint32_t kid = p->kids[p->first[f->row] + --f->n_left];
        uint64_t from = later(f->floor, p->start[kid]), to = earlier(f->at, p->end[kid]);
        if (to <= from) continue;
        p->out.critical_ns[f->row] += f->at - to;
        f->at = from;
        ASSERT(depth < p->n);
        stack[depth++] = frame_of(p, kid, from, to);
    }
}

enum err critical_path(struct arena *a, const struct skeleton_input *in, const struct skeleton_tree *tree,
                       struct critical *out) {
    struct path p;
    uint32_t root = skeleton_extent(in, tree).root;
    TRY(path_init(&p, a, in, tree));
    uint64_t *covered_to = ARENA_ARRAY(a, in->n, uint64_t);
    struct frame *stack = ARENA_ARRAY(a, in->n, struct frame);
    if (a->failed) return ERR_NOMEM;
    self_times(&p, covered_to);
    hang_kids(&p);
    if (root != SKELETON_NONE) {
        p.out.total_ns = p.end[root] - p.start[root];
        walk(&p, root, stack);
    }
    *out = p.out;
    return ERR_OK;
}
