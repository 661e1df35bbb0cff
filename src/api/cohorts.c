// SPDX-License-Identifier: Apache-2.0
// Two sides of traces, A and B, and where they spend their time, by service and operation: two traces, or
// the traces of a query with a span in a selection (B) against the rest of them (A). Traces are looked at one
// by one, as wholes, by whoever is free.
#include <stdio.h>

#include "api/api_internal.h"
#include "api/choice.h"
#include "api/print.h"
#include "api/spend.h"
#include "api/trace.h"
#include "query/source.h"

enum {
    ROWS_SHOWN = 1000,
    MEMORY_PARTS = 4, // of the query's memory each thread has so much for what a trace is made into
};

enum { SIDE_A = (int)COHORT_REST, SIDE_B = (int)COHORT_SELECTION };

// The one trace of a side, for its head.
struct one {
    struct str root_service, root_name;
    uint64_t start_ns;
};

struct balance {
    struct ask *k;
    struct query_bounds bounds;
    const struct cohort_trace *traces; // to be looked at
    uint32_t n;
    bool are_named;  // two traces that somebody named, not cohorts
    struct str text; // of the search, in its plain form
    uint64_t total[SPEND_SIDES];
    struct query_stats stats;
    struct spend spend;

    struct mutex lock; // of all below, and of spend
    uint32_t next, n_looked_at, n_cut;
    struct one one[SPEND_SIDES];
    const struct cohort_trace *missing;
    enum err error;
    struct err_ctx busy;    // of ERR_AGAIN
    char why[ASK_NOTE_MAX]; // not all of it was looked at; "" = it was
};

static void note(struct balance *b, const char *why) {
    if (!b->why[0]) (void)snprintf(b->why, sizeof b->why, "%s", why);
}

// --- looking at traces -------------------------------------------------------------------------------------

static uint64_t bytes_of_trace(const struct balance *b) {
    uint64_t most = b->k->limits->trace_bytes_max, memory = b->bounds.memory_max;
    if (b->are_named || memory == 0) return most;
    memory /= MEMORY_PARTS * (crew_size(b->bounds.crew) + 1ull);
    return most && most < memory ? most : memory;
}

static enum err keep_one(struct balance *b, int side, const struct skeleton_input *in,
                         const struct skeleton_tree *tree) {
    struct skeleton_extent x = skeleton_extent(in, tree);
    struct arena *a = &b->k->arena;
    uint32_t root = tree->order[x.root];
    b->one[side] = (struct one){ str_dup(a, skeleton_cut(a, in->service[in->resource[root]])),
                                 str_dup(a, skeleton_cut(a, in->name[root])), x.base };
    return a->failed ? ERR_NOMEM : ERR_OK;
}

static void count_trace(struct balance *b, const struct trace *tr) {
    b->n_looked_at++;
    b->n_cut += tr->partial;
    b->stats.bytes += tr->bytes_read;
    if (b->are_named) b->stats.traces++, b->stats.spans += tr->n; // else they are counted already
}

static enum err add(struct balance *b, const struct cohort_trace *t, struct trace *tr) {
    struct skeleton_input in;
    struct skeleton_tree tree;
    struct critical c;
    struct spend_part part;
    TRY(trace_skeleton(tr, &in));
    TRY(skeleton_tree(&tr->arena, &in, &tree));
    TRY(critical_path(&tr->arena, &in, &tree, &c));
    TRY(spend_part_make(&tr->arena, &in, &tree, &c, &part)); // what may be waited for, before the lock
    mutex_lock(&b->lock);
    enum err e = b->are_named ? keep_one(b, (int)t->of, &in, &tree) : ERR_OK;
    if (e == ERR_OK) e = spend_add(&b->spend, (int)t->of, &part);
    if (e == ERR_OK) count_trace(b, tr);
    mutex_unlock(&b->lock);
    return e;
}

