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
    TIER_INPUTS = 8,       // other blocks become one when there are so many of a size
    TIERS = 4,             // blocks of 32 cuts and more stay as they are
    REMOVE_MAX = 256,
    LISTS_EVERY = 64, // snapshots between two sweeps of the catalog's lists
};

enum err keep_change(struct ingest *in, const struct catalog_change *c, const char *what) {
    enum err e = keep_commit(in, c);
    if (e != ERR_OK) {
        log_error("catalog.commit_failed", KV_Z("for", what), KV_Z("error", err_text(e)));
        for (uint32_t i = 0; i < c->n_added; i++)
            if (!keep_may_live(in, c->added[i].id))
                block_remove_files(in->opts.store, in->opts.tenant, c->added[i].id);
    }
    mutex_lock(&in->lock); // what a failed commit reread is shown too, but nothing is let go
    keep_show(in, e == ERR_OK ? c : &(struct catalog_change){ 0 });
    mutex_unlock(&in->lock);
    return e;
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

// Cuts of few spans are merged with their neighbours; all else by size.
static bool is_small_cut(const struct ingest *in, const struct block_meta *m) {
    return m->level == 0 && m->n_spans < in->opts.cut_spans / 2;
}

static bool is_unmergeable(const struct ingest *in, const char *id) {
    for (uint32_t i = 0; i < in->n_unmergeable; i++)
        if (strcmp(in->unmergeable[i], id) == 0) return true;
    return false;
}

static struct block *find_block(struct ingest *in, const char *id) {
    for (uint32_t i = 0; i < in->n_blocks; i++)
        if (strcmp(block_meta(in->blocks[i])->id, id) == 0) return in->blocks[i];
    return NULL;
}

// false: there is no memory.
static bool set_aside(struct ingest *in, const char *id) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < in->n_unmergeable; i++) // of those that are gone nobody asks any more
        if (find_block(in, in->unmergeable[i]))
            memmove(in->unmergeable[n++], in->unmergeable[i], ULID_LEN + 1);
    in->n_unmergeable = n;
    char(*more)[ULID_LEN + 1] = mem_realloc(in->unmergeable, (n + 1ull) * sizeof *more);
    if (!more) return false;
    in->unmergeable = more;
    memcpy(more[in->n_unmergeable++], id, ULID_LEN + 1);
    return true;
}

static int by_received(const void *x, const void *y) {
    const struct block_meta *a = *(const struct block_meta *const *)x,
                            *b = *(const struct block_meta *const *)y;
    if (a->received.min_ns != b->received.min_ns) return a->received.min_ns < b->received.min_ns ? -1 : 1;
    return strcmp(a->id, b->id);
}

// Their row groups are written anew only once, so they wait for each other: until they are enough
// for a row group that need not be, the window is over, or there are very many.
static bool is_worth(const struct ingest *in, const struct block_meta *const *small, uint32_t n,
                     uint64_t spans) {
    uint64_t now = clock_unix_ns(in->opts.clock), enough = in->opts.cut_spans / 8;
    if (n < MERGE_MIN) return false;
    return n == MERGE_INPUTS_MAX || spans >= enough || now / window_ns(in) > window_of(in, small[0]);
}

// The next small cuts to merge: neighbours in received time, of one window, that fit one head together.
// `small` has room for all blocks.
static uint32_t choose_small(const struct ingest *in, const struct block_meta **small,
                             const struct block_meta **out) {
    uint32_t n_small = 0;
    for (uint32_t i = 0; i < in->catalog.n_blocks; i++) {
        const struct block_meta *m = &in->catalog.blocks[i];
        if (is_small_cut(in, m) && !is_unmergeable(in, m->id)) small[n_small++] = m;
    }
    if (n_small > 1) qsort(small, n_small, sizeof *small, by_received);
    for (uint32_t from = 0, to; from < n_small; from = to) {
        uint64_t spans = 0;
        for (to = from; to < n_small && to - from < MERGE_INPUTS_MAX; to++) {
            if (window_of(in, small[to]) != window_of(in, small[from])) break;
            if (spans + small[to]->n_spans > in->opts.cut_spans) break;
            spans += small[to]->n_spans;
        }
        if (to == from) to++;
        if (!is_worth(in, small + from, to - from, spans)) continue;
        for (uint32_t i = from; i < to; i++) out[i - from] = small[i];
        return to - from;
    }
    return 0;
}

// Sizes grow by eight: 0 under a sixteenth of a cut, then up to half a cut, four, 32.
static uint32_t tier_of(const struct ingest *in, const struct block_meta *m) {
    uint32_t tier = 0;
    for (uint64_t n = in->opts.cut_spans / 16 + 1; m->n_spans >= n && tier < TIERS; n *= 8) tier++;
    return tier;
}

// The next blocks of one size and one window. `blocks` has room for all.
static uint32_t choose_tier(const struct ingest *in, const struct block_meta **blocks,
                            const struct block_meta **out) {
    uint32_t n_blocks = 0;
    for (uint32_t i = 0; i < in->catalog.n_blocks; i++) {
        const struct block_meta *m = &in->catalog.blocks[i];
        if (!is_small_cut(in, m) && tier_of(in, m) < TIERS && !is_unmergeable(in, m->id))
            blocks[n_blocks++] = m;
    }
    if (n_blocks > 1) qsort(blocks, n_blocks, sizeof *blocks, by_received);
    for (uint32_t tier = 0; tier < TIERS; tier++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < n_blocks && n < TIER_INPUTS; i++) {
            if (tier_of(in, blocks[i]) != tier) continue;
            if (n && window_of(in, blocks[i]) != window_of(in, out[0])) n = 0;
            out[n++] = blocks[i];
        }
        if (n == TIER_INPUTS) return n;
    }
    return 0;
}

