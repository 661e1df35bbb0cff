// SPDX-License-Identifier: Apache-2.0
// Webhooks of GitLab, told apart by object_kind. Signed by Standard Webhooks, or with a plain token.
// Pipelines, jobs and deployments are in hook_gitlab_deploy.c.
#include "intake/hook_gitlab.h"

#include "intake/hook_push.h"

static const struct signature_form forms[] = {
    { .how = SIGNATURE_STANDARD },
    { .how = SIGNATURE_TOKEN, .header = "X-Gitlab-Token" },
};

static struct str attribute(struct gitlab *g, const char *name) {
    return doc_text(g->at, name);
}

// --- changes -------------------------------------------------------------------------------------

static struct str change_key(struct gitlab *g, struct doc change) {
    return key_change(g->in->arena, g->prefix, doc_need_id(change, "iid"));
}

static struct str merge_sha(struct gitlab *g) {
    static const char *const where[] = { "merge_commit_sha", "squash_commit_sha", "last_commit.id" };
    struct str s = { 0 };
    for (unsigned i = 0; i < 3 && s.len == 0; i++) s = attribute(g, where[i]);
    return s;
}

// The event tells when it was opened, and of each step only that it just happened: updated_at.
static void say_steps(struct gitlab *g, struct say *s, int64_t time, bool draft) {
    struct doc draft_change = doc_object(g->d, "changes.draft");
    if (str_eq(g->action, STR("open")) && !draft) say_time(s, CHANGE_READY, doc_stamp(g->at, "created_at"));
    if (draft_change.node && doc_bool(draft_change, "previous") && !draft) say_time(s, CHANGE_READY, time);
    if (str_eq(g->action, STR("merge"))) say_time(s, CHANGE_MERGED, time);
    if (str_eq(g->action, STR("close"))) say_time(s, CHANGE_CLOSED, time);
}

// One review for each person: approved, until it is taken back.
static void approval(struct gitlab *g, int64_t time) {
    static const struct word words[] = {
        { "approved", "approved", RANK_RUNS },
        { "approval", "approved", RANK_RUNS },
        { "unapproved", "dismissed", RANK_DONE },
        { "unapproval", "dismissed", RANK_DONE },
    };
    const struct word *w = WORD(words, g->action);
    struct str who = doc_text(g->d, "user.username"), change = change_key(g, g->at);
    if (!w || who.len == 0) return;
    struct str key = str_fmt(g->in->arena, "%.*s:review:%.*s", STR_ARG(change), STR_ARG(who));
    struct say s = say_of(g->in, FACT_REVIEW, key, time, w->rank);
    say_text(&s, REVIEW_CHANGE, change);
    say_text(&s, REVIEW_AUTHOR, who);
    say_word(&s, REVIEW_AUTHOR_KIND, author_kind(who, STR("")));
    say_word(&s, REVIEW_STATE, w->to);
    if (w->rank == RANK_RUNS) say_time(&s, REVIEW_SUBMITTED, time);
}

static void merge_request(struct gitlab *g) {
    static const struct say_path paths[] = {
        { CHANGE_NUMBER, "iid" },
        { CHANGE_TITLE, "title" },
        { CHANGE_OPENED, "created_at" },
        { CHANGE_HEAD_SHA, "last_commit.id" },
        { CHANGE_HEAD_REF, "source_branch" },
        { CHANGE_BASE_REF, "target_branch" },
        { CHANGE_URL, "url" },
    };
    bool merged = str_eq(attribute(g, "state"), STR("merged")),
         draft = doc_bool(g->at, "draft") || doc_bool(g->at, "work_in_progress"),
         closed = str_eq(attribute(g, "state"), STR("closed"));
    int64_t time = time_or(doc_stamp(g->at, "updated_at"), g->in->r->received);
    bool opened = str_eq(g->action, STR("open")); // comes first of all in its second
    (void)gitlab_event(g, g->action, time);
    struct say s = say_of(g->in, FACT_CHANGE, change_key(g, g->at), time,
                          merged || closed ? RANK_DONE
                          : opened         ? RANK_WAITS
                                           : RANK_RUNS);
    say_text(&s, CHANGE_REPO, g->repo);
    SAY_PATHS(&s, g->at, paths);
    say_word(&s, CHANGE_STATE, merged ? "merged" : closed ? "closed" : draft ? "draft" : "open");
    if (merged) say_text(&s, CHANGE_MERGE_SHA, merge_sha(g));
    // The event names only who acted; who opens it is taken for the author.
    if (opened) {
        struct str who = doc_text(g->d, "user.username");
        say_text(&s, CHANGE_AUTHOR, who);
        say_word(&s, CHANGE_AUTHOR_KIND, author_kind(who, STR("")));
    }
    say_steps(g, &s, time, draft);
    say_labels(&s, CHANGE_LABELS, doc_array(g->d, "labels"), "title");
    approval(g, time);
}

