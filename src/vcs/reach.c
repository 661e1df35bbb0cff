// SPDX-License-Identifier: Apache-2.0
#include "vcs/reach.h"

enum { STEPS_MAX = 16 << 20, BITS = 64 };

// The state before a rollout.
struct step {
    uint32_t n_log;
    bool has_base, in_doubt;
};

struct reach {
    uint64_t *seen; // a bit for each row: delivered
    uint32_t n_words;
    // Rows delivered after the baseline, in order, so that they can be taken back. Those of the baseline are
    // not written down: before it nothing is delivered.
    struct buf log;
    struct buf steps;
    struct buf queue; // of the walk; kept for the next one
    bool has_base;    // a successful rollout with a known commit was added
    bool in_doubt;    // the newest successful rollout was unknown
};

enum err reach_new(struct reach **out) {
    struct reach *r = mem_zalloc(sizeof *r);
    if (!r) return ERR_NOMEM;
    buf_init(&r->log, (size_t)GRAPH_ROWS_MAX * sizeof(uint32_t));
    buf_init(&r->queue, (size_t)GRAPH_ROWS_MAX * sizeof(uint32_t));
    buf_init(&r->steps, (size_t)STEPS_MAX * sizeof(struct step));
    *out = r;
    return ERR_OK;
}

void reach_free(struct reach *r) {
    if (!r) return;
    mem_free(r->seen);
    buf_fini(&r->log);
    buf_fini(&r->queue);
    buf_fini(&r->steps);
    mem_free(r);
}

// --- bits --------------------------------------------------------------------------------------------

static bool has(const struct reach *r, uint32_t row) {
    return row / BITS < r->n_words && r->seen[row / BITS] >> row % BITS & 1;
}

static void mark(struct reach *r, uint32_t row) {
    r->seen[row / BITS] |= 1ull << row % BITS;
}

static void unmark(struct reach *r, struct str rows) {
    for (size_t i = 0; i < rows.len; i += sizeof(uint32_t)) {
        uint32_t row;
        memcpy(&row, rows.ptr + i, sizeof row);
        r->seen[row / BITS] &= ~(1ull << row % BITS);
    }
}

static enum err make_room(struct reach *r, uint32_t n_rows) {
    uint32_t need = n_rows / BITS + 1;
    if (need <= r->n_words) return ERR_OK;
    uint32_t n = r->n_words + r->n_words / 2 > need ? r->n_words + r->n_words / 2 : need;
    uint64_t *seen = mem_realloc(r->seen, n * sizeof *seen);
    if (!seen) return ERR_NOMEM;
    memset(seen + r->n_words, 0, (n - r->n_words) * sizeof *seen);
    r->seen = seen;
    r->n_words = n;
    return ERR_OK;
}

// --- the walk ----------------------------------------------------------------------------------------

static uint32_t queue_at(const struct reach *r, uint32_t i) {
    uint32_t row;
    memcpy(&row, r->queue.ptr + i * sizeof row, sizeof row);
    return row;
}

static uint32_t queue_len(const struct reach *r) {
    return (uint32_t)(r->queue.len / sizeof(uint32_t));
}

static enum err push(struct reach *r, uint32_t row) {
    buf_add(&r->queue, &row, sizeof row);
    if (r->queue.failed) return ERR_NOMEM;
    mark(r, row);
    return ERR_OK;
}

// An absent parent is marked all the same: what lies behind it counts as delivered, so that history that
// turns up later is not taken for new commits.
static enum err push_parents(struct reach *r, const struct graph_view *g, uint32_t row, bool *is_cut) {
    struct graph_node node = g->nodes[row];
    if (node.n_parents == GRAPH_ABSENT) {
        *is_cut = true;
        return ERR_OK;
    }
    if (node.at > g->n_parents || node.n_parents > g->n_parents - node.at) return ERR_INVALID;
    for (uint32_t i = 0; i < node.n_parents; i++) {
        uint32_t parent = g->parents[node.at + i];
        if (parent >= g->n)
            *is_cut = true;
        else if (!has(r, parent))
            TRY(push(r, parent));
    }
    return ERR_OK;
}

