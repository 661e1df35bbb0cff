// SPDX-License-Identifier: Apache-2.0
// Webhooks v3 of PagerDuty. An incident's service is PagerDuty's; its name is kept as it is.
#include "intake/hook.h"

static const struct signature_form forms[] = {
    { SIGNATURE_HEX, SIGNATURE_SHA256, "X-PagerDuty-Signature", "v1=", NULL },
};

// What an event makes of an incident; the state stays as it is where none is named.
static const struct {
    const char *type;
    const char *state;
    uint8_t rank;
    enum fact_field time; // 0: none
} types[] = {
    { "incident.triggered", "triggered", RANK_WAITS, INCIDENT_DETECTED },
    { "incident.acknowledged", "acknowledged", RANK_RUNS, INCIDENT_ACKNOWLEDGED },
    { "incident.unacknowledged", "triggered", RANK_RUNS, 0 },
    { "incident.resolved", "resolved", RANK_DONE, INCIDENT_RESOLVED },
    { "incident.reopened", "triggered", RANK_RUNS, INCIDENT_REOPENED },
    { "incident.escalated", "", RANK_SAYS, 0 },
    { "incident.delegated", "", RANK_SAYS, 0 },
    { "incident.reassigned", "", RANK_SAYS, 0 },
    { "incident.priority_updated", "", RANK_SAYS, 0 },
    { "incident.service_updated", "", RANK_SAYS, 0 },
    { "incident.custom_field_values.updated", NULL, 0, 0 }, // NULL: about nothing that is a fact
    { "incident.annotated", NULL, 0, 0 },
    { "incident.responder.added", NULL, 0, 0 },
    { "incident.responder.replied", NULL, 0, 0 },
    { "incident.status_update_published", NULL, 0, 0 },
    { "pagey.ping", NULL, 0, 0 },
};

// Who is assigned is a person, and not kept. Without teams the escalation policy may be named like one.
static void say_acting(struct say *s, struct doc incident) {
    struct buf b;
    buf_init(&b, FACT_TEXT_MAX);
    hook_teams_add(&b, doc_array(incident, "teams"), "summary");
    if (!b.len) hook_list_add(&b, '\n', doc_text(incident, "escalation_policy.summary"));
    say_teams(s, &b, doc_array(incident, "teams").node != NULL);
}

static void say_incident(struct hook_in *in, struct doc event, unsigned t, int64_t time) {
    static const struct say_path paths[] = {
        { INCIDENT_SERVICE, "service.summary" },
        { INCIDENT_TITLE, "title" },
        { INCIDENT_DETECTED, "created_at" },
        { INCIDENT_URL, "html_url" },
    };
    struct doc i = doc_object(event, "data");
    struct str key = str_fmt(in->arena, "pagerduty:%.*s", STR_ARG(doc_need_id(i, "id")));
    struct str merged_into = doc_id(i, "resolve_reason.incident.id");
    int64_t severity = severity_of(doc_text(i, "priority.summary"));
    struct say s = say_of(in, FACT_INCIDENT, key, time, types[t].rank);
    SAY_PATHS(&s, i, paths);
    if (severity) say_int(&s, INCIDENT_SEVERITY, severity);
    say_word(&s, INCIDENT_STATE, types[t].state);
    if (types[t].time) say_time(&s, types[t].time, time);
    say_acting(&s, i);
    if (merged_into.len)
        say_text(&s, INCIDENT_DUPLICATE_OF, str_fmt(in->arena, "pagerduty:%.*s", STR_ARG(merged_into)));
    if (types[t].time == INCIDENT_DETECTED) {
        bool person = str_starts(doc_text(event, "agent.type"), STR("user"));
        say_word(&s, INCIDENT_DETECTED_BY, person ? "person" : "pagerduty");
    }
}

static enum err pagerduty_read(struct hook_in *in) {
    struct doc d;
    TRY(hook_document(in, in->r->body, &d));
    struct doc event = doc_object(d, "event");
    struct str type = doc_need(event, "event_type"), id = doc_id(event, "id");
    int64_t time = time_or(doc_stamp(event, "occurred_at"), in->r->received);
    if (id.len == 0) id = hook_header(in, "X-Webhook-Id");
    for (unsigned t = 0; t < sizeof types / sizeof *types; t++) {
        if (!str_eq(type, str_of(types[t].type))) continue;
        (void)hook_event(in, id, type, time);
        if (types[t].state) say_incident(in, event, t, time);
        return hook_end(in);
    }
    hook_unknown(in, id, type)->time = time;
    return hook_end(in);
}

const struct hook hook_pagerduty = { "pagerduty", HOOK_FORMS(forms), pagerduty_read };
