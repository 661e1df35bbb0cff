// SPDX-License-Identifier: Apache-2.0
// A trace is deleted by writing the blocks that hold it anew without it, row groups that do not
// hold it byte for byte, and naming them in the place of the old ones in one snapshot. So what is deleted
// is gone for every reader at once, and no reader need know of deletions.
#include "base/log.h"
#include "block/merge.h"
#include "ingest/keep.h"

enum { HOLDERS_MAX = 256 };

struct deletion {
    struct ingest *in;
    const uint8_t (*id)[16];
    struct block_scan scan;
    struct block *holders[HOLDERS_MAX];
    char removed[HOLDERS_MAX][ULID_LEN + 1];
    bool is_all[HOLDERS_MAX]; // nothing else is in it
    uint32_t n_holders;
    struct block_meta added[HOLDERS_MAX];
    uint32_t n_added;
    uint64_t n_spans;
};

static enum err find_holders(struct deletion *d) {
    for (uint32_t i = 0; i < d->in->n_blocks; i++) {
        struct block_run runs[BLOCK_RUNS_MAX];
        struct block *b = d->in->blocks[i];
        uint32_t n;
        uint64_t rows = 0;
        TRY(block_find(b, &d->scan, *d->id, runs, &n));
        for (uint32_t k = 0; k < n; k++) rows += runs[k].n;
        if (rows == 0) continue;
        if (d->n_holders == HOLDERS_MAX) return ERR_LIMIT;
        d->is_all[d->n_holders] = rows == block_meta(b)->n_spans;
        memcpy(d->removed[d->n_holders], block_meta(b)->id, ULID_LEN + 1);
        d->holders[d->n_holders++] = b;
        d->n_spans += rows;
    }
    return d->n_holders ? ERR_OK : ERR_NOT_FOUND;
}

static enum err write_without(struct deletion *d, struct block *b) {
    struct ingest *in = d->in;
    struct arena a;
    char id[ULID_LEN + 1];
    arena_init(&a, SIZE_MAX, NULL);
    struct block **others = ARENA_ARRAY(&a, in->n_blocks + 1ull, struct block *);
    uint32_t n_others = 0;
    for (uint32_t i = 0; others && i < in->n_blocks; i++)
        if (in->blocks[i] != b) others[n_others++] = in->blocks[i];
    keep_block_id(in, id);
    struct block_merge_opts o = { .store = in->opts.store,
                                  .tenant = in->opts.tenant,
                                  .id = id,
                                  .version = in->opts.version,
                                  .encode_bytes = in->opts.cut_bytes,
                                  .inputs = &b,
                                  .n_inputs = 1,
                                  .others = others,
                                  .n_others = n_others,
                                  .dropped = d->id,
                                  .n_dropped = 1 };
    enum err e = others ? block_merge(&o, &d->added[d->n_added]) : ERR_NOMEM;
    d->n_added += e == ERR_OK;
    arena_fini(&a);
    return e;
}

static enum err replace(struct deletion *d) {
    struct ingest *in = d->in;
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < d->n_holders && e == ERR_OK; i++)
        if (!d->is_all[i]) e = write_without(d, d->holders[i]);
    if (e == ERR_OK)
        return keep_change(
            in,
            &(struct catalog_change){
                .added = d->added, .n_added = d->n_added, .removed = d->removed, .n_removed = d->n_holders },
            "deletion");
    for (uint32_t i = 0; i < d->n_added; i++)
        block_remove_files(in->opts.store, in->opts.tenant, d->added[i].id);
    return e;
}

enum err keep_delete(struct ingest *in, const uint8_t id[16], uint64_t *out_n) {
    struct deletion *d = mem_zalloc(sizeof *d);
    *out_n = 0;
    if (!d) return ERR_NOMEM;
    d->in = in;
    d->id = (const uint8_t(*)[16])id;
    enum err e = block_scan_init(&d->scan, NULL);
    if (e == ERR_OK) e = find_holders(d);
    block_scan_fini(&d->scan);
    if (e == ERR_OK) e = replace(d);
    if (e == ERR_OK) {
        *out_n = d->n_spans;
        atomic_fetch_add(&in->deleted_traces_total, 1);
        atomic_fetch_add(&in->deleted_spans_total, d->n_spans);
        log_info("trace.deleted", KV_U64("blocks", d->n_holders), KV_U64("spans", d->n_spans));
    } else if (e != ERR_NOT_FOUND)
        log_error("trace.delete_failed", KV_Z("error", err_text(e)));
    mem_free(d);
    return e;
}

enum err keep_delete_everything(struct ingest *in, uint64_t *out_n) {
    uint32_t n = in->n_blocks;
    uint64_t n_spans = 0, n_traces = 0;
    char(*removed)[ULID_LEN + 1] = mem_zalloc((n + 1ull) * sizeof *removed);
    *out_n = 0;
    if (!removed) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const struct block_meta *m = block_meta(in->blocks[i]);
        memcpy(removed[i], m->id, ULID_LEN + 1);
        n_spans += m->n_spans;
        n_traces += m->n_traces;
    }
    enum err e = ERR_NOT_FOUND;
    if (n > 0)
        e = keep_change(in, &(struct catalog_change){ .removed = removed, .n_removed = n }, "deletion");
    mem_free(removed);
    if (e != ERR_OK) return e;
    *out_n = n_spans;
    atomic_fetch_add(&in->deleted_traces_total, n_traces);
    atomic_fetch_add(&in->deleted_spans_total, n_spans);
    log_info("traces.deleted", KV_U64("blocks", n), KV_U64("spans", n_spans));
    return ERR_OK;
}
