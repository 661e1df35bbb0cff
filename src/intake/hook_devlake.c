// SPDX-License-Identifier: Apache-2.0
// The webhook API of DevLake, so that its senders need only another address:
//   devlake/connections/1/deployments, …/issues, …/incidents, …/issue/[BOARD/]KEY/close
// Its environment is one of PRODUCTION, STAGING, TESTING, DEVELOPMENT, and so a tier.
#include "intake/hook.h"

struct devlake {
    struct hook_in *in;
    struct doc d;
    struct str prefix;    // "devlake:1"
    struct str last, key; // of the path: its last part; before "close", what is closed
};

static void path_read(struct devlake *v) {
    struct str rest = v->in->path, part, before = { 0 }, connection = STR("1");
    for (bool more = rest.len > 0; more;) {
        more = str_cut(rest, '/', &part, &rest);
        if (part.len == 0) continue;
        if (str_eq(before, STR("connections"))) connection = part;
        v->key = before;
        before = v->last = part;
    }
    v->prefix = str_fmt(v->in->arena, "devlake:%.*s", STR_ARG(connection));
}

// --- deployments ---------------------------------------------------------------------------------

static const struct word results[] = {
    { "success", "success", RANK_DONE },  { "failure", "failure", RANK_DONE },
    { "failed", "failure", RANK_DONE },   { "error", "failure", RANK_DONE },
    { "timeout", "failure", RANK_DONE },  { "abort", "aborted", RANK_DONE },
    { "aborted", "aborted", RANK_DONE },  { "cancelled", "aborted", RANK_DONE },
    { "canceled", "aborted", RANK_DONE },
};
static const struct word tiers[] = {
    { "production", "production", 0 },
    { "staging", "staging", 0 },
    { "testing", "testing", 0 },
    { "development", "development", 0 },
};

static struct str repo_text(struct devlake *v, struct str url) {
    struct str repo = key_repo(v->in->arena, url);
    return repo.len ? repo : url;
}

// The first commit is the deploy's own; those of further repositories went with it.
static void say_commits(struct devlake *v, struct say *s) {
    struct doc first = doc_first(doc_array(v->d, "deploymentCommits"));
    struct buf b;
    if (!first.node) return;
    say_text(s, DEPLOY_REPO, repo_text(v, doc_need(first, "repoUrl")));
    say_text(s, DEPLOY_SHA, doc_need(first, "commitSha"));
    say_text(s, DEPLOY_REF, doc_text(first, "refName"));
    buf_init(&b, FACT_TEXT_MAX);
    for (struct doc c = doc_next(first); c.node; c = doc_next(c)) {
        struct str repo = repo_text(v, doc_need(c, "repoUrl")), sha = doc_need(c, "commitSha");
        hook_list_add(&b, ' ', str_fmt(s->in->arena, "%.*s@%.*s", STR_ARG(repo), STR_ARG(sha)));
    }
    say_list(s, DEPLOY_SOURCES, &b);
}

static struct str text_or(struct str s, struct str otherwise) {
    return s.len ? s : otherwise;
}

static void deployment(struct devlake *v) {
    struct str result = text_or(doc_text(v->d, "result"), STR("SUCCESS")),
               environment = text_or(doc_text(v->d, "environment"), STR("PRODUCTION"));
    struct doc commit = doc_first(doc_array(v->d, "deploymentCommits"));
    const struct word *state = WORD(results, result), *tier = WORD(tiers, environment);
    int64_t started = time_or(doc_stamp(v->d, "startedDate"), doc_stamp(commit, "startedDate")),
            ended = time_or(doc_stamp(v->d, "finishedDate"), doc_stamp(commit, "finishedDate"));
    int64_t time = time_or(time_or(ended, started), v->in->r->received);
    struct str id = text_or(doc_id(v->d, "id"), doc_id(v->d, "pipelineId"));
    if (id.len == 0) doc_fail(v->d, "id", "missing or empty");
    (void)hook_event(v->in, STR(""), STR("deployment"), time);
    struct str key = str_fmt(v->in->arena, "%.*s:deployment:%.*s", STR_ARG(v->prefix), STR_ARG(id)),
               service = doc_text(v->d, "name");
    struct say s = say_of(v->in, FACT_DEPLOY, key, time, state ? state->rank : RANK_SAYS);
    say_text(&s, DEPLOY_SERVICE, service);
    if (!service.len)
        say_service_of_repo(v->in, FACT_DEPLOY, DEPLOY_SERVICE, key,
                            key_repo(v->in->arena, doc_text(commit, "repoUrl")));
    say_text(&s, DEPLOY_ENVIRONMENT, text_or(doc_text(v->d, "originalEnvironment"), environment));
    if (tier) say_word(&s, DEPLOY_TIER, tier->to);
    say_commits(v, &s);
    say_deploy(&s, state, time);
    say_time(&s, DEPLOY_QUEUED, doc_stamp(v->d, "createdDate"));
    say_time(&s, DEPLOY_STARTED, started);
    say_text(&s, DEPLOY_URL, doc_text(v->d, "url"));
}

