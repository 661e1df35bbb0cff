// SPDX-License-Identifier: Apache-2.0
// Housekeeping: small blocks are merged, old ones let go, the disk budget kept. One step at a time,
// so that a cut never waits long.
#include <stdlib.h>

#include "base/log.h"
#include "block/merge.h"
#include "ingest/keep.h"

enum {
    MERGE_MIN = 4,         // so many small blocks of one window are worth a merge
    MERGE_INPUTS_MAX = 64, // in one go
    COPY_INPUTS = 8,       // large blocks of one size are copied into one, eight at a time
    COPY_TIERS = 2,        // blocks of 32 cuts and more stay as they are
    REMOVE_MAX = 256,
};

static bool commit_and_show(struct ingest *in, const struct catalog_change *c, const char *what) {
    enum err e = keep_commit(in, c);
    if (e != ERR_OK) {
        log_error("catalog.commit_failed", KV_Z("for", what), KV_Z("error", err_text(e)));
        if (c->added && !keep_may_live(in, c->added->id))
            block_remove_files(in->opts.store, in->opts.tenant, c->added->id);
    }
    mutex_lock(&in->lock); // what a failed commit reread is shown too, but nothing is let go
    keep_show(in, e == ERR_OK ? c : &(struct catalog_change){ 0 });
    mutex_unlock(&in->lock);
    return e == ERR_OK;
}

// --- merging -------------------------------------------------------------------------------------------

// Merges never cross a window of received time, so that retention can let whole blocks go.
static uint64_t window_ns(const struct ingest *in) {
    uint64_t hour = 3600ull * 1000000000;
    return in->opts.retention_ns / 24 > hour ? in->opts.retention_ns / 24 : hour;
}

static uint64_t window_of(const struct ingest *in, const struct block_meta *m) {
    return m->received.min_ns / window_ns(in);
}

static bool is_small(const struct ingest *in, const struct block_meta *m) {
    return m->n_spans < in->opts.cut_spans / 2;
}

static int by_received(const void *x, const void *y) {
    const struct block_meta *a = *(const struct block_meta *const *)x,
                            *b = *(const struct block_meta *const *)y;
    if (a->received.min_ns != b->received.min_ns) return a->received.min_ns < b->received.min_ns ? -1 : 1;
    return strcmp(a->id, b->id);
}

// The next blocks to merge: neighbours in received time, of one window, that fit one head together.
static uint32_t choose_inputs(const struct ingest *in, const struct block_meta **out) {
    const struct block_meta *small[CATALOG_BLOCKS_MAX];
    uint32_t n_small = 0;
    for (uint32_t i = 0; i < in->catalog.n_blocks; i++)
        if (is_small(in, &in->catalog.blocks[i])) small[n_small++] = &in->catalog.blocks[i];
    if (n_small > 1) qsort(small, n_small, sizeof *small, by_received);
    for (uint32_t from = 0, to; from < n_small; from = to) {
        uint64_t spans = 0;
        for (to = from; to < n_small && to - from < MERGE_INPUTS_MAX; to++) {
            if (window_of(in, small[to]) != window_of(in, small[from])) break;
            if (spans + small[to]->n_spans > in->opts.cut_spans) break;
            spans += small[to]->n_spans;
        }
        if (to == from) to++;
        if (to - from < MERGE_MIN) continue;
        for (uint32_t i = from; i < to; i++) out[i - from] = small[i];
        return to - from;
    }
    return 0;
}

static struct block *find_block(struct ingest *in, const char *id) {
    for (uint32_t i = 0; i < in->n_blocks; i++)
        if (strcmp(block_meta(in->blocks[i])->id, id) == 0) return in->blocks[i];
    return NULL;
}

struct received_rows { // which input a row came from
    uint32_t first[MERGE_INPUTS_MAX];
    uint64_t ns[MERGE_INPUTS_MAX];
    uint32_t n;
};

