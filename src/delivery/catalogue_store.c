// SPDX-License-Identifier: Apache-2.0
#include "delivery/catalogue_store.h"

#include "delivery/names.h"
#include "delivery/near.h"

// --- writing -----------------------------------------------------------------------------------------------

static enum err forget_old(struct db *d) {
    return db_run(
        d, "DELETE FROM catalogue_was; INSERT INTO catalogue_was SELECT service, derives FROM catalogue;"
           "DELETE FROM catalogue_dependency_was; INSERT INTO catalogue_dependency_was SELECT service, needs "
           "FROM catalogue_dependency;");
}

// Services whose rollouts or commits may come out otherwise now; with the row of all services, all.
static enum err note_changed(struct db *d) {
    TRY(near_note_catalogue(d));
    TRY(names_changed(d));
    return db_run(d,
                  "INSERT OR IGNORE INTO stale SELECT DISTINCT service, ifnull(environment, '') FROM deploy"
                  " WHERE service <> '' AND ('' IN (SELECT service FROM catalogue_changed)"
                  " OR service IN (SELECT service FROM catalogue_changed));");
}

static void bind_or_null(struct db_row *r, int at, struct str v) {
    if (v.len)
        db_bind_text(r, at, v);
    else
        db_bind_null(r, at);
}

static enum err put_list(struct db *d, const char *sql, struct str service, const struct catalogue_list *l) {
    for (uint32_t i = 0; i < l->n; i++) {
        struct db_row *r;
        TRY(db_prepare(d, sql, &r));
        db_bind_text(r, 1, service);
        db_bind_text(r, 2, l->items[i]);
        TRY(db_done(r));
    }
    return ERR_OK;
}

static enum err put_environments(struct db *d, struct str service, const struct catalogue_environments *e) {
    for (uint32_t i = 0; i < e->n; i++) {
        struct db_row *r;
        TRY(db_prepare(d, "INSERT OR REPLACE INTO catalogue_environment VALUES(?,?,?)", &r));
        db_bind_text(r, 1, service);
        db_bind_text(r, 2, e->items[i].name);
        db_bind_text(r, 3, e->items[i].tier);
        TRY(db_done(r));
    }
    return ERR_OK;
}

static enum err put_names(struct db *d, struct str service, const struct catalogue_names *n) {
    for (uint32_t i = 0; i < n->n; i++) {
        struct db_row *r;
        TRY(db_prepare(d, "INSERT INTO catalogue_name VALUES(?,?,?)", &r));
        db_bind_text(r, 1, n->items[i].name);
        db_bind_text(r, 2, service);
        db_bind_text(r, 3, n->items[i].environment);
        TRY(db_done(r));
    }
    return ERR_OK;
}

static enum err put_targets(struct db *d, struct str kind, struct str name,
                            const struct catalogue_targets *t) {
    for (uint32_t i = 0; i < t->n; i++) {
        struct db_row *r;
        TRY(db_prepare(d, "INSERT OR REPLACE INTO catalogue_target VALUES(?,?,?,?)", &r));
        db_bind_text(r, 1, kind);
        db_bind_text(r, 2, name);
        db_bind_text(r, 3, str_of(measure_info(t->items[i].measure)->name));
        db_bind_f64(r, 4, t->items[i].value);
        TRY(db_done(r));
    }
    return ERR_OK;
}

// All that decides rollouts and their commits, as one text that is compared.
static void say_derives(const struct catalogue_service *s, struct buf *out) {
    for (uint32_t i = 0; i < s->environments.n; i++)
        buf_fmt(out, "environment %.*s\n%.*s\n", STR_ARG(s->environments.items[i].name),
                STR_ARG(s->environments.items[i].tier));
    for (uint32_t i = 0; i < s->repositories.n; i++)
        buf_fmt(out, "repository %.*s\n", STR_ARG(s->repositories.items[i]));
    for (uint32_t i = 0; i < s->paths.n; i++) buf_fmt(out, "path %.*s\n", STR_ARG(s->paths.items[i]));
}

static enum err put_row(struct db *d, const struct catalogue_service *s, struct str derives) {
    struct db_row *r;
    TRY(db_prepare(d, "INSERT INTO catalogue VALUES(?,?,?,?,?,?,?,?,?)", &r));
    db_bind_text(r, 1, s->name);
    bind_or_null(r, 2, s->owner);
    bind_or_null(r, 3, s->team);
    bind_or_null(r, 4, s->product);
    if (s->tier) db_bind_i64(r, 5, s->tier);
    bind_or_null(r, 6, s->runbook);
    bind_or_null(r, 7, s->on_call);
    db_bind_text(r, 8, derives);
    bind_or_null(r, 9, s->rollback);
    return db_done(r);
}

