// SPDX-License-Identifier: Apache-2.0
// Deployments, releases and incidents of GitHub. A deploy ends with created_at of its first final
// status: updated_at moves when a later deploy makes it inactive.
#include "intake/hook_github.h"

static const struct word states[] = {
    { "queued", "pending", RANK_WAITS },  { "pending", "pending", RANK_WAITS },
    { "waiting", "pending", RANK_WAITS }, { "in_progress", "in_progress", RANK_RUNS },
    { "success", "success", RANK_DONE },  { "failure", "failure", RANK_DONE },
    { "error", "failure", RANK_DONE }, // inactive is no transition: a later deploy took its place
};

// service, version, … of a payload that the team's own workflow made.
static void say_payload(struct say *s, struct doc deployment) {
    static const struct {
        enum fact_field field;
        const char *name;
    } names[] = {
        { DEPLOY_SERVICE, "service" }, { DEPLOY_VERSION, "version" },         { DEPLOY_DIGEST, "digest" },
        { DEPLOY_TARGET, "target" },   { DEPLOY_ROLLOUT, "rollout" },         { DEPLOY_FIXES, "fixes" },
        { DEPLOY_KIND, "kind" },       { DEPLOY_CHANGE_KIND, "change_kind" },
    };
    struct doc p = doc_at(deployment, "payload");
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        struct doc v = doc_at(p, names[i].name);
        if (v.node && v.node->kind == JSON_STRING) say_text(s, names[i].field, doc_text(v, ""));
    }
}

static void say_trigger(struct say *s, struct str event) {
    if (str_eq(event, STR("workflow_dispatch")))
        say_word(s, DEPLOY_TRIGGER, "manual");
    else if (event.len)
        say_word(s, DEPLOY_TRIGGER, "automatic");
}

void github_say_deployment(struct github *g, struct doc deployment, struct str run, int64_t time,
                           const struct word *state) {
    static const struct say_path paths[] = {
        { DEPLOY_SHA, "sha" },
        { DEPLOY_REF, "ref" },
        { DEPLOY_ENVIRONMENT, "original_environment" },
        { DEPLOY_ENVIRONMENT, "environment" },
        { DEPLOY_ACTOR, "creator.login" },
        { DEPLOY_QUEUED, "created_at" },
    };
    struct str key = str_fmt(g->in->arena, "%.*s:deployment:%.*s", STR_ARG(g->prefix),
                             STR_ARG(doc_need_id(deployment, "id")));
    struct str task = doc_text(deployment, "task");
    struct say s = say_of(g->in, FACT_DEPLOY, key, time, state ? state->rank : RANK_SAYS);
    say_text(&s, DEPLOY_REPO, g->repo);
    SAY_PATHS(&s, deployment, paths);
    if (doc_bool(deployment, "production_environment")) say_word(&s, DEPLOY_TIER, "production");
    if (str_eq(task, STR("rollback")) || str_eq(task, STR("hotfix"))) say_text(&s, DEPLOY_KIND, task);
    say_payload(&s, deployment);
    if (!doc_text(deployment, "payload.service").len)
        say_service_of_repo(g->in, FACT_DEPLOY, DEPLOY_SERVICE, key, g->repo);
    say_text(&s, DEPLOY_RUN, run);
    say_trigger(&s, doc_text(g->d, "workflow_run.event"));
    say_deploy(&s, state, time);
    if (doc_has(g->d, "deployment_status")) {
        struct str url = doc_text(g->d, "deployment_status.log_url");
        say_text(&s, DEPLOY_URL, url.len ? url : doc_text(g->d, "deployment_status.target_url"));
    }
}

static struct str own_run(struct github *g) {
    struct doc run = doc_object(g->d, "workflow_run");
    return run.node ? github_run_key(g, run) : STR("");
}

void github_deployment(struct github *g) {
    static const struct word created = { "", "pending", RANK_WAITS };
    struct doc d = doc_object(g->d, "deployment");
    int64_t time = time_or(doc_stamp(d, "created_at"), g->in->r->received);
    (void)github_event(g, time);
    github_say_deployment(g, d, own_run(g), time, &created);
}

