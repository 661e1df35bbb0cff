// SPDX-License-Identifier: Apache-2.0
// What Takt itself learnt from traces: its verdicts on rollouts and changes of flags (impact/record.h), when
// the impact of incidents began (impact/onset_record.h; the source is takt/onset), and who calls whom
// (delivery/calls.h; takt/call). Kept as events like all others, so that they outlive the traces that they
// were made from, and a reprocess makes the same facts of them. Nobody else may send them.
#include "intake/hook.h"

static const struct say_path paths[] = {
    { IMPACT_ROLLOUT, "rollout" },   { IMPACT_DEPLOY, "deploy" },     { IMPACT_SERVICE, "service" },
    { IMPACT_VERSION, "version" },   { IMPACT_BASELINE, "baseline" }, { IMPACT_ENVIRONMENT, "environment" },
    { IMPACT_VERDICT, "verdict" },   { IMPACT_PHASE, "phase" },       { IMPACT_STATE, "state" },
    { IMPACT_EVIDENCE, "evidence" }, { IMPACT_BLIND, "blind" },
};

static void read_blind(struct say *s, struct doc d) {
    int64_t testable, n = 0;
    if (doc_i64(d, "vanished.testable", &testable)) {
        for (struct doc l = doc_first(doc_at(d, "vanished.lost")); l.node; l = doc_next(l)) n++;
        say_int(s, IMPACT_ROUTES_TESTABLE, testable);
        say_int(s, IMPACT_ROUTES_LOST, n);
    }
    if (doc_at(d, "spansPerRequest").node) say_int(s, IMPACT_SPANS_LOST, doc_bool(d, "spansPerRequest.lost"));
}

static enum err read_impact(struct hook_in *in) {
    struct doc d;
    TRY(hook_document(in, in->r->body, &d));
    struct str change = doc_text(d, "change"); // of a flag
    struct str of = change.len ? change : doc_need(d, "rollout");
    int64_t time = 0;
    if (!str_i64(doc_text(d, "computedAt"), &time)) time = in->r->received;
    hook_event(in, str_fmt(in->arena, "%.*s:%.*s", STR_ARG(of), STR_ARG(doc_need(d, "state"))), STR("impact"),
               time);
    struct say s = say_of(in, FACT_IMPACT, of, time, RANK_DONE);
    SAY_PATHS(&s, d, paths);
    say_time(&s, IMPACT_COMPUTED, time);
    say_int(&s, IMPACT_FINAL, doc_bool(d, "final"));
    static const struct say_path canary[] = { { IMPACT_CANARY_REQUESTS, "canary.requests" },
                                              { IMPACT_CANARY_EXPECTED, "canary.expected" },
                                              { IMPACT_CANARY_ALL, "canary.all" } };
    int64_t requests;
    SAY_PATHS(&s, d, canary);
    if (doc_i64(d, "arms.old.requests", &requests)) say_int(&s, IMPACT_OLD_REQUESTS, requests);
    if (doc_i64(d, "arms.new.requests", &requests)) say_int(&s, IMPACT_NEW_REQUESTS, requests);
    read_blind(&s, d);
    return hook_end(in);
}

static const struct say_path onset_paths[] = { { ONSET_SERVICE, "service" },
                                               { ONSET_ENVIRONMENT, "environment" },
                                               { ONSET_STATE, "state" },
                                               { ONSET_EVIDENCE, "evidence" } };

static int64_t take_ns(struct hook_in *in, struct doc d, const char *path) {
    int64_t ns = 0;
    if (!str_i64(doc_text(d, path), &ns) && in->err == ERR_OK)
        in->err = err_set(in->ctx, ERR_INVALID, "%s is not a number of ns", path);
    return ns;
}

static enum err read_onset(struct hook_in *in) {
    struct doc d;
    TRY(hook_document(in, in->r->body, &d));
    struct str of = doc_need(d, "incident");
    int64_t time = take_ns(in, d, "computedAt"), detected = take_ns(in, d, "detectedAt");
    int64_t began = doc_text(d, "beganAt").len ? take_ns(in, d, "beganAt") : 0;
    if (in->err != ERR_OK) return in->err;
    hook_event(in, str_fmt(in->arena, "%.*s:%.*s", STR_ARG(of), STR_ARG(doc_need(d, "state"))), STR("onset"),
               time);
    struct say s = say_of(in, FACT_ONSET, of, time, RANK_DONE);
    SAY_PATHS(&s, d, onset_paths);
    say_time(&s, ONSET_COMPUTED, time);
    say_time(&s, ONSET_DETECTED, detected);
    say_time(&s, ONSET_BEGAN, began);
    say_int(&s, ONSET_FOUND, began != 0);
    say_int(&s, ONSET_FINAL, doc_bool(d, "final"));
    return hook_end(in);
}

// One call: {"caller","callee","first"}, first in ns. Its month stands before the names, whose first is
// counted: no two calls share a key.
static void read_call(struct hook_in *in, struct doc d) {
    char text[STAMP_TEXT_SIZE];
    struct str caller = doc_need(d, "caller"), callee = doc_need(d, "callee");
    int64_t first = 0;
    if (!str_i64(doc_need(d, "first"), &first) && in->err == ERR_OK && in->doc.err == ERR_OK)
        in->err = err_set(in->ctx, ERR_INVALID, "first is not a number of ns");
    if (in->err != ERR_OK || in->doc.err != ERR_OK) return;
    struct str month = str_sub(stamp_print(stamp_month(first), text), 0, sizeof "2026-01" - 1);
    struct str key = str_fmt(in->arena, "%.*s:%zu:%.*s:%.*s", STR_ARG(month), caller.len, STR_ARG(caller),
                             STR_ARG(callee));
    hook_event(in, key, STR("call"), first)->body = d.node->text;
    struct say s = say_of(in, FACT_CALL, key, first, RANK_DONE);
    say_text(&s, CALL_CALLER, caller);
    say_text(&s, CALL_CALLEE, callee);
    say_time(&s, CALL_MONTH, stamp_month(first));
    say_time(&s, CALL_FIRST, first);
}

static enum err read_calls(struct hook_in *in) {
    struct doc d;
    TRY(hook_document(in, in->r->body, &d));
    if (d.node->kind != JSON_ARRAY) read_call(in, d);
    for (struct doc c = doc_first(d); d.node->kind == JSON_ARRAY && c.node; c = doc_next(c)) read_call(in, c);
    return hook_end(in);
}

static enum err read_ours(struct hook_in *in) {
    if (str_eq(in->path, STR("call"))) return read_calls(in);
    return str_eq(in->path, STR("onset")) ? read_onset(in) : read_impact(in);
}

const struct hook hook_takt = { .name = "takt", .read = read_ours };