// Others had all the memory, until there was no time any more.
static enum err what_ended_it(struct balance *b, const struct trace *tr, enum err e) {
    struct err_ctx busy = { 0 };
    e = trace_explain(tr, e, &busy);
    if (e != ERR_AGAIN) return e;
    TRY(bounds_check(&b->bounds));
    mutex_lock(&b->lock);
    b->busy = busy;
    mutex_unlock(&b->lock);
    return e;
}

static enum err look_at(struct balance *b, const struct cohort_trace *t) {
    struct trace tr;
    struct trace_limits limits = { .bytes_max = bytes_of_trace(b), .memory = b->bounds.memory };
    enum err e = trace_load(b->k->view, t->id, &limits, &tr);
    if (e != ERR_OK) return what_ended_it(b, &tr, e);
    e = tr.n ? add(b, t, &tr) : b->are_named ? ERR_NOT_FOUND : ERR_OK;
    trace_fini(&tr);
    return what_ended_it(b, &tr, e);
}

static bool look_at_next(void *ctx, uint32_t worker) {
    struct balance *b = ctx;
    (void)worker;
    mutex_lock(&b->lock);
    const struct cohort_trace *t = NULL;
    if (b->error == ERR_OK && b->next < b->n) b->error = bounds_check(&b->bounds);
    if (b->error == ERR_OK && b->next < b->n) t = &b->traces[b->next++];
    mutex_unlock(&b->lock);
    if (!t) return false;
    enum err e = look_at(b, t);
    mutex_lock(&b->lock);
    if (e == ERR_NOT_FOUND && (!b->missing || t < b->missing)) b->missing = t;
    if (e != ERR_OK && b->error == ERR_OK) b->error = e;
    mutex_unlock(&b->lock);
    return e == ERR_OK;
}

// Nothing was looked at.
static enum err too_late(struct ask *k, enum err e) {
    if (e != ERR_TIMEOUT) return e;
    return err_set(&k->ctx, e, "nothing could be looked at within query.timeout");
}

// Why not all traces count, or not with all of their spans.
static enum err what_became(struct balance *b) {
    char id[32];
    if (b->error == ERR_NOT_FOUND) {
        hex_encode(b->missing->id, 16, id);
        return err_set(&b->k->ctx, ERR_NOT_FOUND,
                       "trace %c, %.32s, is not there: it was never received, or is older than what is kept",
                       b->missing->of == COHORT_REST ? 'A' : 'B', id);
    }
    if (b->error == ERR_AGAIN) b->k->ctx = b->busy;
    const char *short_of = b->error == ERR_TIMEOUT ? "query.timeout passed"
                           : b->error == ERR_NOMEM ? "query.max_memory is used up"
                                                   : NULL;
    if (b->error != ERR_OK && !short_of) return b->error;
    if (short_of && b->n_looked_at == 0) return too_late(b->k, b->error);
    char why[ASK_NOTE_MAX] = "";
    if (short_of)
        (void)snprintf(why, sizeof why, "%s; %u of %u traces were looked at", short_of, b->n_looked_at, b->n);
    else if (b->n_cut)
        (void)snprintf(why, sizeof why,
                       "%u of %u traces are too large to be looked at as a whole; of those "
                       "only a part of the spans counts",
                       b->n_cut, b->n);
    else if (b->spend.n_left_out)
        (void)snprintf(why, sizeof why, "there are more than %d operations; the spans of others are left out",
                       SPEND_ROWS_MAX);
    note(b, why);
    return ERR_OK;
}

static enum err look_at_all(struct balance *b) {
    spend_init(&b->spend, b->bounds.memory_max);
    mutex_init(&b->lock);
    crew_run(b->bounds.crew, look_at_next, b);
    mutex_fini(&b->lock);
    enum err e = what_became(b);
    if (e == ERR_OK) spend_rank(&b->spend);
    return e;
}

// --- what is answered --------------------------------------------------------------------------------------

