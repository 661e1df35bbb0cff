// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_parts.h"
#include "delivery/answer_rows.h"
#include "delivery/row.h"

struct why {
    struct db *db;
    struct json_writer *w;
    uint64_t limit, shown, all;
    bool valued; // each row counts by a value of its own, which may be 0
    enum err err;
};

// What SQL knows of a rollout and, for a commit, of it.
static enum err put_names(struct why *y, const struct measure_row *row) {
    const struct figure *f = &row->series->figures[row->rollout];
    struct db_row *r;
    bool found;
    TRY(db_prepare(y->db, "SELECT version, lower(sha), url FROM rollout WHERE id = ?", &r));
    db_bind_i64(r, 1, (int64_t)f->id);
    TRY(db_step(r, &found));
    if (!found) return ERR_OK;
    put_text(y->w, "version", db_text(r, 0));
    put_text(y->w, "sha", db_text(r, 1));
    put_text(y->w, "url", db_text(r, 2));
    db_reset(r);
    return ERR_OK;
}

static enum err put_commit(struct why *y, const struct measure_row *row) {
    const struct figure *f = &row->series->figures[row->rollout];
    struct db_row *r;
    bool found;
    // The figures hold the commits of a rollout in an order of their own; the times tell which it is.
    const struct figure_commit *c = &row->series->commits[row->commit];
    TRY(db_prepare(y->db,
                   "SELECT lower(hex(sha)), author, subject FROM rollout_commit WHERE rollout = ? AND "
                   "ifnull(authored_at, 0) = ?"
                   " AND ifnull(committed_at, 0) = ? AND flags = ? ORDER BY sha LIMIT 1",
                   &r));
    db_bind_i64(r, 1, (int64_t)f->id);
    db_bind_i64(r, 2, c->authored);
    db_bind_i64(r, 3, c->committed);
    db_bind_i64(r, 4, c->flags);
    TRY(db_step(r, &found));
    jw_key(y->w, STR("commit"));
    jw_object(y->w);
    if (found) {
        put_text(y->w, "sha", db_text(r, 0));
        put_text(y->w, "author", db_text(r, 1));
        put_text(y->w, "subject", db_text(r, 2));
        db_reset(r);
    }
    put_time(y->w, "authored", c->authored);
    put_time(y->w, "committed", c->committed);
    jw_object_end(y->w);
    return ERR_OK;
}

static enum err put_evidence(struct why *y, uint64_t rollout) {
    static const struct answer_column columns[] = { { "incident", CELL_TEXT },  { "rule", CELL_TEXT },
                                                    { "decides", CELL_TRUE },   { "says", CELL_TEXT },
                                                    { "neighbour", CELL_TRUE }, { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(y->db,
                   "SELECT incident, rule, decides, evidence, neighbour FROM link WHERE rollout = ? ORDER BY "
                   "decides DESC, incident, rule",
                   &r));
    db_bind_i64(r, 1, (int64_t)rollout);
    return answer_put_rows(y->w, "evidence", r, columns, NULL, NULL);
}

static enum err put_why_rollout(struct why *y, const struct measure_row *row) {
    const struct figure *f = &row->series->figures[row->rollout];
    put_text(y->w, "service", row->series->service);
    put_text(y->w, "environment", row->series->environment);
    put_id(y->w, "rollout", f->id);
    put_text(y->w, "kind", str_of(rollout_kind_text(f->kind)));
    put_text(y->w, "state", str_of(rollout_state_text(f->state)));
    put_time(y->w, "started", f->started);
    put_time(y->w, "finished", f->finished);
    put_time(y->w, "recovered", f->recovered);
    TRY(put_names(y, row));
    if (row->commit != ROLLOUT_NONE) TRY(put_commit(y, row));
    return f->failure ? put_evidence(y, f->id) : ERR_OK;
}

static void put_why_incident(struct why *y, const struct measure_incident *i) {
    put_text(y->w, "incident", i->key);
    put_text(y->w, "service", i->service);
    put_text(y->w, "environment", i->environment);
    put_time(y->w, "began", i->began);
    put_text(y->w, "began_by", i->began_by);
    put_text(y->w, "began_says", i->began_says);
    put_time(y->w, "detected", i->detected);
    put_time(y->w, "acknowledged", i->acknowledged);
    put_time(y->w, "recovered", i->recovered);
    put_time(y->w, "paused_ns", i->paused);
}

static void watch(void *ctx, const struct measure_row *row) {
    struct why *y = ctx;
    y->all++;
    if (y->err != ERR_OK || y->shown == y->limit) return;
    y->shown++;
    jw_object(y->w);
    jw_key(y->w, STR("counted"));
    jw_bool(y->w, row->counted);
    put_bool(y->w, "hit", row->hit);
    if (row->counted && (y->valued || row->value != 0)) put_f64(y->w, "value", row->value);
    if (row->why) put_text(y->w, "why", str_of(row->why));
    if (row->incident)
        put_why_incident(y, row->incident);
    else if (row_is_input(row))
        y->err = row_put(y->db, row, y->w);
    else
        y->err = put_why_rollout(y, row);
    jw_object_end(y->w);
}

static enum err events_since(struct db *db, int64_t as_of, uint64_t *out) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(db, "SELECT count(*) FROM event WHERE id > ?", &r));
    db_bind_i64(r, 1, as_of);
    TRY(db_step(r, &row));
    *out = row ? (uint64_t)db_i64(r, 0) : 0;
    if (row) db_reset(r);
    return ERR_OK;
}

