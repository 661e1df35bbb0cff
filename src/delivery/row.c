// SPDX-License-Identifier: Apache-2.0
#include "delivery/row.h"

#include <stdio.h>

static void put_text(struct json_writer *w, const char *key, struct str v) {
    if (!v.len) return;
    jw_key(w, str_of(key));
    jw_str(w, v);
}
static void put_time(struct json_writer *w, const char *key, int64_t t) {
    if (!t) return;
    jw_key(w, str_of(key));
    jw_i64_str(w, t);
}
static void put_u64(struct json_writer *w, const char *key, uint64_t v) {
    jw_key(w, str_of(key));
    jw_u64(w, v);
}

// The columns of a fact that people know it by; `names` are the members that they become.
static enum err put_columns(struct db *d, const char *sql, struct str key, const char *const *names,
                            int n_names, struct json_writer *w) {
    struct db_row *r;
    bool found;
    TRY(db_prepare(d, sql, &r));
    db_bind_text(r, 1, key);
    TRY(db_step(r, &found));
    if (!found) return ERR_OK;
    for (int i = 0; i < n_names; i++) put_text(w, names[i], db_text(r, i));
    db_reset(r);
    return ERR_OK;
}

static enum err put_change(struct db *d, const struct measure_row *row, struct json_writer *w) {
    static const char *const names[] = { "title", "author", "sha", "url" };
    const struct flow_change *c = row->change;
    put_text(w, "change", c->key);
    put_text(w, "repo", row->flow->repo);
    TRY(put_columns(d, "SELECT title, author, merge_sha, url FROM change WHERE key = ?", c->key, names, 4,
                    w));
    put_time(w, "first_commit", c->first_commit);
    put_time(w, "opened", c->opened);
    put_time(w, "first_review", c->first_review);
    put_time(w, "approved", c->approved);
    put_time(w, "merged", c->merged);
    put_time(w, "deployed", c->deployed);
    if (c->deployed) {
        char id[17];
        (void)snprintf(id, sizeof id, "%016llx", (unsigned long long)c->rollout);
        put_text(w, "delivered_by", str_of(id));
    }
    return ERR_OK;
}

static enum err put_run(struct db *d, const struct measure_row *row, struct json_writer *w) {
    static const char *const names[] = { "name", "sha", "ref", "result", "url" };
    const struct flow_run *x = row->run;
    put_text(w, "run", x->key);
    put_text(w, "repo", row->flow->repo);
    TRY(put_columns(d, "SELECT name, sha, ref, result, url FROM run WHERE key = ?", x->key, names, 5, w));
    put_time(w, "queued", x->queued);
    put_time(w, "started", x->started);
    put_time(w, "ended", x->ended);
    return ERR_OK;
}

static void put_group(const struct measure_row *row, struct json_writer *w) {
    const struct flow_group *g = row->group;
    put_text(w, g->is_test ? "test" : "task", g->name);
    put_text(w, "repo", row->flow->repo);
    put_text(w, "sha", g->sha);
    put_u64(w, "successes", g->n_success);
    put_u64(w, "failures", g->n_failure);
    put_u64(w, "errors", g->n_error);
    put_time(w, "ended", g->ended);
}

static void put_canary(const struct measure_canary *c, struct json_writer *w) {
    static const char *const states[] = { "open", "promoted", "failed", "superseded" };
    put_text(w, "canary", c->key);
    put_text(w, "service", c->service);
    put_text(w, "environment", c->environment);
    put_text(w, "version", c->version);
    put_text(w, "outcome", str_of(states[c->state]));
    put_text(w, "reason", c->reason);
    put_time(w, "started", c->started);
    put_time(w, "ended", c->ended);
}

static void put_flag(const struct measure_row *row, struct json_writer *w) {
    const struct measure_flag_change *c = &row->flag->changes[row->flag_change];
    put_text(w, "flag", row->flag->name);
    put_text(w, "project", row->flag->project);
    put_text(w, "service", c->service);
    put_text(w, "environment", c->environment);
    put_text(w, "action", c->action);
    put_text(w, "actor", c->actor);
    put_time(w, "changed", c->changed);
}

bool row_is_input(const struct measure_row *row) {
    return row->change || row->run || row->group || row->canary || row->flag;
}

enum err row_put(struct db *d, const struct measure_row *row, struct json_writer *w) {
    if (row->change) return put_change(d, row, w);
    if (row->run) return put_run(d, row, w);
    if (row->group) put_group(row, w);
    if (row->canary) put_canary(row->canary, w);
    if (row->flag) put_flag(row, w);
    return ERR_OK;
}
