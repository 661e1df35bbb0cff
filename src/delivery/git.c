// SPDX-License-Identifier: Apache-2.0
#include "delivery/git.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "base/json.h"
#include "delivery/series.h"
#include "delivery/stale.h"
#include "intake/stamp.h"
#include "vcs/history.h"
#include "vcs/patch.h"
#include "vcs/tags.h"

enum { MATCH_STEPS_MAX = 100000, PATTERN_MAX = 1000, COLLIDING_MAX = 20000 };

// --- tags --------------------------------------------------------------------------------------------------

struct pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

static void pattern_fini(struct pattern *p) {
    pcre2_match_data_free(p->match);
    pcre2_match_context_free(p->limits);
    pcre2_code_free(p->code);
}

static enum err pattern_init(struct pattern *p, struct str text, struct err_ctx *ctx) {
    int code;
    PCRE2_SIZE at;
    PCRE2_UCHAR why[128];
    *p = (struct pattern){ 0 };
    if (text.len > PATTERN_MAX)
        return err_set(ctx, ERR_INVALID, "the expression for tags is longer than %d characters", PATTERN_MAX);
    p->code =
        pcre2_compile((PCRE2_SPTR)text.ptr, text.len, PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
    if (!p->code) {
        (void)pcre2_get_error_message(code, why, sizeof why);
        return err_set(ctx, ERR_INVALID, "the expression for tags is wrong at character %zu: %s", at + 1,
                       (const char *)why);
    }
    p->match = pcre2_match_data_create_from_pattern(p->code, NULL);
    p->limits = pcre2_match_context_create(NULL);
    if (!p->match || !p->limits) return ERR_NOMEM;
    (void)pcre2_set_match_limit(p->limits, MATCH_STEPS_MAX);
    return ERR_OK;
}

static bool is_wanted(void *ctx, struct str name) {
    const struct pattern *p = ctx;
    return pcre2_match(p->code, (PCRE2_SPTR)name.ptr, name.len, 0, 0, p->match, p->limits) >= 0;
}

static int by_time(const void *pa, const void *pb) {
    const struct git_rollout *a = pa, *b = pb;
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    return str_cmp(a->tag, b->tag);
}

static enum err take_tags(struct arena *a, const struct git_ask *ask, const struct tags *t,
                          struct git_batch *out) {
    out->rollouts = ARENA_ARRAY(a, t->n + 1, struct git_rollout);
    if (!out->rollouts) return ERR_NOMEM;
    for (uint32_t i = 0; i < t->n; i++) {
        const struct tag *tag = &t->tags[i];
        struct sha_text hex = sha_text(&tag->commit);
        bool dated = ask->time == GIT_NAME ? tag->has_date : stamp_is_usable(tag->created_at);
        if (!dated) {
            out->n_undated++;
            continue;
        }
        out->rollouts[out->n_rollouts++] =
            (struct git_rollout){ tag->name, str_dup(a, str_of(hex.z)),
                                  ask->time == GIT_NAME ? tag->date.ns : tag->created_at.ns };
    }
    out->n_tags = t->n_names;
    out->n_other = t->n_not_wanted;
    out->n_no_commit = t->n_not_commit;
    out->n_unreadable = t->n_unreadable;
    out->n_cut = t->n_cut;
    if (out->n_rollouts) qsort(out->rollouts, out->n_rollouts, sizeof *out->rollouts, by_time);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err read_tags(struct arena *a, struct repo *repo, const struct git_ask *ask, struct tags *t,
                          struct err_ctx *ctx) {
    struct pattern p;
    enum err e = pattern_init(&p, ask->tags, ctx);
    if (e == ERR_OK)
        e = tags_read(a, repo, &(struct tags_in){ .want = is_wanted, .ctx = &p, .now_ns = ask->now }, ctx, t);
    pattern_fini(&p);
    return e;
}

// --- commits -----------------------------------------------------------------------------------------------

struct knowing {
    const struct git_ask *ask;
    struct str identity;
};

static enum err is_known(void *ctx, const struct sha *id, uint32_t *out_generation) {
    const struct knowing *k = ctx;
    *out_generation = 0;
    return k->ask->known && k->ask->known(k->ask->ctx, k->identity, id->byte) ? ERR_OK : ERR_NOT_FOUND;
}

static uint8_t flags_of(const struct history *h, uint32_t i) {
    return (uint8_t)((stamp_is_usable(h->author_at[i]) ? 0 : COMMIT_BAD_AUTHORED) |
                     (stamp_is_usable(h->commit_at[i]) ? 0 : COMMIT_BAD_COMMITTED));
}

static int64_t ns_of(struct stamp s) {
    return s.flags & STAMP_UNREADABLE ? 0 : s.ns;
}

static enum err take_commit(struct arena *a, const struct history *h, uint32_t i, struct git_commit *c) {
    const struct graph_node *node = &h->nodes[i];
    struct sha *parents = ARENA_ARRAY(a, node->n_parents + 1, struct sha);
    if (!parents) return ERR_NOMEM;
    for (uint32_t p = 0; p < node->n_parents; p++) {
        uint32_t row = h->parents[node->at + p];
        parents[p] = row < h->n ? h->sha[row] : h->outside[row - h->n].sha;
    }
    const struct history_person *author = &h->people[h->author[i]];
    *c = (struct git_commit){ .parents = { (const char *)parents, node->n_parents * (size_t)SHA_BYTES },
                              .authored = ns_of(h->author_at[i]),
                              .committed = ns_of(h->commit_at[i]),
                              .flags = flags_of(h, i),
                              .change = h->change[i],
                              .author = author->name.len ? author->name : author->email,
                              .subject = h->subject[i] };
    memcpy(c->sha, h->sha[i].byte, SHA_BYTES);
    for (uint32_t t = h->trailer_at[i]; t < h->trailer_at[i + 1]; t++) {
        const struct history_trailer *tr = &h->trailers[t];
        if (tr->n_hex != SHA_HEX) continue;
        if (tr->kind == TRAILER_REVERTS && !c->has_reverts) {
            memcpy(c->reverts, tr->sha.byte, SHA_BYTES);
            c->has_reverts = true;
        } else if (tr->kind ==
                   TRAILER_CHERRY_PICK) { // the last: of a pick of a pick, where it came from first
            memcpy(c->picked, tr->sha.byte, SHA_BYTES);
            c->has_picked = true;
        }
    }
    return ERR_OK;
}

// Commits that may be twins: the same author, author's time and subject. Only their patches are compared.
static int by_twin(const void *pa, const void *pb) {
    const struct git_commit *a = *(struct git_commit *const *)pa, *b = *(struct git_commit *const *)pb;
    if (a->authored != b->authored) return a->authored < b->authored ? -1 : 1;
    int c = str_cmp(a->author, b->author);
    return c ? c : str_cmp(a->subject, b->subject);
}

static enum err read_patches(struct arena *a, struct repo *repo, struct git_batch *b, struct err_ctx *ctx) {
    struct git_commit **order = ARENA_ARRAY(a, b->n + 1, struct git_commit *);
    uint32_t read = 0;
    if (!order) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n; i++) order[i] = &b->commits[i];
    if (b->n) qsort(order, b->n, sizeof(struct git_commit *), by_twin);
    for (uint32_t i = 0; i < b->n && read < COLLIDING_MAX; i++) {
        bool twin = (i > 0 && by_twin(&order[i - 1], &order[i]) == 0) ||
                    (i + 1 < b->n && by_twin(&order[i], &order[i + 1]) == 0);
        struct patch p;
        struct sha id;
        if (!twin || order[i]->parents.len > SHA_BYTES) continue;
        memcpy(id.byte, order[i]->sha, SHA_BYTES);
        TRY(patch_read(repo, &id, ctx, &p));
        read++;
        if (p.kind != PATCH_OK) continue;
        memcpy(order[i]->patch, p.id.byte, SHA_BYTES);
        order[i]->has_patch = true;
    }
    return ERR_OK;
}

static enum err read_history(struct arena *a, struct repo *repo, const struct git_ask *ask,
                             const struct tags *t, struct git_batch *out, struct err_ctx *ctx) {
    struct repo_tips heads;
    struct history h;
    struct knowing k = { ask, out->identity };
    TRY(repo_tips(a, repo, ctx, &heads));
    struct sha *tips = ARENA_ARRAY(a, heads.n + t->n + 1, struct sha);
    if (!tips) return ERR_NOMEM;
    if (heads.n) memcpy(tips, heads.tips, heads.n * sizeof *tips);
    for (uint32_t i = 0; i < t->n; i++) tips[heads.n + i] = t->tags[i].commit;
    TRY(history_read(
        a, repo,
        &(struct history_in){
            .tips = tips, .n_tips = heads.n + t->n, .known = is_known, .ctx = &k, .now_ns = ask->now },
        ctx, &h));
    out->commits = ARENA_ARRAY(a, h.n + 1, struct git_commit);
    if (!out->commits) return ERR_NOMEM;
    out->n = h.n;
    out->n_missing = h.n_why[HISTORY_MISSING] + h.n_why[HISTORY_DAMAGED] + h.n_why[HISTORY_TOO_LARGE];
    for (uint32_t i = 0; i < h.n; i++) TRY(take_commit(a, &h, i, &out->commits[i]));
    return read_patches(a, repo, out, ctx);
}

enum err git_read(struct arena *a, const struct git_ask *ask, struct git_batch *out, struct err_ctx *ctx) {
    struct repo *repo;
    struct tags t;
    *out = (struct git_batch){ 0 };
    TRY(repo_open(ask->path, ctx, &repo));
    out->identity = str_dup(a, repo_identity(repo));
    out->path = str_dup(a, repo_path(repo));
    enum err e = read_tags(a, repo, ask, &t, ctx);
    if (e == ERR_OK) e = take_tags(a, ask, &t, out);
    if (e == ERR_OK) e = read_history(a, repo, ask, &t, out, ctx);
    repo_close(repo);
    return e == ERR_OK && a->failed ? ERR_NOMEM : e;
}

static bool none(void *ctx, struct str name) {
    (void)ctx;
    (void)name;
    return false;
}

enum err git_patterns(struct arena *a, const char *path, int64_t now, struct git_pattern **out, uint32_t *n,
                      uint32_t *n_tags, struct err_ctx *ctx) {
    struct repo *repo;
    struct tags t;
    TRY(repo_open(path, ctx, &repo));
    enum err e = tags_read(a, repo, &(struct tags_in){ .want = none, .now_ns = now }, ctx, &t);
    repo_close(repo);
    TRY(e);
    *out = ARENA_ARRAY(a, t.n_shapes + 1, struct git_pattern);
    if (!*out) return ERR_NOMEM;
    for (uint32_t i = 0; i < t.n_shapes; i++)
        (*out)[i] = (struct git_pattern){ t.shapes[i].regex, t.shapes[i].example, t.shapes[i].n,
                                          t.shapes[i].n_dated };
    *n = t.n_shapes;
    *n_tags = t.n_names;
    return ERR_OK;
}

// --- keeping -----------------------------------------------------------------------------------------------

static enum err repo_number(struct db *d, struct str identity, int64_t *out) {
    struct db_row *r;
    bool row;
    *out = 0;
    TRY(db_prepare(d, "SELECT id FROM git_repo WHERE name = ?", &r));
    db_bind_text(r, 1, identity);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    *out = db_i64(r, 0);
    db_reset(r);
    return ERR_OK;
}

bool git_is_kept(void *db, struct str identity, const uint8_t sha[20]) {
    struct db_row *r;
    bool row = false;
    if (db_prepare(
            db, "SELECT 1 FROM git_commit c JOIN git_repo r ON r.id = c.repo WHERE r.name = ? AND c.sha = ?",
            &r) != ERR_OK)
        return false;
    db_bind_text(r, 1, identity);
    db_bind_blob(r, 2, (struct str){ (const char *)sha, SHA_BYTES });
    if (db_step(r, &row) != ERR_OK) return false;
    if (row) db_reset(r);
    return row;
}

static enum err keep_repo(struct db *d, const struct git_batch *b, int64_t now, int64_t *out) {
    struct db_row *r;
    TRY(db_prepare(d,
                   "INSERT INTO git_repo(name, path, imported_at) VALUES(?,?,?)"
                   " ON CONFLICT(name) DO UPDATE SET path = iif(excluded.path = '', path, excluded.path), "
                   "imported_at = excluded.imported_at",
                   &r));
    db_bind_text(r, 1, b->identity);
    db_bind_text(r, 2, b->path);
    db_bind_i64(r, 3, now);
    TRY(db_done(r));
    return repo_number(d, b->identity, out);
}

static void bind_sha(struct db_row *r, int at, bool has, const uint8_t sha[20]) {
    if (has) db_bind_blob(r, at, (struct str){ (const char *)sha, SHA_BYTES });
}

// Whoever sent it may not have looked.
static uint8_t flags_then(const struct git_commit *c, int64_t now) {
    static const int64_t second = 1000000000, start_of_1990 = 631152000 * second, day = 86400 * second;
    bool authored = c->authored >= start_of_1990 && c->authored - day <= now,
         committed = c->committed >= start_of_1990 && c->committed - day <= now;
    return (uint8_t)(c->flags | (authored ? 0 : COMMIT_BAD_AUTHORED) |
                     (committed ? 0 : COMMIT_BAD_COMMITTED));
}

static enum err keep_commit(struct db *d, int64_t repo, const struct git_commit *c, int64_t now,
                            uint64_t *kept) {
    struct db_row *r;
    TRY(db_prepare(d, "INSERT OR IGNORE INTO git_commit VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", &r));
    db_bind_i64(r, 1, repo);
    bind_sha(r, 2, true, c->sha);
    db_bind_i64(r, 3, c->authored);
    db_bind_i64(r, 4, c->committed);
    db_bind_i64(r, 5, flags_then(c, now));
    db_bind_text(r, 6, c->author);
    db_bind_text(r, 7, c->subject);
    db_bind_blob(r, 8, c->parents);
    if (c->change) db_bind_i64(r, 9, c->change);
    bind_sha(r, 10, c->has_reverts, c->reverts);
    bind_sha(r, 11, c->has_picked, c->picked);
    bind_sha(r, 12, c->has_patch, c->patch);
    TRY(db_done(r));
    *kept += db_changes(d) > 0;
    return ERR_OK;
}

static void put(struct json_writer *w, const char *key, struct str v) {
    jw_key(w, str_of(key));
    jw_str(w, v);
}

// A rollout as the event that a pipeline would have sent.
static void put_event(struct json_writer *w, const struct git_ask *ask, const struct git_batch *b,
                      const struct git_rollout *o, struct arena *a) {
    struct str key = str_fmt(a, "git:%.*s:%.*s:%.*s:%.*s", STR_ARG(b->identity), STR_ARG(ask->service),
                             STR_ARG(ask->environment), STR_ARG(o->tag));
    char stamp[STAMP_TEXT_SIZE];
    struct str when = stamp_print(o->time, stamp);
    jw_object(w);
    put(w, "specversion", STR("1.0"));
    put(w, "id", str_fmt(a, "%.*s:%.*s:%lld", STR_ARG(key), STR_ARG(o->sha), (long long)o->time));
    put(w, "source", b->identity);
    put(w, "type", STR("dev.takt.deploy"));
    put(w, "time", when);
    jw_key(w, STR("data"));
    jw_object(w);
    put(w, "id", key);
    put(w, "service", ask->service);
    put(w, "environment", ask->environment);
    put(w, "version", o->tag);
    put(w, "ref", o->tag);
    put(w, "sha", o->sha);
    put(w, "repo", b->identity);
    put(w, "state", STR("success"));
    put(w, "started_at", when);
    put(w, "succeeded_at", when);
    put(w, "ended_at", when);
    jw_object_end(w);
    jw_object_end(w);
}

static enum err keep_rollout(struct db *d, struct arena *a, const struct git_ask *ask, struct str body,
                             uint64_t *kept, struct err_ctx *ctx) {
    struct intake_header type = { STR("content-type"), STR("application/cloudevents+json") };
    struct intake_request r = {
        .source = STR("events"), .headers = &type, .n_headers = 1, .body = body, .received = ask->now
    };
    struct intake in;
    int64_t id;
    TRY(intake_read(&r, a, &in, ctx));
    TRY(record_event(d, &r, &in.events[0], &id));
    if (!id) return ERR_OK;
    ++*kept;
    return in.events[0].aside.len ? ERR_OK : fact_apply(d, a, &in.events[0].claims, id, stale_note, d);
}

static enum err keep_rollouts(struct db *d, const struct git_ask *ask, const struct git_batch *b,
                              uint64_t *kept, struct err_ctx *ctx) {
    struct arena a;
    struct buf body;
    enum err e = ERR_OK;
    arena_init(&a, 64 << 20, NULL);
    buf_init(&body, 1 << 20);
    for (uint32_t i = 0; i < b->n_rollouts && e == ERR_OK; i++) {
        struct json_writer w = json_writer_on(&body);
        buf_reset(&body);
        arena_reset(&a);
        put_event(&w, ask, b, &b->rollouts[i], &a);
        e = body.failed || a.failed ? ERR_NOMEM : keep_rollout(d, &a, ask, buf_view(&body), kept, ctx);
    }
    buf_fini(&body);
    arena_fini(&a);
    return e;
}

void git_put_rollouts(struct json_writer *w, struct arena *a, const struct git_ask *ask,
                      const struct git_batch *b, uint32_t from, uint32_t to) {
    jw_array(w);
    for (uint32_t i = from; i < to; i++) put_event(w, ask, b, &b->rollouts[i], a);
    jw_array_end(w);
}

enum err git_keep_commits(struct db *d, const struct git_batch *b, int64_t now, uint64_t *out_commits) {
    int64_t repo;
    *out_commits = 0;
    TRY(keep_repo(d, b, now, &repo));
    for (uint32_t i = 0; i < b->n; i++) TRY(keep_commit(d, repo, &b->commits[i], now, out_commits));
    return *out_commits ? stale_note_repo(d, b->identity) : ERR_OK;
}

enum err git_keep(struct db *d, const struct git_ask *ask, const struct git_batch *b, uint64_t *out_commits,
                  uint64_t *out_rollouts, struct err_ctx *ctx) {
    *out_rollouts = 0;
    TRY(git_keep_commits(d, b, ask->now, out_commits));
    return keep_rollouts(d, ask, b, out_rollouts, ctx);
}
