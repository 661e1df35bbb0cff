// SPDX-License-Identifier: Apache-2.0
// Notifications of Argo Rollouts, by the template of docs/hooks.md: {"rollout": …, "time": …}. A canary
// is (uid of the rollout, hash of the pods).
#include "intake/hook.h"

static const struct word states[] = {
    { "progressing", "progressing", RANK_RUNS },
    { "paused", "paused", RANK_RUNS },
    { "healthy", "promoted", RANK_DONE },
    { "degraded", "failed", RANK_DONE },
};
static const struct word aborted = { "", "failed", RANK_DONE };

// The newest time of the rollout's own conditions, when the template gave none.
static int64_t conditions_time(struct doc rollout) {
    int64_t newest = 0;
    for (struct doc c = doc_first(doc_array(rollout, "status.conditions")); c.node; c = doc_next(c)) {
        int64_t a = doc_stamp(c, "lastUpdateTime"), b = doc_stamp(c, "lastTransitionTime");
        if (a > newest) newest = a;
        if (b > newest) newest = b;
    }
    return newest;
}

static struct str label(struct doc rollout, const char *name) {
    struct doc d = doc_member(doc_object(rollout, "metadata.labels"), str_of(name));
    if (!d.node) d = doc_member(doc_object(rollout, "metadata.annotations"), str_of(name));
    return d.node ? doc_text(d, "") : STR("");
}

static struct str label_or(struct doc rollout, const char *name, const char *other) {
    struct str s = label(rollout, name);
    return s.len ? s : label(rollout, other);
}

static void say_canary(struct hook_in *in, struct doc r, const struct word *state, int64_t time) {
    struct str key = str_fmt(in->arena, "argo-rollouts:%.*s:%.*s", STR_ARG(doc_need(r, "metadata.uid")),
                             STR_ARG(doc_need(r, "status.currentPodHash")));
    struct doc image = doc_at(r, "spec.template.spec.containers.0.image");
    struct str service = label_or(r, "takt.dev/service", "app.kubernetes.io/name");
    double weight;
    struct say s = say_of(in, FACT_CANARY, key, time, state ? state->rank : RANK_SAYS);
    say_text(&s, CANARY_SERVICE, service.len ? service : doc_need(r, "metadata.name"));
    say_text(&s, CANARY_ENVIRONMENT, label_or(r, "takt.dev/environment", "environment"));
    if (image.node) say_text(&s, CANARY_VERSION, key_artifact(in->arena, doc_text(image, "")).version);
    if (state) say_word(&s, CANARY_STATE, state->to);
    if (doc_f64(r, "status.canary.weights.canary.weight", &weight)) {
        say_real(&s, CANARY_WEIGHT, weight);
        say_real(&s, CANARY_MOST_WEIGHT, weight);
    }
    if (state && state->rank == RANK_RUNS) say_time(&s, CANARY_STARTED, time);
    if (state && state->rank == RANK_DONE) say_time(&s, CANARY_ENDED, time);
    if (state && str_eq(str_of(state->to), STR("failed")))
        say_text(&s, CANARY_REASON, doc_text(r, "status.message"));
}

static enum err rollouts_read(struct hook_in *in) {
    struct doc d;
    TRY(hook_document(in, in->r->body, &d));
    struct doc r = doc_object(d, "rollout");
    if (!r.node) {
        (void)hook_unknown(in, STR(""), STR("unknown"));
        return hook_end(in);
    }
    struct str phase = doc_text(r, "status.phase");
    int64_t abort_time = doc_stamp(r, "status.abortedAt");
    bool is_aborted = doc_bool(r, "status.abort");
    const struct word *state = is_aborted ? &aborted : WORD(states, phase);
    // Healthy with the pods of before: nothing is promoted. Not healthy with pods that are stable since
    // long: the canary was over before.
    struct str stable = doc_text(r, "status.stableRS"), now = doc_text(r, "status.currentPodHash");
    bool healthy = str_eq(phase, STR("Healthy"));
    if (!is_aborted && stable.len && healthy != str_eq(stable, now)) state = NULL;
    int64_t time = time_or(doc_stamp(d, "time"), conditions_time(r));
    if (is_aborted) time = time_or(abort_time, time);
    (void)hook_event(in, STR(""), hook_type(in, STR("rollout"), is_aborted ? STR("aborted") : phase), time);
    say_canary(in, r, state, time_or(time, in->r->received));
    return hook_end(in);
}

const struct hook hook_argo_rollouts = { "argo-rollouts", HOOK_FORMS(hook_token_forms), rollouts_read };
