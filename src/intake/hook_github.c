// SPDX-License-Identifier: Apache-2.0
// Webhooks of GitHub. The event's name is in X-GitHub-Event, the delivery's id (the same when it is
// delivered again) in X-GitHub-Delivery. A body may be a form with the JSON in "payload".
// Deploys, releases and incidents are in hook_github_deploy.c.
#include "intake/hook_github.h"

#include "intake/hook_push.h"

static const struct signature_form forms[] = {
    { SIGNATURE_HEX, SIGNATURE_SHA256, "X-Hub-Signature-256", "sha256=", NULL },
    { SIGNATURE_HEX, SIGNATURE_SHA1, "X-Hub-Signature", "sha1=", NULL },
};

// --- changes and reviews -------------------------------------------------------------------------

static struct str change_key(const struct github *g, struct doc change) {
    return key_change(g->in->arena, g->prefix, doc_need_id(change, "number"));
}

static void pull_request(struct github *g) {
    static const struct say_path paths[] = {
        { CHANGE_NUMBER, "number" },       { CHANGE_TITLE, "title" },
        { CHANGE_AUTHOR, "user.login" },   { CHANGE_OPENED, "created_at" },
        { CHANGE_CLOSED, "closed_at" },    { CHANGE_MERGED, "merged_at" },
        { CHANGE_HEAD_SHA, "head.sha" },   { CHANGE_HEAD_REF, "head.ref" },
        { CHANGE_BASE_REF, "base.ref" },   { CHANGE_COMMITS, "commits" },
        { CHANGE_ADDITIONS, "additions" }, { CHANGE_DELETIONS, "deletions" },
        { CHANGE_FILES, "changed_files" }, { CHANGE_URL, "html_url" },
    };
    struct doc pr = doc_object(g->d, "pull_request");
    bool merged = doc_bool(pr, "merged"), draft = doc_bool(pr, "draft");
    bool closed = str_eq(doc_text(pr, "state"), STR("closed"));
    int64_t time = time_or(doc_stamp(pr, "updated_at"), doc_stamp(pr, "created_at"));
    bool opened = str_eq(g->action, STR("opened")); // comes first of all in its second
    (void)github_event(g, time);
    struct say s = say_of(g->in, FACT_CHANGE, change_key(g, pr), time_or(time, g->in->r->received),
                          merged || closed ? RANK_DONE
                          : opened         ? RANK_WAITS
                                           : RANK_RUNS);
    say_text(&s, CHANGE_REPO, g->repo);
    SAY_PATHS(&s, pr, paths);
    say_word(&s, CHANGE_AUTHOR_KIND, author_kind(doc_text(pr, "user.login"), doc_text(pr, "user.type")));
    say_word(&s, CHANGE_STATE, merged ? "merged" : closed ? "closed" : draft ? "draft" : "open");
    // Before the merge it is the sha of a trial merge.
    if (merged) say_text(&s, CHANGE_MERGE_SHA, doc_text(pr, "merge_commit_sha"));
    if (opened && !draft) say_time(&s, CHANGE_READY, doc_stamp(pr, "created_at"));
    if (str_eq(g->action, STR("ready_for_review"))) say_time(&s, CHANGE_READY, time);
    say_labels(&s, CHANGE_LABELS, doc_array(pr, "labels"), "name");
}

static void say_review(struct github *g, struct doc r, struct str change, const char *what, struct str state,
                       int64_t time) {
    struct str key =
        str_fmt(g->in->arena, "%.*s:%s:%.*s", STR_ARG(change), what, STR_ARG(doc_need_id(r, "id")));
    bool dismissed = str_eq(state, STR("dismissed"));
    struct say s = say_of(g->in, FACT_REVIEW, key, time, dismissed ? RANK_DONE : RANK_RUNS);
    say_text(&s, REVIEW_CHANGE, change);
    say_text(&s, REVIEW_AUTHOR, doc_text(r, "user.login"));
    say_word(&s, REVIEW_AUTHOR_KIND, author_kind(doc_text(r, "user.login"), doc_text(r, "user.type")));
    say_text(&s, REVIEW_STATE, state);
    say_time(&s, REVIEW_SUBMITTED, time);
}

