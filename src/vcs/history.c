// SPDX-License-Identifier: Apache-2.0
#include "vcs/history.h"

#include <stdlib.h>

#include "vcs/repo_internal.h"

enum {
    NODES_MAX = 2 * HISTORY_COMMITS_MAX,
    PARENTS_MAX = 4 * HISTORY_COMMITS_MAX,
    TRAILERS_MAX = 4 * HISTORY_COMMITS_MAX,
    SCRATCH_MAX = 1 << 20,
};

// A commit that the walk met; a row, or outside. The nodes are the walk's queue as well.
struct node {
    struct sha sha;
    struct stamp author_at, commit_at;
    uint32_t author, committer, change, generation;
    uint32_t parent_at, n_parents; // → loader.parents
    uint32_t trailer_at, n_trailers;
    uint32_t place; // row, or n + index in outside
    struct str subject;
    enum history_why why;
    bool is_row;
    uint8_t state;        // of the depth-first walk for generations
    uint32_t next_parent; // of the same
};

struct loader {
    struct arena *a;
    struct arena scratch;
    struct repo *repo;
    const struct history_in *in;
    struct err_ctx *ctx;
    struct buf nodes, parents, trailers, people, stack;
    struct map by_sha, by_person;
    uint32_t n_rows, n_outside, max_commits;
    struct commit commit; // the one being read
};

static struct node *node_at(const struct loader *l, uint32_t i) {
    return &((struct node *)(void *)l->nodes.ptr)[i];
}

static uint32_t n_nodes(const struct loader *l) {
    return (uint32_t)(l->nodes.len / sizeof(struct node));
}

static uint32_t *parent_nodes(const struct loader *l) {
    return (uint32_t *)(void *)l->parents.ptr;
}

static enum err full(const struct loader *l, const struct buf *b, const char *what) {
    if (b->len + 4096 < b->limit) return ERR_NOMEM;
    return err_set(l->ctx, ERR_LIMIT, "the history has too many %s", what);
}

// --- people ------------------------------------------------------------------------------------------

static struct history_person *person_at(const struct loader *l, uint32_t i) {
    return &((struct history_person *)(void *)l->people.ptr)[i];
}

static uint64_t hash_of_person(const struct history_person *p) {
    return hash_str(p->name) ^ hash_u64(hash_str(p->email));
}

static uint64_t rehash_person(const void *ctx, uint32_t i) {
    return hash_of_person(person_at(ctx, i));
}

static bool same_person(const void *ctx, uint32_t i, const void *key) {
    const struct history_person *a = person_at(ctx, i), *b = key;
    return str_eq(a->name, b->name) && str_eq(a->email, b->email);
}

static uint64_t key_of(struct str name, struct str email) {
    char lower[HISTORY_NAME_MAX];
    struct str s = email.len ? email : name;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return hash_xxh64(lower, s.len);
}

static enum err intern_person(struct loader *l, struct str name, struct str email, uint32_t *out) {
    bool latin1 = l->commit.latin1;
    arena_reset(&l->scratch);
    struct history_person p = { .name = text_of(&l->scratch, name, latin1, HISTORY_NAME_MAX),
                                .email = text_of(&l->scratch, email, latin1, HISTORY_NAME_MAX) };
    if (l->scratch.failed) return ERR_NOMEM;
    uint64_t hash = hash_of_person(&p);
    uint32_t i = map_get(&l->by_person, hash, same_person, l, &p);
    if (i == MAP_NONE) {
        i = (uint32_t)(l->people.len / sizeof p);
        p.key = key_of(p.name, p.email);
        p.name = str_dup(l->a, p.name);
        p.email = str_dup(l->a, p.email);
        buf_add(&l->people, &p, sizeof p);
        if (l->a->failed || l->people.failed) return full(l, &l->people, "people");
        TRY(map_put(&l->by_person, hash, i, rehash_person, l));
    }
    *out = i;
    return ERR_OK;
}

// --- the walk ----------------------------------------------------------------------------------------

static uint64_t rehash_node(const void *ctx, uint32_t i) {
    return sha_hash(&node_at(ctx, i)->sha);
}

static bool same_node(const void *ctx, uint32_t i, const void *key) {
    return sha_eq(&node_at(ctx, i)->sha, key);
}

static enum err meet(struct loader *l, const struct sha *id, uint32_t *out) {
    uint64_t hash = sha_hash(id);
    uint32_t i = map_get(&l->by_sha, hash, same_node, l, id);
    if (i == MAP_NONE) {
        struct node fresh = { .sha = *id };
        i = n_nodes(l);
        buf_add(&l->nodes, &fresh, sizeof fresh);
        if (l->nodes.failed) return full(l, &l->nodes, "commits");
        TRY(map_put(&l->by_sha, hash, i, rehash_node, l));
    }
    *out = i;
    return ERR_OK;
}