static uint64_t received_of(void *ctx, uint32_t row) {
    const struct received_rows *r = ctx;
    uint32_t i = r->n;
    while (i > 1 && r->first[i - 1] > row) i--;
    return r->ns[i - 1];
}

// The other live blocks that hold traces of the output, by trace of the table.
static enum err split_with_others(struct ingest *in, const struct block_meta *const *inputs, uint32_t n,
                                  struct block_scan *s, const struct span_table *t, struct arena *a,
                                  bool **out) {
    const uint8_t **ids = ARENA_ARRAY(a, t->n_traces + 1ull, const uint8_t *);
    *out = arena_zalloc(a, t->n_traces + 1ull);
    if (!ids || !*out) return ERR_NOMEM;
    for (uint32_t i = 0; i < t->n_traces; i++) ids[i] = span_trace_at(t, i)->id;
    for (uint32_t b = 0; b < in->n_blocks; b++) {
        bool is_input = false;
        for (uint32_t i = 0; i < n; i++)
            is_input |= strcmp(block_meta(in->blocks[b])->id, inputs[i]->id) == 0;
        if (!is_input) TRY(block_hold_many(in->blocks[b], s, ids, t->n_traces, *out));
    }
    return ERR_OK;
}

static enum err load_inputs(struct ingest *in, const struct block_meta *const *inputs, uint32_t n,
                            struct block_scan *s, struct span_table *t, struct received_rows *r,
                            struct time_range *received) {
    for (uint32_t i = 0; i < n; i++) {
        struct block *b = find_block(in, inputs[i]->id);
        ASSERT(b != NULL);
        TRY(block_open(b, s));
        r->first[r->n] = t->n;
        r->ns[r->n++] = inputs[i]->received.min_ns;
        time_range_join(received, inputs[i]->received);
        for (uint32_t g = 0; g < block_n_groups(b); g++)
            TRY(block_load(b, s, g, 0, block_group_rows(b, g), t));
    }
    span_table_publish(t);
    return ERR_OK;
}

static enum err merge_into(struct ingest *in, const struct block_meta *const *inputs, uint32_t n,
                           struct block_scan *s, struct span_table *t, struct block_meta *out) {
    struct received_rows rows = { .n = 0 };
    struct arena a;
    bool *split = NULL;
    char id[ULID_LEN + 1];
    uint8_t level = 0;
    struct block_write_opts o = { .store = in->opts.store,
                                  .tenant = in->opts.tenant,
                                  .id = id,
                                  .table = t,
                                  .received_ns = received_of,
                                  .received_ctx = &rows,
                                  .received = TIME_RANGE_NONE,
                                  .version = in->opts.version,
                                  .budget = in->opts.build_budget };
    TRY(load_inputs(in, inputs, n, s, t, &rows, &o.received));
    for (uint32_t i = 0; i < n; i++) level = inputs[i]->level > level ? inputs[i]->level : level;
    o.level = level < UINT8_MAX ? (uint8_t)(level + 1) : level;
    o.n_rows = t->n;
    keep_block_id(in, id);
    arena_init(&a, SIZE_MAX, NULL);
    enum err e = split_with_others(in, inputs, n, s, t, &a, &split);
    o.is_split = split;
    if (e == ERR_OK) e = block_write(&o, out);
    arena_fini(&a);
    return e;
}

// After the output of a merge is written: commit it in the place of its inputs.
static bool commit_merge(struct ingest *in, const struct block_meta *const *inputs, uint32_t n,
                         const struct block_meta *merged) {
    char removed[MERGE_INPUTS_MAX][ULID_LEN + 1];
    for (uint32_t i = 0; i < n; i++) memcpy(removed[i], inputs[i]->id, sizeof removed[i]);
    if (!commit_and_show(in, &(struct catalog_change){ merged, removed, n, 0 }, "merge")) return false;
    atomic_fetch_add(&in->merges_total, 1);
    log_info("block.merged", KV_Z("block", merged->id), KV_U64("inputs", n),
             KV_U64("spans", merged->n_spans));
    return true;
}

