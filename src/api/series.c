// SPDX-License-Identifier: Apache-2.0
#include "api/series.h"

#include <math.h>

#include "api/api_internal.h"

#define SECOND 1000000000ull
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
enum { MS = 1000000, INTERVALS = 240 };

// --- what is asked ---------------------------------------------------------------------------------------

static enum err read_step(struct ask *k, uint64_t *out_ns) {
    struct str s = params_get(&k->params, STR("step"));
    double seconds;
    if (s.len == 0) return ERR_OK;
    if (parse_decimal(s, &seconds) || json_f64(s, &seconds)) {
        if (seconds > 0 && seconds < 9e9) *out_ns = (uint64_t)llround(seconds * 1e9);
    } else if (!parse_duration(s, out_ns)) {
        *out_ns = 0;
    }
    if (*out_ns > 0) return ERR_OK;
    return err_set(&k->ctx, ERR_INVALID, "step is a number of seconds or a duration like 15s, and not 0");
}

// Each may be missing: a range ends now, and begins an hour (or since) before its end, or before now.
static enum err read_times(struct ask *k, struct series_ask *s) {
    const struct params *p = &k->params;
    uint64_t since = 0, now = clock_unix_ns(k->limits->clock);
    s->end_ns = now;
    TRY(params_duration(p, STR("since"), &since, &k->ctx));
    TRY(params_time(p, STR("end"), &s->end_ns, &k->ctx));
    uint64_t until = s->end_ns < now ? s->end_ns : now;
    if (since == 0) since = HOUR;
    s->start_ns = until > since ? until - since : 0;
    return params_time(p, STR("start"), &s->start_ns, &k->ctx);
}

// What a range and one value are asked with alike.
static enum err read_common(struct ask *k, struct series_ask *s) {
    const struct params *p = &k->params;
    struct str q = params_get(p, STR("q"));
    *s = (struct series_ask){ .q = q.len ? q : params_get(p, STR("query")) };
    TRY(read_times(k, s));
    return params_number(p, STR("maxSeries"), UINT32_MAX, &s->max_series, &k->ctx);
}

static enum err read_range(struct ask *k, struct series_ask *s) {
    TRY(read_common(k, s));
    TRY(params_number(&k->params, STR("exemplars"), UINT32_MAX, &s->exemplars, &k->ctx));
    return read_step(k, &s->step_ns);
}

uint64_t series_default_step(uint64_t range_ns) {
    static const uint64_t units[] = { HOUR, 5 * MINUTE, MINUTE, 15 * SECOND, 5 * SECOND, SECOND };
    uint64_t step = range_ns / INTERVALS;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (step >= units[i]) return step - step % units[i];
    if (range_ns >= MINUTE) return SECOND;
    return step >= 50 * MS ? step - step % (50 * MS) : 50 * MS;
}

static enum err check(struct ask *k, struct series_ask *s) {
    uint64_t now = clock_unix_ns(k->limits->clock);
    if (s->q.len == 0) return err_set(&k->ctx, ERR_INVALID, "the query is missing (q)");
    if (s->start_ns == 0 && s->end_ns == 0) s->start_ns = now > HOUR ? now - HOUR : 0;
    if (s->end_ns == 0) s->end_ns = now; // spans of a clock ahead of ours are out
    if (s->end_ns <= s->start_ns) return err_set(&k->ctx, ERR_INVALID, "end must be after start");
    if (s->end_ns > INT64_MAX / 2) return err_set(&k->ctx, ERR_INVALID, "end is too far in the future");
    return ERR_OK;
}

