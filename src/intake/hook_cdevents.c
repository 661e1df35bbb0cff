// SPDX-License-Identifier: Apache-2.0
// CDEvents 0.4 (context.version, subject.type) and 0.5 (context.specversion). Types are known by
// subject and predicate; their own versions only add fields.
#include "intake/hook_events.h"

struct cd {
    struct hook_in *in;
    struct doc d, subject, content;
    struct str id;     // of the subject
    struct str source; // of the subject, else of the event
    struct str name;   // the predicate
    struct str event;  // its id
    int64_t time;
};

static struct str cd_key(struct cd *c, struct str source, const char *what, struct str id) {
    return str_fmt(c->in->arena, "cdevents:%.*s:%s:%.*s", STR_ARG(source), what, STR_ARG(id));
}
static struct str own_key(struct cd *c, const char *what) {
    return cd_key(c, c->source, what, c->id);
}
static struct str run_key(struct cd *c, struct str source, struct str id) {
    return key_run(c->in->arena, str_fmt(c->in->arena, "cdevents:%.*s", STR_ARG(source)), id, 1);
}

static struct str name_or_id(struct doc d, const char *name, const char *id) {
    struct str s = doc_text(d, name);
    return s.len ? s : doc_id(d, id);
}

// customData.takt adds fields that CDEvents has no place for.
static void say_custom(struct cd *c, struct say *s) {
    struct doc custom = doc_at(c->d, "customData");
    if (custom.node && custom.node->kind == JSON_OBJECT) say_plain(s, doc_object(custom, "takt"));
}

// --- continuous deployment -----------------------------------------------------------------------

static void service(struct cd *c) {
    char stamp[STAMP_TEXT_SIZE];
    static const struct word done = { "", "success", RANK_DONE };
    struct str env = name_or_id(c->content, "environment.name", "environment.id"),
               artifact = doc_text(c->content, "artifactId"),
               parts[] = { c->id, env, STR(""), artifact, stamp_print(c->time, stamp) };
    struct str key =
        str_fmt(c->in->arena, "cdevents:deployment:%.*s", STR_ARG(key_hash(c->in->arena, parts, 5)));
    struct say s = say_of(c->in, FACT_DEPLOY, key, c->time, RANK_DONE);
    say_text(&s, DEPLOY_SERVICE, c->id);
    say_text(&s, DEPLOY_ENVIRONMENT, env);
    say_artifact(&s, artifact);
    say_deploy(&s, &done, c->time);
    if (str_eq(c->name, STR("rolledback"))) say_word(&s, DEPLOY_KIND, "rollback");
    say_custom(c, &s);
}

static void incident(struct cd *c) {
    bool resolved = str_eq(c->name, STR("resolved"));
    struct say s =
        say_of(c->in, FACT_INCIDENT, own_key(c, "incident"), c->time, resolved ? RANK_DONE : RANK_WAITS);
    say_text(&s, INCIDENT_SERVICE, doc_id(c->content, "service.id"));
    say_text(&s, INCIDENT_ENVIRONMENT, name_or_id(c->content, "environment.name", "environment.id"));
    say_text(&s, INCIDENT_TITLE, doc_text(c->content, "description"));
    say_text(&s, INCIDENT_URL, doc_text(c->content, "ticketURI"));
    struct str artifact = doc_text(c->content, "artifactId");
    if (artifact.len) say_text(&s, INCIDENT_CAUSED_BY, key_artifact(c->in->arena, artifact).key);
    say_word(&s, INCIDENT_STATE, resolved ? "resolved" : "triggered");
    say_time(&s, resolved ? INCIDENT_RESOLVED : INCIDENT_DETECTED, c->time);
    say_custom(c, &s);
}

// --- pipelines -----------------------------------------------------------------------------------

static const struct word steps[] = {
    { "queued", "queued", RANK_WAITS },
    { "started", "running", RANK_RUNS },
    { "finished", "done", RANK_DONE },
};

static void pipeline_run(struct cd *c) {
    const struct word *step = WORD(steps, c->name), *result = result_word(doc_text(c->content, "outcome"));
    struct say s = say_of(c->in, FACT_RUN, run_key(c, c->source, c->id), c->time, step->rank);
    say_text(&s, RUN_NAME, doc_text(c->content, "pipelineName"));
    say_text(&s, RUN_URL, doc_text(c->content, "uri"));
    say_word(&s, RUN_STATE, step->to);
    say_time(&s,
             step->rank == RANK_WAITS  ? RUN_QUEUED
             : step->rank == RANK_RUNS ? RUN_STARTED
                                       : RUN_ENDED,
             c->time);
    if (result && step->rank == RANK_DONE) say_word(&s, RUN_RESULT, result->to);
    say_custom(c, &s);
}