void github_deployment_status(struct github *g) {
    struct doc status = doc_object(g->d, "deployment_status");
    int64_t time = time_or(doc_stamp(status, "created_at"), g->in->r->received);
    (void)github_event(g, time);
    github_say_deployment(g, doc_object(g->d, "deployment"), own_run(g), time,
                          WORD(states, doc_need(status, "state")));
}

// A release says which commit a version is, when it names a commit and not a branch.
void github_release(struct github *g) {
    struct doc r = doc_object(g->d, "release");
    struct str tag = doc_need(r, "tag_name"), sha = doc_text(r, "target_commitish"), provider, path;
    int64_t time = time_or(doc_stamp(r, "published_at"), doc_stamp(r, "created_at"));
    (void)github_event(g, time);
    if (doc_bool(r, "draft") || str_eq(g->action, STR("deleted"))) return;
    (void)str_cut(g->prefix, ':', &provider, &path);
    struct str key = str_fmt(g->in->arena, "pkg:github/%.*s@%.*s", STR_ARG(path), STR_ARG(tag));
    struct say s = say_of(g->in, FACT_ARTIFACT, key, time_or(time, g->in->r->received), RANK_SAYS);
    say_text(&s, ARTIFACT_REPO, g->repo);
    say_text(&s, ARTIFACT_VERSION, tag);
    if (key_is_sha(sha)) say_text(&s, ARTIFACT_SHA, sha);
    say_time(&s, ARTIFACT_BUILT, doc_stamp(r, "published_at"));
}

// --- issues as incidents -------------------------------------------------------------------------

static bool is_incident(struct doc issue) {
    for (struct doc l = doc_first(doc_array(issue, "labels")); l.node; l = doc_next(l))
        if (hook_incident_label(doc_text(l, "name"))) return true;
    return str_eq_nocase(doc_text(issue, "type.name"), STR("incident"));
}

// The first label that is a severity: "sev1", "severity: high", "P2".
static int64_t severity(struct doc issue) {
    for (struct doc l = doc_first(doc_array(issue, "labels")); l.node; l = doc_next(l)) {
        struct str name = doc_text(l, "name"), head, tail;
        if (str_cut(name, ':', &head, &tail) && str_eq_nocase(head, STR("severity"))) name = str_trim(tail);
        if (severity_of(name)) return severity_of(name);
    }
    return 0;
}

static enum team_label team_label(struct github *g) {
    bool put = str_eq(g->action, STR("labeled")), taken = str_eq(g->action, STR("unlabeled"));
    if (!(put || taken) || !hook_labelled_team(doc_text(g->d, "label.name")).len) return TEAM_LABEL_REPEATED;
    return put ? TEAM_LABEL_PUT : TEAM_LABEL_TAKEN;
}

void github_issue(struct github *g) {
    static const struct say_path paths[] = {
        { INCIDENT_TITLE, "title" },
        { INCIDENT_DETECTED, "created_at" },
        { INCIDENT_RESOLVED, "closed_at" },
        { INCIDENT_URL, "html_url" },
    };
    struct doc i = doc_object(g->d, "issue");
    bool closed = str_eq(doc_text(i, "state"), STR("closed"));
    int64_t time = time_or(doc_stamp(i, "updated_at"), doc_stamp(i, closed ? "closed_at" : "created_at"));
    (void)github_event(g, time);
    if (!is_incident(i)) return;
    struct str key =
        str_fmt(g->in->arena, "%.*s:issue:%.*s", STR_ARG(g->prefix), STR_ARG(doc_need_id(i, "number")));
    struct say s =
        say_of(g->in, FACT_INCIDENT, key, time_or(time, g->in->r->received), closed ? RANK_DONE : RANK_WAITS);
    say_text(&s, INCIDENT_REPO, g->repo);
    say_service_of_repo(g->in, FACT_INCIDENT, INCIDENT_SERVICE, key, g->repo);
    SAY_PATHS(&s, i, paths);
    if (severity(i)) say_int(&s, INCIDENT_SEVERITY, severity(i));
    say_word(&s, INCIDENT_STATE, closed ? "resolved" : "triggered");
    if (str_eq(g->action, STR("reopened"))) say_time(&s, INCIDENT_REOPENED, time);
    say_text(&s, INCIDENT_DETECTED_BY, doc_text(i, "user.login"));
    say_labelled_teams(g->in, key, time_or(time, g->in->r->received), doc_array(i, "labels"), "name",
                       team_label(g));
}