static enum err put_service(struct db *d, const struct catalogue_service *s) {
    struct buf derives;
    buf_init(&derives, 1 << 20);
    say_derives(s, &derives);
    enum err e = derives.failed ? ERR_NOMEM : put_row(d, s, derives.len ? buf_view(&derives) : STR(""));
    buf_fini(&derives);
    TRY(e);
    TRY(put_list(d, "INSERT OR IGNORE INTO catalogue_repo VALUES(?,?)", s->name, &s->repositories));
    TRY(put_list(d, "INSERT OR IGNORE INTO catalogue_path VALUES(?,?)", s->name, &s->paths));
    TRY(put_list(d, "INSERT OR IGNORE INTO catalogue_dependency VALUES(?,?)", s->name, &s->depends_on));
    TRY(put_environments(d, s->name, &s->environments));
    TRY(put_names(d, s->name, &s->names));
    return put_targets(d, STR("service"), s->name, &s->targets);
}

// *out_gone: it was there.
static enum err drop_rows(struct db *d, struct str service, bool *out_gone) {
    static const char *const texts[] = {
        "DELETE FROM catalogue_repo WHERE service = ?",
        "DELETE FROM catalogue_path WHERE service = ?",
        "DELETE FROM catalogue_dependency WHERE service = ?",
        "DELETE FROM catalogue_environment WHERE service = ?",
        "DELETE FROM catalogue_name WHERE service = ?",
        "DELETE FROM catalogue_target WHERE whose = 'service' AND name = ?",
        "DELETE FROM catalogue WHERE service = ?", // the last: its count is asked for
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct db_row *r;
        TRY(db_prepare(d, texts[i], &r));
        db_bind_text(r, 1, service);
        TRY(db_done(r));
    }
    *out_gone = db_changes(d) > 0;
    return ERR_OK;
}

static enum err check_owner(struct db *d, struct err_ctx *ctx) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(d, "SELECT file FROM catalogue_source WHERE file <> ''", &r));
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    enum err e = err_set(ctx, ERR_EXISTS, "the catalogue is the file %.*s; change it there",
                         STR_ARG(str_sub(db_text(r, 0), 0, 180)));
    db_reset(r);
    return e;
}

static enum err put_source(struct db *d, struct str file) {
    struct db_row *r;
    TRY(db_prepare(d, "INSERT OR REPLACE INTO catalogue_source VALUES(1, ?, '')", &r));
    db_bind_text(r, 1, file);
    return db_done(r);
}

enum err catalogue_keep(struct db *d, const struct catalogue *c, struct str file, struct err_ctx *ctx) {
    struct catalogue_service all = { .name = STR(""), .environments = c->environments };
    if (!file.len) TRY(check_owner(d, ctx));
    TRY(forget_old(d));
    TRY(db_run(
        d, "DELETE FROM catalogue; DELETE FROM catalogue_repo; DELETE FROM catalogue_path;"
           "DELETE FROM catalogue_environment; DELETE FROM catalogue_name; DELETE FROM catalogue_dependency;"
           "DELETE FROM catalogue_target; DELETE FROM catalogue_team;"));
    for (uint32_t i = 0; i < c->n_services; i++) TRY(put_service(d, &c->services[i]));
    for (uint32_t i = 0; i < c->n_teams; i++) {
        struct catalogue_list one = { .items = &c->teams[i].name, .n = 1 };
        TRY(put_list(d, "INSERT OR IGNORE INTO catalogue_team SELECT ?2 WHERE ?1 = ''", STR(""), &one));
        TRY(put_targets(d, STR("team"), c->teams[i].name, &c->teams[i].targets));
    }
    if (c->environments.n) TRY(put_service(d, &all));
    TRY(put_source(d, file));
    return note_changed(d);
}

// As catalogue_read has it of a whole catalogue; the service itself is not in there.
static enum err check_name(struct db *d, struct str name, struct err_ctx *ctx) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(d,
                   "SELECT service FROM catalogue WHERE service = ?1 UNION ALL SELECT service FROM "
                   "catalogue_name WHERE name = ?1 LIMIT 1",
                   &r));
    db_bind_text(r, 1, name);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    enum err e = err_set(ctx, ERR_INVALID, "\"%.*s\" is a name of the service \"%.*s\"",
                         STR_ARG(str_sub(name, 0, 60)), STR_ARG(str_sub(db_text(r, 0), 0, 60)));
    db_reset(r);
    return e;
}
static enum err check_names(struct db *d, const struct catalogue_service *s, struct err_ctx *ctx) {
    TRY(check_name(d, s->name, ctx));
    for (uint32_t i = 0; i < s->names.n; i++) {
        TRY(check_name(d, s->names.items[i].name, ctx));
        for (uint32_t k = 0; k <= i; k++)
            if (str_eq(s->names.items[i].name, k ? s->names.items[k - 1].name : s->name))
                return err_set(ctx, ERR_INVALID, "\"%.*s\" comes twice",
                               STR_ARG(str_sub(s->names.items[i].name, 0, 60)));
    }
    return ERR_OK;
}

