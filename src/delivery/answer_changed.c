// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_changed.h"

#include "delivery/answer_parts.h"
#include "delivery/answer_rows.h"
#include "delivery/changed_files.h"

#define CHANGED_MEMORY_MAX (256ull << 20)

struct telling {
    struct db *db;
    struct arena *a;
    struct json_writer *w;
    int64_t id;
    int64_t from, to; // (from, to]: from the end of what ran before to its own, as long as it is open: ever
    struct str service, environment, change_kind;
};

static const struct answer_column before_columns[] = { { "id", CELL_ID },
                                                       { "version", CELL_TEXT },
                                                       { "sha", CELL_TEXT },
                                                       { "finished", CELL_TIME },
                                                       { NULL, CELL_TEXT } };

static enum err put_before(struct telling *t) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(
        t->db,
        "SELECT b.id, b.version, lower(b.sha), b.finished_at FROM rollout r JOIN rollout b ON b.id = "
        "r.before WHERE r.id = ?",
        &r));
    db_bind_i64(r, 1, t->id);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    t->from = db_i64(r, 3);
    jw_key(t->w, STR("before"));
    jw_object(t->w);
    answer_put_columns(t->w, r, before_columns);
    jw_object_end(t->w);
    db_reset(r);
    return ERR_OK;
}

static enum err find(struct telling *t, struct str name, struct err_ctx *ctx) {
    struct db_row *r;
    TRY(answer_rollout(t->db, name, &r, ctx));
    t->id = db_i64(r, 0);
    t->service = str_dup(t->a, db_text(r, 1));
    t->environment = str_dup(t->a, db_text(r, 2));
    t->change_kind = str_dup(t->a, db_text(r, 3));
    t->to = db_is_null(r, 15) ? INT64_MAX : db_i64(r, 15);
    db_reset(r);
    return t->a->failed ? ERR_NOMEM : ERR_OK;
}

// --- files -------------------------------------------------------------------------------------------------

static const char *const hows[] = { "changed", "added", "removed" };