static struct say task(struct cd *c, const char *what) {
    const struct word *step = WORD(steps, c->name), *result = result_word(doc_text(c->content, "outcome"));
    struct say s = say_of(c->in, FACT_TASK, own_key(c, what), c->time, step->rank);
    say_word(&s, TASK_STATE, step->to);
    say_time(&s,
             step->rank == RANK_WAITS  ? TASK_QUEUED
             : step->rank == RANK_RUNS ? TASK_STARTED
                                       : TASK_ENDED,
             c->time);
    if (result && step->rank == RANK_DONE) say_word(&s, TASK_RESULT, result->to);
    say_text(&s, TASK_URL, doc_text(c->content, "uri"));
    return s;
}

static void task_run(struct cd *c) {
    struct say s = task(c, "task");
    struct str run = doc_id(c->content, "pipelineRun.id"),
               source = doc_text(c->content, "pipelineRun.source");
    say_text(&s, TASK_NAME, doc_text(c->content, "taskName"));
    if (run.len) say_text(&s, TASK_RUN, run_key(c, source.len ? source : c->source, run));
    say_custom(c, &s);
}

static void build(struct cd *c) {
    struct say s = task(c, "build");
    say_word(&s, TASK_TYPE, "build");
    say_custom(c, &s);
}

static void artifact(struct cd *c) {
    struct key_artifact k = key_artifact(c->in->arena, c->id);
    struct str change = doc_id(c->content, "change.id");
    struct say s = say_of(c->in, FACT_ARTIFACT, k.key, c->time, RANK_SAYS);
    say_text(&s, ARTIFACT_VERSION, k.version);
    say_text(&s, ARTIFACT_DIGEST, k.digest);
    say_text(&s, ARTIFACT_SHA, key_is_sha(change) ? change : k.sha);
    if (str_eq(c->name, STR("packaged"))) say_time(&s, ARTIFACT_BUILT, c->time);
    say_custom(c, &s);
}

static void test_case(struct cd *c) {
    const struct word *result = result_word(doc_text(c->content, "outcome"));
    struct say s = say_of(c->in, FACT_TEST, own_key(c, "testcase"), c->time, RANK_DONE);
    say_text(&s, TEST_NAME, name_or_id(c->content, "testCase.name", "testCase.id"));
    if (str_eq(c->name, STR("skipped"))) say_word(&s, TEST_RESULT, "skipped");
    if (result) say_word(&s, TEST_RESULT, result->to);
    say_time(&s, TEST_ENDED, c->time);
    say_custom(c, &s);
}

// --- source code ---------------------------------------------------------------------------------

static void change(struct cd *c) {
    static const struct word words[] = {
        { "created", "open", RANK_WAITS },
        { "updated", "", RANK_SAYS },
        { "merged", "merged", RANK_DONE },
        { "abandoned", "closed", RANK_DONE },
    };
    const struct word *w = WORD(words, c->name);
    struct say s = say_of(c->in, FACT_CHANGE, own_key(c, "change"), c->time, w->rank);
    struct str repo = name_or_id(c->content, "repository.uri", "repository.id"),
               known = key_repo(c->in->arena, repo);
    say_text(&s, CHANGE_REPO, known.len ? known : repo);
    say_text(&s, CHANGE_TITLE, doc_text(c->content, "description"));
    say_word(&s, CHANGE_STATE, w->to);
    if (str_eq(c->name, STR("created"))) say_time(&s, CHANGE_OPENED, c->time);
    if (str_eq(c->name, STR("merged"))) say_time(&s, CHANGE_MERGED, c->time);
    if (str_eq(c->name, STR("abandoned"))) say_time(&s, CHANGE_CLOSED, c->time);
    say_custom(c, &s);
}