static uint32_t choose_inputs(const struct ingest *in, const struct block_meta **out) {
    const struct block_meta **scratch = mem_alloc((in->catalog.n_blocks + 1ull) * sizeof *scratch);
    if (!scratch) return 0;
    uint32_t n = choose_small(in, scratch, out);
    if (n == 0) n = choose_tier(in, scratch, out);
    mem_free(scratch);
    return n;
}

// After the output of a merge is written: commit it in the place of its inputs.
static bool commit_merge(struct ingest *in, const struct block_meta *const *inputs, uint32_t n,
                         const struct block_meta *merged) {
    char removed[MERGE_INPUTS_MAX][ULID_LEN + 1];
    for (uint32_t i = 0; i < n; i++) memcpy(removed[i], inputs[i]->id, sizeof removed[i]);
    struct catalog_change change = { .added = merged, .n_added = 1, .removed = removed, .n_removed = n };
    if (keep_change(in, &change, "merge") != ERR_OK) return false;
    atomic_fetch_add(&in->merges_total, 1);
    log_info("block.merged", KV_Z("block", merged->id), KV_U64("inputs", n),
             KV_U64("spans", merged->n_spans));
    return true;
}

static enum err merge_into(struct ingest *in, const struct block_meta *const *inputs, uint32_t n,
                           struct block_meta *out, struct err_ctx *why) {
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
                                  .encode_bytes = in->opts.cut_bytes,
                                  .inputs = from,
                                  .n_inputs = n_from,
                                  .others = others,
                                  .n_others = n_others,
                                  .why = why };
    if (e == ERR_OK) e = block_merge(&o, out);
    arena_fini(&a);
    return e;
}

// Would it fail again?
static bool is_final(enum err e) {
    return e == ERR_UNSUPPORTED || e == ERR_LIMIT || e == ERR_CORRUPT || e == ERR_NOMEM;
}

static bool merge_step(struct ingest *in) {
    const struct block_meta *inputs[MERGE_INPUTS_MAX];
    struct block_meta merged;
    if (!in->opts.merge) return false;
    uint32_t n = choose_inputs(in, inputs);
    if (n == 0) return false;
    struct err_ctx why = { 0 };
    enum err e = merge_into(in, inputs, n, &merged, &why);
    if (e == ERR_OK) return commit_merge(in, inputs, n, &merged);
    // Blocks that do not go together stay apart; the oldest steps aside for its neighbours.
    bool aside = is_final(e) && set_aside(in, inputs[0]->id);
    log_warn("merge.failed", KV_Z("oldest", inputs[0]->id), KV_U64("blocks", n),
             KV_Z("error", why.text[0] ? why.text : err_text(e)),
             KV_Z("then", aside ? "the oldest stays as it is" : "tried again later"));
    return aside;
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
    if (keep_change(in, &(struct catalog_change){ .removed = removed, .n_removed = n }, what) != ERR_OK)
        return 0;
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

static uint64_t beside_bytes(const struct ingest *in) {
    return in->opts.beside ? in->opts.beside(in->opts.beside_ctx) : 0;
}

static uint64_t stored_bytes(struct ingest *in) {
    struct wal_stats w;
    uint64_t bytes = 0;
    wal_stats(in->wal, &w);
    for (uint32_t i = 0; i < in->catalog.n_blocks; i++) bytes += in->catalog.blocks[i].bytes;
    return bytes + w.bytes;
}

// Room for one merge output is kept free.
static uint64_t usable_bytes(const struct ingest *in) {
    uint64_t budget = in->opts.disk_budget_bytes, reserve = in->opts.cut_bytes;
    return budget > reserve ? budget - reserve : 0;
}

bool ingest_has_room(struct ingest *in) {
    if (in->opts.disk_budget_bytes == 0) return true;
    if (in->disk_full) return false;
    uint64_t movable = in->opts.drop_oldest ? 0 : in->stored_bytes;
    return movable + beside_bytes(in) <= usable_bytes(in);
}

static bool budget_step(struct ingest *in) {
    uint64_t budget = in->opts.disk_budget_bytes, beside = beside_bytes(in), bytes = stored_bytes(in);
    if (budget == 0) return false;
    in->stored_bytes = bytes;
    bool full = bytes + beside > usable_bytes(in);
    // What others keep stays: where it fills the budget alone, no block that goes makes room.
    bool drops = in->opts.drop_oldest && beside <= usable_bytes(in), refuses = full && !drops;
    if (refuses != in->disk_full)
        log_warn(refuses ? "disk.full" : "disk.free", KV_U64("budget", budget),
                 KV_U64("used", bytes + beside), KV_U64("facts", beside));
    in->disk_full = refuses;
    if (!full || !drops || in->catalog.n_blocks == 0) return false;
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
    if (e == ERR_OK && in->catalog.number >= in->lists_swept + LISTS_EVERY) e = keep_sweep_lists(in);
    if (e != ERR_OK) log_warn("catalog.clean_failed", KV_Z("error", err_text(e)));
    return false;
}
