// SPDX-License-Identifier: Apache-2.0
// A measure over time: one figure for each period, all from one reading of the scope.
#include "delivery/answer_parts.h"

struct trend {
    struct measuring *of;
    const struct answer_period *periods;
    uint32_t n;
};

static enum err trend_series(void *ctx, const struct series *s) {
    struct trend *t = ctx;
    for (uint32_t i = 0; i < t->n; i++) measure_series(&t->of[i], s);
    return ERR_OK;
}
static enum err trend_incident(void *ctx, const struct measure_incident *incident) {
    struct trend *t = ctx;
    for (uint32_t i = 0; i < t->n; i++) measure_incident(&t->of[i], incident);
    return ERR_OK;
}

static enum err trend_input(void *ctx, const struct measure_input *in) {
    struct trend *t = ctx;
    for (uint32_t i = 0; i < t->n; i++) measure_input(&t->of[i], in);
    return ERR_OK;
}

static struct figure_id figure_of(const struct answer_ask *ask, enum measure m, const struct answer_period *p,
                                  int64_t as_of) {
    struct figure_id f = answer_figure(ask, m, as_of);
    f.from = p->from;
    f.to = p->to;
    return f;
}

static enum err put_point(struct trend *t, uint32_t i, const struct answer_ask *ask, struct figure_id *f,
                          const struct measure_target *target, struct json_writer *w) {
    struct measure_result r;
    TRY(measure_end(&t->of[i], &r));
    jw_object(w);
    put_time(w, "from", t->periods[i].from);
    put_time(w, "to", t->periods[i].to);
    put_bool(w, "partial", t->periods[i].to > ask->now);
    put_result(w, f, &r, target, ask->year);
    jw_object_end(w);
    return ERR_OK;
}

struct trend_ask {
    const struct answer_ask *ask;
    enum measure measure;
    const struct answer_period *periods;
    uint32_t n;
};

static enum err trend_of(struct db *db, struct arena *a, const void *ctx, struct json_writer *w) {
    const struct trend_ask *of = ctx;
    const struct answer_ask *ask = of->ask;
    enum measure m = of->measure;
    const struct answer_period *periods = of->periods;
    uint32_t n = of->n;
    struct trend t = { ARENA_ARRAY(a, n + 1, struct measuring), periods, n };
    bool rollouts = measure_wants(m) == 0;
    struct scope_visit visit = { .ctx = &t,
                                 .series = rollouts ? trend_series : NULL,
                                 .incident = rollouts ? trend_incident : NULL,
                                 .with_commits = measure_needs_commits(m),
                                 .input = trend_input,
                                 .wants = measure_wants(m) };
    struct measure_target target;
    int64_t as_of;
    if (!t.of) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        struct figure_id f = figure_of(ask, m, &periods[i], 0);
        struct measure_ask question = figure_ask(&f, ask->now);
        measure_begin(&t.of[i], a, &question, NULL, NULL);
    }
    TRY(scope_each(db, &ask->scope, &visit));
    TRY(db_number(db, "SELECT max(id) FROM event", &as_of));
    TRY(answer_target(db, a, &ask->scope, m, &target));
    jw_object(w);
    put_scope(w, &ask->scope);
    struct figure_id whole = answer_figure(ask, m, 0);
    put_window(w, &whole, ask->now);
    put_text(w, "name", str_of(measure_info(m)->name));
    put_text(w, "title", str_of(measure_info(m)->title));
    put_text(w, "definition", str_of(measure_info(m)->definition));
    jw_key(w, STR("points"));
    jw_array(w);
    for (uint32_t i = 0; i < n; i++) {
        struct figure_id f = figure_of(ask, m, &periods[i], as_of);
        TRY(put_point(&t, i, ask, &f, &target, w));
    }
    jw_array_end(w);
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_trend(struct delivery *d, const struct answer_ask *ask, enum measure m,
                      const struct answer_period *periods, uint32_t n, struct json_writer *w,
                      struct err_ctx *ctx) {
    return answer_read(d, trend_of, &(struct trend_ask){ ask, m, periods, n }, w, ctx);
}
