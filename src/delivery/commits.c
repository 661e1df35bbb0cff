// SPDX-License-Identifier: Apache-2.0
#include "delivery/commits.h"

#include <stdlib.h>

#include "base/log.h"
#include "intake/key.h"
#include "delivery/paths.h"
#include "delivery/pushes.h"
#include "vcs/reach.h"

#define NAMES_MEMORY_MAX (64ull << 20)
enum { HISTORIES_MAX = 16, VOTES_MAX = 64, TWINS_MAX = 4 << 20 };

// A repository as deploys and pushes name it; where a history was imported, its number.
struct source {
    struct str name;
    int64_t repo; // -1: only pushes tell of it
};
struct history {
    struct source source;
    struct graph graph;
    bool has_pushes;
    uint64_t used; // the least is let go first
};
struct histories {
    struct db *db;
    struct arena arena; // of names
    struct history items[HISTORIES_MAX];
    uint32_t n;
    uint64_t clock;
};

enum err histories_new(struct db *d, struct histories **out) {
    *out = mem_zalloc(sizeof **out);
    if (!*out) return ERR_NOMEM;
    (*out)->db = d;
    arena_init(&(*out)->arena, NAMES_MEMORY_MAX, NULL);
    return ERR_OK;
}

void histories_free(struct histories *h) {
    if (!h) return;
    for (uint32_t i = 0; i < h->n; i++) graph_fini(&h->items[i].graph);
    arena_fini(&h->arena);
    mem_free(h);
}

// --- a repository's graph ----------------------------------------------------------------------------------

static enum err add_commit(struct graph *g, struct str sha, struct str parents) {
    struct sha id;
    uint32_t row;
    if (sha.len != SHA_BYTES || parents.len % SHA_BYTES) return ERR_CORRUPT;
    memcpy(id.byte, sha.ptr, SHA_BYTES);
    return graph_add(g, &id, (const struct sha *)parents.ptr, (uint32_t)(parents.len / SHA_BYTES), &row);
}

static enum err load_graph(struct db *d, int64_t repo, struct graph *g) {
    struct db_row *r;
    TRY(db_prepare(d, "SELECT sha, parents FROM git_commit WHERE repo = ?", &r));
    db_bind_i64(r, 1, repo);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return ERR_OK;
        enum err e = add_commit(g, db_text(r, 0), db_text(r, 1));
        if (e == ERR_OK) continue;
        db_reset(r);
        return e;
    }
}

static struct history *room_for(struct histories *h) {
    if (h->n < HISTORIES_MAX) return &h->items[h->n++];
    struct history *oldest = &h->items[0];
    for (uint32_t i = 1; i < h->n; i++)
        if (h->items[i].used < oldest->used) oldest = &h->items[i];
    graph_fini(&oldest->graph);
    return oldest;
}

static enum err history_of(struct histories *h, const struct source *of, struct history **out) {
    for (uint32_t i = 0; i < h->n; i++)
        if (str_eq(h->items[i].source.name, of->name)) {
            h->items[i].used = ++h->clock;
            *out = &h->items[i];
            return ERR_OK;
        }
    struct history *made = room_for(h);
    *made = (struct history){ .source = { str_dup(&h->arena, of->name), of->repo }, .used = ++h->clock };
    graph_init(&made->graph);
    *out = made;
    enum err e = h->arena.failed ? ERR_NOMEM : ERR_OK;
    if (e == ERR_OK && of->repo >= 0) e = load_graph(h->db, of->repo, &made->graph);
    if (e == ERR_OK) e = pushes_add_to(h->db, of->name, &made->graph, &made->has_pushes);
    if (e != ERR_OK) made->source.name = STR(""); // half of a history is none
    return e;
}

// --- which repository --------------------------------------------------------------------------------------

struct vote {
    struct source source;
    uint32_t n, last; // the last sha that counted, from 1
};
struct voting {
    struct db *db;
    struct arena *a;
    struct vote votes[VOTES_MAX];
    uint32_t n, asked;
};

