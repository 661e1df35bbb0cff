// SPDX-License-Identifier: Apache-2.0
// Measures as other tools define them, and the rows behind one.
#include "delivery/answer_parts.h"
#include "delivery/compat_read.h"

static void put_compat(struct json_writer *w, const struct figure_id *f, const struct compat_result *r) {
    const struct compat_info *c = compat_info(f->compat);
    put_text(w, "name", str_of(c->name));
    put_text(w, "title", str_of(c->title));
    put_figure(w, "figure", f);
    put_text(w, "unit", str_of(c->unit));
    if (r->defined) put_f64(w, "value", r->value);
    put_u64(w, "n", r->n);
    if (c->is_rate) {
        put_u64(w, "numerator", r->numerator);
        put_u64(w, "denominator", r->denominator);
    }
    if (r->level) {
        jw_key(w, STR("level"));
        jw_object(w);
        put_text(w, "set", str_of(compat_set_text(c->set)));
        put_text(w, "best", str_of(r->level));
        put_text(w, "worst", str_of(r->level));
        jw_object_end(w);
    }
    jw_key(w, STR("left_out"));
    jw_array(w);
    for (unsigned i = 0; i < r->n_left_out; i++) {
        jw_object(w);
        put_text(w, "why", str_of(r->left_out[i].text));
        put_u64(w, "n", r->left_out[i].n);
        jw_object_end(w);
    }
    jw_array_end(w);
}

struct compat_list {
    const struct answer_ask *ask;
    enum compat_set set;
};

static enum err compat_of_set(struct db *db, struct arena *a, const void *ctx, struct json_writer *w) {
    const struct compat_list *list = ctx;
    const struct answer_ask *ask = list->ask;
    struct figure_id f = answer_figure(ask, 0, 0);
    struct compat_facts facts;
    TRY(compat_read(db, a, &ask->scope, ask->clock, ask->from, ask->to, &facts));
    TRY(db_number(db, "SELECT max(id) FROM event", &f.as_of));
    jw_object(w);
    put_scope(w, &ask->scope);
    put_window(w, &f, ask->now);
    put_text(w, "set", str_of(compat_set_text(list->set)));
    jw_key(w, STR("measures"));
    jw_array(w);
    for (unsigned i = COMPAT_NONE + 1; i < COMPAT_COUNT; i++) {
        struct compat_result r;
        if (compat_info((enum compat)i)->set != list->set) continue;
        f.compat = (enum compat)i;
        TRY(compat_run(a, f.compat, &facts, f.from, f.to, NULL, NULL, &r));
        jw_object(w);
        put_compat(w, &f, &r);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_compat(struct delivery *d, const struct answer_ask *ask, enum compat_set set,
                       struct json_writer *w, struct err_ctx *ctx) {
    return answer_read(d, compat_of_set, &(struct compat_list){ ask, set }, w, ctx);
}

// --- over time ---------------------------------------------------------------------------------------------

struct compat_trend {
    const struct answer_ask *ask;
    enum compat of;
    const struct answer_period *periods;
    uint32_t n;
};

static enum err put_point(struct arena *a, const struct compat_trend *t, const struct compat_facts *facts,
                          struct figure_id *f, struct json_writer *w) {
    struct compat_result r;
    TRY(compat_run(a, t->of, facts, f->from, f->to, NULL, NULL, &r));
    jw_object(w);
    put_time(w, "from", f->from);
    put_time(w, "to", f->to);
    put_bool(w, "partial", f->to > t->ask->now);
    put_compat(w, f, &r);
    jw_object_end(w);
    return ERR_OK;
}

static enum err trend_of(struct db *db, struct arena *a, const void *ctx, struct json_writer *w) {
    const struct compat_trend *t = ctx;
    const struct answer_ask *ask = t->ask;
    struct figure_id f = answer_figure(ask, 0, 0);
    struct compat_facts facts;
    TRY(compat_read(db, a, &ask->scope, ask->clock, ask->from, ask->to, &facts));
    jw_object(w);
    put_scope(w, &ask->scope);
    put_window(w, &f, ask->now);
    put_text(w, "name", str_of(compat_info(t->of)->name));
    put_text(w, "title", str_of(compat_info(t->of)->title));
    put_text(w, "definition", str_of(compat_info(t->of)->definition));
    TRY(db_number(db, "SELECT max(id) FROM event", &f.as_of));
    f.compat = t->of;
    jw_key(w, STR("points"));
    jw_array(w);
    for (uint32_t i = 0; i < t->n; i++) {
        f.from = t->periods[i].from;
        f.to = t->periods[i].to;
        TRY(put_point(a, t, &facts, &f, w));
    }
    jw_array_end(w);
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_compat_trend(struct delivery *d, const struct answer_ask *ask, enum compat c,
                             const struct answer_period *periods, uint32_t n, struct json_writer *w,
                             struct err_ctx *ctx) {
    return answer_read(d, trend_of, &(struct compat_trend){ ask, c, periods, n }, w, ctx);
}

// --- why ---------------------------------------------------------------------------------------------------

struct why {
    struct json_writer *w;
    uint64_t limit, all;
};

static void put_row(struct json_writer *w, const struct compat_row *row) {
    jw_key(w, STR("counted"));
    jw_bool(w, row->counted);
    put_bool(w, "hit", row->hit);
    if (row->counted && row->value != 0) put_f64(w, "value", row->value);
    if (row->why) put_text(w, "why", str_of(row->why));
    if (row->deploy) {
        put_text(w, "service", row->deploy->service);
        put_text(w, "deploy", row->deploy->key);
        put_text(w, "sha", row->deploy->sha);
        put_time(w, "started", row->deploy->started);
        put_time(w, "finished", row->deploy->finished);
    }
    if (row->change) {
        jw_key(w, STR("commit"));
        jw_object(w);
        put_text(w, "sha", row->change->sha);
        jw_object_end(w);
    }
    if (row->request) put_text(w, "request", row->request->key);
    if (!row->incident) return;
    put_text(w, "incident", row->incident->key);
    if (!row->deploy) put_text(w, "service", row->incident->service);
    put_time(w, "began", row->incident->created);
    put_time(w, "recovered", row->incident->resolved);
}

static void watch(void *ctx, const struct compat_row *row) {
    struct why *y = ctx;
    if (y->all++ >= y->limit) return;
    jw_object(y->w);
    put_row(y->w, row);
    jw_object_end(y->w);
}

enum err answer_compat_why(struct db *db, struct arena *a, const struct figure_id *f, uint64_t limit,
                           struct json_writer *w) {
    struct why y = { w, limit, 0 };
    struct compat_facts facts;
    struct compat_result r;
    TRY(compat_read(db, a, &f->scope, f->clock, f->from, f->to, &facts));
    jw_key(w, STR("rows"));
    jw_array(w);
    TRY(compat_run(a, f->compat, &facts, f->from, f->to, watch, &y, &r));
    jw_array_end(w);
    put_u64(w, "rows_in_all", y.all);
    put_compat(w, f, &r);
    return ERR_OK;
}