static void note(struct gitlab *g) {
    int64_t time = time_or(doc_stamp(g->at, "created_at"), g->in->r->received);
    struct str who = doc_text(g->d, "user.username");
    (void)gitlab_event(g, attribute(g, "noteable_type"), time);
    if (!str_eq(attribute(g, "noteable_type"), STR("MergeRequest")) || doc_bool(g->at, "system")) return;
    struct str change = change_key(g, doc_object(g->d, "merge_request"));
    struct str key =
        str_fmt(g->in->arena, "%.*s:comment:%.*s", STR_ARG(change), STR_ARG(doc_need_id(g->at, "id")));
    struct say s = say_of(g->in, FACT_REVIEW, key, time, RANK_RUNS);
    say_text(&s, REVIEW_CHANGE, change);
    say_text(&s, REVIEW_AUTHOR, who);
    say_word(&s, REVIEW_AUTHOR_KIND, author_kind(who, STR("")));
    say_word(&s, REVIEW_STATE, "commented");
    say_time(&s, REVIEW_SUBMITTED, time);
}

// --- incidents -----------------------------------------------------------------------------------

static bool is_incident(struct gitlab *g) {
    if (str_eq_nocase(attribute(g, "type"), STR("Incident"))) return true;
    for (struct doc l = doc_first(doc_array(g->d, "labels")); l.node; l = doc_next(l))
        if (hook_incident_label(doc_text(l, "title"))) return true;
    return false;
}

static const struct word incident_states[] = {
    { "closed", "resolved", RANK_DONE },
    { "resolved", "resolved", RANK_DONE },
    { "acknowledged", "acknowledged", RANK_RUNS },
    { "triggered", "triggered", RANK_WAITS },
};

static const struct word *incident_state(struct gitlab *g) {
    static const struct word opened = { "", "triggered", RANK_WAITS };
    const struct word *state = WORD(incident_states, attribute(g, "state")),
                      *step = WORD(incident_states, attribute(g, "escalation_status"));
    return state ? state : step ? step : &opened;
}

// By the labels before this event, where it tells that they changed. An exchange puts one on.
static enum team_label team_label(struct gitlab *g) {
    struct doc change = doc_at(g->d, "changes.labels");
    struct buf was, is;
    if (!change.node) return TEAM_LABEL_REPEATED;
    buf_init(&was, FACT_TEXT_MAX);
    buf_init(&is, FACT_TEXT_MAX);
    unsigned n_was = hook_labelled_teams_add(&was, doc_at(change, "previous"), "title");
    unsigned n_is = hook_labelled_teams_add(&is, doc_array(g->d, "labels"), "title");
    if (was.failed || is.failed) g->in->arena->failed = true;
    bool same = str_eq(buf_view(&was), buf_view(&is));
    buf_fini(&was);
    buf_fini(&is);
    return same ? TEAM_LABEL_REPEATED : n_is < n_was ? TEAM_LABEL_TAKEN : TEAM_LABEL_PUT;
}

static void issue(struct gitlab *g) {
    static const struct say_path paths[] = {
        { INCIDENT_TITLE, "title" },
        { INCIDENT_DETECTED, "created_at" },
        { INCIDENT_RESOLVED, "closed_at" },
        { INCIDENT_URL, "url" },
    };
    int64_t time = time_or(doc_stamp(g->at, "updated_at"), g->in->r->received);
    (void)gitlab_event(g, g->action, time);
    if (!is_incident(g)) return;
    const struct word *state = incident_state(g);
    struct str key =
        str_fmt(g->in->arena, "%.*s:issue:%.*s", STR_ARG(g->prefix), STR_ARG(doc_need_id(g->at, "iid")));
    struct say s = say_of(g->in, FACT_INCIDENT, key, time, state->rank);
    int64_t severity = severity_of(attribute(g, "severity"));
    say_text(&s, INCIDENT_REPO, g->repo);
    say_service_of_repo(g->in, FACT_INCIDENT, INCIDENT_SERVICE, key, g->repo);
    SAY_PATHS(&s, g->at, paths);
    if (severity) say_int(&s, INCIDENT_SEVERITY, severity);
    say_word(&s, INCIDENT_STATE, state->to);
    if (str_eq(str_of(state->to), STR("acknowledged"))) say_time(&s, INCIDENT_ACKNOWLEDGED, time);
    if (str_eq(str_of(state->to), STR("resolved")))
        say_time(&s, INCIDENT_RESOLVED, time_or(doc_stamp(g->at, "closed_at"), time));
    if (str_eq(g->action, STR("reopen"))) say_time(&s, INCIDENT_REOPENED, time);
    say_labelled_teams(g->in, key, time, doc_array(g->d, "labels"), "title", team_label(g));
}

// --- the rest ------------------------------------------------------------------------------------

