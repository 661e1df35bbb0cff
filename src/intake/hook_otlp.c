// SPDX-License-Identifier: Apache-2.0
// Spans of pipelines, as pipeline.c writes them down. Not a door: nobody else sends to this source. Keys
// are those that webhooks of the same provider give, so that a run that is told twice is one.
#include <openssl/sha.h>
#include <stdio.h>

#include "intake/hook.h"

// Every name that emitters have for a thing, the best first.
enum attribute {
    PROVIDER,
    REPO,
    RUN_ID,
    RUN_ATTEMPT_NO,
    RUN_TITLE,
    RUN_LINK,
    RUN_WORD,
    SHA_OF,
    REF_OF,
    TASK_ID,
    TASK_TITLE,
    TASK_KIND,
    TASK_LINK,
    TASK_WORD,
    WHERE,
    TIER_OF,
    WHO,
    ATTRIBUTES
};
enum { NAMES_MAX = 6 };
static const char *const names[ATTRIBUTES][NAMES_MAX] = {
    [PROVIDER] = { "vcs.provider.name", "vcs.vendor.name", "ci.system", "cicd.system" },
    [REPO] = { "vcs.repository.url.full", "vcs.repository.url", "git.repository", "scm.git.repo",
               "github.repository" },
    [RUN_ID] = { "cicd.pipeline.run.id", "github.run_id", "github.job.run_id", "ci.github.workflow.run.id",
                 "ci.github.workflow.job.run_id", "ci.pipeline.run.number" },
    [RUN_ATTEMPT_NO] = { "cicd.pipeline.run.attempt", "github.run_attempt", "github.job.run_attempt",
                         "ci.github.workflow.run.run_attempt", "ci.github.workflow.job.run_attempt" },
    [RUN_TITLE] = { "cicd.pipeline.name", "ci.pipeline.name", "ci.pipeline.id", "github.workflow",
                    "ci.github.workflow.run.name" },
    [RUN_LINK] = { "cicd.pipeline.run.url.full", "ci.pipeline.run.url", "github.html_url",
                   "ci.github.workflow.run.html_url" },
    [RUN_WORD] = { "cicd.pipeline.result", "cicd.pipeline.run.result", "cicd.pipeline.run.status",
                   "ci.pipeline.run.result", "github.conclusion", "ci.github.workflow.run.conclusion" },
    [SHA_OF] = { "vcs.ref.head.revision", "vcs.repository.ref.revision", "github.head_sha",
                 "ci.github.workflow.run.head_sha", "ci.github.workflow.job.head_sha" },
    [REF_OF] = { "vcs.ref.head.name", "vcs.ref.head", "vcs.repository.ref.name", "git.branch",
                 "github.head_branch", "ci.github.workflow.run.head_branch" },
    [TASK_ID] = { "cicd.pipeline.task.run.id", "github.job.id", "ci.github.workflow.job.id",
                  "jenkins.pipeline.step.id" },
    [TASK_TITLE] = { "cicd.pipeline.task.name", "github.job.name", "ci.github.workflow.job.name",
                     "jenkins.pipeline.step.name" },
    [TASK_KIND] = { "cicd.pipeline.task.type" },
    [TASK_LINK] = { "cicd.pipeline.task.run.url.full", "github.job.html_url",
                    "ci.github.workflow.job.html_url" },
    [TASK_WORD] = { "cicd.pipeline.task.run.result", "cicd.pipeline.run.task.status",
                    "cicd.pipeline.task.run.status", "github.job.conclusion",
                    "ci.github.workflow.job.conclusion" },
    [WHERE] = { "deployment.environment.name", "deployment.environment",
                "cicd.pipeline.task.run.environment.name" },
    [TIER_OF] = { "gitlab.environment.deployment_tier" },
    [WHO] = { "cicd.pipeline.run.sender.login", "cicd.pipeline.run.actor.name", "ci.pipeline.run.user",
              "github.actor.login" },
};

struct otlp {
    struct hook_in *in;
    struct doc d, own, root, resource;
    struct str provider, repo, prefix, trace, run;
    int64_t start, end, attempt;
};

static struct str text_of(struct doc object, const char *key) {
    struct doc at = doc_member(object, str_of(key));
    return at.node ? doc_text(at, "") : STR("");
}

// On the span, on the root of its run, on the resource.
static struct str get(const struct otlp *o, enum attribute a) {
    const struct doc places[] = { o->own, o->root, o->resource };
    for (unsigned p = 0; p < 3; p++)
        for (unsigned i = 0; i < NAMES_MAX && names[a][i]; i++) {
            struct str v = text_of(places[p], names[a][i]);
            if (v.len) return v;
        }
    return STR("");
}

// --- names of facts ----------------------------------------------------------------------------------------

static bool holds(struct str s, const char *what) {
    return s.len && memmem(s.ptr, s.len, what, strlen(what)) != NULL;
}

