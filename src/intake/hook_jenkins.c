// SPDX-License-Identifier: Apache-2.0
// The notification plugin of Jenkins. The timestamp is that of the phase. A build is a deploy too when
// its parameter TAKT_ENVIRONMENT names where to.
#include "intake/hook.h"

static const struct word phases[] = {
    { "QUEUED", "queued", RANK_WAITS },
    { "STARTED", "running", RANK_RUNS },
    { "COMPLETED", "done", RANK_DONE },
    { "FINALIZED", "done", RANK_DONE }, // what follows the build is written too: some seconds later
};
static const struct word deploy_states[] = {
    { "QUEUED", "pending", RANK_WAITS },
    { "STARTED", "in_progress", RANK_RUNS },
    { "SUCCESS", "success", RANK_DONE },
    { "UNSTABLE", "success", RANK_DONE }, // tests failed, it was deployed
    { "FAILURE", "failure", RANK_DONE },
    { "ABORTED", "aborted", RANK_DONE },
    { "NOT_BUILT", "aborted", RANK_DONE },
};

struct jenkins {
    struct hook_in *in;
    struct doc d, build;
    const struct word *phase;
    struct str status, run, repo, ref;
    int64_t time;
};

static void say_run(struct jenkins *j) {
    const struct word *result = result_word(j->status);
    struct say s = say_of(j->in, FACT_RUN, j->run, j->time, j->phase->rank);
    say_text(&s, RUN_NAME, doc_text(j->d, "name"));
    say_text(&s, RUN_REPO, j->repo);
    say_text(&s, RUN_SHA, doc_text(j->build, "scm.commit"));
    say_text(&s, RUN_REF, j->ref);
    say_text(&s, RUN_URL, doc_text(j->build, "full_url"));
    say_int(&s, RUN_ATTEMPT, 1);
    say_word(&s, RUN_STATE, j->phase->to);
    if (j->phase->rank == RANK_WAITS) say_time(&s, RUN_QUEUED, j->time);
    if (j->phase->rank == RANK_RUNS) say_time(&s, RUN_STARTED, j->time);
    if (j->phase->rank != RANK_DONE) return;
    say_time(&s, RUN_ENDED, j->time);
    if (result) say_word(&s, RUN_RESULT, result->to);
}

static void say_jenkins_deploy(struct jenkins *j) {
    struct doc p = doc_object(j->build, "parameters");
    struct str environment = doc_text(p, "TAKT_ENVIRONMENT");
    struct str word = j->phase->rank == RANK_DONE ? j->status : str_of(j->phase->from);
    const struct word *state = WORD(deploy_states, word);
    if (environment.len == 0) return;
    struct str key = str_fmt(j->in->arena, "%.*s:deployment", STR_ARG(j->run)),
               service = doc_text(p, "TAKT_SERVICE");
    struct say s = say_of(j->in, FACT_DEPLOY, key, j->time, state ? state->rank : RANK_SAYS);
    say_text(&s, DEPLOY_ENVIRONMENT, environment);
    say_text(&s, DEPLOY_SERVICE, service);
    if (!service.len) say_service_of_repo(j->in, FACT_DEPLOY, DEPLOY_SERVICE, key, j->repo);
    say_text(&s, DEPLOY_VERSION, doc_text(p, "TAKT_VERSION"));
    say_text(&s, DEPLOY_TIER, doc_text(p, "TAKT_TIER"));
    say_text(&s, DEPLOY_REPO, j->repo);
    say_text(&s, DEPLOY_SHA, doc_text(j->build, "scm.commit"));
    say_text(&s, DEPLOY_REF, j->ref);
    say_text(&s, DEPLOY_RUN, j->run);
    say_text(&s, DEPLOY_URL, doc_text(j->build, "full_url"));
    say_deploy(&s, state, j->time);
}

static struct str run_key(struct jenkins *j) {
    struct str full = doc_text(j->build, "full_url"), number = doc_need_id(j->build, "number");
    struct str name = full.len ? STR("") : doc_need(j->d, "name");
    return key_jenkins_run(j->in->arena, full, number, name);
}

static enum err jenkins_read(struct hook_in *in) {
    struct jenkins j = { .in = in };
    TRY(hook_document(in, in->r->body, &j.d));
    j.build = doc_object(j.d, "build");
    struct str phase = doc_text(j.build, "phase");
    j.phase = WORD(phases, phase);
    if (!j.phase) {
        (void)hook_unknown(in, STR(""), phase.len ? phase : STR("unknown"));
        return hook_end(in);
    }
    j.run = run_key(&j);
    j.status = doc_text(j.build, "status");
    j.ref = doc_text(j.build, "scm.branch");
    if (str_starts(j.ref, STR("origin/"))) j.ref = str_sub(j.ref, 7, j.ref.len);
    j.repo = key_repo(in->arena, doc_text(j.build, "scm.url"));
    j.time = time_or(doc_stamp_ms(j.build, "timestamp"), in->r->received);
    struct str id = str_fmt(in->arena, "%.*s:%.*s", STR_ARG(j.run), STR_ARG(phase));
    (void)hook_event(in, id, phase, j.time);
    say_run(&j);
    say_jenkins_deploy(&j);
    return hook_end(in);
}

const struct hook hook_jenkins = { "jenkins", HOOK_FORMS(hook_token_forms), jenkins_read };
