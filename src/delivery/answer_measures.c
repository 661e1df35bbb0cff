// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_parts.h"

struct all_measures {
    struct measuring of[MEASURE_COUNT];
    uint32_t n_series;
};

static enum err measure_all_series(void *ctx, const struct series *s) {
    struct all_measures *all = ctx;
    all->n_series++;
    for (unsigned m = 0; m < MEASURE_COUNT; m++) measure_series(&all->of[m], s);
    return ERR_OK;
}
static enum err measure_all_incidents(void *ctx, const struct measure_incident *i) {
    struct all_measures *all = ctx;
    for (unsigned m = 0; m < MEASURE_COUNT; m++) measure_incident(&all->of[m], i);
    return ERR_OK;
}
static enum err measure_all_inputs(void *ctx, const struct measure_input *in) {
    struct all_measures *all = ctx;
    for (unsigned m = 0; m < MEASURE_COUNT; m++) measure_input(&all->of[m], in);
    return ERR_OK;
}

enum err answer_results(struct db *db, struct arena *a, const struct answer_ask *ask,
                        struct measure_result out[static MEASURE_COUNT], uint32_t *out_series) {
    struct all_measures *all = ARENA_NEW(a, struct all_measures);
    struct scope_visit visit = { .ctx = all,
                                 .series = measure_all_series,
                                 .incident = measure_all_incidents,
                                 .with_commits = true,
                                 .input = measure_all_inputs,
                                 .wants = MEASURE_WANTS_ALL };
    if (!all) return ERR_NOMEM;
    for (unsigned m = 0; m < MEASURE_COUNT; m++) {
        struct figure_id f = answer_figure(ask, (enum measure)m, 0);
        struct measure_ask question = figure_ask(&f, ask->now);
        measure_begin(&all->of[m], a, &question, NULL, NULL);
    }
    TRY(scope_each(db, &ask->scope, &visit));
    for (unsigned m = 0; m < MEASURE_COUNT; m++) TRY(measure_end(&all->of[m], &out[m]));
    *out_series = all->n_series;
    return ERR_OK;
}

static enum err measures_of(struct db *db, struct arena *a, const void *ctx, struct json_writer *w) {
    const struct answer_ask *ask = ctx;
    struct measure_result *results = ARENA_ARRAY(a, MEASURE_COUNT, struct measure_result);
    uint32_t n_series;
    int64_t as_of;
    if (!results) return ERR_NOMEM;
    TRY(answer_results(db, a, ask, results, &n_series));
    TRY(db_number(db, "SELECT max(id) FROM event", &as_of));
    jw_object(w);
    put_scope(w, &ask->scope);
    struct figure_id window = answer_figure(ask, 0, 0);
    put_window(w, &window, ask->now);
    put_u64(w, "series", n_series);
    jw_key(w, STR("measures"));
    jw_array(w);
    for (unsigned m = 0; m < MEASURE_COUNT; m++) {
        struct figure_id f = answer_figure(ask, (enum measure)m, as_of);
        struct measure_target target;
        TRY(answer_target(db, a, &ask->scope, (enum measure)m, &target));
        jw_object(w);
        put_result(w, &f, &results[m], &target, ask->year);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_measures(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                         struct err_ctx *ctx) {
    return answer_read(d, measures_of, ask, w, ctx);
}
