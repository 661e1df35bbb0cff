// SPDX-License-Identifier: Apache-2.0
// Takt's own verdicts on rollouts and changes of flags (impact/record.h). Kept as events like all others, so
// that they outlive the traces that they were made from, and a reprocess makes the same facts of them. Nobody
// else may send them.
#include "intake/hook.h"

static const struct say_path paths[] = {
    { IMPACT_ROLLOUT, "rollout" },   { IMPACT_DEPLOY, "deploy" },     { IMPACT_SERVICE, "service" },
    { IMPACT_VERSION, "version" },   { IMPACT_BASELINE, "baseline" }, { IMPACT_ENVIRONMENT, "environment" },
    { IMPACT_VERDICT, "verdict" },   { IMPACT_PHASE, "phase" },       { IMPACT_STATE, "state" },
    { IMPACT_EVIDENCE, "evidence" },
};

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
    return hook_end(in);
}

const struct hook hook_takt = { .name = "takt", .read = read_impact };