// A repository that knows the sha at hand; twice the same counts once. The name lies in the arena.
static enum err vote_for(struct voting *v, struct str name, int64_t repo) {
    uint32_t i = 0;
    while (i < v->n && !str_eq(v->votes[i].source.name, name)) i++;
    if (v->a->failed) return ERR_NOMEM;
    if (i == VOTES_MAX) return ERR_OK;
    if (i == v->n) v->votes[v->n++] = (struct vote){ .source = { name, repo } };
    struct vote *to = &v->votes[i];
    if (to->source.repo < 0) to->source.repo = repo;
    to->n += to->last != v->asked;
    to->last = v->asked;
    return ERR_OK;
}
// An address is named as events name it; the path of a repository of this machine stays.
static enum err vote_of_import(void *ctx, struct db_row *r) {
    struct voting *v = ctx;
    struct str name = key_repo(v->a, db_text(r, 0));
    return vote_for(v, name.len ? name : str_dup(v->a, db_text(r, 0)), db_i64(r, 1));
}
static enum err vote_of_push(void *ctx, struct db_row *r) {
    struct voting *v = ctx;
    return vote_for(v, str_dup(v->a, db_text(r, 0)), -1);
}

static enum err vote(struct voting *v, struct str hex) {
    struct sha id;
    struct db_row *r;
    v->asked++;
    if (!sha_parse(hex, &id)) return ERR_OK;
    TRY(db_prepare(v->db,
                   "SELECT r.name, r.id FROM git_commit c JOIN git_repo r ON r.id = c.repo WHERE c.sha = ? "
                   "ORDER BY r.id",
                   &r));
    db_bind_blob(r, 1, (struct str){ (const char *)id.byte, SHA_BYTES });
    TRY(db_each(r, vote_of_import, v));
    struct sha_text low = sha_text(&id);
    TRY(db_prepare(v->db, "SELECT DISTINCT repo FROM pushed_commit WHERE sha = ? ORDER BY repo", &r));
    db_bind_text(r, 1, str_of(low.z));
    return db_each(r, vote_of_push, v);
}

// Among equals the one that was imported first, else the first by name.
static bool stands_before(const struct vote *a, const struct vote *b) {
    if (a->n != b->n) return a->n > b->n;
    if (a->source.repo != b->source.repo) return (uint64_t)a->source.repo < (uint64_t)b->source.repo;
    return str_cmp(a->source.name, b->source.name) < 0;
}

// A history that was imported is that of a repository even when only pushes know these shas.
static enum err find_import(struct db *d, struct source *of) {
    struct db_row *r;
    bool row;
    if (of->repo >= 0) return ERR_OK;
    TRY(db_prepare(d, "SELECT id FROM git_repo WHERE name IN (?1, 'https://' || ?1) ORDER BY id LIMIT 1",
                   &r));
    db_bind_text(r, 1, of->name);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    of->repo = db_i64(r, 0);
    db_reset(r);
    return ERR_OK;
}

// No name: no repository knows any of them.
static enum err find_source(struct db *d, struct arena *a, const struct rollouts *all, struct source *out) {
    struct voting v = { .db = d, .a = a };
    const struct vote *best = v.votes;
    *out = (struct source){ .name = STR(""), .repo = -1 };
    for (uint32_t i = all->n; i-- > 0 && v.asked < VOTES_MAX;) TRY(vote(&v, all->items[i].lead->sha));
    for (uint32_t i = 1; i < v.n; i++)
        if (stands_before(&v.votes[i], best)) best = &v.votes[i];
    if (!v.n) return ERR_OK;
    *out = best->source;
    return find_import(d, out);
}

// --- the commits of a series -------------------------------------------------------------------------------

// Names under which a change was delivered: patch ids, and the shas that picks were made from.
struct twins {
    struct arena *a; // of the names, which are copied
    struct map names;
    struct str *items;
    uint32_t n, cap;
};

static bool same_name(const void *ctx, uint32_t i, const void *key) {
    const struct twins *t = ctx;
    return str_eq(t->items[i], *(const struct str *)key);
}
static uint64_t rehash_name(const void *ctx, uint32_t i) {
    const struct twins *t = ctx;
    return hash_str(t->items[i]);
}

