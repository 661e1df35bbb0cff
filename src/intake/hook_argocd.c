// SPDX-License-Identifier: Apache-2.0
// Notifications of Argo CD, by the template that docs/hooks.md recommends: {"app": …} with the shape of
// an Application. A revision is a commit of the configuration's repository, so it is told in `sources`;
// the commit of the application comes from the tag of its image.
//
// A deploy is an entry of the history. A failed sync has none: its key is the time of its start.
#include "intake/hook.h"

struct argo {
    struct hook_in *in;
    struct doc app, op, history; // history: the newest entry
    struct str uid;
    int64_t started, finished;
};

static struct doc last_of(struct doc array) {
    struct doc last = { NULL, array.of };
    for (struct doc c = doc_first(array); c.node; c = doc_next(c)) last = c;
    return last;
}

static struct str label(struct argo *g, const char *name) {
    struct doc labels = doc_object(g->app, "metadata.labels"),
               notes = doc_object(g->app, "metadata.annotations");
    struct doc d = doc_member(labels, str_of(name));
    if (!d.node) d = doc_member(notes, str_of(name));
    return d.node ? doc_text(d, "") : STR("");
}

static struct str label_of(struct argo *g, const char *const *names, unsigned n) {
    struct str s = { 0 };
    for (unsigned i = 0; i < n && s.len == 0; i++) s = label(g, names[i]);
    return s;
}
#define LABEL_OF(g, list) label_of((g), (list), sizeof(list) / sizeof *(list))

static void put_source(struct argo *g, struct buf *b, struct doc source, struct str revision) {
    struct str repo = key_repo(g->in->arena, doc_text(source, "repoURL"));
    if (revision.len == 0) return;
    hook_list_add(b, ' ', str_fmt(g->in->arena, "%.*s@%.*s", STR_ARG(repo), STR_ARG(revision)));
}

static void say_sources(struct argo *g, struct say *s, struct doc from) {
    struct doc many = doc_array(g->app, "spec.sources"), revision = doc_first(doc_array(from, "revisions"));
    struct buf b;
    buf_init(&b, FACT_TEXT_MAX);
    if (many.node && revision.node) {
        for (struct doc c = doc_first(many); c.node && revision.node;
             c = doc_next(c), revision = doc_next(revision))
            put_source(g, &b, c, doc_text(revision, ""));
    } else {
        put_source(g, &b, doc_object(g->app, "spec.source"), doc_text(from, "revision"));
    }
    say_list(s, DEPLOY_SOURCES, &b);
}

// The version is that of the only image, or of the only one whose name ends as the service's.
static struct str image_of(struct argo *g, struct str service) {
    struct doc images = doc_array(g->app, "status.summary.images");
    struct str found = { 0 };
    unsigned n = 0;
    for (struct doc c = doc_first(images); c.node; c = doc_next(c)) {
        struct str image = doc_text(c, ""), name, tag;
        const char *slash = image.len ? memrchr(image.ptr, '/', image.len) : NULL;
        struct str base = slash ? str_sub(image, (size_t)(slash - image.ptr) + 1, image.len) : image;
        (void)str_cut(base, '@', &name, &tag);
        (void)str_cut(name, ':', &name, &tag);
        if (images.node->n > 1 && !str_eq(name, service)) continue;
        found = image;
        n++;
    }
    return n == 1 ? found : STR("");
}