static void review(struct cd *c) {
    struct str parent = own_key(c, "change");
    struct say s = say_of(c->in, FACT_REVIEW,
                          str_fmt(c->in->arena, "%.*s:review:%.*s", STR_ARG(parent), STR_ARG(c->event)),
                          c->time, RANK_DONE);
    say_text(&s, REVIEW_CHANGE, parent);
    say_word(&s, REVIEW_STATE, "commented"); // CDEvents does not tell the verdict
    say_time(&s, REVIEW_SUBMITTED, c->time);
    say_custom(c, &s);
}

// --- types ---------------------------------------------------------------------------------------

static const struct {
    const char *subject, *predicate;
    void (*read)(struct cd *c); // NULL: known, says nothing of our facts
} types[] = {
    { "service", "deployed", service },
    { "service", "upgraded", service },
    { "service", "rolledback", service },
    { "service", "removed", NULL },
    { "service", "published", NULL },
    { "incident", "detected", incident },
    { "incident", "reported", incident },
    { "incident", "resolved", incident },
    { "pipelinerun", "queued", pipeline_run },
    { "pipelinerun", "started", pipeline_run },
    { "pipelinerun", "finished", pipeline_run },
    { "taskrun", "started", task_run },
    { "taskrun", "finished", task_run },
    { "build", "queued", build },
    { "build", "started", build },
    { "build", "finished", build },
    { "artifact", "packaged", artifact },
    { "artifact", "published", artifact },
    { "artifact", "signed", NULL },
    { "artifact", "downloaded", NULL },
    { "artifact", "deleted", NULL },
    { "testcaserun", "queued", NULL },
    { "testcaserun", "started", NULL },
    { "testcaserun", "finished", test_case },
    { "testcaserun", "skipped", test_case },
    { "testsuiterun", "queued", NULL },
    { "testsuiterun", "started", NULL },
    { "testsuiterun", "finished", NULL },
    { "testoutput", "published", NULL },
    { "change", "created", change },
    { "change", "updated", change },
    { "change", "merged", change },
    { "change", "abandoned", change },
    { "change", "reviewed", review },
    { "repository", "created", NULL },
    { "repository", "modified", NULL },
    { "repository", "deleted", NULL },
    { "branch", "created", NULL },
    { "branch", "deleted", NULL },
    { "environment", "created", NULL },
    { "environment", "modified", NULL },
    { "environment", "deleted", NULL },
    { "ticket", "created", NULL },
    { "ticket", "updated", NULL },
    { "ticket", "closed", NULL },
};

static void common_read(struct cd *c, struct doc d) {
    struct doc context = doc_object(d, "context");
    c->d = d;
    c->subject = doc_object(d, "subject");
    c->content = doc_object(c->subject, "content");
    c->event = doc_need_id(context, "id");
    c->id = doc_need_id(c->subject, "id");
    c->source = doc_text(c->subject, "source");
    if (c->source.len == 0) c->source = doc_need(context, "source");
    c->time = doc_stamp(context, "timestamp");
    if (c->time == 0) doc_fail(context, "timestamp", "missing");
}

// "takt-deploy.reported.0.1.0" of dev.cdeventsx: content as in our own events.
static bool custom_read(struct cd *c, struct str id, struct str type, struct str rest, struct doc d) {
    enum fact_kind kind;
    struct str name, tail;
    (void)str_cut(rest, '.', &name, &tail);
    if (!str_starts(name, STR("takt-")) || !intake_kind(str_sub(name, 5, name.len), &kind)) return false;
    common_read(c, d);
    (void)hook_event(c->in, id, type, c->time);
    plain_read(c->in, kind, c->id, c->time, c->content);
    return true;
}

void cdevent_read(struct hook_in *in, struct str id, struct str type, struct doc d) {
    struct cd c = { .in = in };
    struct str rest, subject, version, ours = STR("dev.cdevents."), theirs = STR("dev.cdeventsx.");
    if (str_starts(type, theirs)) {
        if (!custom_read(&c, id, type, str_sub(type, theirs.len, type.len), d))
            (void)hook_unknown(in, id, type);
        return;
    }
    (void)str_cut(str_sub(type, ours.len, type.len), '.', &subject, &rest);
    (void)str_cut(rest, '.', &c.name, &version);
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        if (!str_eq(str_of(types[i].subject), subject) || !str_eq(str_of(types[i].predicate), c.name))
            continue;
        common_read(&c, d);
        (void)hook_event(in, id, type, c.time);
        if (types[i].read) types[i].read(&c);
        return;
    }
    (void)hook_unknown(in, id, type);
}
