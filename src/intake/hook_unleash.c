// SPDX-License-Identifier: Apache-2.0
// Webhooks of Unleash: its events as they are (no bodyTemplate).
#include "intake/hook.h"

static const struct word actions[] = {
    { "feature-environment-enabled", "on", 0 },
    { "feature-environment-disabled", "off", 0 },
    { "feature-created", "created", 0 },
    { "feature-archived", "archived", 0 },
    { "feature-deleted", "archived", 0 },
    { "feature-revived", "created", 0 },
    { "feature-updated", "changed", 0 },
    { "feature-metadata-updated", "", 0 }, // "": about nothing that is a fact
    { "feature-tagged", "", 0 },
    { "feature-untagged", "", 0 },
    { "feature-stale-on", "", 0 },
    { "feature-stale-off", "", 0 },
};

static const struct word *action_of(struct str type) {
    static const struct word changed = { "", "changed", 0 }, silent = { "", "", 0 };
    const struct word *w = WORD(actions, type);
    if (w) return w;
    if (str_starts(type, STR("feature-strategy-")) || str_starts(type, STR("feature-environment-variants")))
        return &changed;
    return str_starts(type, STR("change-request-")) ? &silent : NULL;
}

static enum err unleash_read(struct hook_in *in) {
    static const struct say_path paths[] = {
        { FLAG_PROJECT, "project" },
        { FLAG_ENVIRONMENT, "environment" },
        { FLAG_NAME, "featureName" },
        { FLAG_ACTOR, "createdBy" },
    };
    struct doc d;
    TRY(hook_document(in, in->r->body, &d));
    struct str type = doc_text(d, "type"), id = doc_id(d, "id");
    int64_t time = time_or(doc_stamp(d, "createdAt"), in->r->received);
    const struct word *action = action_of(type);
    if (!action) {
        hook_unknown(in, id, type.len ? type : STR("unknown"))->time = time;
        return hook_end(in);
    }
    (void)hook_event(in, id, type, time);
    if (action->to[0] == '\0') return hook_end(in);
    struct str key = str_fmt(in->arena, "unleash:%.*s", STR_ARG(doc_need_id(d, "id")));
    struct say s = say_of(in, FACT_FLAG, key, time, RANK_SAYS);
    SAY_PATHS(&s, d, paths);
    say_word(&s, FLAG_ACTION, action->to);
    say_time(&s, FLAG_CHANGED, time);
    return hook_end(in);
}

const struct hook hook_unleash = { "unleash", HOOK_FORMS(hook_token_forms), unleash_read };