// Times of samples are multiples of the step, whoever asks when.
static enum err align(struct ask *k, struct series_ask *s) {
    if (s->step_ns == 0) s->step_ns = series_default_step(s->end_ns - s->start_ns);
    if (s->step_ns > INT64_MAX / 2) return err_set(&k->ctx, ERR_INVALID, "step is too long");
    uint64_t past = s->end_ns % s->step_ns;
    s->start_ns -= s->start_ns % s->step_ns;
    if (past) s->end_ns += s->step_ns - past;
    if ((s->end_ns - s->start_ns) / s->step_ns <= METRIC_STEPS_MAX) return ERR_OK;
    return err_set(&k->ctx, ERR_INVALID,
                   "the range has more than %d intervals of that step: take a longer step or a shorter range",
                   METRIC_STEPS_MAX);
}

// The hint wins over the parameter: false or 0 = none, true = as many as there may be.
static uint32_t exemplars_of(const struct ql_query *q, uint64_t asked) {
    uint64_t n = asked ? asked : SERIES_EXEMPLARS;
    for (uint32_t i = 0; i < q->n_hints; i++) {
        const struct value *v = &q->hints[i].value;
        if (q->hints[i].kind != QL_HINT_EXEMPLARS) continue;
        if (v->type == VALUE_BOOL) n = v->i ? SERIES_EXEMPLARS : 0;
        if (v->type == VALUE_INT) n = v->i > 0 ? (uint64_t)v->i : 0;
    }
    return n < SERIES_EXEMPLARS ? (uint32_t)n : SERIES_EXEMPLARS;
}

static enum err run(struct ask *k, const struct series_ask *s, bool instant, struct series_answer *out) {
    struct ql_query *q;
    TRY(ask_parse_metrics(k, s->q, &q));
    struct series_query how = { .query = q,
                                .bounds = ask_bounds(k, s->start_ns, s->end_ns),
                                .step_ns = instant ? 0 : s->step_ns,
                                .exemplars = instant ? 0 : exemplars_of(q, s->exemplars),
                                .max_series = (uint32_t)s->max_series,
                                .teller = s->teller };
    TRY(series_run(k->view, &how, out, &k->ctx));
    ask_note_scan(k, &out->stats);
    enum err e = out->partial ? ask_note_partial(k, out->why, &out->stats) : ERR_OK;
    if (e != ERR_OK) series_fini(out);
    return e;
}

// --- what is answered ------------------------------------------------------------------------------------

struct end { // of each piece
    const struct ask *k;
    const struct query_stats *stats;
};

static void tail(const void *ctx, struct message *m, bool last) {
    const struct end *t = ctx;
    tempo_search_metrics(m, t->stats);
    if (last) tempo_status(m, t->k->partial);
}

static enum err tell(void *pieces, const struct query_stats *so_far) {
    struct tempo_pieces *out = pieces;
    ((struct end *)out->tail_ctx)->stats = so_far;
    return tempo_pieces_end(out);
}

// Where pieces are sent, messages without series go out on the way.
static void begin_telling(struct ask *k, struct series_ask *s, struct end *end, struct tempo_pieces *out) {
    out->tail = tail;
    out->tail_ctx = end;
    if (out->send && !out->message.is_json) // JSON is one text
        s->teller = (struct query_teller){ tell, out, k->limits->progress_ns };
}

static void write_labels(struct message *m, uint32_t number, const struct metric_label *labels, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) tempo_attribute(m, number, labels[i].key, &labels[i].value);
}

static void write_sample(struct message *m, uint64_t time_ns, double v) {
    message_begin(m, TEMPO_SERIES_SAMPLES);
    message_number(m, TEMPO_SAMPLE_TIME, time_ns / MS);
    message_double(m, TEMPO_SAMPLE_VALUE, v);
    message_end(m);
}

static void write_exemplar(struct message *m, const struct metric_exemplar *x) {
    char hex[32];
    hex_encode(x->trace_id, 16, hex);
    struct value id = VALUE_OF_STR(((struct str){ hex, 32 }));
    bool has_id = false;
    for (uint32_t i = 0; i < x->n_labels; i++) has_id |= str_eq(x->labels[i].key, STR("trace:id"));
    message_begin(m, TEMPO_SERIES_EXEMPLARS);
    write_labels(m, TEMPO_EXEMPLAR_LABELS, x->labels, x->n_labels);
    if (!has_id) tempo_attribute(m, TEMPO_EXEMPLAR_LABELS, STR("trace:id"), &id);
    message_double(m, TEMPO_EXEMPLAR_VALUE, x->value);
    message_number(m, TEMPO_EXEMPLAR_TIME, x->time_ns / MS);
    message_end(m);
}

