// SPDX-License-Identifier: Apache-2.0
// The runs of a part, in the order of commit, pipeline and time, and the tasks and tests that have
// several results at one commit.
#include "delivery/part.h"

struct running {
    struct part *p;
    struct flow f;
    uint32_t cap_runs, cap_groups;
    struct str default_ref; // of the branch; empty: not known
    struct str sha, name;   // of the run or group before
    bool tests;
    struct flow_group group; // at hand
    bool in_group;
};

static enum flow_result result_of(struct str s) {
    static const struct {
        const char *text;
        enum flow_result result;
    } words[] = { { "success", FLOW_SUCCESS },
                  { "failure", FLOW_FAILURE },
                  { "error", FLOW_ERROR },
                  { "timeout", FLOW_TIMEOUT } };
    if (!s.len) return FLOW_OPEN;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq(s, str_of(words[i].text))) return words[i].result;
    return FLOW_OTHER;
}

// Runs of a change are not of the default branch, even when the change comes from one of that name.
static enum flow_branch branch_of(const struct running *w, struct str ref, struct str event) {
    struct str heads = STR("refs/heads/");
    if (!w->default_ref.len) return FLOW_BRANCH_UNKNOWN;
    if (str_starts(ref, heads)) ref = str_sub(ref, heads.len, ref.len);
    bool of_change = str_starts(event, STR("pull_request")) || str_starts(event, STR("merge_request"));
    return !of_change && str_eq(ref, w->default_ref) ? FLOW_BRANCH_DEFAULT : FLOW_BRANCH_ANOTHER;
}

static enum err add_run(void *ctx, struct db_row *r) {
    struct running *w = ctx;
    void *runs = arena_grow(w->p->a, w->f.runs, w->f.n_runs, &w->cap_runs, sizeof *w->f.runs);
    if (!runs) return ERR_NOMEM;
    w->f.runs = runs;
    struct str sha = db_text(r, 1), name = db_text(r, 2);
    bool same = w->f.n_runs && sha.len && str_eq(sha, w->sha) && str_eq(name, w->name);
    w->f.runs[w->f.n_runs++] = (struct flow_run){ .key = str_dup(w->p->a, db_text(r, 0)),
                                                  .queued = db_i64(r, 3),
                                                  .started = db_i64(r, 4),
                                                  .ended = db_i64(r, 5),
                                                  .result = result_of(db_text(r, 6)),
                                                  .branch = branch_of(w, db_text(r, 7), db_text(r, 8)),
                                                  .begins = !same };
    if (!same) {
        w->sha = str_dup(w->p->a, sha);
        w->name = str_dup(w->p->a, name);
    }
    return w->p->a->failed ? ERR_NOMEM : ERR_OK;
}

// A group of one result says nothing of flakiness.
static enum err end_group(struct running *w) {
    struct flow_group *g = &w->group;
    if (!w->in_group || g->n_success + g->n_failure + g->n_error < 2) return ERR_OK;
    void *groups = arena_grow(w->p->a, w->f.groups, w->f.n_groups, &w->cap_groups, sizeof *g);
    if (!groups) return ERR_NOMEM;
    w->f.groups = groups;
    w->f.groups[w->f.n_groups++] = *g;
    return ERR_OK;
}

static enum err add_result(void *ctx, struct db_row *r) { // of a task or test
    struct running *w = ctx;
    struct str sha = db_text(r, 0), name = db_text(r, 1);
    enum flow_result result = result_of(db_text(r, 2));
    if (result == FLOW_OPEN || result == FLOW_OTHER) return ERR_OK;
    if (!w->in_group || !str_eq(sha, w->group.sha) || !str_eq(name, w->group.name)) {
        TRY(end_group(w));
        w->group = (struct flow_group){ .name = str_dup(w->p->a, name),
                                        .sha = str_dup(w->p->a, sha),
                                        .is_test = w->tests };
        w->in_group = true;
        if (w->p->a->failed) return ERR_NOMEM;
    }
    w->group.n_success += result == FLOW_SUCCESS;
    w->group.n_failure += result == FLOW_FAILURE || result == FLOW_TIMEOUT;
    w->group.n_error += result == FLOW_ERROR;
    if (db_i64(r, 3) > w->group.ended) w->group.ended = db_i64(r, 3);
    return ERR_OK;
}