enum err catalogue_keep_service(struct db *d, const struct catalogue_service *s, struct err_ctx *ctx) {
    bool gone;
    TRY(check_owner(d, ctx));
    TRY(forget_old(d));
    TRY(drop_rows(d, s->name, &gone));
    TRY(check_names(d, s, ctx));
    TRY(put_service(d, s));
    return note_changed(d);
}

enum err catalogue_drop_service(struct db *d, struct str name, struct err_ctx *ctx) {
    bool gone = false;
    TRY(check_owner(d, ctx));
    TRY(forget_old(d));
    if (name.len) TRY(drop_rows(d, name, &gone));
    if (!gone) return err_set(ctx, ERR_NOT_FOUND, "the catalogue has no such service");
    return note_changed(d);
}

enum err catalogue_release(struct db *d) {
    return db_run(d, "UPDATE catalogue_source SET file = '', problem = '' WHERE file <> ''");
}

enum err catalogue_note_problem(struct db *d, struct str problem) {
    struct db_row *r;
    TRY(db_prepare(d, "UPDATE catalogue_source SET problem = ?", &r));
    db_bind_text(r, 1, problem);
    return db_done(r);
}

// --- reading -----------------------------------------------------------------------------------------------

struct loading {
    struct db *db;
    struct arena *a;
};

// Runs a statement of one name and calls `take` for its rows.
static enum err each_of(struct loading *l, const char *sql, struct str name, void *to,
                        enum err (*take)(struct loading *l, struct db_row *r, void *to)) {
    struct db_row *r;
    TRY(db_prepare(l->db, sql, &r));
    if (name.ptr) db_bind_text(r, 1, name);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return ERR_OK;
        enum err e = take(l, r, to);
        if (e == ERR_OK && l->a->failed) e = ERR_NOMEM;
        if (e == ERR_OK) continue;
        db_reset(r);
        return e;
    }
}