static enum err read_trailers(struct loader *l, struct node *n) {
    n->trailer_at = (uint32_t)(l->trailers.len / sizeof(struct history_trailer));
    n->n_trailers = l->commit.n_trailers;
    for (uint32_t i = 0; i < l->commit.n_trailers; i++) {
        const struct trailer *t = &l->commit.trailers[i];
        struct history_trailer to = { t->kind, t->n_hex, t->number, 0, t->sha };
        if (t->kind == TRAILER_CO_AUTHOR) TRY(intern_person(l, t->name, t->email, &to.person));
        buf_add(&l->trailers, &to, sizeof to);
    }
    return l->trailers.failed ? full(l, &l->trailers, "trailers") : ERR_OK;
}

// Meeting a parent may move the nodes, so this comes last and takes an index.
static enum err read_parents(struct loader *l, uint32_t i) {
    uint32_t at = (uint32_t)(l->parents.len / sizeof(uint32_t));
    node_at(l, i)->parent_at = at;
    node_at(l, i)->n_parents = l->commit.n_parents;
    for (uint32_t p = 0; p < l->commit.n_parents; p++) {
        struct sha id = commit_parent(&l->commit, p);
        uint32_t parent;
        TRY(meet(l, &id, &parent));
        buf_add(&l->parents, &parent, sizeof parent);
    }
    return l->parents.failed ? full(l, &l->parents, "parents") : ERR_OK;
}

static enum err read_row(struct loader *l, uint32_t i) {
    const struct commit *c = &l->commit;
    struct node *n = node_at(l, i);
    if (l->n_rows == l->max_commits)
        return err_set(l->ctx, ERR_LIMIT, "more than %u commits; at most that many are read at once",
                       l->max_commits);
    n->is_row = true;
    l->n_rows++;
    n->author_at = stamp_judge(c->author.at, l->in->now_ns);
    n->commit_at = stamp_judge(c->committer.at, l->in->now_ns);
    n->change = c->change;
    n->subject = text_of(l->a, c->subject, c->latin1, HISTORY_SUBJECT_MAX);
    if (l->a->failed) return ERR_NOMEM;
    TRY(intern_person(l, c->author.name, c->author.email, &n->author));
    TRY(intern_person(l, c->committer.name, c->committer.email, &n->committer));
    TRY(read_trailers(l, n));
    return read_parents(l, i);
}

static void leave_outside(struct loader *l, uint32_t i, enum history_why why) {
    node_at(l, i)->why = why;
    l->n_outside++;
}

static enum err read_object(struct loader *l, uint32_t i) {
    struct object o;
    struct sha id = node_at(l, i)->sha;
    enum err e = object_read(l->repo, &id, HISTORY_COMMIT_BYTES_MAX, &o);
    if (e == ERR_NOT_FOUND || e == ERR_CORRUPT || e == ERR_LIMIT) {
        enum object_kind kind;
        uint64_t size;
        enum history_why why = e == ERR_NOT_FOUND ? HISTORY_MISSING : HISTORY_DAMAGED;
        if (e == ERR_LIMIT && object_stat(l->repo, &id, &kind, &size) == ERR_OK)
            why = kind == OBJECT_COMMIT ? HISTORY_TOO_LARGE : HISTORY_NOT_COMMIT;
        leave_outside(l, i, why);
        return ERR_OK;
    }
    if (e == ERR_IO) return repo_error(l->ctx, -1, sha_text(&id).z);
    TRY(e);
    if (o.kind != OBJECT_COMMIT)
        leave_outside(l, i, HISTORY_NOT_COMMIT);
    else if (!commit_parse(o.data, &l->commit))
        leave_outside(l, i, HISTORY_DAMAGED);
    else
        e = read_row(l, i);
    object_drop(&o);
    return e;
}

static enum err visit(struct loader *l, uint32_t i) {
    uint32_t generation = 0;
    struct sha id = node_at(l, i)->sha;
    enum err e = l->in->known ? l->in->known(l->in->ctx, &id, &generation) : ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND) return read_object(l, i);
    TRY(e);
    node_at(l, i)->generation = generation;
    leave_outside(l, i, HISTORY_KNOWN);
    return ERR_OK;
}

// --- order -------------------------------------------------------------------------------------------

enum { STATE_FRESH, STATE_OPEN, STATE_DONE };

static enum err open_node(struct loader *l, uint32_t i) {
    node_at(l, i)->state = STATE_OPEN;
    buf_add(&l->stack, &i, sizeof i);
    return l->stack.failed ? ERR_NOMEM : ERR_OK;
}

