// SPDX-License-Identifier: Apache-2.0
// Pipelines, jobs and deployments of GitLab. A deploy that a job makes has the job's key, which both
// the deployment (deployable_id) and the job know; one that was made by hand has the deployment's.
#include "intake/hook_gitlab.h"

enum { WAIT_MAX_S = 10 * 366 * 86400 }; // of a pipeline, that a time can be reckoned with

// --- words ---------------------------------------------------------------------------------------

static const struct word run_states[] = {
    { "created", "queued", RANK_WAITS },   { "waiting_for_resource", "queued", RANK_WAITS },
    { "preparing", "queued", RANK_WAITS }, { "pending", "queued", RANK_WAITS },
    { "scheduled", "queued", RANK_WAITS }, { "manual", "waiting", RANK_WAITS },
    { "running", "running", RANK_RUNS },   { "canceling", "running", RANK_RUNS },
    { "success", "done", RANK_DONE },      { "failed", "done", RANK_DONE },
    { "canceled", "done", RANK_DONE },     { "skipped", "done", RANK_DONE },
};
static const struct word deploy_states[] = {
    { "created", "pending", RANK_WAITS },    { "blocked", "pending", RANK_WAITS },
    { "pending", "pending", RANK_WAITS },    { "manual", "", RANK_SAYS }, // may never run
    { "running", "in_progress", RANK_RUNS }, { "success", "success", RANK_DONE },
    { "failed", "failure", RANK_DONE },      { "canceled", "aborted", RANK_DONE },
    { "skipped", "aborted", RANK_DONE },
};

// A failed job tells why.
static const char *job_result(const struct word *result, struct str reason) {
    static const struct word reasons[] = {
        { "job_execution_timeout", "timeout", 0 },
        { "stuck_or_timeout_failure", "timeout", 0 },
        { "runner_system_failure", "error", 0 },
        { "scheduler_failure", "error", 0 },
        { "api_failure", "error", 0 },
        { "runner_unsupported", "error", 0 },
        { "data_integrity_failure", "error", 0 },
    };
    const struct word *why = WORD(reasons, reason);
    if (why && str_eq(str_of(result->to), STR("failure"))) return why->to;
    return result->to;
}

// --- jobs ----------------------------------------------------------------------------------------
// A job is told by its own hook and by that of its pipeline, with other names.

struct job {
    struct str id, name, status, reason, sha, ref, actor;
    int64_t created, started, finished;
    int manual;             // -1: not told
    struct doc environment; // an object or nothing
};

static int64_t job_time(const struct gitlab *g, const struct job *j) {
    return time_or(time_or(j->finished, j->started), time_or(j->created, g->in->r->received));
}

// stop, prepare, verify and access put nothing there.
static bool job_deploys(const struct job *j) {
    struct str action = doc_text(j->environment, "action");
    return doc_has(j->environment, "name") && (action.len == 0 || str_eq(action, STR("start")));
}

static void say_job_deploy(struct gitlab *g, const struct job *j, struct str run) {
    const struct word *state = WORD(deploy_states, j->status);
    if (!state || state->rank == RANK_SAYS) return;
    struct str key = key_job_deploy(g->in->arena, g->prefix, j->id);
    struct say s = say_of(g->in, FACT_DEPLOY, key, job_time(g, j), state->rank);
    say_text(&s, DEPLOY_ENVIRONMENT, doc_text(j->environment, "name"));
    say_text(&s, DEPLOY_TIER, doc_text(j->environment, "deployment_tier"));
    say_text(&s, DEPLOY_REPO, g->repo);
    say_service_of_repo(g->in, FACT_DEPLOY, DEPLOY_SERVICE, key, g->repo);
    say_text(&s, DEPLOY_SHA, j->sha);
    say_text(&s, DEPLOY_REF, j->ref);
    say_text(&s, DEPLOY_ACTOR, j->actor);
    say_text(&s, DEPLOY_RUN, run);
    if (j->manual >= 0) say_word(&s, DEPLOY_TRIGGER, j->manual ? "manual" : "automatic");
    say_deploy(&s, state, job_time(g, j));
    say_time(&s, DEPLOY_QUEUED, j->created);
    say_time(&s, DEPLOY_STARTED, j->started);
}

static void say_job(struct gitlab *g, const struct job *j, struct str run) {
    const struct word *state = WORD(run_states, j->status), *result = result_word(j->status);
    struct say s = say_of(g->in, FACT_TASK, key_task(g->in->arena, run, j->id), job_time(g, j),
                          state ? state->rank : RANK_SAYS);
    say_text(&s, TASK_RUN, run);
    say_text(&s, TASK_NAME, j->name);
    say_text(&s, TASK_SHA, j->sha);
    if (state) say_word(&s, TASK_STATE, state->to);
    if (result) say_word(&s, TASK_RESULT, job_result(result, j->reason));
    say_time(&s, TASK_QUEUED, j->created);
    say_time(&s, TASK_STARTED, j->started);
    say_time(&s, TASK_ENDED, j->finished);
    if (j->manual > 0) say_int(&s, TASK_MANUAL, 1);
    if (!job_deploys(j)) return;
    say_word(&s, TASK_TYPE, "deploy");
    say_job_deploy(g, j, run);
}