// The range of shas of a part: one first digit. Of the last part: what begins with none.
static void bind_part(struct db_row *r, const struct part *p) {
    static const char digits[] = "0123456789abcdefg";
    part_bind_repo(r, 1, p->repo);
    if (p->part >= FLOW_PART_OTHER) return;
    // ':' follows '9', 'g' follows 'f'
    db_bind_text(r, 2, (struct str){ digits + p->part, 1 });
    db_bind_text(r, 3, p->part == 9 ? STR(":") : (struct str){ digits + p->part + 1, 1 });
}

#define IN_PART(t) t "repo IS ?1 AND " t "sha >= ?2 AND " t "sha < ?3"
#define IN_OTHER(t) t "repo IS ?1 AND (" t "sha IS NULL OR " t "sha NOT GLOB '[0-9a-f]*')"
#define RUNS(where) \
    "SELECT key, sha, name, queued_at, started_at, ended_at, result, ref, event FROM run WHERE " where \
    " ORDER BY sha, name, coalesce(started_at, queued_at, ended_at), attempt, key"
#define TASKS(where) \
    "SELECT r.sha, ifnull(r.name, '') || ' / ' || ifnull(t.name, '') AS what, t.result, t.ended_at FROM " \
    "run r JOIN task t ON t.run = r.key" \
    " WHERE r.sha <> '' AND " where " ORDER BY r.sha, what, t.ended_at, t.key"
// A test names its repository and commit, or else the run that it was part of.
#define TESTS(where, where_run) \
    "SELECT * FROM (SELECT t.sha AS sha, t.name AS name, t.result, t.ended_at FROM test_run t WHERE " where \
    " AND (t.repo IS NOT NULL OR NOT EXISTS (SELECT 1 FROM run WHERE key = t.run))" \
    " UNION ALL SELECT r.sha, t.name, t.result, t.ended_at FROM run r JOIN test_run t ON t.run = r.key" \
    " WHERE (t.repo IS NULL OR t.sha IS NULL) AND " where_run ") WHERE sha <> '' ORDER BY sha, name"

static enum err read_part(struct running *w, const char *in_part, const char *in_other,
                          enum err (*each)(void *ctx, struct db_row *r)) {
    struct db_row *r;
    TRY(db_prepare(w->p->db, w->p->part < FLOW_PART_OTHER ? in_part : in_other, &r));
    bind_part(r, w->p);
    return db_each(r, each, w);
}

static enum err read_default_branch(struct running *w) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(w->p->db, "SELECT default_branch FROM repository WHERE key = ?", &r));
    db_bind_text(r, 1, w->p->repo);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    w->default_ref = str_dup(w->p->a, db_text(r, 0));
    db_reset(r);
    return w->p->a->failed ? ERR_NOMEM : ERR_OK;
}

enum err part_runs(struct part *p, struct buf *figures, struct buf *names) {
    static const char runs[] = RUNS(IN_PART("")), runs_other[] = RUNS(IN_OTHER("")),
                      tasks[] = TASKS(IN_PART("r.")), tasks_other[] = TASKS(IN_OTHER("r.")),
                      tests[] = TESTS(IN_PART("t."), IN_PART("r.")),
                      tests_other[] = TESTS(IN_OTHER("t."), IN_OTHER("r."));
    struct running w = { .p = p };
    TRY(read_default_branch(&w));
    TRY(read_part(&w, runs, runs_other, add_run));
    TRY(read_part(&w, tasks, tasks_other, add_result));
    TRY(end_group(&w));
    w.in_group = false;
    w.tests = true;
    TRY(read_part(&w, tests, tests_other, add_result));
    TRY(end_group(&w));
    flow_pack_runs(&w.f, figures, names);
    return part_put(p, FLOW_RUNS, figures, names);
}