// One step at the top of the stack: opens its next parent, or is done with it.
static enum err climb(struct loader *l) {
    uint32_t top;
    memcpy(&top, l->stack.ptr + l->stack.len - sizeof top, sizeof top);
    struct node *n = node_at(l, top);
    if (n->next_parent == n->n_parents) {
        if (n->is_row) n->generation++;
        n->state = STATE_DONE;
        l->stack.len -= sizeof top;
        return ERR_OK;
    }
    uint32_t parent = parent_nodes(l)[n->parent_at + n->next_parent];
    struct node *p = node_at(l, parent);
    if (p->state == STATE_FRESH) return open_node(l, parent);
    if (p->state == STATE_OPEN) return err_set(l->ctx, ERR_CORRUPT, "commits form a circle");
    if (p->generation > n->generation) n->generation = p->generation;
    n->next_parent++;
    return ERR_OK;
}

static enum err find_generations(struct loader *l) {
    for (uint32_t i = 0; i < n_nodes(l); i++) {
        if (node_at(l, i)->state != STATE_FRESH) continue;
        TRY(open_node(l, i));
        while (l->stack.len) TRY(climb(l));
    }
    return ERR_OK;
}

static int in_order(const void *x, const void *y, void *ctx) {
    const struct node *a = node_at(ctx, *(const uint32_t *)x), *b = node_at(ctx, *(const uint32_t *)y);
    if (a->is_row != b->is_row) return a->is_row ? -1 : 1;
    if (a->is_row && a->generation != b->generation) return a->generation < b->generation ? -1 : 1;
    if (a->is_row && a->commit_at.ns != b->commit_at.ns) return a->commit_at.ns < b->commit_at.ns ? -1 : 1;
    return sha_cmp(&a->sha, &b->sha);
}

// The nodes in their final order: rows, then what is outside. Uses the stack's memory.
static enum err sort_nodes(struct loader *l, const uint32_t **out) {
    buf_reset(&l->stack);
    if (!buf_reserve(&l->stack, n_nodes(l) * sizeof(uint32_t))) return ERR_NOMEM;
    uint32_t *order = (uint32_t *)(void *)l->stack.ptr;
    for (uint32_t i = 0; i < n_nodes(l); i++) order[i] = i;
    if (n_nodes(l)) qsort_r(order, n_nodes(l), sizeof *order, in_order, l);
    for (uint32_t i = 0; i < n_nodes(l); i++) node_at(l, order[i])->place = i;
    *out = order;
    return ERR_OK;
}

// --- the columns -------------------------------------------------------------------------------------

#define COLUMN(h, field, count, type) ((type *)((h)->field = ARENA_ARRAY(l->a, (count) ? (count) : 1, type)))

static bool fill_times(struct loader *l, const uint32_t *order, struct history *h) {
    struct sha *sha = COLUMN(h, sha, h->n, struct sha);
    struct stamp *author_at = COLUMN(h, author_at, h->n, struct stamp);
    struct stamp *commit_at = COLUMN(h, commit_at, h->n, struct stamp);
    uint32_t *author = COLUMN(h, author, h->n, uint32_t), *committer = COLUMN(h, committer, h->n, uint32_t);
    uint32_t *generation = COLUMN(h, generation, h->n, uint32_t), *change = COLUMN(h, change, h->n, uint32_t);
    struct str *subject = COLUMN(h, subject, h->n, struct str);
    if (l->a->failed) return false;
    for (uint32_t i = 0; i < h->n; i++) {
        const struct node *n = node_at(l, order[i]);
        sha[i] = n->sha;
        author_at[i] = n->author_at;
        commit_at[i] = n->commit_at;
        author[i] = n->author;
        committer[i] = n->committer;
        generation[i] = n->generation;
        change[i] = n->change;
        subject[i] = n->subject;
    }
    return true;
}

static bool fill_lists(struct loader *l, const uint32_t *order, struct history *h) {
    struct graph_node *nodes = COLUMN(h, nodes, h->n, struct graph_node);
    uint32_t *parents = COLUMN(h, parents, h->n_parents, uint32_t);
    uint32_t *trailer_at = COLUMN(h, trailer_at, h->n + 1, uint32_t), n_parents = 0, n_trailers = 0;
    struct history_trailer *trailers = COLUMN(h, trailers, h->n_trailers, struct history_trailer);
    if (l->a->failed) return false;
    for (uint32_t i = 0; i < h->n; i++) {
        const struct node *n = node_at(l, order[i]);
        nodes[i] = (struct graph_node){ n_parents, n->n_parents };
        for (uint32_t p = 0; p < n->n_parents; p++)
            parents[n_parents++] = node_at(l, parent_nodes(l)[n->parent_at + p])->place;
        trailer_at[i] = n_trailers;
        for (uint32_t t = 0; t < n->n_trailers; t++)
            memcpy(&trailers[n_trailers++], l->trailers.ptr + (n->trailer_at + t) * sizeof *trailers,
                   sizeof *trailers);
    }
    trailer_at[h->n] = n_trailers;
    return true;
}