static bool has_samples(const struct metric_series *m, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (!isnan(m->samples[i])) return true;
    return false;
}

static void write_series(struct message *m, const struct series_ask *s, uint32_t n,
                         const struct metric_series *x) {
    message_begin(m, TEMPO_LIST);
    write_labels(m, TEMPO_SERIES_LABELS, x->labels, x->n_labels);
    for (uint32_t i = 0; i < n; i++)
        if (!isnan(x->samples[i])) write_sample(m, s->start_ns + (i + 1ull) * s->step_ns, x->samples[i]);
    for (uint32_t i = 0; i < x->n_exemplars; i++) write_exemplar(m, &x->exemplars[i]);
    message_end(m);
}

// What came of an item goes out, as far as there is a piece of it. While its reader is waited for, the clock
// stands.
static enum err end_item(struct ask *k, struct series_answer *r, struct tempo_pieces *out) {
    uint64_t before = clock_mono_ns(k->limits->clock);
    TRY(tempo_item_end(out));
    return series_go_on(r, clock_mono_ns(k->limits->clock) - before, &k->ctx);
}

enum err series_answer_range(struct ask *k, struct series_ask *s, struct tempo_pieces *out) {
    struct series_answer r;
    TRY(check(k, s));
    TRY(align(k, s));
    struct end end = { k, NULL };
    begin_telling(k, s, &end, out);
    TRY(run(k, s, false, &r));
    end.stats = &r.stats;
    uint32_t n = (uint32_t)((s->end_ns - s->start_ns) / s->step_ns);
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < r.n && e == ERR_OK; i++) {
        if (!has_samples(&r.series[i], n)) continue;
        tempo_item_begin(out);
        write_series(&out->message, s, n, &r.series[i]);
        e = end_item(k, &r, out);
    }
    if (e == ERR_OK) e = tempo_pieces_end(out);
    series_fini(&r);
    return e;
}

enum err series_answer_instant(struct ask *k, struct series_ask *s, struct tempo_pieces *out) {
    struct message *m = &out->message;
    struct series_answer r;
    TRY(check(k, s));
    struct end end = { k, NULL };
    begin_telling(k, s, &end, out);
    TRY(run(k, s, true, &r));
    end.stats = &r.stats;
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < r.n && e == ERR_OK; i++) {
        if (!has_samples(&r.series[i], 1)) continue;
        tempo_item_begin(out);
        message_begin(m, TEMPO_LIST);
        write_labels(m, TEMPO_SERIES_LABELS, r.series[i].labels, r.series[i].n_labels);
        message_double(m, TEMPO_INSTANT_VALUE, r.series[i].samples[0]);
        message_end(m);
        e = end_item(k, &r, out);
    }
    if (e == ERR_OK) e = tempo_pieces_end(out);
    series_fini(&r);
    return e;
}

// --- HTTP ------------------------------------------------------------------------------------------------

enum err series_range(struct ask *k, struct tempo_pieces *out) {
    struct series_ask s;
    TRY(read_range(k, &s));
    return series_answer_range(k, &s, out);
}

enum err series_instant(struct ask *k, struct tempo_pieces *out) {
    struct series_ask s;
    TRY(read_common(k, &s));
    return series_answer_instant(k, &s, out);
}

void series_range_handle(struct api *a, struct net_request *rq) {
    reply_tempo(a, rq, &tempo_range_response, series_range);
}

void series_instant_handle(struct api *a, struct net_request *rq) {
    reply_tempo(a, rq, &tempo_instant_response, series_instant);
}
