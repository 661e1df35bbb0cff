// SPDX-License-Identifier: Apache-2.0
// The keeper: frozen heads become blocks; a block lives once a snapshot of the catalog names it,
// and the same snapshot lets go of the part of the log that it covers.
#include <malloc.h>

#include "base/log.h"
#include "base/pool.h"
#include "block/writer.h"
#include "ingest/keep.h"
#include "os/random.h"

#define TICK_NS 10000000000ull
enum { COMMIT_TRIES = 5 };

void keep_block_id(struct ingest *in, char out[ULID_LEN + 1]) {
    uint8_t random[10];
    random_bytes(random, sizeof random);
    ulid_make(clock_unix_ns(in->opts.clock) / 1000000, random, out);
}

// --- the catalog -------------------------------------------------------------------------------------

void keep_load_blocks(struct ingest *in) {
    for (uint32_t i = 0; i < in->n_blocks; i++) block_unref(in->blocks[i]);
    in->n_blocks = 0;
    mem_free(in->blocks);
    in->blocks = mem_zalloc((in->catalog.n_blocks + 1ull) * sizeof(struct block *));
    ASSERT(in->blocks != NULL);
    for (uint32_t i = 0; i < in->catalog.n_blocks; i++) {
        enum err e = block_new(in->opts.store, in->opts.tenant, &in->catalog.blocks[i], &in->blocks[i]);
        ASSERT(e == ERR_OK);
        in->n_blocks++;
    }
}

static bool is_among(const char *id, const char (*ids)[ULID_LEN + 1], uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(ids[i], id) == 0) return true;
    return false;
}

static bool names_block(const struct catalog *c, const char *id) {
    for (uint32_t i = 0; i < c->n_blocks; i++)
        if (strcmp(c->blocks[i].id, id) == 0) return true;
    return false;
}

static enum err next_catalog(struct ingest *in, struct arena *a, const struct catalog_change *c,
                             struct catalog *out) {
    const struct catalog *now = &in->catalog;
    *out = (struct catalog){ .number = now->number + 1,
                             .time_ns = clock_unix_ns(in->opts.clock),
                             .nodes = ARENA_ARRAY(a, now->n_nodes + 2ull, struct catalog_node),
                             .blocks = ARENA_ARRAY(a, now->n_blocks + c->n_added + 1ull, struct block_meta) };
    if (!out->nodes || !out->blocks) return ERR_NOMEM;
    if (now->n_nodes) memcpy(out->nodes, now->nodes, now->n_nodes * sizeof *out->nodes);
    out->n_nodes = now->n_nodes;
    for (uint32_t i = 0; i < now->n_blocks; i++)
        if (!is_among(now->blocks[i].id, c->removed, c->n_removed))
            out->blocks[out->n_blocks++] = now->blocks[i];
    for (uint32_t i = 0; i < c->n_added; i++)
        if (!names_block(now, c->added[i].id)) out->blocks[out->n_blocks++] = c->added[i];
    if (out->n_blocks > CATALOG_BLOCKS_MAX) return ERR_LIMIT;
    if (c->covered_seq) catalog_cover(out, in->node, c->covered_seq);
    return ERR_OK;
}

// Blocks keep their order, so the one that is wanted is nearly always among the first few from `at` on.
static struct block *find_open(const struct ingest *in, const char *id, uint32_t *at) {
    for (uint32_t n = in->n_blocks, k = *at; n > 0; n--, k++) {
        if (k == in->n_blocks) k = 0;
        if (memcmp(block_meta(in->blocks[k])->id, id, ULID_LEN) != 0) continue;
        *at = k + 1;
        return in->blocks[k];
    }
    return NULL;
}

// Puts the block list in step with the new catalog: blocks that stay keep their open files.
static enum err swap_blocks(struct ingest *in, const struct catalog *next) {
    struct block **blocks = mem_zalloc((next->n_blocks + 1ull) * sizeof *blocks);
    uint32_t n = 0, at = 0;
    if (!blocks) return ERR_NOMEM;
    for (uint32_t i = 0; i < next->n_blocks; i++) {
        struct block *open = find_open(in, next->blocks[i].id, &at);
        enum err e = ERR_OK;
        if (open)
            blocks[n] = block_ref(open);
        else
            e = block_new(in->opts.store, in->opts.tenant, &next->blocks[i], &blocks[n]);
        if (e != ERR_OK) {
            while (n) block_unref(blocks[--n]);
            mem_free(blocks);
            return e;
        }
        n++;
    }
    struct block **old = in->blocks;
    uint32_t n_old = in->n_blocks;
    in->blocks = blocks;
    in->n_blocks = n;
    for (uint32_t i = 0; i < n_old; i++) block_unref(old[i]);
    mem_free(old);
    return ERR_OK;
}

static void mark_removed(struct ingest *in, const struct catalog_change *c) {
    for (uint32_t i = 0; i < in->n_blocks; i++)
        if (is_among(block_meta(in->blocks[i])->id, c->removed, c->n_removed)) block_mark_dead(in->blocks[i]);
}