static bool fill_rest(struct loader *l, const uint32_t *order, struct history *h) {
    struct history_outside *outside = COLUMN(h, outside, h->n_outside, struct history_outside);
    uint32_t *tips = COLUMN(h, tips, l->in->n_tips, uint32_t);
    h->people = arena_copy(l->a, l->people.ptr, l->people.len);
    if (l->a->failed) return false;
    for (uint32_t i = 0; i < h->n_outside; i++) {
        const struct node *n = node_at(l, order[h->n + i]);
        outside[i] = (struct history_outside){ n->sha, n->why, n->generation };
        h->n_why[n->why]++;
    }
    for (uint32_t i = 0; i < l->in->n_tips; i++) {
        const struct sha *tip = &l->in->tips[i];
        tips[i] = node_at(l, map_get(&l->by_sha, sha_hash(tip), same_node, l, tip))->place;
    }
    return true;
}

static enum err load(struct loader *l, struct history *out) {
    const uint32_t *order;
    for (uint32_t i = 0, at; i < l->in->n_tips; i++) TRY(meet(l, &l->in->tips[i], &at));
    for (uint32_t i = 0; i < n_nodes(l); i++) TRY(visit(l, i));
    TRY(find_generations(l));
    TRY(sort_nodes(l, &order));
    struct history h = {
        .n = l->n_rows,
        .n_outside = l->n_outside,
        .n_parents = (uint32_t)(l->parents.len / sizeof(uint32_t)),
        .n_people = (uint32_t)(l->people.len / sizeof(struct history_person)),
        .n_trailers = (uint32_t)(l->trailers.len / sizeof(struct history_trailer)),
    };
    if (!fill_times(l, order, &h) || !fill_lists(l, order, &h) || !fill_rest(l, order, &h)) return ERR_NOMEM;
    *out = h;
    return ERR_OK;
}

enum err history_read(struct arena *a, struct repo *r, const struct history_in *in, struct err_ctx *ctx,
                      struct history *out) {
    struct loader *l = mem_zalloc(sizeof *l);
    if (!l) return ERR_NOMEM;
    l->a = a;
    l->repo = r;
    l->in = in;
    l->ctx = ctx;
    l->max_commits = in->max_commits ? in->max_commits : HISTORY_COMMITS_MAX;
    arena_init(&l->scratch, SCRATCH_MAX, NULL);
    buf_init(&l->nodes, (size_t)NODES_MAX * sizeof(struct node));
    buf_init(&l->parents, (size_t)PARENTS_MAX * sizeof(uint32_t));
    buf_init(&l->trailers, (size_t)TRAILERS_MAX * sizeof(struct history_trailer));
    buf_init(&l->people, (size_t)HISTORY_PEOPLE_MAX * sizeof(struct history_person));
    buf_init(&l->stack, (size_t)NODES_MAX * sizeof(uint32_t));
    map_init(&l->by_sha, NODES_MAX);
    map_init(&l->by_person, HISTORY_PEOPLE_MAX);
    enum err e = load(l, out);
    map_fini(&l->by_sha);
    map_fini(&l->by_person);
    buf_fini(&l->nodes);
    buf_fini(&l->parents);
    buf_fini(&l->trailers);
    buf_fini(&l->people);
    buf_fini(&l->stack);
    arena_fini(&l->scratch);
    mem_free(l);
    return e;
}

static enum err add_row(const struct history *h, uint32_t i, struct graph *g, struct buf *parents) {
    struct graph_node n = h->nodes[i];
    uint32_t row;
    buf_reset(parents);
    for (uint32_t p = n.at; p < n.at + n.n_parents; p++) {
        uint32_t at = h->parents[p];
        buf_add(parents, at < h->n ? &h->sha[at] : &h->outside[at - h->n].sha, sizeof(struct sha));
    }
    if (parents->failed) return ERR_NOMEM;
    return graph_add(g, &h->sha[i], (const struct sha *)(const void *)parents->ptr, n.n_parents, &row);
}

enum err history_to_graph(const struct history *h, struct graph *g) {
    struct buf parents;
    enum err e = ERR_OK;
    buf_init(&parents, HISTORY_COMMIT_BYTES_MAX); // more than the parents of any commit that was read
    for (uint32_t i = 0; e == ERR_OK && i < h->n; i++) e = add_row(h, i, g, &parents);
    buf_fini(&parents);
    return e;
}
