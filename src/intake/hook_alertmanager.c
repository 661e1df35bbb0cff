// SPDX-License-Identifier: Apache-2.0
// Alertmanager, and the shape that it shares with Grafana. Each alert of a request is an event of its
// own, known by (fingerprint, startsAt, status), so that what is sent again every few minutes is one.
// Each is an alert; an incident too only by rule: label takt_incident="true".
#include "intake/hook.h"

static const struct word states[] = {
    { "firing", "triggered", RANK_WAITS },
    { "resolved", "resolved", RANK_DONE },
};

static bool is_incident(struct doc labels) {
    return str_eq_nocase(doc_text(labels, "takt_incident"), STR("true"));
}

static struct str first_of(struct doc d, const char *const *names, unsigned n) {
    struct str s = { 0 };
    for (unsigned i = 0; i < n && s.len == 0; i++) s = doc_text(d, names[i]);
    return s;
}
#define FIRST_OF(d, list) first_of((d), (list), sizeof(list) / sizeof *(list))

static const char *const services[] = { "service", "service_name" },
                         *const environments[] = { "environment", "env", "deployment_environment_name" },
                         *const teams[] = { "team", "owner" };

static void say_alert(struct hook_in *in, struct doc alert, struct str key, const struct word *state) {
    struct doc labels = doc_object(alert, "labels");
    bool resolved = state->rank == RANK_DONE;
    int64_t start = doc_stamp(alert, "startsAt"), severity = severity_of(doc_text(labels, "severity"));
    int64_t end = resolved ? time_or(doc_stamp(alert, "endsAt"), in->r->received) : 0;
    struct say s = say_of(in, FACT_ALERT, key, resolved ? end : start, state->rank);
    say_text(&s, ALERT_SERVICE, FIRST_OF(labels, services));
    say_text(&s, ALERT_ENVIRONMENT, FIRST_OF(labels, environments));
    say_text(&s, ALERT_TEAM, FIRST_OF(labels, teams));
    say_text(&s, ALERT_NAME, doc_text(labels, "alertname"));
    if (severity) say_int(&s, ALERT_SEVERITY, severity);
    say_word(&s, ALERT_STATE, resolved ? "resolved" : "firing");
    say_time(&s, ALERT_STARTED, start);
    say_time(&s, ALERT_ENDED, end);
}

// Since when the condition of an alert has held, where the rule repeats its `for` as takt_for: neither tool
// tells it.
static int64_t condition_of(struct doc labels, struct doc notes, int64_t start) {
    struct doc of = doc_text(labels, "takt_for").len ? labels : notes;
    struct str text = doc_text(of, "takt_for");
    int64_t length;
    if (!text.len) return 0;
    if (stamp_length(text, &length)) return start - length;
    doc_fail(of, "takt_for", "expected a duration such as 10m, found \"%.*s\"",
             STR_ARG(str_sub(text, 0, 60)));
    return 0;
}

static void say_incident(struct hook_in *in, struct doc alert, struct str key, const struct word *state,
                         const char *provider) {
    static const char *const titles[] = { "summary", "title", "description" }, *const causes[] = {
        "takt_caused_by", "caused_by"
    };
    struct doc labels = doc_object(alert, "labels"), notes = doc_object(alert, "annotations");
    bool resolved = state->rank == RANK_DONE;
    int64_t start = doc_stamp(alert, "startsAt"), severity = severity_of(doc_text(labels, "severity"));
    // While it fires, endsAt is only when it would be given up.
    int64_t end = resolved ? time_or(doc_stamp(alert, "endsAt"), in->r->received) : 0;
    struct say s = say_of(in, FACT_INCIDENT, key, resolved ? end : start, state->rank);
    struct str title = FIRST_OF(notes, titles), cause = FIRST_OF(labels, causes);
    say_text(&s, INCIDENT_SERVICE, FIRST_OF(labels, services));
    say_text(&s, INCIDENT_ENVIRONMENT, FIRST_OF(labels, environments));
    say_text(&s, INCIDENT_TITLE, title.len ? title : doc_text(labels, "alertname"));
    if (severity) say_int(&s, INCIDENT_SEVERITY, severity);
    say_word(&s, INCIDENT_STATE, state->to);
    say_time(&s, INCIDENT_CONDITION, condition_of(labels, notes, start));
    say_time(&s, INCIDENT_DETECTED, start);
    say_time(&s, INCIDENT_RESOLVED, end);
    say_text(&s, INCIDENT_CAUSED_BY, cause.len ? cause : FIRST_OF(notes, causes));
    say_word(&s, INCIDENT_DETECTED_BY, provider);
    say_text(&s, INCIDENT_TEAM, FIRST_OF(labels, teams));
    say_text(&s, INCIDENT_URL, doc_text(alert, "generatorURL"));
}

static void alert_read(struct hook_in *in, struct doc alert, struct str version, struct str org,
                       const char *provider) {
    char text[STAMP_TEXT_SIZE];
    struct arena *a = in->arena;
    struct str status = doc_need(alert, "status"), print = doc_need(alert, "fingerprint");
    int64_t start = doc_stamp(alert, "startsAt");
    const struct word *state = WORD(states, status);
    if (start == 0) doc_fail(alert, "startsAt", "missing");
    struct str since = stamp_print(start, text);
    struct str id = str_fmt(a, "%.*s%s%.*s:%.*s:%.*s", STR_ARG(org), org.len ? ":" : "", STR_ARG(print),
                            STR_ARG(since), STR_ARG(status));
    int64_t time = state && state->rank == RANK_DONE ? time_or(doc_stamp(alert, "endsAt"), start) : start;
    struct intake_event *e = hook_event(in, id, hook_type(in, STR("alert"), status), time);
    struct str raw = alert.node->text;
    e->body = str_fmt(a, "{\"version\":\"%.*s\",%s%.*s%s\"alerts\":[%.*s]}", STR_ARG(version),
                      org.len ? "\"orgId\":" : "", STR_ARG(org), org.len ? "," : "", STR_ARG(raw));
    if (!state) e->known = false;
    if (!state) return;
    struct str key = str_fmt(a, "%s:%.*s%s%.*s:%.*s", provider, STR_ARG(org), org.len ? ":" : "",
                             STR_ARG(print), STR_ARG(since));
    say_alert(in, alert, key, state);
    if (is_incident(doc_object(alert, "labels"))) say_incident(in, alert, key, state, provider);
}

enum err alerts_read(struct hook_in *in, const char *provider) {
    struct doc d;
    int64_t org = 0;
    TRY(hook_document(in, in->r->body, &d));
    struct doc alerts = doc_array(d, "alerts");
    struct str version = doc_text(d, "version"), org_text = { 0 };
    if (!alerts.node) {
        (void)hook_unknown(in, STR(""), STR("unknown"));
        return hook_end(in);
    }
    if (!str_eq(version, STR("1"))) version = STR("4");
    if (doc_i64(d, "orgId", &org)) org_text = str_fmt(in->arena, "%lld", (long long)org);
    for (struct doc c = doc_first(alerts); c.node && in->err == ERR_OK && in->doc.err == ERR_OK;
         c = doc_next(c))
        alert_read(in, c, version, org_text, provider);
    return hook_end(in);
}

static enum err alertmanager_read(struct hook_in *in) {
    return alerts_read(in, "alertmanager");
}

const struct hook hook_alertmanager = { "alertmanager", HOOK_FORMS(hook_token_forms), alertmanager_read };