static void put_parts(struct json_writer *w, const struct file_parts *parts) {
    put_u64(w, "parts_n", parts->n);
    jw_key(w, STR("parts"));
    jw_array(w);
    for (uint32_t i = 0; i < parts->n && i < ANSWER_CHANGED_PARTS_MAX; i++) {
        const struct file_part *p = &parts->items[i];
        jw_object(w);
        put_text(w, "name", p->name);
        put_text(w, "how", str_of(hows[p->how]));
        put_text(w, "old", p->old);
        put_text(w, "new", p->new);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void put_file(struct json_writer *w, const struct changed_file *f) {
    jw_object(w);
    put_text(w, "path", f->path);
    put_text(w, "how", str_of(hows[f->how]));
    if (f->parts.n) put_parts(w, &f->parts);
    put_text(w, "parts_why", f->parts.why);
    jw_object_end(w);
}

static uint32_t put_kind(struct json_writer *w, const struct changed_files *f, uint32_t from) {
    uint32_t to = from;
    while (to < f->n && f->files[to].kind == f->files[from].kind) to++;
    jw_object(w);
    put_text(w, "kind", str_of(file_kind_text(f->files[from].kind)));
    put_u64(w, "n", to - from);
    jw_key(w, STR("files"));
    jw_array(w);
    for (uint32_t i = from; i < to && i - from < ANSWER_CHANGED_FILES_MAX; i++) put_file(w, &f->files[i]);
    jw_array_end(w);
    jw_object_end(w);
    return to;
}

static enum err put_files(struct telling *t) {
    static const char *const states[] = { "unknown", "known", "cut" };
    struct changed_files f;
    TRY(changed_files_read(t->db, t->a, t->id, &f));
    jw_key(t->w, STR("files"));
    jw_object(t->w);
    put_text(t->w, "state", str_of(states[f.state]));
    if (f.state != CHANGED_UNKNOWN) put_text(t->w, "by", f.by_pushes ? STR("pushes") : STR("git"));
    put_text(t->w, "why", f.why);
    put_u64(t->w, "n", f.n);
    if (f.by_pushes) put_u64(t->w, "commits_told", f.n_told);
    jw_key(t->w, STR("kinds"));
    jw_array(t->w);
    for (uint32_t i = 0; i < f.n;) i = put_kind(t->w, &f, i);
    jw_array_end(t->w);
    jw_object_end(t->w);
    return ERR_OK;
}

// --- what else was changed ---------------------------------------------------------------------------------

static void bind_between(struct telling *t, struct db_row *r) {
    db_bind_text(r, 1, t->service);
    db_bind_text(r, 2, t->environment);
    db_bind_i64(r, 3, t->from);
    db_bind_i64(r, 4, t->to);
    db_bind_i64(r, 5, ANSWER_CHANGED_ROWS_MAX);
}

struct total {
    struct db_row *r;
    int at; // its column: how many there are without the limit, on every row
    uint64_t n;
};
static enum err take_total(void *ctx, struct str first) {
    struct total *t = ctx;
    (void)first;
    t->n = (uint64_t)db_i64(t->r, t->at);
    return ERR_OK;
}

static enum err put_counted(struct telling *t, const char *name, const char *count, struct db_row *r,
                            const struct answer_column *columns) {
    struct total total = { .r = r };
    while (columns[total.at].key) total.at++;
    TRY(answer_put_rows(t->w, name, r, columns, take_total, &total));
    put_u64(t->w, count, total.n);
    return ERR_OK;
}

static enum err put_rollouts(struct telling *t) {
    static const struct answer_column columns[] = { { "id", CELL_ID },         { "change", CELL_TEXT },
                                                    { "version", CELL_TEXT },  { "state", CELL_TEXT },
                                                    { "finished", CELL_TIME }, { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(
        t->db,
        "SELECT id, change_kind, coalesce(version, sha, digest), state, finished_at, count(*) OVER () FROM "
        "rollout WHERE service = ?1 AND environment = ?2 AND finished_at > ?3 AND finished_at <= ?4 AND "
        "change_kind "
        "<> ?6 ORDER BY finished_at DESC, id LIMIT ?5",
        &r));
    bind_between(t, r);
    db_bind_text(r, 6, t->change_kind);
    return put_counted(t, "rollouts", "rollouts_n", r, columns);
}

static enum err put_flags(struct telling *t) {
    static const struct answer_column columns[] = { { "key", CELL_TEXT },    { "flag", CELL_TEXT },
                                                    { "action", CELL_TEXT }, { "actor", CELL_TEXT },
                                                    { "at", CELL_TIME },     { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(
        t->db,
        "SELECT key, flag, action, actor, changed_at, count(*) OVER () FROM flag_change WHERE service = ?1 "
        "AND ifnull(environment, ?2) = ?2 AND changed_at > ?3 AND changed_at <= ?4 ORDER BY changed_at "
        "DESC, key LIMIT ?5",
        &r));
    bind_between(t, r);
    return put_counted(t, "flags", "flags_n", r, columns);
}

// Before the first that is known, nothing is between.
static enum err tell(struct db *db, struct arena *a, const void *ask, struct json_writer *w) {
    const struct rollout_ask *of = ask;
    struct telling t = { .db = db, .a = a, .w = w };
    TRY(find(&t, of->name, of->ctx));
    t.from = t.to;
    jw_object(w);
    put_id(w, "rollout", (uint64_t)t.id);
    TRY(put_before(&t));
    TRY(put_files(&t));
    TRY(put_rollouts(&t));
    TRY(put_flags(&t));
    jw_object_end(w);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

enum err answer_changed(struct delivery *d, struct str name, struct json_writer *w, struct err_ctx *ctx) {
    return answer_of_rollout(d, CHANGED_MEMORY_MAX, tell, name, w, ctx);
}
