// SPDX-License-Identifier: Apache-2.0
// The changes of a part: their facts, reviews by others, the runs of all their heads, and the rollouts
// that contain their merge.
#include <stdlib.h>

#include "intake/fact.h"
#include "delivery/part.h"
#include "vcs/sha.h"

struct span {
    int64_t from, to;
};
struct changing {
    struct part *p;
    struct flow_change *items;
    struct str *merge_shas, *authors;
    int64_t *drafted; // opened, as a draft
    uint32_t *n_deliveries;
    struct flow_delivery *deliveries;
    struct flow_scope *scopes;
    uint32_t n, cap, cap_sha, cap_author, cap_drafted, cap_n, n_delivered, cap_delivered, n_scopes,
        cap_scopes;
    uint32_t at; // the change at hand
    struct span *spans;
    uint32_t n_spans, cap_spans;
};

static bool has_room(struct changing *c) {
    struct arena *a = c->p->a;
    void *items = arena_grow(a, c->items, c->n, &c->cap, sizeof *c->items),
         *shas = arena_grow(a, c->merge_shas, c->n, &c->cap_sha, sizeof *c->merge_shas),
         *authors = arena_grow(a, c->authors, c->n, &c->cap_author, sizeof *c->authors),
         *drafted = arena_grow(a, c->drafted, c->n, &c->cap_drafted, sizeof *c->drafted),
         *n = arena_grow(a, c->n_deliveries, c->n, &c->cap_n, sizeof *c->n_deliveries);
    if (!items || !shas || !authors || !drafted || !n) return false;
    c->items = items;
    c->merge_shas = shas;
    c->authors = authors;
    c->drafted = drafted;
    c->n_deliveries = n;
    return true;
}