static bool merge_small(struct ingest *in) {
    const struct block_meta *inputs[MERGE_INPUTS_MAX];
    struct block_meta merged;
    struct block_scan s;
    struct span_table t;
    uint32_t n = choose_inputs(in, inputs);
    if (n == 0 || block_scan_init(&s, NULL) != ERR_OK) return false;
    span_table_init(&t, SIZE_MAX, in->opts.build_budget);
    enum err e = merge_into(in, inputs, n, &s, &t, &merged);
    span_table_fini(&t);
    block_scan_fini(&s);
    if (e == ERR_OK) return commit_merge(in, inputs, n, &merged);
    log_error("merge.failed", KV_Z("error", err_text(e)));
    return false;
}

// --- merging large blocks, by copying --------------------------------------------------------------------

// Blocks of half a cut to four cuts are of tier 0, up to 32 cuts of tier 1.
static uint32_t tier_of(const struct ingest *in, const struct block_meta *m) {
    uint32_t tier = 0;
    for (uint64_t n = in->opts.cut_spans * 4ull; m->n_spans >= n && tier < COPY_TIERS; n *= 8) tier++;
    return tier;
}

static bool is_unmergeable(const struct ingest *in, const char *id) {
    for (uint32_t i = 0; i < UNMERGEABLE_MAX; i++)
        if (strcmp(in->unmergeable[i], id) == 0) return true;
    return false;
}

static uint32_t choose_copies(const struct ingest *in, const struct block_meta **out) {
    const struct block_meta *large[CATALOG_BLOCKS_MAX];
    uint32_t n_large = 0;
    for (uint32_t i = 0; i < in->catalog.n_blocks; i++) {
        const struct block_meta *m = &in->catalog.blocks[i];
        if (!is_small(in, m) && tier_of(in, m) < COPY_TIERS && !is_unmergeable(in, m->id))
            large[n_large++] = m;
    }
    if (n_large > 1) qsort(large, n_large, sizeof *large, by_received);
    for (uint32_t tier = 0; tier < COPY_TIERS; tier++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < n_large && n < COPY_INPUTS; i++) {
            if (tier_of(in, large[i]) != tier) continue;
            if (n && window_of(in, large[i]) != window_of(in, out[0])) n = 0;
            out[n++] = large[i];
        }
        if (n == COPY_INPUTS) return n;
    }
    return 0;
}

static enum err copy_into(struct ingest *in, const struct block_meta *const *inputs, uint32_t n,
                          struct block_meta *out) {
    char id[ULID_LEN + 1];
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct block **from = ARENA_ARRAY(&a, n, struct block *);
    struct block **others = ARENA_ARRAY(&a, in->n_blocks + 1ull, struct block *);
    uint32_t n_from = 0, n_others = 0;
    enum err e = from && others ? ERR_OK : ERR_NOMEM;
    for (uint32_t i = 0; i < n && e == ERR_OK; i++) from[n_from++] = find_block(in, inputs[i]->id);
    for (uint32_t b = 0; b < in->n_blocks && e == ERR_OK; b++) {
        bool is_input = false;
        for (uint32_t i = 0; i < n; i++) is_input |= in->blocks[b] == from[i];
        if (!is_input) others[n_others++] = in->blocks[b];
    }
    keep_block_id(in, id);
    struct block_merge_opts o = { .store = in->opts.store,
                                  .tenant = in->opts.tenant,
                                  .id = id,
                                  .version = in->opts.version,
                                  .budget = in->opts.build_budget,
                                  .inputs = from,
                                  .n_inputs = n_from,
                                  .others = others,
                                  .n_others = n_others };
    if (e == ERR_OK) e = block_merge(&o, out);
    arena_fini(&a);
    return e;
}

