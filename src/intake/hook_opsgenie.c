// SPDX-License-Identifier: Apache-2.0
// Webhooks of Opsgenie. createdAt is in ms, updatedAt in a finer unit that its digits tell.
#include "intake/hook.h"

static const struct {
    const char *action;
    const char *state; // NULL: about nothing that is a fact
    uint8_t rank;
    enum fact_field time; // 0: none
} actions[] = {
    { "Create", "triggered", RANK_WAITS, INCIDENT_DETECTED },
    { "Acknowledge", "acknowledged", RANK_RUNS, INCIDENT_ACKNOWLEDGED },
    { "UnAcknowledge", "triggered", RANK_RUNS, 0 },
    { "Close", "resolved", RANK_DONE, INCIDENT_RESOLVED },
    { "UpdatePriority", "", RANK_SAYS, 0 },
    { "UpdateMessage", "", RANK_SAYS, 0 },
    { "AddNote", NULL, 0, 0 },
    { "AddTags", NULL, 0, 0 },
    { "RemoveTags", NULL, 0, 0 },
    { "AddTeam", "", RANK_SAYS, 0 },
    { "AddRecipient", NULL, 0, 0 },
    { "AssignOwnership", NULL, 0, 0 },
    { "TakeOwnership", NULL, 0, 0 },
    { "Escalate", NULL, 0, 0 },
    { "EscalateNext", NULL, 0, 0 },
    { "Snooze", NULL, 0, 0 },
};

// Teams by name, or by an id that no catalogue knows; of the responders those that are no persons.
static void say_acting(struct say *s, struct doc alert) {
    struct buf b;
    buf_init(&b, FACT_TEXT_MAX);
    hook_teams_add(&b, doc_array(alert, "teams"), "");
    for (struct doc c = doc_first(doc_array(alert, "responders")); c.node; c = doc_next(c))
        if (str_eq_nocase(doc_text(c, "type"), STR("team")) && doc_text(c, "name").len)
            hook_list_add(&b, '\n', doc_text(c, "name"));
    say_teams(s, &b, doc_array(alert, "teams").node != NULL);
}

static void say_incident(struct hook_in *in, struct doc a, unsigned t, int64_t created, int64_t time) {
    struct str key = str_fmt(in->arena, "opsgenie:%.*s", STR_ARG(doc_need_id(a, "alertId")));
    struct doc details = doc_object(a, "details");
    struct str service = doc_text(details, "service");
    int64_t severity = severity_of(doc_text(a, "priority"));
    struct say s = say_of(in, FACT_INCIDENT, key, time, actions[t].rank);
    say_text(&s, INCIDENT_SERVICE, service.len ? service : doc_text(a, "entity"));
    say_text(&s, INCIDENT_ENVIRONMENT, doc_text(details, "environment"));
    say_text(&s, INCIDENT_TITLE, doc_text(a, "message"));
    if (severity) say_int(&s, INCIDENT_SEVERITY, severity);
    say_word(&s, INCIDENT_STATE, actions[t].state);
    say_time(&s, INCIDENT_DETECTED, created);
    if (actions[t].time) say_time(&s, actions[t].time, time);
    say_text(&s, INCIDENT_DETECTED_BY, doc_text(a, "source"));
    say_acting(&s, a);
}

static enum err opsgenie_read(struct hook_in *in) {
    struct doc d;
    int64_t count;
    TRY(hook_document(in, in->r->body, &d));
    struct doc a = doc_object(d, "alert");
    struct str action = doc_need(d, "action"), alert = doc_id(a, "alertId"), updated = doc_id(a, "updatedAt");
    int64_t created = doc_stamp_ms(a, "createdAt");
    int64_t time = doc_i64(a, "updatedAt", &count) ? stamp_guess(count) : created;
    struct str id = str_fmt(in->arena, "%.*s:%.*s:%.*s", STR_ARG(alert), STR_ARG(action), STR_ARG(updated));
    if (str_eq(action, STR("Create"))) time = time_or(created, time);
    for (unsigned t = 0; t < sizeof actions / sizeof *actions; t++) {
        if (!str_eq(action, str_of(actions[t].action))) continue;
        (void)hook_event(in, id, action, time);
        if (actions[t].state) say_incident(in, a, t, created, time_or(time, in->r->received));
        return hook_end(in);
    }
    hook_unknown(in, id, action)->time = time_or(time, in->r->received);
    return hook_end(in);
}

const struct hook hook_opsgenie = { "opsgenie", HOOK_FORMS(hook_token_forms), opsgenie_read };
