// SPDX-License-Identifier: Apache-2.0
#include "delivery/pushes.h"

#include <stdlib.h>

#include "delivery/series.h"

#define EDGES_MEMORY_MAX (512ull << 20)

struct edge { // `of` holds `parent`
    struct sha of, parent;
    bool alone; // names no parent: the commit is there
};
struct edges {
    struct arena arena;
    struct edge *items;
    uint32_t n, cap;
};

static enum err add(struct edges *e, const struct sha *of, const struct sha *parent) {
    struct edge *items = arena_grow(&e->arena, e->items, e->n, &e->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    e->items = items;
    items[e->n] = (struct edge){ .of = *of, .alone = !parent };
    if (parent) items[e->n].parent = *parent;
    e->n++;
    return ERR_OK;
}

// Stands for what a push did not list; no commit has this name but by a chance of 1 in 2^160.
static struct sha absent_of(const struct sha *id) {
    struct sha s = *id;
    for (unsigned i = 0; i < SHA_BYTES; i++) s.byte[i] ^= 0xff;
    return s;
}

// As it is asked for later: what a script tells in another spelling is nothing.
static bool is_spelt_so(struct str hex, struct sha *out) {
    if (!sha_parse(hex, out)) return false;
    struct sha_text t = sha_text(out);
    return str_eq(hex, str_of(t.z));
}

static enum err take_row(void *ctx, struct db_row *r) {
    struct edges *e = ctx;
    struct sha id, other;
    if (!is_spelt_so(db_text(r, 0), &id)) return ERR_OK;
    TRY(add(e, &id, NULL));
    if (sha_parse(db_text(r, 1), &other)) TRY(add(e, &id, &other));
    if (sha_parse(db_text(r, 2), &other)) TRY(add(e, &other, &id));
    if (!db_i64(r, 3)) return ERR_OK;
    other = absent_of(&id);
    return add(e, &id, &other);
}

static int by_commit(const void *pa, const void *pb) {
    const struct edge *a = pa, *b = pb;
    int c = memcmp(a->of.byte, b->of.byte, SHA_BYTES);
    if (c) return c;
    if (a->alone != b->alone) return a->alone ? -1 : 1;
    return memcmp(a->parent.byte, b->parent.byte, SHA_BYTES);
}

// The parents of one commit, each once; a commit that holds itself, as only a made-up push says, does not.
static enum err add_commit(struct edges *e, uint32_t from, uint32_t to, struct graph *g) {
    struct sha *parents = ARENA_ARRAY(&e->arena, to - from, struct sha);
    uint32_t n = 0, row;
    if (!parents) return ERR_NOMEM;
    for (uint32_t i = from; i < to; i++) {
        const struct edge *at = &e->items[i];
        if (at->alone || memcmp(at->of.byte, at->parent.byte, SHA_BYTES) == 0) continue;
        if (n && memcmp(parents[n - 1].byte, at->parent.byte, SHA_BYTES) == 0) continue;
        parents[n++] = at->parent;
    }
    return graph_add(g, &e->items[from].of, parents, n, &row);
}

static enum err add_all(struct edges *e, struct graph *g) {
    if (e->n) qsort(e->items, e->n, sizeof *e->items, by_commit);
    for (uint32_t i = 0, end; i < e->n; i = end) {
        for (end = i + 1; end < e->n && memcmp(e->items[end].of.byte, e->items[i].of.byte, SHA_BYTES) == 0;)
            end++;
        if (e->items[i].alone) TRY(add_commit(e, i, end, g)); // else only others name it
    }
    return ERR_OK;
}

enum err pushes_add_to(struct db *d, struct str repo, struct graph *g, bool *out_any) {
    struct edges e = { .n = 0 };
    struct db_row *r;
    TRY(db_prepare(d, "SELECT sha, base_sha, next_sha, cut FROM pushed_commit WHERE repo = ?", &r));
    db_bind_text(r, 1, repo);
    arena_init(&e.arena, EDGES_MEMORY_MAX, NULL);
    enum err err = db_each(r, take_row, &e);
    *out_any = e.n > 0;
    if (err == ERR_OK) err = add_all(&e, g);
    arena_fini(&e.arena);
    return err;
}

static struct str bytes_of(struct arena *a, struct str hex) {
    struct sha id;
    if (!sha_parse(hex, &id)) return STR("");
    return str_dup(a, (struct str){ (const char *)id.byte, SHA_BYTES });
}

enum err pushes_read(struct db *d, struct arena *a, struct str repo, const struct sha *id,
                     struct pushed_commit *out, bool *out_found) {
    struct sha_text hex = sha_text(id);
    struct db_row *r;
    TRY(db_prepare(d,
                   "SELECT authored_at, committed_at, change_number, is_merge, author, subject, reverts, "
                   "picked_from FROM pushed_commit WHERE repo = ?1 AND sha = ?2 ORDER BY key LIMIT 1",
                   &r));
    db_bind_text(r, 1, repo);
    db_bind_text(r, 2, str_of(hex.z));
    TRY(db_step(r, out_found));
    if (!*out_found) return ERR_OK;
    *out = (struct pushed_commit){ .authored = db_i64(r, 0),
                                   .committed = db_i64(r, 1),
                                   .change = db_i64(r, 2),
                                   .is_merge = db_i64(r, 3) != 0,
                                   .author = str_dup(a, db_text(r, 4)),
                                   .subject = str_dup(a, db_text(r, 5)),
                                   .reverts = bytes_of(a, db_text(r, 6)),
                                   .picked = bytes_of(a, db_text(r, 7)) };
    out->flags =
        (uint8_t)((out->authored ? 0 : COMMIT_BAD_AUTHORED) | (out->committed ? 0 : COMMIT_BAD_COMMITTED));
    db_reset(r);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

enum err pushes_note(struct db *d, struct str repo) {
    struct db_row *r;
    TRY(db_prepare(
        d,
        "INSERT OR IGNORE INTO stale SELECT DISTINCT service, environment FROM rollout WHERE repo IN "
        "(?1, 'https://' || ?1) OR EXISTS (SELECT 1 FROM pushed_commit p WHERE p.repo = ?1 AND p.sha = "
        "lower(rollout.sha))",
        &r));
    db_bind_text(r, 1, repo);
    return db_done(r);
}
