// SPDX-License-Identifier: Apache-2.0
#include "vcs/graph.h"

void graph_init(struct graph *g) {
    buf_init(&g->shas, (size_t)GRAPH_ROWS_MAX * sizeof(struct sha));
    buf_init(&g->nodes, (size_t)GRAPH_ROWS_MAX * sizeof(struct graph_node));
    buf_init(&g->parents, (size_t)GRAPH_PARENTS_MAX * sizeof(uint32_t));
    map_init(&g->rows, GRAPH_ROWS_MAX);
}

void graph_fini(struct graph *g) {
    buf_fini(&g->shas);
    buf_fini(&g->nodes);
    buf_fini(&g->parents);
    map_fini(&g->rows);
}

static const struct sha *shas(const struct graph *g) {
    return (const struct sha *)(const void *)g->shas.ptr;
}

static struct graph_node *nodes(const struct graph *g) {
    return (struct graph_node *)(void *)g->nodes.ptr;
}

static bool same_sha(const void *ctx, uint32_t row, const void *key) {
    return sha_eq(&shas(ctx)[row], key);
}

static uint64_t hash_of_row(const void *ctx, uint32_t row) {
    return sha_hash(&shas(ctx)[row]);
}

static uint32_t n_rows(const struct graph *g) {
    return (uint32_t)(g->nodes.len / sizeof(struct graph_node));
}

uint32_t graph_find(const struct graph *g, const struct sha *id) {
    uint32_t row = map_get(&g->rows, sha_hash(id), same_sha, g, id);
    return row == MAP_NONE ? GRAPH_NONE : row;
}

// Why a buffer refused, and the buffer fit for use again.
static enum err refused(struct buf *b, size_t extra) {
    b->failed = false;
    return b->len + extra > b->limit ? ERR_LIMIT : ERR_NOMEM;
}

static enum err row_of(struct graph *g, const struct sha *id, uint32_t *out_row) {
    struct graph_node absent = { 0, GRAPH_ABSENT };
    uint32_t row = graph_find(g, id);
    if (row == GRAPH_NONE) {
        row = n_rows(g);
        if (!buf_reserve(&g->nodes, sizeof absent)) return refused(&g->nodes, sizeof absent);
        buf_add(&g->shas, id, sizeof *id);
        if (g->shas.failed) return refused(&g->shas, sizeof *id);
        enum err e = map_put(&g->rows, sha_hash(id), row, hash_of_row, g);
        if (e != ERR_OK) {
            g->shas.len -= sizeof *id;
            return e;
        }
        buf_add(&g->nodes, &absent, sizeof absent);
    }
    *out_row = row;
    return ERR_OK;
}

static enum err add_parents(struct graph *g, const struct sha *parents, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        uint32_t parent;
        TRY(row_of(g, &parents[i], &parent));
        buf_add(&g->parents, &parent, sizeof parent);
        if (g->parents.failed) return refused(&g->parents, sizeof parent);
    }
    return ERR_OK;
}

enum err graph_add(struct graph *g, const struct sha *id, const struct sha *parents, uint32_t n_parents,
                   uint32_t *out_row) {
    uint32_t row;
    size_t before = g->parents.len;
    TRY(row_of(g, id, &row));
    if (nodes(g)[row].n_parents == GRAPH_ABSENT) {
        enum err e = add_parents(g, parents, n_parents);
        if (e != ERR_OK) {
            g->parents.len = before;
            return e;
        }
        nodes(g)[row] = (struct graph_node){ (uint32_t)(before / sizeof(uint32_t)), n_parents };
    }
    *out_row = row;
    return ERR_OK;
}

struct sha graph_sha(const struct graph *g, uint32_t row) {
    ASSERT(row < n_rows(g));
    return shas(g)[row];
}

struct graph_view graph_view(const struct graph *g) {
    return (struct graph_view){ n_rows(g), (uint32_t)(g->parents.len / sizeof(uint32_t)), nodes(g),
                                (const uint32_t *)(const void *)g->parents.ptr };
}