static void release(struct gitlab *g) {
    struct str tag = doc_need(g->d, "tag"), provider, path;
    int64_t time = time_or(doc_stamp(g->d, "released_at"), g->in->r->received);
    (void)gitlab_event(g, doc_text(g->d, "action"), time);
    if (str_eq(doc_text(g->d, "action"), STR("delete"))) return;
    (void)str_cut(g->prefix, ':', &provider, &path);
    struct str key = str_fmt(g->in->arena, "pkg:gitlab/%.*s@%.*s", STR_ARG(path), STR_ARG(tag));
    struct say s = say_of(g->in, FACT_ARTIFACT, key, time, RANK_SAYS);
    say_text(&s, ARTIFACT_REPO, g->repo);
    say_text(&s, ARTIFACT_VERSION, tag);
    say_text(&s, ARTIFACT_SHA, doc_text(g->d, "commit.id"));
    say_time(&s, ARTIFACT_BUILT, doc_stamp(g->d, "released_at"));
}

// The event has no time and no environment.
static void feature_flag(struct gitlab *g) {
    struct intake_event *e = gitlab_event(g, STR(""), 0);
    struct str id = e->id.len ? e->id : key_hash(g->in->arena, &g->in->r->body, 1);
    struct say s =
        say_of(g->in, FACT_FLAG, str_fmt(g->in->arena, "%.*s:flag:%.*s", STR_ARG(g->prefix), STR_ARG(id)),
               g->in->r->received, RANK_SAYS);
    say_text(&s, FLAG_PROJECT, g->repo);
    say_text(&s, FLAG_NAME, doc_need(g->at, "name"));
    say_word(&s, FLAG_ACTION, doc_bool(g->at, "active") ? "on" : "off");
    say_text(&s, FLAG_ACTOR, doc_text(g->d, "user.username"));
    say_time(&s, FLAG_CHANGED, g->in->r->received);
}

// The commits are the newest twenty; the event has no time of its own.
static void push(struct gitlab *g) {
    struct doc commits = doc_array(g->d, "commits");
    int64_t time = push_last_time(g->in, commits), total = 0, n = 0;
    for (struct doc c = doc_first(commits); c.node; c = doc_next(c)) n++;
    (void)doc_i64(g->d, "total_commits_count", &total);
    (void)gitlab_event(g, STR(""), time);
    push_say(&(struct push){ .in = g->in,
                             .repo = g->repo,
                             .prefix = g->prefix,
                             .before = doc_text(g->d, "before"),
                             .after = doc_text(g->d, "after"),
                             .ref = doc_text(g->d, "ref"),
                             .default_branch = doc_text(g->d, "project.default_branch"),
                             .cut = total > n,
                             .commits = commits,
                             .time = time_or(time, g->in->r->received) });
}

static void silent(struct gitlab *g) {
    (void)gitlab_event(g, STR(""), 0);
}

static const struct {
    const char *kind;
    void (*read)(struct gitlab *g);
} types[] = {
    { "merge_request", merge_request },
    { "note", note },
    { "pipeline", gitlab_pipeline },
    { "build", gitlab_job },
    { "deployment", gitlab_deployment },
    { "issue", issue },
    { "incident", issue },
    { "work_item", issue },
    { "release", release },
    { "feature_flag", feature_flag },
    { "push", push },
    { "tag_push", silent },
};

static struct str event_id(struct hook_in *in) {
    static const char *const headers[] = { "Idempotency-Key", "webhook-id" };
    struct str id = { 0 };
    for (unsigned i = 0; i < 2 && id.len == 0; i++) id = hook_header(in, headers[i]);
    return id;
}

struct intake_event *gitlab_event(struct gitlab *g, struct str action, int64_t time) {
    return hook_event(g->in, event_id(g->in), hook_type(g->in, g->kind, action), time);
}

static void repo_read(struct gitlab *g) {
    struct doc project = doc_object(g->d, "project");
    struct str url = doc_text(project, "web_url"), path = doc_text(project, "path_with_namespace");
    if (url.len == 0) url = doc_text(project, "git_http_url");
    if (url.len == 0) url = doc_text(g->d, "repository.homepage"); // of jobs, in older versions
    g->repo = key_repo(g->in->arena, url);
    if (g->repo.len == 0 && path.len) g->repo = str_fmt(g->in->arena, "gitlab.com/%.*s", STR_ARG(path));
    if (g->repo.len == 0) doc_fail(project, "web_url", "missing or not a URL");
    g->prefix = key_prefix(g->in->arena, "gitlab", g->repo);
}

static enum err gitlab_read(struct hook_in *in) {
    struct gitlab g = { .in = in };
    TRY(hook_document(in, in->r->body, &g.d));
    g.kind = doc_text(g.d, "object_kind");
    g.at = doc_object(g.d, "object_attributes");
    g.action = doc_text(g.at, "action");
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        if (!str_eq(g.kind, str_of(types[i].kind))) continue;
        if (types[i].read != silent) repo_read(&g);
        types[i].read(&g);
        return hook_end(in);
    }
    if (g.kind.len == 0) g.kind = doc_text(g.d, "event_name"); // of system hooks
    (void)hook_unknown(in, event_id(in), g.kind.len ? g.kind : STR("unknown"));
    return hook_end(in);
}

const struct hook hook_gitlab = { "gitlab", HOOK_FORMS(forms), gitlab_read };