static void say_app(struct argo *g, struct say *s) {
    static const char *const services[] = { "takt.dev/service", "app.kubernetes.io/name" },
                             *const environments[] = { "takt.dev/environment", "environment", "env" };
    struct str service = LABEL_OF(g, services), target = doc_text(g->app, "spec.destination.name");
    if (service.len == 0) service = doc_need(g->app, "metadata.name");
    struct str image = image_of(g, service), set = label(g, "argocd.argoproj.io/application-set-name");
    say_text(s, DEPLOY_SERVICE, service);
    say_text(s, DEPLOY_ENVIRONMENT, LABEL_OF(g, environments));
    say_text(s, DEPLOY_TIER, label(g, "takt.dev/tier"));
    say_text(s, DEPLOY_TARGET, target.len ? target : doc_text(g->app, "spec.destination.server"));
    say_text(s, DEPLOY_VERSION, label(g, "app.kubernetes.io/version"));
    say_artifact(s, image);
    if (set.len && image.len) {
        struct str key = key_artifact(g->in->arena, image).key;
        say_text(s, DEPLOY_ROLLOUT, str_fmt(g->in->arena, "argocd:%.*s:%.*s", STR_ARG(set), STR_ARG(key)));
    }
    say_text(s, DEPLOY_ACTOR, doc_text(g->op, "operation.initiatedBy.username"));
    bool automatic = doc_bool(g->op, "operation.initiatedBy.automated");
    if (automatic || doc_has(g->op, "operation.initiatedBy.username"))
        say_word(s, DEPLOY_TRIGGER, automatic ? "automatic" : "manual");
}

// Health that is not good yet makes no end; bad health later does not undo a success.
static void say_synced(struct argo *g) {
    static const struct word states[] = {
        { "healthy", "success", RANK_DONE },
        { "progressing", "in_progress", RANK_RUNS },
        { "missing", "in_progress", RANK_RUNS },
        { "suspended", "in_progress", RANK_RUNS },
    };
    const struct word *state = WORD(states, doc_text(g->app, "status.health.status"));
    struct str key =
        str_fmt(g->in->arena, "argocd:%.*s:%.*s", STR_ARG(g->uid), STR_ARG(doc_need_id(g->history, "id")));
    int64_t synced = time_or(doc_stamp(g->history, "deployedAt"), g->finished),
            healthy = doc_stamp(g->app, "status.health.lastTransitionTime");
    int64_t time = state && state->rank == RANK_DONE && healthy > synced ? healthy : synced;
    struct say s =
        say_of(g->in, FACT_DEPLOY, key, time_or(time, g->in->r->received), state ? state->rank : RANK_SAYS);
    say_app(g, &s);
    say_sources(g, &s, g->history);
    say_deploy(&s, state, time_or(time, g->in->r->received));
    say_time(&s, DEPLOY_STARTED, time_or(doc_stamp(g->history, "deployStartedAt"), g->started));
}

static void say_failed(struct argo *g) {
    static const struct word failed = { "", "failure", RANK_DONE };
    char text[STAMP_TEXT_SIZE];
    int64_t time = time_or(time_or(g->finished, g->started), g->in->r->received);
    struct str start = stamp_print(time_or(g->started, time), text);
    struct say s = say_of(g->in, FACT_DEPLOY,
                          str_fmt(g->in->arena, "argocd:%.*s:sync:%.*s", STR_ARG(g->uid), STR_ARG(start)),
                          time, RANK_DONE);
    say_app(g, &s);
    say_sources(g, &s, doc_object(g->op, "syncResult"));
    say_deploy(&s, &failed, time);
    say_time(&s, DEPLOY_STARTED, g->started);
}

static enum err argocd_read(struct hook_in *in) {
    struct doc d;
    struct argo g = { .in = in };
    TRY(hook_document(in, in->r->body, &d));
    g.app = doc_object(d, "app");
    if (!g.app.node) {
        (void)hook_unknown(in, STR(""), STR("unknown"));
        return hook_end(in);
    }
    g.op = doc_object(g.app, "status.operationState");
    g.history = last_of(doc_array(g.app, "status.history"));
    g.uid = doc_need(g.app, "metadata.uid");
    g.started = doc_stamp(g.op, "startedAt");
    g.finished = doc_stamp(g.op, "finishedAt");
    struct str phase = doc_text(g.op, "phase");
    (void)hook_event(in, STR(""), hook_type(in, STR("app"), phase), time_or(g.finished, g.started));
    // While a sync runs, the newest entry of the history is still that of the one before.
    if (str_eq(phase, STR("Succeeded")) && g.history.node) say_synced(&g);
    if (str_eq(phase, STR("Failed")) || str_eq(phase, STR("Error"))) say_failed(&g);
    return hook_end(in);
}

const struct hook hook_argocd = { "argocd", HOOK_FORMS(hook_token_forms), argocd_read };
