// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_rollback.h"

#include "delivery/answer_parts.h"
#include "delivery/rollback.h"

struct taking_back {
    struct str key, template, after; // of its first attempt; of the catalogue; what ran after it
    struct str change_kind;
    bool has_before, before_failed, by_argo_rollouts;
    struct rollback_values values;
};

// What ran before it is the last success of its series; after it came a success that ended later.
static const char select_it[] =
    "SELECT r.service, r.environment, r.version, b.version, lower(r.sha), lower(b.sha), r.deploy, c.rollback,"
    " b.id, (SELECT coalesce(n.version, n.sha, n.digest, 'another rollout') FROM rollout n WHERE n.service ="
    " r.service AND n.environment = r.environment AND n.change_kind = r.change_kind AND n.state = 'success'"
    " AND (n.finished_at, n.id) > (r.finished_at, r.id) ORDER BY n.finished_at DESC, n.id DESC LIMIT 1),"
    " EXISTS (SELECT 1 FROM canary k WHERE k.service = r.service AND k.key LIKE 'argo-rollouts:%' AND"
    " ifnull(k.environment, r.environment) = r.environment), b.failure <> '', r.change_kind"
    " FROM rollout r LEFT JOIN rollout b ON b.id = r.before LEFT JOIN catalogue c ON c.service = r.service"
    " WHERE r.id = ?";

static enum err load(struct db *db, struct arena *a, int64_t rollout, struct taking_back *out) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(db, select_it, &r));
    db_bind_i64(r, 1, rollout);
    TRY(db_step(r, &row));
    if (!row) return ERR_NOT_FOUND;
    for (int i = 0; i < ROLLBACK_NAMES; i++) out->values.of[i] = str_dup(a, db_text(r, i));
    out->key = str_dup(a, db_text(r, 6));
    out->template = str_dup(a, db_text(r, 7));
    out->has_before = !db_is_null(r, 8);
    out->after = str_dup(a, db_text(r, 9));
    out->by_argo_rollouts = db_i64(r, 10) != 0;
    out->before_failed = db_i64(r, 11) != 0;
    out->change_kind = str_dup(a, db_text(r, 12));
    db_reset(r);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// The tools' own commands, which go back by one where no version is named.
static const struct tool {
    const char *name, *begins, *template; // begins: of keys of deploys
} tools[] = {
    { "Argo Rollouts", "", "kubectl argo rollouts undo {service}" },
    { "Argo CD", "argocd:", "argocd app rollback {service}" },
    { "Flux", "flux:", "git revert --no-edit {previous_sha}..{sha}" },
};

static const struct tool *tool_of(const struct taking_back *t) {
    for (size_t i = 1; i < sizeof tools / sizeof *tools; i++)
        if (str_starts(t->key, str_of(tools[i].begins))) return &tools[i];
    return t->by_argo_rollouts ? &tools[0] : NULL;
}

static enum err put_command(struct arena *a, struct str template, const struct taking_back *t,
                            struct json_writer *w) {
    struct err_ctx why = { 0 };
    struct str command;
    enum err e = rollback_write(a, template, &t->values, &command, &why);
    if (e == ERR_NOMEM) return e;
    if (e == ERR_OK)
        put_text(w, "command", command);
    else
        put_text(w, "why", str_fmt(a, "%s", why.text));
    return a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err put(struct arena *a, const struct taking_back *t, struct json_writer *w) {
    const struct tool *tool = tool_of(t);
    if (!str_eq(t->change_kind, STR("service"))) {
        put_text(w, "why", STR("the command takes back the service, and this changed something else"));
        return ERR_OK;
    }
    if (t->after.len) {
        put_text(w, "why", str_fmt(a, "%.*s was rolled out after it", STR_ARG(t->after)));
        return a->failed ? ERR_NOMEM : ERR_OK;
    }
    if (!t->has_before) {
        put_text(w, "why", STR("nothing is known to have run before it"));
        return ERR_OK;
    }
    if (t->before_failed) {
        put_text(w, "why", STR("what ran before it failed"));
        return ERR_OK;
    }
    if (t->template.len) {
        put_text(w, "by", STR("catalogue"));
        return put_command(a, t->template, t, w);
    }
    put_bool(w, "unset", true);
    if (tool) {
        put_text(w, "by", STR("suggestion"));
        put_text(w, "tool", str_of(tool->name));
        return put_command(a, str_of(tool->template), t, w);
    }
    put_text(w, "why", STR("the catalogue has no command for this service"));
    return ERR_OK;
}

enum err answer_put_rollback(struct db *db, struct arena *a, int64_t rollout, struct json_writer *w) {
    struct taking_back t = { 0 };
    TRY(load(db, a, rollout, &t));
    jw_key(w, STR("rollback"));
    jw_object(w);
    TRY(put(a, &t, w));
    jw_object_end(w);
    return ERR_OK;
}