static void write_f64(struct json_writer *w, struct str key, double v) {
    jw_key(w, key);
    jw_f64(w, v);
}
static void write_u64(struct json_writer *w, struct str key, uint64_t v) {
    jw_key(w, key);
    jw_u64(w, v);
}
static void write_id_value(struct json_writer *w, const uint8_t id[16]) {
    char hex[32];
    hex_encode(id, 16, hex);
    jw_str(w, (struct str){ hex, sizeof hex });
}

static void write_one(struct json_writer *w, const struct balance *b, int side) {
    if (!b->are_named) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jw_key(w, STR("traceId"));
    write_id_value(w, b->traces[side].id);
    jw_key(w, STR("rootService"));
    jw_str(w, b->one[side].root_service);
    jw_key(w, STR("rootName"));
    jw_str(w, b->one[side].root_name);
    jw_key(w, STR("startUnixNano"));
    jw_u64_str(w, b->one[side].start_ns);
    jw_object_end(w);
}

static void write_side(struct json_writer *w, const struct balance *b, int side) {
    static const char *const cohorts[] = { "rest", "selection" };
    const struct spend_total *t = &b->spend.total[side];
    double n = t->traces ? t->traces : 1;
    jw_object(w);
    jw_key(w, STR("of"));
    jw_str(w, str_of(b->are_named ? "trace" : cohorts[side]));
    write_u64(w, STR("total"), b->total[side]);
    write_u64(w, STR("shown"), t->traces);
    jw_key(w, STR("sampled"));
    jw_bool(w, t->traces < b->total[side]);
    write_f64(w, STR("durationNano"), (double)t->length_ns / n);
    write_f64(w, STR("criticalNano"), (double)t->critical_ns / n);
    write_f64(w, STR("spans"), (double)t->spans / n);
    write_f64(w, STR("errors"), (double)t->errors / n);
    jw_key(w, STR("trace"));
    write_one(w, b, side);
    jw_object_end(w);
}

static void write_spent(struct json_writer *w, const struct balance *b, const struct spend_row *r, int side) {
    const struct spend_side *of = &r->of[side];
    double n = b->spend.total[side].traces ? b->spend.total[side].traces : 1;
    jw_object(w);
    write_u64(w, STR("traces"), of->traces);
    write_f64(w, STR("spans"), (double)of->spans / n);
    write_f64(w, STR("errors"), (double)of->errors / n);
    write_f64(w, STR("selfNano"), r->self_ns[side]);
    write_f64(w, STR("criticalNano"), r->critical_ns[side]);
    jw_key(w, STR("most"));
    jw_array(w);
    for (uint32_t i = 0; i < of->n_top; i++) write_id_value(w, of->top[i].id);
    jw_array_end(w);
    jw_object_end(w);
}

static void write_row(struct json_writer *w, const struct balance *b, const struct spend_row *r) {
    jw_object(w);
    jw_key(w, STR("service"));
    jw_str(w, r->service);
    jw_key(w, STR("name"));
    jw_str(w, r->name);
    jw_key(w, STR("a"));
    write_spent(w, b, r, SIDE_A);
    jw_key(w, STR("b"));
    write_spent(w, b, r, SIDE_B);
    write_f64(w, STR("deltaNano"), r->delta_ns);
    write_f64(w, STR("selfDeltaNano"), r->self_delta_ns);
    write_f64(w, STR("share"), r->share);
    jw_object_end(w);
}

static void write_balance(struct json_writer *w, const struct balance *b) {
    jw_object(w);
    jw_key(w, STR("query"));
    if (b->are_named)
        jw_null(w);
    else
        jw_str(w, b->text);
    jw_key(w, STR("a"));
    write_side(w, b, SIDE_A);
    jw_key(w, STR("b"));
    write_side(w, b, SIDE_B);
    write_u64(w, STR("operations"), b->spend.n);
    jw_key(w, STR("rows"));
    jw_array(w);
    for (uint32_t i = 0; i < b->spend.n && i < ROWS_SHOWN; i++) write_row(w, b, &b->spend.rows[i]);
    jw_array_end(w);
    jw_key(w, STR("complete"));
    jw_bool(w, b->k->partial[0] == '\0');
    jw_key(w, STR("why"));
    if (b->k->partial[0])
        jw_str(w, str_of(b->k->partial));
    else
        jw_null(w);
    jw_object_end(w);
}