static bool merge_large(struct ingest *in) {
    const struct block_meta *inputs[COPY_INPUTS];
    struct block_meta merged;
    uint32_t n = choose_copies(in, inputs);
    if (n == 0) return false;
    enum err e = copy_into(in, inputs, n, &merged);
    if (e == ERR_OK) return commit_merge(in, inputs, n, &merged);
    // Blocks whose columns do not go together stay apart; the oldest steps aside for its neighbours.
    if (e == ERR_UNSUPPORTED)
        memcpy(in->unmergeable[in->n_unmergeable++ % UNMERGEABLE_MAX], inputs[0]->id, ULID_LEN + 1);
    log_warn("merge.copy_failed", KV_Z("oldest", inputs[0]->id), KV_Z("error", err_text(e)));
    return e == ERR_UNSUPPORTED;
}

static bool merge_step(struct ingest *in) {
    return in->opts.merge && (merge_small(in) || merge_large(in));
}

// --- retention and the disk budget ------------------------------------------------------------------------

static uint64_t remove_blocks(struct ingest *in, const struct block_meta *const *blocks, uint32_t n,
                              const char *what) {
    char removed[REMOVE_MAX][ULID_LEN + 1];
    uint64_t spans = 0;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(removed[i], blocks[i]->id, sizeof removed[i]);
        spans += blocks[i]->n_spans;
    }
    if (!commit_and_show(in, &(struct catalog_change){ NULL, removed, n, 0 }, what)) return 0;
    log_info("block.removed", KV_Z("for", what), KV_U64("blocks", n), KV_U64("spans", spans));
    return spans;
}

static bool expire_step(struct ingest *in) {
    const struct block_meta *old[REMOVE_MAX];
    uint32_t n = 0;
    uint64_t now = clock_unix_ns(in->opts.clock);
    if (in->opts.retention_ns == 0) return false;
    for (uint32_t i = 0; i < in->catalog.n_blocks && n < REMOVE_MAX; i++)
        if (in->catalog.blocks[i].received.max_ns + in->opts.retention_ns < now)
            old[n++] = &in->catalog.blocks[i];
    if (n == 0) return false;
    uint64_t spans = remove_blocks(in, old, n, "retention");
    atomic_fetch_add(&in->expired_spans_total, spans);
    return spans > 0;
}

static uint64_t stored_bytes(struct ingest *in) {
    struct wal_stats w;
    uint64_t bytes = 0;
    wal_stats(in->wal, &w);
    for (uint32_t i = 0; i < in->catalog.n_blocks; i++) bytes += in->catalog.blocks[i].bytes;
    return bytes + w.bytes;
}

// Room for one merge output is kept free.
static bool budget_step(struct ingest *in) {
    uint64_t budget = in->opts.disk_budget_bytes, reserve = in->opts.cut_bytes;
    if (budget == 0) return false;
    bool full = stored_bytes(in) + reserve > budget;
    if (full != in->disk_full) log_warn(full ? "disk.full" : "disk.free", KV_U64("budget", budget));
    in->disk_full = full && !in->opts.drop_oldest;
    if (!full || !in->opts.drop_oldest || in->catalog.n_blocks == 0) return false;
    const struct block_meta *oldest = &in->catalog.blocks[0];
    for (uint32_t i = 1; i < in->catalog.n_blocks; i++)
        if (in->catalog.blocks[i].received.min_ns < oldest->received.min_ns) oldest = &in->catalog.blocks[i];
    uint64_t spans = remove_blocks(in, &oldest, 1, "disk_budget");
    atomic_fetch_add(&in->dropped_spans_total, spans);
    atomic_fetch_add(&in->dropped_blocks_total, spans ? 1 : 0);
    return spans > 0;
}

bool keep_house(struct ingest *in) {
    if (expire_step(in) || budget_step(in) || merge_step(in) || judge_step(in)) return true;
    enum err e =
        catalog_clean(in->opts.store, in->opts.tenant, in->catalog.number, clock_unix_ns(in->opts.clock));
    if (e != ERR_OK) log_warn("catalog.clean_failed", KV_Z("error", err_text(e)));
    return false;
}