static void review(struct github *g) {
    struct doc r = doc_object(g->d, "review");
    struct str state = doc_text(r, "state"), change = change_key(g, doc_object(g->d, "pull_request"));
    int64_t time = time_or(doc_stamp(r, "submitted_at"), g->in->r->received);
    (void)github_event(g, time);
    if (!str_eq(state, STR("pending"))) say_review(g, r, change, "review", state, time);
}

// A comment on a change, for the time of the first response. Later edits change nothing.
static void comment(struct github *g) {
    struct doc c = doc_object(g->d, "comment"), issue = doc_object(g->d, "issue"),
               change = issue.node ? issue : doc_object(g->d, "pull_request");
    int64_t time = time_or(doc_stamp(c, "created_at"), g->in->r->received);
    (void)github_event(g, time);
    if (issue.node && !doc_has(issue, "pull_request")) return;
    if (str_eq(g->action, STR("created")))
        say_review(g, c, change_key(g, change), "comment", STR("commented"), time);
}

// --- runs and jobs -------------------------------------------------------------------------------

static const struct word run_states[] = {
    { "queued", "queued", RANK_WAITS },      { "requested", "queued", RANK_WAITS },
    { "pending", "queued", RANK_WAITS },     { "waiting", "waiting", RANK_WAITS },
    { "in_progress", "running", RANK_RUNS }, { "completed", "done", RANK_DONE },
};

struct str github_run_key(const struct github *g, struct doc run) {
    int64_t attempt;
    if (!doc_i64(run, "run_attempt", &attempt)) attempt = 1;
    struct str id = doc_id(run, "run_id");
    return key_run(g->in->arena, g->prefix, id.len ? id : doc_need_id(run, "id"), attempt);
}

static void workflow_run(struct github *g) {
    static const struct say_path paths[] = {
        { RUN_NAME, "name" },
        { RUN_SHA, "head_sha" },
        { RUN_REF, "head_branch" },
        { RUN_EVENT, "event" },
        { RUN_URL, "html_url" },
        { RUN_ATTEMPT, "run_attempt" },
        { RUN_ACTOR, "triggering_actor.login" },
        { RUN_STARTED, "run_started_at" },
    };
    struct doc r = doc_object(g->d, "workflow_run");
    const struct word *state = WORD(run_states, doc_text(r, "status")),
                      *result = result_word(doc_text(r, "conclusion"));
    int64_t time = time_or(doc_stamp(r, "updated_at"), doc_stamp(r, "run_started_at")), attempt;
    struct str group =
        str_fmt(g->in->arena, "%.*s:run:%.*s", STR_ARG(g->prefix), STR_ARG(doc_need_id(r, "id")));
    (void)doc_i64(r, "run_attempt", &attempt);
    (void)github_event(g, time);
    struct say s = say_of(g->in, FACT_RUN, github_run_key(g, r), time_or(time, g->in->r->received),
                          state ? state->rank : RANK_SAYS);
    say_text(&s, RUN_REPO, g->repo);
    say_text(&s, RUN_GROUP, group);
    SAY_PATHS(&s, r, paths);
    // A later attempt keeps the created_at of the first.
    say_time(&s, RUN_QUEUED, doc_stamp(r, attempt > 1 ? "run_started_at" : "created_at"));
    if (state) say_word(&s, RUN_STATE, state->to);
    if (state && state->rank == RANK_DONE) {
        if (result) say_word(&s, RUN_RESULT, result->to);
        say_time(&s, RUN_ENDED, time); // of the first completed delivery: reruns move it, the least counts
    }
}