void gitlab_job(struct gitlab *g) {
    struct doc env = doc_at(g->d, "environment");
    struct job j = { .id = doc_need_id(g->d, "build_id"),
                     .name = doc_text(g->d, "build_name"),
                     .status = doc_need(g->d, "build_status"),
                     .reason = doc_text(g->d, "build_failure_reason"),
                     .sha = doc_text(g->d, "sha"),
                     .ref = doc_text(g->d, "ref"),
                     .actor = doc_text(g->d, "user.username"),
                     .created = doc_stamp(g->d, "build_created_at"),
                     .started = doc_stamp(g->d, "build_started_at"),
                     .finished = doc_stamp(g->d, "build_finished_at"),
                     .manual = -1,
                     .environment = env };
    (void)gitlab_event(g, j.status, job_time(g, &j));
    say_job(g, &j, key_run(g->in->arena, g->prefix, doc_need_id(g->d, "pipeline_id"), 1));
}

// --- pipelines -----------------------------------------------------------------------------------

static void pipeline_jobs(struct gitlab *g, struct str run) {
    for (struct doc b = doc_first(doc_array(g->d, "builds")); b.node; b = doc_next(b)) {
        struct job j = { .id = doc_need_id(b, "id"),
                         .name = doc_text(b, "name"),
                         .status = doc_need(b, "status"),
                         .reason = doc_text(b, "failure_reason"),
                         .sha = doc_text(g->at, "sha"),
                         .ref = doc_text(g->at, "ref"),
                         .actor = doc_text(b, "user.username"),
                         .created = doc_stamp(b, "created_at"),
                         .started = doc_stamp(b, "started_at"),
                         .finished = doc_stamp(b, "finished_at"),
                         .manual = doc_bool(b, "manual"),
                         .environment = doc_at(b, "environment") };
        say_job(g, &j, run);
    }
}

static struct str parent_run(struct gitlab *g) {
    struct doc source = doc_object(g->d, "source_pipeline");
    if (!source.node) return STR("");
    struct str repo = key_repo(g->in->arena, doc_text(source, "project.web_url"));
    struct str prefix = repo.len ? key_prefix(g->in->arena, "gitlab", repo) : g->prefix;
    return key_run(g->in->arena, prefix, doc_need_id(source, "pipeline_id"), 1);
}

void gitlab_pipeline(struct gitlab *g) {
    static const struct say_path paths[] = {
        { RUN_NAME, "name" },    { RUN_SHA, "sha" },           { RUN_REF, "ref" },
        { RUN_EVENT, "source" }, { RUN_QUEUED, "created_at" }, { RUN_ENDED, "finished_at" },
        { RUN_URL, "url" },
    };
    struct str status = doc_need(g->at, "status"), id = doc_need_id(g->at, "id");
    const struct word *state = WORD(run_states, status), *result = result_word(status);
    int64_t created = doc_stamp(g->at, "created_at"),
            time = time_or(doc_stamp(g->at, "finished_at"), created);
    int64_t start;
    double wait_s;
    struct str key = key_run(g->in->arena, g->prefix, id, 1);
    (void)gitlab_event(g, status, time);
    struct say s =
        say_of(g->in, FACT_RUN, key, time_or(time, g->in->r->received), state ? state->rank : RANK_SAYS);
    say_text(&s, RUN_REPO, g->repo);
    SAY_PATHS(&s, g->at, paths);
    say_text(&s, RUN_GROUP, str_fmt(g->in->arena, "%.*s:run:%.*s", STR_ARG(g->prefix), STR_ARG(id)));
    say_int(&s, RUN_ATTEMPT, 1);
    say_text(&s, RUN_ACTOR, doc_text(g->d, "user.username"));
    say_text(&s, RUN_PARENT, parent_run(g));
    if (created && doc_f64(g->at, "queued_duration", &wait_s) && wait_s >= 0 && wait_s < WAIT_MAX_S &&
        !__builtin_add_overflow(created, (int64_t)(wait_s * 1e9), &start))
        say_time(&s, RUN_STARTED, start);
    if (state) say_word(&s, RUN_STATE, state->to);
    if (result) say_word(&s, RUN_RESULT, result->to);
    pipeline_jobs(g, key);
}

// --- deployments ---------------------------------------------------------------------------------

// The full sha is only at the end of the URL of the commit.
static struct str sha_of_url(struct str url) {
    const char *slash = url.len ? memrchr(url.ptr, '/', url.len) : NULL;
    struct str tail = slash ? str_sub(url, (size_t)(slash - url.ptr) + 1, url.len) : STR("");
    return key_is_sha(tail) ? tail : STR("");
}

void gitlab_deployment(struct gitlab *g) {
    static const struct say_path paths[] = {
        { DEPLOY_ENVIRONMENT, "environment" }, { DEPLOY_TIER, "environment_tier" }, { DEPLOY_REF, "ref" },
        { DEPLOY_ACTOR, "user.username" },     { DEPLOY_URL, "deployable_url" },
    };
    struct str status = doc_need(g->d, "status"), job = doc_id(g->d, "deployable_id");
    const struct word *state = WORD(deploy_states, status);
    int64_t time = time_or(doc_stamp(g->d, "status_changed_at"), g->in->r->received);
    struct str key = job.len ? key_job_deploy(g->in->arena, g->prefix, job)
                             : str_fmt(g->in->arena, "%.*s:deployment:%.*s", STR_ARG(g->prefix),
                                       STR_ARG(doc_need_id(g->d, "deployment_id")));
    (void)gitlab_event(g, status, time);
    struct say s = say_of(g->in, FACT_DEPLOY, key, time, state ? state->rank : RANK_SAYS);
    say_text(&s, DEPLOY_REPO, g->repo);
    say_service_of_repo(g->in, FACT_DEPLOY, DEPLOY_SERVICE, key, g->repo);
    SAY_PATHS(&s, g->d, paths);
    say_text(&s, DEPLOY_SHA, sha_of_url(doc_text(g->d, "commit_url")));
    say_deploy(&s, state, time);
}
