// SPDX-License-Identifier: Apache-2.0
// What reaches the simulated disk: by a sync, by a sync that fails, and when the power goes.
#include "os/disk_sim_internal.h"

#include "base/hash.h"

uint64_t sim_rand(struct disk_sim *s) {
    s->rand += 0x9e3779b97f4a7c15u;
    return hash_u64(s->rand);
}

bool sim_reserve_bytes(struct buf *b, uint64_t extra) {
    if (buf_reserve(b, extra)) return true;
    b->failed = false;
    return false;
}

static bool grow_to(struct buf *b, uint64_t size) {
    if (size <= b->len) return true;
    if (!sim_reserve_bytes(b, size - b->len)) return false;
    memset(b->ptr + b->len, 0, size - b->len);
    b->len = size;
    return true;
}

static bool put_bytes(struct buf *b, uint64_t off, struct str bytes) {
    if (!grow_to(b, off + bytes.len)) return false;
    if (bytes.len) memcpy(b->ptr + off, bytes.ptr, bytes.len);
    return true;
}

static bool resize(struct buf *b, uint64_t size) {
    if (size < b->len) b->len = size;
    return grow_to(b, size);
}

static void forget_changes(struct sim_node *n) {
    n->head = NULL;
    n->tail = &n->head;
}

enum err sim_sync_all(struct sim_node *n) {
    for (struct sim_change *c = n->head; c; c = c->next) {
        bool ok = c->is_truncate ? resize(&n->durable, c->off) : put_bytes(&n->durable, c->off, c->bytes);
        if (!ok) return ERR_NOMEM;
    }
    forget_changes(n);
    return ERR_OK;
}

// A sector (or less, at the ends of a write) of one pending change.
struct piece {
    const struct sim_change *change;
    uint64_t from, len; // inside the change's bytes
};

static enum err cut_into_pieces(const struct sim_node *n, struct buf *pieces) {
    for (struct sim_change *c = n->head; c; c = c->next) {
        struct piece p = { .change = c };
        do {
            uint64_t sector_left = DISK_SIM_SECTOR - (c->off + p.from) % DISK_SIM_SECTOR;
            uint64_t left = c->bytes.len - p.from;
            p.len = left < sector_left ? left : sector_left;
            buf_add(pieces, &p, sizeof p);
            p.from += p.len;
        } while (!c->is_truncate && p.from < c->bytes.len);
    }
    return pieces->failed ? ERR_NOMEM : ERR_OK;
}

static bool apply_piece(struct disk_sim *s, struct buf *b, const struct piece *p, bool may_tear) {
    const struct sim_change *c = p->change;
    if (c->is_truncate) return resize(b, c->off);
    struct str part = str_sub(c->bytes, p->from, p->len);
    if (may_tear && sim_below(s, 8) == 0) { // torn: the beginning or the end of the sector
        uint64_t cut = sim_below(s, part.len + 1);
        bool tail = sim_below(s, 2);
        part = tail ? str_sub(part, cut, part.len) : str_sub(part, 0, cut);
        return put_bytes(b, c->off + p->from + (tail ? cut : 0), part);
    }
    return put_bytes(b, c->off + p->from, part);
}

enum err sim_sync_some(struct disk_sim *s, struct sim_node *n, uint64_t p) {
    struct buf pieces;
    buf_init(&pieces, DISK_SIM_FILE_MAX);
    enum err e = cut_into_pieces(n, &pieces);
    struct piece *all = (struct piece *)(void *)pieces.ptr;
    size_t count = pieces.len / sizeof *all;
    uint64_t old_size = n->durable.len;
    for (size_t i = 0; e == ERR_OK && i < count; i++) { // any order: pick one of those left
        size_t pick = i + sim_below(s, count - i);
        struct piece swap = all[i];
        all[i] = all[pick], all[pick] = swap;
        if (sim_below(s, 4) < p && !apply_piece(s, &n->durable, &all[i], p < 4)) e = ERR_NOMEM;
    }
    uint64_t low = old_size < n->live.len ? old_size : n->live.len;
    uint64_t high = n->durable.len > n->live.len ? n->durable.len : n->live.len;
    uint64_t sizes[] = { n->durable.len, old_size, n->live.len, low + sim_below(s, high - low + 1) };
    if (e == ERR_OK && count && !resize(&n->durable, sizes[sim_below(s, 4)])) e = ERR_NOMEM;
    if (e == ERR_OK) forget_changes(n);
    buf_fini(&pieces);
    return e;
}

static enum err apply_dir_change(const struct sim_dir_change *c) {
    if (c->to_dir && !sim_reserve_bytes(&c->to_dir->durable, sizeof(struct sim_entry))) return ERR_NOMEM;
    if (c->dir) sim_remove(&c->dir->durable, c->name, c->node);
    if (c->to_dir) sim_set(&c->to_dir->durable, c->to_name, c->node);
    return ERR_OK;
}

enum err sim_sync_dir(struct disk_sim *s, struct sim_node *dir) {
    struct sim_dir_change *all = (struct sim_dir_change *)(void *)s->dir_changes.ptr;
    size_t n = s->dir_changes.len / sizeof *all, kept = 0;
    enum err e = ERR_OK;
    for (size_t i = 0; i < n; i++) {
        bool mine = all[i].dir == dir || all[i].to_dir == dir;
        if (mine && e == ERR_OK) e = apply_dir_change(&all[i]);
        if (!mine || e != ERR_OK) all[kept++] = all[i];
    }
    s->dir_changes.len = kept * sizeof *all;
    return e;
}

static void mark(struct sim_node *n) {
    n->reachable = true;
    struct sim_entry *all = (struct sim_entry *)(void *)n->durable.ptr;
    size_t count = n->is_dir ? n->durable.len / sizeof *all : 0;
    for (size_t i = 0; i < count; i++) {
        all[i].node->n_links++;
        if (!all[i].node->reachable) mark(all[i].node);
    }
}

static enum err crash_locked(struct disk_sim *s) {
    uint64_t p_dir = sim_below(s, 5), p_data = sim_below(s, 5); // 0 = all is lost, 4 = all is kept
    struct sim_dir_change *all = (struct sim_dir_change *)(void *)s->dir_changes.ptr;
    for (size_t i = 0; i < s->dir_changes.len / sizeof *all; i++)
        if (sim_below(s, 4) < p_dir) TRY(apply_dir_change(&all[i]));
    s->dir_changes.len = 0;
    for (struct sim_node *n = s->nodes; n; n = n->next) {
        if (!n->is_dir && n->head) TRY(sim_sync_some(s, n, p_data));
        n->reachable = false;
        n->n_links = 0;
    }
    mark(s->root);
    for (struct sim_node *n = s->nodes; n; n = n->next) {
        n->live.len = 0;
        if (!n->reachable) n->durable.len = 0;
        if (!sim_reserve_bytes(&n->live, n->durable.len)) return ERR_NOMEM;
        buf_add(&n->live, n->durable.ptr, n->durable.len);
    }
    return ERR_OK;
}

void disk_sim_restart(struct disk *d) {
    struct disk_sim *s = (struct disk_sim *)d;
    ASSERT(s->n_open == 0);
    s->down = false;
    s->fault = (struct disk_sim_fault){ 0 };
}

enum err disk_sim_crash(struct disk *d, uint64_t seed) {
    struct disk_sim *s = (struct disk_sim *)d;
    disk_sim_restart(d);
    uint64_t keep = s->rand;
    s->rand = seed;
    enum err e = crash_locked(s);
    s->rand = keep;
    return e;
}