// *out_known: the name was there.
static enum err twin_add(struct twins *t, struct str name, bool *out_known) {
    if (!name.len) return ERR_OK;
    if (map_get(&t->names, hash_str(name), same_name, t, &name) != MAP_NONE) {
        *out_known = true;
        return ERR_OK;
    }
    struct str *items = mem_grow(t->items, t->n, &t->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    t->items = items;
    t->items[t->n] = str_dup(t->a, name);
    if (t->a->failed) return ERR_NOMEM;
    return map_put(&t->names, hash_str(name), t->n++, rehash_name, t);
}

struct walk {
    struct histories *h;
    struct history *history;
    struct arena *a;        // of the sets
    struct arena twin_text; // of the walk
    struct arena set, row;  // of the rollout and of the commit at hand
    struct reach *reach;
    struct paths *paths; // NULL: all
    struct twins twins;
    const struct commit_sink *sink;
    struct commit_sets *out;
};

static bool is_bot(struct str author) {
    static const char *const names[] = { "dependabot", "renovate", "github-actions", "semantic-release-bot" };
    if (str_ends(author, STR("[bot]")) || str_ends(author, STR("-bot"))) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_starts(author, str_of(names[i]))) return true;
    return false;
}

struct git_row {
    int64_t authored, committed, flags;
    uint32_t change;
    bool by_push, says_merge; // told by a push: the graph does not know what is a merge
    struct str sha, author, subject, reverts, picked, patch;
};

static enum err read_pushed(struct walk *w, const struct sha *id, struct git_row *out) {
    struct pushed_commit c;
    bool found;
    TRY(pushes_read(w->h->db, &w->row, w->history->source.name, id, &c, &found));
    if (!found) return ERR_CORRUPT; // the graph was made from it
    *out = (struct git_row){ .authored = c.authored,
                             .committed = c.committed,
                             .flags = c.flags,
                             .change = (uint32_t)c.change,
                             .by_push = true,
                             .says_merge = c.is_merge,
                             .sha = str_dup(&w->row, (struct str){ (const char *)id->byte, SHA_BYTES }),
                             .author = c.author,
                             .subject = c.subject,
                             .reverts = c.reverts,
                             .picked = c.picked };
    return w->row.failed ? ERR_NOMEM : ERR_OK;
}

static enum err read_row(struct walk *w, const struct sha *id, struct git_row *out) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(w->h->db,
                   "SELECT authored_at, committed_at, flags, change_number, sha, author, subject, reverts, "
                   "picked_from, patch"
                   " FROM git_commit WHERE repo = ? AND sha = ?",
                   &r));
    db_bind_i64(r, 1, w->history->source.repo);
    db_bind_blob(r, 2, (struct str){ (const char *)id->byte, SHA_BYTES });
    TRY(db_step(r, &row));
    if (!row) return read_pushed(w, id, out);
    *out = (struct git_row){ .authored = db_i64(r, 0),
                             .committed = db_i64(r, 1),
                             .flags = db_i64(r, 2),
                             .change = (uint32_t)db_i64(r, 3),
                             .sha = str_dup(&w->row, db_text(r, 4)),
                             .author = str_dup(&w->row, db_text(r, 5)),
                             .subject = str_dup(&w->row, db_text(r, 6)),
                             .reverts = str_dup(&w->row, db_text(r, 7)),
                             .picked = str_dup(&w->row, db_text(r, 8)),
                             .patch = str_dup(&w->row, db_text(r, 9)) };
    db_reset(r);
    return w->row.failed ? ERR_NOMEM : ERR_OK;
}

// The first of twins counts, whichever was picked from which.
static enum err mark_twin(struct walk *w, const struct git_row *g, bool *out) {
    bool known = false;
    TRY(twin_add(&w->twins, g->sha, &known));
    TRY(twin_add(&w->twins, g->picked, &known));
    TRY(twin_add(&w->twins, g->patch, &known));
    *out = known;
    return ERR_OK;
}