static struct str provider_of(const struct otlp *o) {
    static const char *const known[] = { "github", "gitlab", "gitea", "bitbucket" };
    struct str said = get(o, PROVIDER);
    if (text_of(o->own, "ci.pipeline.id").len || text_of(o->root, "ci.pipeline.id").len)
        return STR("jenkins");
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        bool in_host = holds(o->repo, known[i]) && str_starts(o->repo, str_of(known[i]));
        if (str_eq_nocase(said, str_of(known[i])) || in_host) return str_of(known[i]);
    }
    bool actions = text_of(o->own, "github.run_id").len || text_of(o->own, "github.job.id").len;
    return actions ? STR("github") : said.len ? said : STR("otlp");
}

// Also of "owner/name" and of the API's address of a repository.
static struct str repo_of(struct otlp *o) {
    struct str said = get(o, REPO), api = STR("api.github.com/repos/");
    struct str repo = key_repo(o->in->arena, said);
    bool is_bare = said.len && !holds(said, "://") && str_find(said, '@') < 0;
    if (is_bare) return str_fmt(o->in->arena, "github.com/%.*s", STR_ARG(said));
    if (!str_starts(repo, api)) return repo;
    struct str path = str_sub(repo, api.len, repo.len);
    return str_fmt(o->in->arena, "github.com/%.*s", STR_ARG(path));
}

// The attempt of a run of GitHub is in no attribute of the collector's receiver; its trace id is made
// from it.
static int64_t attempt_of(const struct otlp *o, struct str run_id) {
    enum { ATTEMPTS = 20 };
    struct str said = get(o, RUN_ATTEMPT_NO);
    uint64_t n;
    char text[64], hex[33];
    unsigned char digest[SHA256_DIGEST_LENGTH];
    if (said.len && str_u64(said, &n) && n <= INT32_MAX) return (int64_t)n;
    for (int i = 1; i <= ATTEMPTS && run_id.len <= 32; i++) {
        int len = snprintf(text, sizeof text, "%.*s%dt", STR_ARG(run_id), i);
        (void)SHA256((const unsigned char *)text, (size_t)len, digest);
        hex_encode(digest, 16, hex);
        if (str_eq(o->trace, (struct str){ hex, 32 })) return i;
    }
    return 1;
}

static struct str run_key(struct otlp *o) {
    struct str id = get(o, RUN_ID), service = text_of(o->resource, "service.name");
    if (str_eq(o->provider, STR("jenkins")))
        return key_jenkins_run(o->in->arena, get(o, RUN_LINK), id, get(o, RUN_TITLE));
    return key_run(o->in->arena,
                   o->repo.len ? o->prefix : str_fmt(o->in->arena, "otlp:%.*s", STR_ARG(service)), id,
                   o->attempt);
}

// --- claims ------------------------------------------------------------------------------------------------

static const char *result_of(const struct otlp *o, enum attribute a) {
    const struct word *w = result_word(get(o, a));
    return w ? w->to : doc_bool(o->d, "failed") ? "failure" : "success";
}

static void say_run(struct otlp *o) {
    struct say s = say_of(o->in, FACT_RUN, o->run, o->end, RANK_DONE);
    say_text(&s, RUN_REPO, o->repo);
    say_text(&s, RUN_NAME, get(o, RUN_TITLE));
    say_text(&s, RUN_SHA, get(o, SHA_OF));
    say_text(&s, RUN_REF, get(o, REF_OF));
    say_text(&s, RUN_URL, get(o, RUN_LINK));
    say_text(&s, RUN_ACTOR, get(o, WHO));
    say_int(&s, RUN_ATTEMPT, o->attempt);
    say_text(&s, RUN_TRACE, o->trace);
    say_word(&s, RUN_STATE, "done");
    say_word(&s, RUN_RESULT, result_of(o, RUN_WORD));
    say_time(&s, RUN_STARTED, o->start);
    say_time(&s, RUN_ENDED, o->end);
}

// A task that deploys, with a name of where to.
static void say_task_deploy(struct otlp *o, struct str task, struct str id) {
    static const struct word states[] = { { "success", "success", RANK_DONE },
                                          { "failure", "failure", RANK_DONE },
                                          { "error", "failure", RANK_DONE },
                                          { "timeout", "failure", RANK_DONE },
                                          { "cancelled", "aborted", RANK_DONE } };
    struct str where = get(o, WHERE), service = text_of(o->resource, "service.name");
    const struct word *state = WORD(states, str_of(result_of(o, TASK_WORD)));
    if (!where.len || !state) return;
    bool is_gitlab = str_eq(o->provider, STR("gitlab"));
    struct str key = is_gitlab ? key_job_deploy(o->in->arena, o->prefix, id)
                               : str_fmt(o->in->arena, "%.*s:deployment", STR_ARG(task));
    struct say s = say_of(o->in, FACT_DEPLOY, key, o->end, state->rank);
    if (!str_eq(service, STR("jenkins"))) say_text(&s, DEPLOY_SERVICE, service);
    say_text(&s, DEPLOY_VERSION, text_of(o->own, "service.version"));
    say_text(&s, DEPLOY_ENVIRONMENT, where);
    say_text(&s, DEPLOY_TIER, get(o, TIER_OF));
    say_text(&s, DEPLOY_REPO, o->repo);
    say_text(&s, DEPLOY_SHA, get(o, SHA_OF));
    say_text(&s, DEPLOY_REF, get(o, REF_OF));
    say_text(&s, DEPLOY_RUN, o->run);
    say_word(&s, DEPLOY_TRIGGER, "automatic");
    say_time(&s, DEPLOY_STARTED, o->start);
    say_deploy(&s, state, o->end);
}