static void take_catalog(struct ingest *in, struct arena a, const struct catalog *c) {
    mutex_lock(&in->lock);
    arena_fini(&in->catalog_arena);
    in->catalog_arena = a;
    in->catalog = *c;
    mutex_unlock(&in->lock);
}

static enum err reload_catalog(struct ingest *in) {
    struct arena a;
    struct catalog c;
    struct err_ctx ctx = { 0 };
    arena_init(&a, SIZE_MAX, NULL);
    enum err e = catalog_load(in->opts.store, in->opts.tenant, &a, &c, &ctx);
    if (e != ERR_OK) {
        arena_fini(&a);
        return e;
    }
    take_catalog(in, a, &c);
    return ERR_OK;
}

// A snapshot whose commit failed may be there all the same, though perhaps not for good. Trying
// again finds that out: then its number is taken, what is there names the change already, and the
// next number makes both durable.
enum err keep_commit(struct ingest *in, const struct catalog_change *change) {
    enum err e = ERR_UNAVAILABLE;
    for (int i = 0; i < COMMIT_TRIES; i++) {
        struct arena a;
        struct catalog next;
        arena_init(&a, SIZE_MAX, NULL);
        e = next_catalog(in, &a, change, &next);
        if (e == ERR_OK) e = catalog_commit(in->opts.store, in->opts.tenant, &in->catalog, &next, &a);
        if (e == ERR_OK) {
            take_catalog(in, a, &next);
            return ERR_OK;
        }
        arena_fini(&a);
        if (e == ERR_EXISTS) TRY(reload_catalog(in));
    }
    return e == ERR_EXISTS ? ERR_UNAVAILABLE : e;
}

bool keep_may_live(struct ingest *in, const char *id) {
    return reload_catalog(in) != ERR_OK || names_block(&in->catalog, id);
}

enum err keep_sweep_lists(struct ingest *in) {
    uint32_t n;
    TRY(catalog_sweep_lists(in->opts.store, in->opts.tenant, &in->catalog, &n));
    in->lists_swept = in->catalog.number;
    return ERR_OK;
}

// After a commit: blocks and view follow. Holding the lock. A view that cannot be made for want of
// memory is not a lost commit: the next one shows it.
void keep_show(struct ingest *in, const struct catalog_change *change) {
    mark_removed(in, change);
    enum err e = swap_blocks(in, &in->catalog);
    if (e == ERR_OK) e = view_publish(in);
    if (e != ERR_OK) log_error("view.failed", KV_Z("error", err_text(e)));
}

// --- cutting -----------------------------------------------------------------------------------------

// Marks the traces of the head that live blocks hold too.
static enum err mark_split(struct ingest *in, const struct span_table *t, struct arena *a, bool **out) {
    struct block_scan s;
    uint32_t n = t->n_traces;
    bool *held = arena_zalloc(a, n + 1ull);
    const uint8_t **ids = ARENA_ARRAY(a, n + 1ull, const uint8_t *);
    if (!held || !ids) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) ids[i] = span_trace_at(t, i)->id;
    TRY(block_scan_init(&s, NULL));
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < in->n_blocks && e == ERR_OK; i++)
        e = block_hold_many(in->blocks[i], &s, ids, n, held);
    block_scan_fini(&s);
    *out = held;
    return e;
}

// The blocks that were committed last, the newest first; a restart finds the same. Returns how many.
static uint32_t newest_blocks(const struct ingest *in, struct block *out[BLOCK_LIKE_MAX]) {
    uint32_t n = 0;
    while (n < BLOCK_LIKE_MAX && n < in->n_blocks) {
        out[n] = in->blocks[in->n_blocks - 1 - n];
        n++;
    }
    return n;
}

static enum err write_block(struct ingest *in, struct head *h, struct block_meta *meta) {
    char id[ULID_LEN + 1];
    struct arena a;
    bool *split = NULL;
    struct block *like[BLOCK_LIKE_MAX];
    struct judge_notes notes;
    arena_init(&a, SIZE_MAX, NULL);
    keep_block_id(in, id);
    enum err e = mark_split(in, &h->table, &a, &split);
    struct block_write_opts o = { .store = in->opts.store,
                                  .tenant = in->opts.tenant,
                                  .id = id,
                                  .table = &h->table,
                                  .n_rows = span_table_count(&h->table),
                                  .received_ns = head_received_ns,
                                  .received_ctx = h,
                                  .received = { h->received_min_ns, h->received_max_ns },
                                  .version = in->opts.version,
                                  .on_trace = judge_note,
                                  .on_trace_ctx = &notes,
                                  .budget = in->opts.build_budget };
    o.is_split = split;
    o.like = like;
    o.n_like = newest_blocks(in, like);
    notes = (struct judge_notes){ .table = &h->table, .held = split, .arena = &a };
    if (e == ERR_OK) e = block_write(&o, meta);
    if (e == ERR_NOMEM && o.budget) { // a head that is never written blocks all others
        log_warn("block.over_budget", KV_U64("spans", o.n_rows));
        o.budget = NULL;
        notes = (struct judge_notes){ .table = &h->table, .held = split, .arena = &a };
        e = block_write(&o, meta);
    }
    if (e == ERR_OK) judge_take(in, &notes);
    arena_fini(&a);
    return e;
}