// --- incidents -----------------------------------------------------------------------------------

static struct say incident_say(struct devlake *v, struct str key, int64_t time, uint8_t rank) {
    return say_of(v->in, FACT_INCIDENT,
                  str_fmt(v->in->arena, "%.*s:incident:%.*s", STR_ARG(v->prefix), STR_ARG(key)), time, rank);
}

static void issue(struct devlake *v) {
    static const struct say_path paths[] = {
        { INCIDENT_TITLE, "title" },
        { INCIDENT_DETECTED, "createdDate" },
        { INCIDENT_RESOLVED, "resolutionDate" },
        { INCIDENT_URL, "url" },
    };
    static const struct word states[] = {
        { "todo", "triggered", RANK_WAITS },
        { "in_progress", "acknowledged", RANK_RUNS },
        { "done", "resolved", RANK_DONE },
    };
    struct str type = doc_text(v->d, "type"), key = doc_need_id(v->d, "issueKey");
    const struct word *state = WORD(states, doc_text(v->d, "status"));
    int64_t severity = severity_of(doc_id(v->d, "severity")), updated = doc_stamp(v->d, "updatedDate");
    int64_t time =
        time_or(doc_stamp(v->d, "resolutionDate"), time_or(updated, doc_stamp(v->d, "createdDate")));
    (void)hook_event(v->in, STR(""), STR("issue"), time);
    if (type.len && !str_eq_nocase(type, STR("INCIDENT"))) return;
    struct say s = incident_say(v, key, time_or(time, v->in->r->received), state ? state->rank : RANK_SAYS);
    SAY_PATHS(&s, v->d, paths);
    if (!severity) severity = severity_of(doc_id(v->d, "priority"));
    if (severity) say_int(&s, INCIDENT_SEVERITY, severity);
    if (state) say_word(&s, INCIDENT_STATE, state->to);
    say_text(&s, INCIDENT_DETECTED_BY, doc_text(v->d, "creatorName"));
}

// Has no body, by which two could be told apart: the time of resolution is when it arrives.
static void close(struct devlake *v) {
    char text[STAMP_TEXT_SIZE];
    struct str at = stamp_print(v->in->r->received, text);
    struct str id =
        str_fmt(v->in->arena, "%.*s:%.*s:close:%.*s", STR_ARG(v->prefix), STR_ARG(v->key), STR_ARG(at));
    (void)hook_event(v->in, id, STR("issue.close"), v->in->r->received);
    struct say s = incident_say(v, v->key, v->in->r->received, RANK_DONE);
    say_word(&s, INCIDENT_STATE, "resolved");
    say_time(&s, INCIDENT_RESOLVED, v->in->r->received);
}

// --- a request -----------------------------------------------------------------------------------

static enum err devlake_read(struct hook_in *in) {
    struct devlake v = { .in = in };
    path_read(&v);
    in->doc = (struct document){ .arena = in->arena, .ctx = in->ctx };
    if (str_eq(v.last, STR("close"))) {
        close(&v);
        return hook_end(in);
    }
    TRY(hook_document(in, in->r->body, &v.d));
    if (str_eq(v.last, STR("deployments")) || doc_has(v.d, "deploymentCommits"))
        deployment(&v);
    else if (doc_has(v.d, "issueKey"))
        issue(&v);
    else
        (void)hook_unknown(in, STR(""), v.last.len ? v.last : STR("unknown"));
    return hook_end(in);
}

const struct hook hook_devlake = { "devlake", HOOK_FORMS(hook_token_forms), devlake_read };