static enum err add_change(void *ctx, struct db_row *r) {
    struct changing *c = ctx;
    if (!has_room(c)) return ERR_NOMEM;
    struct flow_change *x = &c->items[c->n];
    int64_t opened = db_i64(r, 1), ready = db_i64(r, 2);
    *x = (struct flow_change){ .key = str_dup(c->p->a, db_text(r, 0)),
                               .opened = ready ? ready : opened,
                               .first_commit = db_i64(r, 3),
                               .merged = db_i64(r, 4) };
    if (str_eq(db_text(r, 5), STR("bot"))) x->flags |= FLOW_BOT;
    if (!x->merged && str_eq(db_text(r, 6), STR("closed"))) x->flags |= FLOW_CLOSED;
    c->merge_shas[c->n] = x->merged ? str_dup(c->p->a, db_text(r, 7)) : STR("");
    c->authors[c->n] = str_dup(c->p->a, db_text(r, 8));
    c->drafted[c->n] = opened;
    c->n_deliveries[c->n++] = 0;
    return c->p->a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err add_review(void *ctx, struct db_row *r) {
    struct changing *c = ctx;
    struct flow_change *x = &c->items[c->at];
    int64_t at = db_i64(r, 0);
    struct str author = db_text(r, 2), state = db_text(r, 1);
    if (str_eq(db_text(r, 3), STR("bot")) || (author.len && str_eq_nocase(author, c->authors[c->at])))
        return ERR_OK;
    if (x->merged && at > x->merged) return ERR_OK; // of what is done
    if (!x->first_review || at < x->first_review) x->first_review = at;
    if (str_eq(state, STR("approved")) && at > x->approved) x->approved = at;
    if (str_eq(state, STR("changes_requested")) && x->rounds < UINT16_MAX) x->rounds++;
    return ERR_OK;
}

static enum err read_reviews(struct changing *c) {
    struct db_row *r;
    struct flow_change *x = &c->items[c->at];
    TRY(db_prepare(c->p->db,
                   "SELECT submitted_at, state, author, author_kind FROM review WHERE change_key = ? AND "
                   "submitted_at IS NOT NULL",
                   &r));
    db_bind_text(r, 1, x->key);
    TRY(db_each(r, add_review, c));
    // A draft that was reviewed as one waited for that from its opening on.
    if (x->first_review && x->first_review < x->opened && c->drafted[c->at]) x->opened = c->drafted[c->at];
    return ERR_OK;
}

static enum err scope_index(struct changing *c, struct str service, struct str environment, uint32_t *out) {
    for (*out = c->n_scopes; (*out)-- > 0;)
        if (str_eq(c->scopes[*out].service, service) && str_eq(c->scopes[*out].environment, environment))
            return ERR_OK;
    void *scopes = arena_grow(c->p->a, c->scopes, c->n_scopes, &c->cap_scopes, sizeof *c->scopes);
    if (!scopes) return ERR_NOMEM;
    c->scopes = scopes;
    c->scopes[c->n_scopes] = (struct flow_scope){ str_dup(c->p->a, service), str_dup(c->p->a, environment) };
    *out = c->n_scopes++;
    return c->p->a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err add_delivery(void *ctx, struct db_row *r) {
    struct changing *c = ctx;
    uint32_t scope;
    TRY(scope_index(c, db_text(r, 0), db_text(r, 1), &scope));
    void *d = arena_grow(c->p->a, c->deliveries, c->n_delivered, &c->cap_delivered, sizeof *c->deliveries);
    if (!d) return ERR_NOMEM;
    c->deliveries = d;
    c->deliveries[c->n_delivered++] = (struct flow_delivery){ scope, db_i64(r, 2), (uint64_t)db_i64(r, 3) };
    c->n_deliveries[c->at]++;
    return ERR_OK;
}

// Few tools tell the first commit of a change. Where its merged commit keeps the date of its writing
// (fast forward, rebase), that date is before the change was opened, and at most one commit too late.
static enum err take_authored(struct changing *c, struct str sha) {
    struct flow_change *x = &c->items[c->at];
    struct db_row *r;
    bool row;
    TRY(db_prepare(c->p->db, "SELECT min(authored_at) FROM rollout_commit WHERE sha = ?", &r));
    db_bind_blob(r, 1, sha);
    TRY(db_step(r, &row));
    int64_t authored = row ? db_i64(r, 0) : 0;
    if (row) db_reset(r);
    if (!x->first_commit && authored && authored <= x->opened) x->first_commit = authored;
    return ERR_OK;
}

static enum err read_deliveries(struct changing *c) {
    char bytes[SHA_BYTES];
    struct db_row *r;
    struct str sha = c->merge_shas[c->at];
    if (sha.len != SHA_HEX || !hex_decode(sha, bytes, SHA_BYTES)) return ERR_OK;
    TRY(db_prepare(c->p->db,
                   "SELECT r.service, r.environment, r.finished_at, r.id FROM (SELECT rollout FROM "
                   "rollout_commit WHERE sha = ?1"
                   " UNION SELECT rollout FROM rollout_merge WHERE sha = ?1) x JOIN rollout r ON r.id = "
                   "x.rollout"
                   " WHERE r.change_kind = 'service' AND r.state = 'success' ORDER BY r.finished_at, r.id",
                   &r));
    db_bind_blob(r, 1, (struct str){ bytes, SHA_BYTES });
    TRY(db_each(r, add_delivery, c));
    return take_authored(c, (struct str){ bytes, SHA_BYTES });
}

static enum err add_span(void *ctx, struct db_row *r) {
    struct changing *c = ctx;
    void *spans = arena_grow(c->p->a, c->spans, c->n_spans, &c->cap_spans, sizeof *c->spans);
    if (!spans) return ERR_NOMEM;
    c->spans = spans;
    c->spans[c->n_spans++] = (struct span){ db_i64(r, 0), db_i64(r, 1) };
    return ERR_OK;
}

static int by_from(const void *pa, const void *pb) {
    const struct span *a = pa, *b = pb;
    return (a->from > b->from) - (a->from < b->from);
}

// The union of the runs' intervals, and their sum.
static void take_spans(struct changing *c) {
    struct flow_change *x = &c->items[c->at];
    int64_t end = INT64_MIN;
    if (c->n_spans) qsort(c->spans, c->n_spans, sizeof *c->spans, by_from);
    for (uint32_t i = 0; i < c->n_spans; i++) {
        struct span s = c->spans[i];
        x->ci_sum_ns += s.to - s.from;
        if (s.from < end) s.from = end;
        if (s.to <= s.from) continue;
        x->ci_ns += s.to - s.from;
        end = s.to;
    }
    x->n_runs = c->n_spans;
}

static enum err put_head(struct changing *c, struct str sha) {
    struct db_row *r;
    TRY(db_prepare(c->p->db, "INSERT OR IGNORE INTO change_head VALUES(?, ?, ?)", &r));
    db_bind_text(r, 1, c->p->repo);
    db_bind_text(r, 2, sha);
    db_bind_text(r, 3, c->items[c->at].key);
    return db_done(r);
}

static enum err read_runs_of(struct changing *c, struct str sha) {
    struct db_row *r;
    TRY(db_prepare(c->p->db,
                   "SELECT started_at, ended_at FROM run WHERE repo IS ?1 AND sha = ?2 AND started_at IS NOT "
                   "NULL AND ended_at > started_at",
                   &r));
    part_bind_repo(r, 1, c->p->repo);
    db_bind_text(r, 2, sha);
    return db_each(r, add_span, c);
}

// Every sha that was told as the head of the change, each once.
static enum err read_ci(struct changing *c) {
    struct str *shas;
    uint32_t n;
    TRY(fact_texts(c->p->db, c->p->a, c->items[c->at].key, CHANGE_HEAD_SHA, &shas, &n));
    c->n_spans = 0;
    for (uint32_t i = 0; i < n; i++) {
        TRY(put_head(c, shas[i]));
        TRY(read_runs_of(c, shas[i]));
    }
    take_spans(c);
    return ERR_OK;
}

enum err part_changes(struct part *p, struct buf *figures, struct buf *names) {
    struct changing c = { .p = p };
    struct db_row *r;
    TRY(db_prepare(p->db,
                   "SELECT key, opened_at, ready_at, first_commit_at, merged_at, author_kind, state, "
                   "lower(merge_sha), author FROM change"
                   " WHERE repo IS ?1 AND " PART_OF_CHANGE " = ?2 ORDER BY key",
                   &r));
    part_bind_repo(r, 1, p->repo);
    db_bind_i64(r, 2, p->part);
    TRY(db_each(r, add_change, &c));
    for (c.at = 0; c.at < c.n; c.at++) {
        TRY(read_reviews(&c));
        TRY(read_deliveries(&c));
        TRY(read_ci(&c));
    }
    struct flow_changes all = { c.items, c.n, c.n_deliveries, c.deliveries, c.scopes, c.n_scopes };
    flow_pack_changes(&all, figures, names);
    return part_put(p, FLOW_CHANGES, figures, names);
}