static enum err take_item(struct loading *l, struct db_row *r, void *to) {
    struct catalogue_list *list = to;
    struct str *items = arena_grow(l->a, list->items, list->n, &list->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    list->items = items;
    items[list->n++] = str_dup(l->a, db_text(r, 0));
    return ERR_OK;
}
static enum err take_environment(struct loading *l, struct db_row *r, void *to) {
    struct catalogue_environments *list = to;
    struct catalogue_environment *items = arena_grow(l->a, list->items, list->n, &list->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    list->items = items;
    items[list->n++] =
        (struct catalogue_environment){ str_dup(l->a, db_text(r, 0)), str_dup(l->a, db_text(r, 1)) };
    return ERR_OK;
}
static enum err take_name(struct loading *l, struct db_row *r, void *to) {
    struct catalogue_names *list = to;
    struct catalogue_name *items = arena_grow(l->a, list->items, list->n, &list->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    list->items = items;
    items[list->n++] = (struct catalogue_name){ str_dup(l->a, db_text(r, 0)), str_dup(l->a, db_text(r, 1)) };
    return ERR_OK;
}
static enum err take_target(struct loading *l, struct db_row *r, void *to) {
    enum measure m;
    if (!measure_of(db_text(r, 0), &m)) return ERR_OK; // of a measure that is no more
    struct catalogue_targets *list = to;
    struct catalogue_target *items = arena_grow(l->a, list->items, list->n, &list->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    list->items = items;
    items[list->n++] = (struct catalogue_target){ m, db_f64(r, 1) };
    return ERR_OK;
}

struct names {
    struct catalogue_service *items;
    uint32_t n, cap;
};
static enum err take_service(struct loading *l, struct db_row *r, void *to) {
    struct names *list = to;
    struct catalogue_service *items = arena_grow(l->a, list->items, list->n, &list->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    list->items = items;
    items[list->n++] = (struct catalogue_service){ .name = str_dup(l->a, db_text(r, 0)),
                                                   .owner = str_dup(l->a, db_text(r, 1)),
                                                   .team = str_dup(l->a, db_text(r, 2)),
                                                   .product = str_dup(l->a, db_text(r, 3)),
                                                   .tier = (uint32_t)db_i64(r, 4),
                                                   .runbook = str_dup(l->a, db_text(r, 5)),
                                                   .on_call = str_dup(l->a, db_text(r, 6)),
                                                   .rollback = str_dup(l->a, db_text(r, 7)) };
    return ERR_OK;
}

static const char select_environments[] =
    "SELECT environment, tier FROM catalogue_environment WHERE service = ? ORDER BY environment";
static const char select_targets[] =
    "SELECT measure, value FROM catalogue_target WHERE whose = ?2 AND name = ?1 ORDER BY measure";

static enum err load_targets(struct loading *l, struct str whose, struct str name,
                             struct catalogue_targets *to) {
    struct db_row *r;
    TRY(db_prepare(l->db, select_targets, &r));
    db_bind_text(r, 1, name);
    db_bind_text(r, 2, whose);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return ERR_OK;
        enum err e = take_target(l, r, to);
        if (e == ERR_OK) continue;
        db_reset(r);
        return e;
    }
}

static enum err load_service(struct loading *l, struct catalogue_service *s) {
    TRY(each_of(l, "SELECT repo FROM catalogue_repo WHERE service = ? ORDER BY repo", s->name,
                &s->repositories, take_item));
    TRY(each_of(l, "SELECT path FROM catalogue_path WHERE service = ? ORDER BY path", s->name, &s->paths,
                take_item));
    TRY(each_of(l, "SELECT needs FROM catalogue_dependency WHERE service = ? ORDER BY needs", s->name,
                &s->depends_on, take_item));
    TRY(each_of(l, select_environments, s->name, &s->environments, take_environment));
    TRY(each_of(l, "SELECT name, environment FROM catalogue_name WHERE service = ? ORDER BY name", s->name,
                &s->names, take_name));
    return load_targets(l, STR("service"), s->name, &s->targets);
}

static enum err load_teams(struct loading *l, struct catalogue *out) {
    struct catalogue_list names = { 0 };
    TRY(each_of(l, "SELECT team FROM catalogue_team ORDER BY team", (struct str){ 0 }, &names, take_item));
    out->teams = ARENA_ARRAY(l->a, names.n + 1, struct catalogue_team);
    if (!out->teams) return ERR_NOMEM;
    for (uint32_t i = 0; i < names.n; i++) {
        out->teams[i] = (struct catalogue_team){ .name = names.items[i] };
        TRY(load_targets(l, STR("team"), names.items[i], &out->teams[i].targets));
    }
    out->n_teams = names.n;
    return ERR_OK;
}

static enum err take_source(struct loading *l, struct db_row *r, void *to) {
    *(struct catalogue_source *)to =
        (struct catalogue_source){ str_dup(l->a, db_text(r, 0)), str_dup(l->a, db_text(r, 1)) };
    return ERR_OK;
}

enum err catalogue_load(struct db *d, struct arena *a, struct catalogue *out,
                        struct catalogue_source *source) {
    struct loading l = { d, a };
    struct names services = { 0 };
    *out = (struct catalogue){ 0 };
    *source = (struct catalogue_source){ 0 };
    TRY(each_of(&l, "SELECT file, problem FROM catalogue_source", (struct str){ 0 }, source, take_source));
    TRY(each_of(&l,
                "SELECT service, owner, team, product, tier, runbook, on_call, rollback FROM catalogue WHERE "
                "service <> ''"
                " ORDER BY service",
                (struct str){ 0 }, &services, take_service));
    for (uint32_t i = 0; i < services.n; i++) TRY(load_service(&l, &services.items[i]));
    out->services = services.items;
    out->n_services = services.n;
    TRY(each_of(&l, select_environments, STR(""), &out->environments, take_environment));
    return load_teams(&l, out);
}

enum err catalogue_tier(struct db *d, struct arena *a, struct str service, struct str environment,
                        struct str *out) {
    struct db_row *r;
    bool row;
    *out = STR("");
    TRY(db_prepare(d,
                   "SELECT tier FROM catalogue_environment WHERE service IN (?1, '') AND environment = ?2"
                   " ORDER BY service DESC LIMIT 1",
                   &r));
    db_bind_text(r, 1, service);
    db_bind_text(r, 2, environment);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    *out = str_dup(a, db_text(r, 0));
    db_reset(r);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

enum err catalogue_target_of(struct db *d, struct arena *a, struct str service, struct str team,
                             enum measure m, double *out, struct str *whose) {
    struct db_row *r;
    bool row;
    *whose = STR("");
    TRY(db_prepare(
        d,
        "SELECT whose || ' ' || name, value FROM catalogue_target WHERE measure = ?1 AND"
        " ((whose = 'service' AND name = ?2) OR (whose = 'team' AND name = CASE WHEN ?2 = '' THEN ?3"
        " ELSE (SELECT team FROM catalogue WHERE service = ?2) END)) ORDER BY whose LIMIT 1",
        &r));
    db_bind_text(r, 1, str_of(measure_info(m)->name));
    db_bind_text(r, 2, service);
    db_bind_text(r, 3, team);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    *whose = str_dup(a, db_text(r, 0));
    *out = db_f64(r, 1);
    db_reset(r);
    return a->failed ? ERR_NOMEM : ERR_OK;
}