static void workflow_job(struct github *g) {
    static const struct say_path paths[] = {
        { TASK_NAME, "name" },         { TASK_SHA, "head_sha" },       { TASK_URL, "html_url" },
        { TASK_QUEUED, "created_at" }, { TASK_ENDED, "completed_at" },
    };
    struct doc j = doc_object(g->d, "workflow_job"), deployment = doc_object(g->d, "deployment");
    const struct word *state = WORD(run_states, doc_text(j, "status")),
                      *result = result_word(doc_text(j, "conclusion"));
    struct str run = github_run_key(g, j);
    int64_t time = doc_stamp(j, state && state->rank == RANK_DONE ? "completed_at" : "started_at");
    time = time_or(time_or(time, doc_stamp(j, "created_at")), g->in->r->received);
    (void)github_event(g, time);
    struct say s = say_of(g->in, FACT_TASK, key_task(g->in->arena, run, doc_need_id(j, "id")), time,
                          state ? state->rank : RANK_SAYS);
    say_text(&s, TASK_RUN, run);
    SAY_PATHS(&s, j, paths);
    if (state) say_word(&s, TASK_STATE, state->to);
    // Before a runner takes the job, started_at is only when it was queued.
    if (state && state->rank >= RANK_RUNS) say_time(&s, TASK_STARTED, doc_stamp(j, "started_at"));
    if (result) say_word(&s, TASK_RESULT, result->to);
    if (!deployment.node) return;
    say_word(&s, TASK_TYPE, "deploy");
    github_say_deployment(g, deployment, run, time, NULL);
}

// Suites of other tools than GitHub's own, whose runs and jobs tell the same.
static void check_suite(struct github *g) {
    struct doc c = doc_object(g->d, "check_suite");
    const struct word *state = WORD(run_states, doc_text(c, "status")),
                      *result = result_word(doc_text(c, "conclusion"));
    int64_t time = time_or(doc_stamp(c, "updated_at"), g->in->r->received);
    (void)github_event(g, time);
    if (str_eq(doc_text(c, "app.slug"), STR("github-actions"))) return;
    struct str key =
        str_fmt(g->in->arena, "%.*s:check_suite:%.*s:1", STR_ARG(g->prefix), STR_ARG(doc_need_id(c, "id")));
    struct say s = say_of(g->in, FACT_RUN, key, time, state ? state->rank : RANK_SAYS);
    say_text(&s, RUN_REPO, g->repo);
    say_text(&s, RUN_NAME, doc_text(c, "app.slug"));
    say_text(&s, RUN_SHA, doc_text(c, "head_sha"));
    say_text(&s, RUN_REF, doc_text(c, "head_branch"));
    say_time(&s, RUN_QUEUED, doc_stamp(c, "created_at"));
    if (state) say_word(&s, RUN_STATE, state->to);
    if (!state || state->rank != RANK_DONE) return;
    if (result) say_word(&s, RUN_RESULT, result->to);
    say_time(&s, RUN_ENDED, time);
}

static void check_run(struct github *g) {
    static const struct say_path paths[] = {
        { TASK_NAME, "name" },          { TASK_SHA, "head_sha" },       { TASK_URL, "html_url" },
        { TASK_STARTED, "started_at" }, { TASK_ENDED, "completed_at" },
    };
    struct doc c = doc_object(g->d, "check_run");
    const struct word *state = WORD(run_states, doc_text(c, "status")),
                      *result = result_word(doc_text(c, "conclusion"));
    int64_t time = time_or(doc_stamp(c, "completed_at"), doc_stamp(c, "started_at"));
    time = time_or(time, g->in->r->received);
    (void)github_event(g, time);
    if (str_eq(doc_text(c, "app.slug"), STR("github-actions"))) return;
    struct str suite = doc_id(c, "check_suite.id");
    if (suite.len == 0) return;
    struct str run = str_fmt(g->in->arena, "%.*s:check_suite:%.*s:1", STR_ARG(g->prefix), STR_ARG(suite));
    struct say s = say_of(g->in, FACT_TASK, key_task(g->in->arena, run, doc_need_id(c, "id")), time,
                          state ? state->rank : RANK_SAYS);
    say_text(&s, TASK_RUN, run);
    SAY_PATHS(&s, c, paths);
    if (state) say_word(&s, TASK_STATE, state->to);
    if (result) say_word(&s, TASK_RESULT, result->to);
}

// --- pushes --------------------------------------------------------------------------------------