// All rows reachable from `from` that are not delivered, into the queue; they are marked.
static enum err walk(struct reach *r, const struct graph_view *g, uint32_t from, bool *is_cut) {
    TRY(make_room(r, g->n));
    TRY(push(r, from));
    for (uint32_t i = 0; i < queue_len(r); i++) TRY(push_parents(r, g, queue_at(r, i), is_cut));
    return ERR_OK;
}

static enum err list(struct reach *r, const struct graph_view *g, struct arena *a, struct reach_set *set) {
    uint32_t n = queue_len(r), room = n < REACH_SET_MAX ? n : REACH_SET_MAX;
    struct reach_commit *commits = NULL;
    if (set->kind == REACH_SET && !(commits = ARENA_ARRAY(a, room, struct reach_commit))) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = queue_at(r, i);
        if (graph_is_absent(g, row)) continue;
        bool is_merge = graph_is_merge(g, row);
        set->n_new++;
        set->n_merges += is_merge;
        if (commits && set->n < room) commits[set->n++] = (struct reach_commit){ row, is_merge };
    }
    set->commits = commits;
    set->is_capped = commits && set->n < set->n_new;
    return ERR_OK;
}

// The set of a rollout whose commit is known and not delivered; leaves the rows in the queue, marked.
static enum err new_commits(struct reach *r, const struct graph_view *g, uint32_t row, bool is_success,
                            struct arena *a, struct reach_set *set) {
    set->kind = r->in_doubt ? REACH_UNKNOWN_BASE : r->has_base ? REACH_SET : REACH_BASELINE;
    if (!is_success && set->kind != REACH_SET) return ERR_OK;
    TRY(walk(r, g, row, &set->is_cut));
    TRY(list(r, g, a, set));
    if (is_success && r->has_base) {
        buf_add(&r->log, r->queue.ptr, r->queue.len);
        if (r->log.failed) return ERR_NOMEM;
    }
    return ERR_OK;
}

static enum err judge(struct reach *r, const struct graph_view *g, uint32_t row, bool is_success,
                      struct arena *a, struct reach_set *out) {
    struct reach_set set = { .kind = REACH_SET };
    enum err e = ERR_OK;
    buf_reset(&r->queue);
    bool is_known = !graph_is_absent(g, row), is_new = is_known && !has(r, row);
    if (!is_known) set.kind = REACH_UNKNOWN;
    if (is_new) e = new_commits(r, g, row, is_success, a, &set);
    if (e != ERR_OK || !is_success) unmark(r, buf_view(&r->queue));
    r->log.failed = false;
    if (e != ERR_OK) return e;
    if (is_success && is_new) r->has_base = true, r->in_doubt = false;
    if (is_success && !is_known) r->in_doubt = true;
    *out = set;
    return ERR_OK;
}

enum err reach_add(struct reach *r, const struct graph_view *g, uint32_t row, bool is_success,
                   struct arena *a, struct reach_set *out) {
    struct step before = { (uint32_t)(r->log.len / sizeof(uint32_t)), r->has_base, r->in_doubt };
    if (!buf_reserve(&r->steps, sizeof before)) {
        r->steps.failed = false;
        return ERR_NOMEM;
    }
    TRY(judge(r, g, row, is_success, a, out));
    buf_add(&r->steps, &before, sizeof before);
    return ERR_OK;
}

enum err reach_peek(struct reach *r, const struct graph_view *g, uint32_t row, struct arena *a,
                    struct reach_set *out) {
    return judge(r, g, row, false, a, out);
}

uint32_t reach_count(const struct reach *r) {
    return (uint32_t)(r->steps.len / sizeof(struct step));
}

void reach_rewind(struct reach *r, uint32_t n) {
    struct step to;
    if (n >= reach_count(r)) return;
    memcpy(&to, r->steps.ptr + n * sizeof to, sizeof to);
    size_t n_log = to.n_log * sizeof(uint32_t);
    if (to.has_base)
        unmark(r, str_sub(buf_view(&r->log), n_log, r->log.len));
    else if (r->seen)
        memset(r->seen, 0, r->n_words * sizeof *r->seen);
    r->log.len = n_log;
    r->steps.len = n * sizeof to;
    r->has_base = to.has_base;
    r->in_doubt = to.in_doubt;
}

bool reach_has(const struct reach *r, uint32_t row) {
    return has(r, row);
}