static void say_pipeline_task(struct otlp *o) {
    struct str id = get(o, TASK_ID), title = get(o, TASK_TITLE), kind = get(o, TASK_KIND);
    if (!id.len) id = doc_need(o->d, "span");
    struct str key = key_task(o->in->arena, o->run, id);
    struct str action = text_of(o->own, "gitlab.environment.action"); // stop, verify … put nothing there
    bool deploys =
        str_eq(kind, STR("deploy")) || (text_of(o->own, "cicd.pipeline.task.run.environment.name").len &&
                                        (action.len == 0 || str_eq(action, STR("start"))));
    struct say s = say_of(o->in, FACT_TASK, key, o->end, RANK_DONE);
    say_text(&s, TASK_RUN, o->run);
    say_text(&s, TASK_NAME, title.len ? title : doc_text(o->d, "name"));
    say_text(&s, TASK_SHA, get(o, SHA_OF));
    say_text(&s, TASK_URL, get(o, TASK_LINK));
    if (deploys)
        say_word(&s, TASK_TYPE, "deploy");
    else if (str_eq(kind, STR("build")) || str_eq(kind, STR("test")))
        say_text(&s, TASK_TYPE, kind);
    say_word(&s, TASK_STATE, "done");
    say_word(&s, TASK_RESULT, result_of(o, TASK_WORD));
    say_time(&s, TASK_STARTED, o->start);
    say_time(&s, TASK_ENDED, o->end);
    if (deploys) say_task_deploy(o, key, id);
}

static void say_test(struct otlp *o) {
    struct str key =
        str_fmt(o->in->arena, "otlp:%.*s:%.*s", STR_ARG(o->trace), STR_ARG(doc_need(o->d, "span")));
    const struct word *w = result_word(text_of(o->own, "test.case.result.status"));
    struct say s = say_of(o->in, FACT_TEST, key, o->end, RANK_DONE);
    say_text(&s, TEST_REPO, o->repo);
    say_text(&s, TEST_NAME, text_of(o->own, "test.case.name"));
    say_text(&s, TEST_SHA, get(o, SHA_OF));
    if (get(o, RUN_ID).len) say_text(&s, TEST_RUN, o->run);
    say_word(&s, TEST_RESULT, w ? w->to : doc_bool(o->d, "failed") ? "failure" : "success");
    say_time(&s, TEST_ENDED, o->end);
}

// A count of ns in digits.
static int64_t ns_of(struct doc d, const char *path) {
    uint64_t ns;
    struct str s = doc_need(d, path);
    if (str_u64(s, &ns) && ns <= INT64_MAX) return (int64_t)ns;
    doc_fail(d, path, "expected ns since 1970");
    return 0;
}

static enum err otlp_read(struct hook_in *in) {
    struct otlp o = { .in = in };
    TRY(hook_document(in, in->r->body, &o.d));
    struct str what = doc_need(o.d, "what"), span = doc_need(o.d, "span");
    o.own = doc_object(o.d, "attributes");
    o.root = doc_object(o.d, "root");
    o.resource = doc_object(o.d, "resource");
    o.trace = doc_need(o.d, "trace");
    o.start = ns_of(o.d, "start");
    o.end = ns_of(o.d, "end");
    o.repo = repo_of(&o);
    o.provider = provider_of(&o);
    char provider[64];
    (void)snprintf(provider, sizeof provider, "%.*s", STR_ARG(o.provider));
    o.prefix = key_prefix(in->arena, provider, o.repo);
    o.attempt = attempt_of(&o, get(&o, RUN_ID));
    o.run = run_key(&o);
    (void)hook_event(in, str_fmt(in->arena, "%.*s:%.*s", STR_ARG(o.trace), STR_ARG(span)), what, o.end);
    if (str_eq(what, STR("run")))
        say_run(&o);
    else if (str_eq(what, STR("task")))
        say_pipeline_task(&o);
    else if (str_eq(what, STR("test")))
        say_test(&o);
    else
        doc_fail(o.d, "what", "expected run, task or test");
    return hook_end(in);
}

const struct hook hook_otlp = { .name = "otlp", .read = otlp_read };