// --- what is asked -----------------------------------------------------------------------------------------

static enum err read_trace(struct ask *k, struct str name, enum cohort of, struct cohort_trace *out) {
    struct str id = params_get(&k->params, name);
    out->of = of;
    if (print_parse_trace_id(id, out->id)) return ERR_OK;
    if (!id.len)
        return err_set(&k->ctx, ERR_INVALID, "%.*s is missing: a and b are the ids of two traces",
                       STR_ARG(name));
    return err_set(&k->ctx, ERR_INVALID,
                   "%.*s is \"%.*s\", which is not a trace id: up to 32 hexadecimal digits are expected",
                   STR_ARG(name), (int)(id.len < 60 ? id.len : 60), id.ptr);
}

static enum err answer(struct balance *b, struct json_writer *w) {
    enum err e = look_at_all(b);
    if (e == ERR_OK && b->why[0]) e = ask_note_partial(b->k, b->why, &b->stats);
    if (e == ERR_OK) ask_note_scan(b->k, &b->stats);
    if (e == ERR_OK) write_balance(w, b);
    spend_fini(&b->spend);
    return e;
}

static enum err compare_traces(struct ask *k, struct json_writer *w) {
    struct cohort_trace traces[SPEND_SIDES] = { 0 };
    struct balance b = { .k = k,
                         .bounds = ask_bounds(k, 0, 0),
                         .traces = traces,
                         .n = SPEND_SIDES,
                         .are_named = true,
                         .total = { 1, 1 } };
    if (params_get(&k->params, STR("q")).len)
        return err_set(&k->ctx, ERR_INVALID, "give a and b, or q and a selection, not both");
    TRY(read_trace(k, STR("a"), COHORT_REST, &traces[SIDE_A]));
    TRY(read_trace(k, STR("b"), COHORT_SELECTION, &traces[SIDE_B]));
    return answer(&b, w);
}

static enum err compare_cohorts(struct ask *k, struct json_writer *w) {
    struct choice c;
    struct ql_query *q;
    struct cohorts found;
    struct balance b = { .k = k };
    uint64_t limit = COHORT_TRACES_MAX;
    TRY(choice_read(k, &c));
    TRY(params_number(&k->params, STR("limit"), COHORT_TRACES_MAX, &limit, &k->ctx));
    if (limit == 0) return err_set(&k->ctx, ERR_INVALID, "limit is at least 1");
    TRY(choice_search(k, &q, &b.text));
    b.bounds = ask_bounds(k, c.start_ns, c.end_ns);
    struct cohorts_query how = {
        .query = q, .bounds = b.bounds, .selection = c.selection, .limit = (uint32_t)limit
    };
    enum err e = cohorts_run(k->view, &how, &found, &k->ctx);
    if (e != ERR_OK) return too_late(k, e);
    b.traces = found.traces;
    b.n = found.n;
    b.stats = found.stats;
    memcpy(b.total, found.total, sizeof b.total);
    if (found.partial) note(&b, found.why);
    e = answer(&b, w);
    cohorts_fini(&found);
    return e;
}

static enum err cohorts(struct ask *k, struct json_writer *w) {
    bool are_named = params_get(&k->params, STR("a")).len || params_get(&k->params, STR("b")).len;
    return are_named ? compare_traces(k, w) : compare_cohorts(k, w);
}

void takt_cohorts_handle(struct api *a, struct net_request *rq) {
    reply_asked(a, rq, cohorts);
}
