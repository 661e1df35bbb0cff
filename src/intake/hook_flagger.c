// SPDX-License-Identifier: Apache-2.0
// Webhooks of Flagger. A canary is (namespace, name, checksum of its spec). Only those of type "event"
// carry a time; any other is of the time when it arrives.
#include "intake/hook.h"

static const struct word phases[] = {
    { "Initializing", "", RANK_SAYS },
    { "Initialized", "", RANK_SAYS },
    { "Waiting", "paused", RANK_RUNS },
    { "Progressing", "progressing", RANK_RUNS },
    { "WaitingPromotion", "paused", RANK_RUNS },
    { "Promoting", "progressing", RANK_RUNS },
    { "Finalising", "progressing", RANK_RUNS },
    { "Succeeded", "promoted", RANK_DONE },
    { "Failed", "failed", RANK_DONE },
    { "Terminating", "", RANK_SAYS },
    { "Terminated", "", RANK_SAYS },
};

// Milliseconds as text.
static int64_t event_time(struct doc d) {
    struct str s = doc_text(d, "metadata.timestamp");
    int64_t ms;
    if (s.len == 0) return 0;
    if (str_i64(s, &ms)) return stamp_of(ms, 1000000);
    doc_fail(d, "metadata.timestamp", "expected milliseconds since 1970");
    return 0;
}

// "Advance shop.prod canary weight 20".
static bool message_weight(struct str message, double *out) {
    struct str word = STR("canary weight ");
    const char *at = message.len ? memmem(message.ptr, message.len, word.ptr, word.len) : NULL;
    if (!at) return false;
    struct str number = str_sub(message, (size_t)(at - message.ptr) + word.len, message.len);
    return json_f64(str_sub(number, 0, json_number_len(number)), out);
}

static void say_canary(struct hook_in *in, struct doc d, const struct word *phase, int64_t time) {
    struct str key = str_fmt(in->arena, "flagger:%.*s/%.*s:%.*s", STR_ARG(doc_need(d, "namespace")),
                             STR_ARG(doc_need(d, "name")), STR_ARG(doc_need_id(d, "checksum")));
    struct str message = doc_text(d, "metadata.eventMessage");
    double weight;
    bool promotes =
        str_eq(str_of(phase->from), STR("Promoting")) || str_eq(str_of(phase->from), STR("Finalising"));
    struct say s = say_of(in, FACT_CANARY, key, time, phase->rank);
    say_text(&s, CANARY_SERVICE, doc_text(d, "name"));
    say_text(&s, CANARY_ENVIRONMENT, doc_text(d, "metadata.environment"));
    say_text(&s, CANARY_VERSION, doc_text(d, "metadata.version"));
    say_word(&s, CANARY_STATE, phase->to);
    if (message_weight(message, &weight)) {
        say_real(&s, CANARY_WEIGHT, weight);
        say_real(&s, CANARY_MOST_WEIGHT, weight);
    }
    // Its version takes the primary's place too.
    if (promotes) say_real(&s, CANARY_WEIGHT, 100);
    if (phase->rank == RANK_RUNS) say_time(&s, CANARY_STARTED, time);
    if (phase->rank == RANK_DONE) say_time(&s, CANARY_ENDED, time);
    if (str_eq(str_of(phase->to), STR("failed")) || str_eq(doc_text(d, "metadata.eventType"), STR("Warning")))
        say_text(&s, CANARY_REASON, message);
}

static enum err flagger_read(struct hook_in *in) {
    struct doc d;
    TRY(hook_document(in, in->r->body, &d));
    struct str phase = doc_text(d, "phase");
    const struct word *w = WORD(phases, phase);
    if (!w) {
        (void)hook_unknown(in, STR(""), phase.len ? phase : STR("unknown"));
        return hook_end(in);
    }
    int64_t time = time_or(event_time(d), in->r->received);
    (void)hook_event(in, STR(""), phase, time);
    if (w->rank != RANK_SAYS) say_canary(in, d, w, time);
    return hook_end(in);
}

const struct hook hook_flagger = { "flagger", HOOK_FORMS(hook_token_forms), flagger_read };