// When the commit fails the block stays for the next try: the snapshot may name it already.
enum err keep_cut(struct ingest *in, struct head *h) {
    struct block_meta *block = &in->written;
    uint32_t n = span_table_count(&h->table);
    struct catalog_change change = { .covered_seq = h->last_seq };
    if (n > 0) {
        if (in->written_of != h) TRY(write_block(in, h, block));
        in->written_of = h;
        change.added = block;
        change.n_added = 1;
    }
    if (n > 0 && in->opts.sink.settle) TRY(in->opts.sink.settle(in->opts.sink.ctx));
    TRY(keep_commit(in, &change));
    in->written_of = NULL;
    atomic_fetch_add(&in->cuts_total, 1);
    if (n > 0) atomic_fetch_add(&in->equal_spans_total, n - block->n_spans);
    log_info("block.cut", KV_Z("block", n ? block->id : ""), KV_U64("spans", n ? block->n_spans : 0),
             KV_U64("bytes", n ? block->bytes : 0), KV_U64("covered", h->last_seq));
    return ERR_OK;
}

// Whoever waits for blocks hears that they cannot be written. Holding the lock.
static void answer_flushes(struct ingest *in, enum err e) {
    struct request_list flushes;
    list_init(&flushes);
    for (uint32_t i = 0; i < in->n_frozen; i++) list_move(&in->frozen[i].flushes, &flushes);
    mutex_unlock(&in->lock);
    for (struct ingest_request *rq; (rq = list_take(&flushes));) request_done(rq, e);
    mutex_lock(&in->lock);
}

// What came before them is in blocks. Holding the lock.
static void answer_flushed(struct ingest *in, struct request_list *flushes) {
    for (struct ingest_request *rq; (rq = list_take(flushes));) {
        if (rq->is_delete) {
            list_add(&in->deletes, rq);
            continue;
        }
        mutex_unlock(&in->lock);
        request_done(rq, ERR_OK);
        mutex_lock(&in->lock);
    }
}

// The oldest frozen head becomes a block. Holding the lock.
static void cut_oldest(struct ingest *in) {
    struct head *h = in->frozen[0].head;
    mutex_unlock(&in->lock);
    enum err e = keep_cut(in, h);
    mutex_lock(&in->lock);
    if (e != ERR_OK) {
        atomic_fetch_add(&in->cut_failures_total, 1);
        log_error("block.cut_failed", KV_Z("error", err_text(e)));
        in->cut_error = e;
        answer_flushes(in, e);
        cond_broadcast(&in->frozen_changed);
        if (!in->stopping) (void)cond_wait_for(&in->frozen_changed, &in->lock, in->opts.retry_ns);
        return;
    }
    struct request_list flushes;
    in->cut_error = ERR_OK;
    list_init(&flushes);
    list_move(&in->frozen[0].flushes, &flushes);
    for (uint32_t i = 1; i < in->n_frozen; i++) {
        in->frozen[i - 1].head = in->frozen[i].head;
        list_init(&in->frozen[i - 1].flushes);
        list_move(&in->frozen[i].flushes, &in->frozen[i - 1].flushes);
    }
    in->n_frozen--;
    in->trim_to = in->catalog.n_nodes ? catalog_covered(&in->catalog, in->node) : 0;
    keep_show(in, &(struct catalog_change){ 0 });
    cond_broadcast(&in->frozen_changed);
    cond_signal(&in->submitted);
    mutex_unlock(&in->lock);
    head_unref(h);
    mutex_lock(&in->lock);
    answer_flushed(in, &flushes);
}

// Holding the lock.
static void delete_next(struct ingest *in) {
    struct ingest_request *rq = list_take(&in->deletes);
    mutex_unlock(&in->lock);
    enum err e = rq->is_everything ? keep_delete_everything(in, &rq->n_deleted)
                                   : keep_delete(in, rq->trace_id, &rq->n_deleted);
    request_done(rq, e);
    mutex_lock(&in->lock);
}

void keep_run(void *ctx) {
    struct ingest *in = ctx;
    mutex_lock(&in->lock);
    while (!in->stopping) {
        in->keeper_busy = true;
        in->want_keeper = false;
        if (in->deletes.n > 0) {
            delete_next(in);
            continue;
        }
        if (in->n_frozen > 0) {
            cut_oldest(in);
            continue;
        }
        mutex_unlock(&in->lock);
        bool again = keep_house(in);
        mutex_lock(&in->lock);
        if (again || in->want_keeper || in->stopping) continue; // what came meanwhile woke nobody
        in->keeper_busy = false;
        // The next head gets the memory of the last one. What nobody wanted for a while goes back.
        if (cond_wait_for(&in->frozen_changed, &in->lock, TICK_NS)) continue;
        arena_pool_trim();
        pool_trim();
        malloc_trim(0);
    }
    in->keeper_busy = false;
    mutex_unlock(&in->lock);
}