static void push(struct github *g) {
    struct doc repo = doc_object(g->d, "repository");
    int64_t pushed;
    int64_t time = doc_i64(repo, "pushed_at", &pushed) ? stamp_guess(pushed) : doc_stamp(repo, "pushed_at");
    (void)github_event(g, time);
    push_say(&(struct push){ .in = g->in,
                             .repo = g->repo,
                             .prefix = g->prefix,
                             .before = doc_text(g->d, "before"),
                             .after = doc_text(g->d, "after"),
                             .ref = doc_text(g->d, "ref"),
                             .default_branch = doc_text(repo, "default_branch"),
                             .forced = doc_bool(g->d, "forced"),
                             .commits = doc_array(g->d, "commits"),
                             .time = time_or(time, g->in->r->received) });
}

// Known, and about nothing that is a fact yet.
static void silent(struct github *g) {
    (void)github_event(g, 0);
}

// --- a request -----------------------------------------------------------------------------------

static const struct {
    const char *event;
    void (*read)(struct github *g);
} types[] = {
    { "pull_request", pull_request },
    { "pull_request_review", review },
    { "pull_request_review_comment", comment },
    { "issue_comment", comment },
    { "workflow_run", workflow_run },
    { "workflow_job", workflow_job },
    { "check_suite", check_suite },
    { "check_run", check_run },
    { "deployment", github_deployment },
    { "deployment_status", github_deployment_status },
    { "release", github_release },
    { "issues", github_issue },
    { "push", push },
    { "create", silent },
    { "delete", silent },
    { "merge_group", silent },
    { "ping", silent },
};

struct intake_event *github_event(struct github *g, int64_t time) {
    struct intake_event *e = hook_event(g->in, hook_header(g->in, "X-GitHub-Delivery"), g->type, time);
    e->body = g->body;
    return e;
}

// payload=%7B… of a form.
static struct str form_payload(struct hook_in *in) {
    struct str rest = in->r->body, one = { 0 };
    for (bool more = rest.len > 0; more;) {
        more = str_cut(rest, '&', &one, &rest);
        if (str_starts(one, STR("payload="))) break;
    }
    if (!str_starts(one, STR("payload="))) return STR("");
    one = str_sub(one, 8, one.len);
    char *p = arena_alloc(in->arena, one.len);
    size_t n = 0;
    for (size_t i = 0; p && i < one.len; i++, n++) {
        p[n] = one.ptr[i] == '+' ? ' ' : one.ptr[i];
        if (one.ptr[i] == '%' && hex_decode(str_sub(one, i + 1, 2), &p[n], 1)) i += 2;
    }
    return (struct str){ p, n };
}

static void repo_read(struct github *g) {
    struct doc repo = doc_object(g->d, "repository");
    g->repo = key_repo(g->in->arena, doc_text(repo, "html_url"));
    if (g->repo.len == 0)
        g->repo = str_fmt(g->in->arena, "github.com/%.*s", STR_ARG(doc_need(repo, "full_name")));
    g->prefix = key_prefix(g->in->arena, "github", g->repo);
}

static struct str event_name(struct hook_in *in) {
    struct str name = hook_header(in, "X-GitHub-Event"), rest;
    (void)str_cut(name.len ? name : in->r->kept_type, '.', &name, &rest);
    return name;
}

static enum err github_read(struct hook_in *in) {
    struct github g = { .in = in, .body = in->r->body };
    struct str name = event_name(in), form = STR("application/x-www-form-urlencoded");
    if (name.len == 0)
        return err_set(in->ctx, ERR_INVALID, "there is no X-GitHub-Event, which names the event");
    if (str_eq_nocase(str_sub(hook_header(in, "Content-Type"), 0, form.len), form)) g.body = form_payload(in);
    TRY(hook_document(in, g.body, &g.d));
    g.action = doc_text(g.d, "action");
    g.type = hook_type(in, name, g.action);
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        if (!str_eq(name, str_of(types[i].event))) continue;
        if (types[i].read != silent) repo_read(&g);
        types[i].read(&g);
        return hook_end(in);
    }
    hook_unknown(in, hook_header(in, "X-GitHub-Delivery"), g.type)->body = g.body;
    return hook_end(in);
}

const struct hook hook_github = { "github", HOOK_FORMS(forms), github_read };