static enum err add_brought(struct walk *w, uint32_t rollout, const struct git_row *g) {
    struct commit_sets *s = w->out;
    struct brought *brought = mem_grow(s->brought, s->n_brought, &s->cap_brought, sizeof *brought);
    if (!brought) return ERR_NOMEM;
    s->brought = brought;
    brought[s->n_brought++] = (struct brought){ .sha = str_dup(w->a, g->sha),
                                                .reverts = str_dup(w->a, g->reverts),
                                                .rollout = rollout };
    return w->a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err add_row(struct walk *w, uint32_t rollout, const struct git_row *g) {
    struct commit_sets *s = w->out;
    bool twin;
    TRY(mark_twin(w, g, &twin));
    TRY(add_brought(w, rollout, g));
    struct figure_commit *figures = mem_grow(s->commits, s->n, &s->cap, sizeof *figures);
    if (!figures) return ERR_NOMEM;
    s->commits = figures;
    uint8_t flags = (uint8_t)g->flags;
    if (twin) flags |= COMMIT_TWIN;
    if (g->reverts.len) flags |= COMMIT_REVERT;
    if (is_bot(g->author)) flags |= COMMIT_BOT;
    struct commit_row row = { { g->authored, g->committed, flags }, g->sha, g->author, g->subject };
    figures[s->n++] = row.figure;
    return w->sink->each(w->sink->ctx, rollout, &row);
}

static int order_u32(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t count_distinct(uint32_t *numbers, uint32_t n) {
    uint32_t distinct = 0;
    if (n) qsort(numbers, n, sizeof *numbers, order_u32);
    for (uint32_t i = 0; i < n; i++) distinct += numbers[i] && (i == 0 || numbers[i] != numbers[i - 1]);
    return distinct;
}

static enum err add_merge(struct arena *a, struct commit_sets *s, uint32_t rollout, const struct sha *id) {
    struct commit_merge *merges = mem_grow(s->merges, s->n_merges, &s->cap_merges, sizeof *merges);
    if (!merges) return ERR_NOMEM;
    s->merges = merges;
    char *bytes = arena_bytes(a, id->byte, SHA_BYTES);
    if (!bytes) return ERR_NOMEM;
    merges[s->n_merges++] = (struct commit_merge){ { bytes, SHA_BYTES }, rollout };
    return ERR_OK;
}

static enum err add_set(struct walk *w, uint32_t rollout, const struct reach_set *set,
                        struct commit_set *to) {
    uint32_t *changes = ARENA_ARRAY(&w->set, set->n + 1, uint32_t), n = 0;
    if (!changes) return ERR_NOMEM;
    for (uint32_t i = set->n; i-- > 0;) { // the oldest first, so that twins within a set are told apart alike
        struct git_row g = { 0 };
        arena_reset(&w->row);
        struct sha id = graph_sha(&w->history->graph, set->commits[i].row);
        bool is_merge = set->commits[i].is_merge, touches = true;
        if (!is_merge || w->history->has_pushes) TRY(read_row(w, &id, &g));
        if (g.by_push ? g.says_merge : is_merge) {
            TRY(add_merge(w->a, w->out, rollout, &id));
            continue;
        }
        if (w->paths) TRY(paths_touch(w->paths, w->history->source.repo, &id, &touches));
        if (!touches) continue;
        TRY(add_row(w, rollout, &g));
        changes[n++] = g.change;
        to->n++;
    }
    to->n_changes = count_distinct(changes, n);
    if (w->paths && to->n == 0 && to->state == COMMITS_KNOWN) to->state = COMMITS_NONE; // all of others
    return ERR_OK;
}

static enum commits_state state_of(const struct reach_set *set) {
    switch (set->kind) {
    case REACH_BASELINE: return COMMITS_BASELINE;
    case REACH_UNKNOWN:
    case REACH_UNKNOWN_BASE: return COMMITS_UNKNOWN;
    case REACH_SET: break;
    }
    return set->is_capped || set->is_cut ? COMMITS_CUT : set->n_new ? COMMITS_KNOWN : COMMITS_NONE;
}

static enum err walk_rollout(struct walk *w, const struct rollout *o, uint32_t i) {
    struct commit_set *to = &w->out->of[i];
    struct sha id;
    struct reach_set set;
    *to = (struct commit_set){ .state = COMMITS_NONE };
    if (o->state != ROLLOUT_SUCCESS) return ERR_OK; // delivers nothing
    uint32_t row = sha_parse(o->lead->sha, &id) ? graph_find(&w->history->graph, &id) : GRAPH_NONE;
    struct graph_view view = graph_view(&w->history->graph);
    arena_reset(&w->set);
    TRY(reach_add(w->reach, &view, row, true, &w->set, &set));
    to->state = state_of(&set);
    if (to->state == COMMITS_UNKNOWN && sha_parse(o->lead->sha, &id)) TRY(add_merge(w->a, w->out, i, &id));
    return set.kind == REACH_SET ? add_set(w, i, &set, to) : ERR_OK;
}

static enum err without_history(struct arena *a, const struct rollouts *all, struct commit_sets *out) {
    bool first = true;
    struct sha id;
    for (uint32_t i = 0; i < all->n; i++) {
        const struct rollout *o = &all->items[i];
        bool brings = o->state == ROLLOUT_SUCCESS && (o->kind == ROLLOUT_NORMAL || o->kind == ROLLOUT_HOTFIX);
        out->of[i] = (struct commit_set){ .state = brings ? COMMITS_UNKNOWN : COMMITS_NONE };
        if (o->state == ROLLOUT_SUCCESS && first) out->of[i].state = COMMITS_BASELINE;
        if (o->state == ROLLOUT_SUCCESS) first = false;
        if (out->of[i].state == COMMITS_UNKNOWN && sha_parse(o->lead->sha, &id))
            TRY(add_merge(a, out, i, &id));
    }
    return ERR_OK;
}

static int by_sha(const void *pa, const void *pb) {
    const struct brought *a = pa, *b = pb;
    int c = str_cmp(a->sha, b->sha);
    return c ? c : (a->rollout > b->rollout) - (a->rollout < b->rollout);
}

static enum err walk_all(struct walk *w, const struct rollouts *all) {
    TRY(reach_new(&w->reach));
    for (uint32_t i = 0; i < all->n; i++) TRY(walk_rollout(w, &all->items[i], i));
    if (w->out->n_brought) qsort(w->out->brought, w->out->n_brought, sizeof *w->out->brought, by_sha);
    return ERR_OK;
}

void commit_sets_fini(struct commit_sets *s) {
    mem_free(s->commits);
    mem_free(s->brought);
    mem_free(s->merges);
    *s = (struct commit_sets){ 0 };
}

static enum err walk_history(struct walk *w, struct str service, const struct rollouts *all) {
    TRY(paths_new(w->h->db, service, &w->paths));
    map_init(&w->twins.names, TWINS_MAX);
    arena_init(&w->twin_text, w->a->limit, w->a->budget);
    arena_init(&w->set, w->a->limit, w->a->budget);
    arena_init(&w->row, w->a->limit, w->a->budget);
    enum err e = walk_all(w, all);
    arena_fini(&w->row);
    arena_fini(&w->set);
    arena_fini(&w->twin_text);
    mem_free(w->twins.items);
    map_fini(&w->twins.names);
    paths_free(w->paths);
    reach_free(w->reach);
    return e;
}

enum err commit_sets_of(struct histories *h, struct arena *a, struct str service, const struct rollouts *all,
                        const struct commit_sink *sink, struct commit_sets *out) {
    struct walk w = { .h = h, .a = a, .twins = { .a = &w.twin_text }, .sink = sink, .out = out };
    struct source source;
    *out = (struct commit_sets){ .of = ARENA_ARRAY(a, all->n + 1, struct commit_set) };
    if (!out->of) return ERR_NOMEM;
    TRY(find_source(h->db, a, all, &source));
    if (!source.name.len) return without_history(a, all, out);
    TRY(history_of(h, &source, &w.history));
    return walk_history(&w, service, all);
}