static enum err measure_one_series(void *ctx, const struct series *s) {
    measure_series(ctx, s);
    return ERR_OK;
}
static enum err measure_one_incident(void *ctx, const struct measure_incident *i) {
    measure_incident(ctx, i);
    return ERR_OK;
}
static enum err measure_one_input(void *ctx, const struct measure_input *in) {
    measure_input(ctx, in);
    return ERR_OK;
}

static enum err measure_why(struct db *db, struct arena *a, const struct answer_why_ask *ask, uint64_t limit,
                            struct json_writer *w) {
    const struct figure_id *f = ask->figure;
    enum measure_kind kind = measure_info(f->measure)->kind;
    struct why y = {
        .db = db, .w = w, .limit = limit, .valued = kind == MEASURE_TIME || kind == MEASURE_SIZE
    };
    struct measure_ask question = figure_ask(f, ask->now);
    struct measuring run;
    bool rollouts = measure_wants(f->measure) == 0; // else neither these nor incidents are read
    struct scope_visit visit = { .ctx = &run,
                                 .series = rollouts ? measure_one_series : NULL,
                                 .incident = rollouts ? measure_one_incident : NULL,
                                 .with_commits = measure_needs_commits(f->measure),
                                 .input = measure_one_input,
                                 .wants = measure_wants(f->measure),
                                 .with_names = true };
    struct measure_target target;
    struct measure_result r;
    jw_key(w, STR("rows"));
    jw_array(w);
    measure_begin(&run, a, &question, watch, &y);
    TRY(scope_each(db, &f->scope, &visit));
    TRY(y.err);
    TRY(measure_end(&run, &r));
    jw_array_end(w);
    put_u64(w, "rows_in_all", y.all);
    TRY(answer_target(db, a, &f->scope, f->measure, &target));
    put_result(w, f, &r, &target, 0);
    return ERR_OK;
}

static enum err why_of(struct db *db, struct arena *a, const struct answer_why_ask *ask, uint64_t since,
                       struct json_writer *w) {
    const struct figure_id *f = ask->figure;
    uint64_t limit = ask->limit && ask->limit < ANSWER_ROWS_MAX ? ask->limit : ANSWER_ROWS_MAX;
    jw_object(w);
    put_scope(w, &f->scope);
    put_window(w, f, ask->now);
    put_text(w, "definition",
             str_of(f->compat ? compat_info(f->compat)->definition : measure_info(f->measure)->definition));
    put_u64(w, "events_since", since);
    put_bool(w, "then", ask->then);
    TRY(f->compat ? answer_compat_why(db, a, f, limit, w) : measure_why(db, a, ask, limit, w));
    jw_object_end(w);
    return ERR_OK;
}

// --- today, and then ---------------------------------------------------------------------------------------

static enum err why_today(struct delivery *d, const struct answer_why_ask *ask, struct arena *a,
                          struct json_writer *w, struct err_ctx *ctx) {
    struct db *db;
    uint64_t since = 0;
    TRY(delivery_reader(d, &db));
    enum err e = ask->figure->as_of ? events_since(db, ask->figure->as_of, &since) : ERR_OK;
    if (e == ERR_OK) e = why_of(db, a, ask, since, w);
    e = failed_read(db, e, ctx);
    delivery_reader_done(d, db);
    return e;
}

static enum err why_then(struct delivery *d, const struct answer_why_ask *ask, struct arena *a,
                         struct json_writer *w, struct err_ctx *ctx) {
    struct answer_why_ask then = *ask;
    struct db *db;
    uint64_t since;
    bool needs_now = !ask->figure->compat; // what other tools define is of the window alone
    if (!ask->figure->as_of || (needs_now && !ask->figure->at))
        return err_set(ctx, ERR_INVALID,
                       "the figure does not say as of what it was computed: it needs as_of and at");
    if (needs_now) then.now = ask->figure->at;
    TRY(delivery_then(d, ask->figure->as_of, &since, &db, ctx));
    enum err e = failed_read(db, why_of(db, a, &then, since, w), ctx);
    delivery_then_done(d, db);
    return e;
}

enum err answer_why(struct delivery *d, const struct answer_why_ask *ask, struct json_writer *w,
                    struct err_ctx *ctx) {
    struct arena a;
    arena_init(&a, ANSWER_MEMORY_MAX, NULL);
    enum err e = ask->then ? why_then(d, ask, &a, w, ctx) : why_today(d, ask, &a, w, ctx);
    arena_fini(&a);
    return e;
}
