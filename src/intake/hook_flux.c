// SPDX-License-Identifier: Apache-2.0
// Events of Flux (provider generic or generic-hmac). They have no id. A deploy is one event of a
// Kustomization or HelmRelease: (uid, revision, timestamp), since an old revision may come again.
#include "intake/hook.h"

static const struct signature_form forms[] = {
    { SIGNATURE_HEX, SIGNATURE_SHA256, "X-Signature", "sha256=", NULL },
    { .how = SIGNATURE_BEARER, .header = "Authorization" },
    { .how = SIGNATURE_TOKEN, .header = "X-Takt-Token" },
};

static const struct word reasons[] = {
    { "ReconciliationSucceeded", "success", RANK_DONE }, { "InstallSucceeded", "success", RANK_DONE },
    { "UpgradeSucceeded", "success", RANK_DONE },        { "RollbackSucceeded", "success", RANK_DONE },
    { "ReconciliationFailed", "failure", RANK_DONE },    { "BuildFailed", "failure", RANK_DONE },
    { "HealthCheckFailed", "failure", RANK_DONE },       { "InstallFailed", "failure", RANK_DONE },
    { "UpgradeFailed", "failure", RANK_DONE },           { "RollbackFailed", "failure", RANK_DONE },
};
static const char *const silent[] = { "Progressing",        "DependencyNotReady", "NewArtifact",
                                      "ArtifactUpToDate",   "TestSucceeded",      "TestFailed",
                                      "UninstallSucceeded", "UninstallFailed" };

static bool is_silent(struct str reason) {
    for (unsigned i = 0; i < sizeof silent / sizeof *silent; i++)
        if (str_eq(reason, str_of(silent[i]))) return true;
    return false;
}

// The first member whose name is `name`, or ends with "/name": the group in front differs.
static struct str metadata(struct doc d, const char *name) {
    struct str want = str_of(name);
    for (struct doc c = doc_first(doc_object(d, "metadata")); c.node; c = doc_next(c)) {
        struct str key = c.node->key;
        bool grouped = key.len > want.len && str_ends(key, want) && key.ptr[key.len - want.len - 1] == '/';
        if (c.node->kind == JSON_STRING && (grouped || str_eq(key, want))) return doc_text(c, "");
    }
    return STR("");
}

// "main@sha1:<sha>", "main/<sha>", "sha1:<sha>".
static struct str revision_sha(struct str revision) {
    struct str tail = revision;
    for (size_t i = revision.len; i > 0; i--)
        if (strchr(":/@", revision.ptr[i - 1]) && revision.ptr[i - 1]) {
            tail = str_sub(revision, i, revision.len);
            break;
        }
    return key_is_sha(tail) ? tail : STR("");
}

static void say_flux(struct hook_in *in, struct doc d, const struct word *state, int64_t time) {
    char text[STAMP_TEXT_SIZE];
    struct doc object = doc_object(d, "involvedObject");
    struct str revision = metadata(d, "revision"), sha = revision_sha(revision),
               service = metadata(d, "service"), environment = metadata(d, "environment"),
               version = metadata(d, "app-version");
    struct str key = str_fmt(in->arena, "flux:%.*s:%.*s:%.*s", STR_ARG(doc_need(object, "uid")),
                             STR_ARG(revision), STR_ARG(stamp_print(time, text)));
    struct say s = say_of(in, FACT_DEPLOY, key, time, state->rank);
    say_text(&s, DEPLOY_SERVICE, service.len ? service : doc_need(object, "name"));
    say_text(&s, DEPLOY_ENVIRONMENT, environment.len ? environment : metadata(d, "env"));
    say_text(&s, DEPLOY_TIER, metadata(d, "tier"));
    say_text(&s, DEPLOY_TARGET, metadata(d, "cluster"));
    say_artifact(&s, metadata(d, "image"));
    if (!metadata(d, "image").len) say_text(&s, DEPLOY_VERSION, version.len ? version : revision);
    if (sha.len) say_text(&s, DEPLOY_SOURCES, str_fmt(in->arena, "@%.*s", STR_ARG(sha)));
    if (str_starts(doc_text(d, "reason"), STR("Rollback"))) say_word(&s, DEPLOY_KIND, "rollback");
    say_word(&s, DEPLOY_TRIGGER, "automatic");
    say_deploy(&s, state, time);
}

static enum err flux_read(struct hook_in *in) {
    struct doc d;
    TRY(hook_document(in, in->r->body, &d));
    struct str kind = doc_text(d, "involvedObject.kind"), reason = doc_text(d, "reason");
    struct str type = hook_type(in, kind.len ? kind : STR("unknown"), reason);
    const struct word *state = WORD(reasons, reason);
    bool deploys = str_eq(kind, STR("Kustomization")) || str_eq(kind, STR("HelmRelease"));
    int64_t time = time_or(doc_stamp(d, "timestamp"), in->r->received);
    if (kind.len && ((deploys && state) || is_silent(reason))) {
        (void)hook_event(in, STR(""), type, time);
        if (deploys && state) say_flux(in, d, state, time);
    } else {
        hook_unknown(in, STR(""), type)->time = time;
    }
    return hook_end(in);
}

const struct hook hook_flux = { "flux", HOOK_FORMS(forms), flux_read };
