// SPDX-License-Identifier: Apache-2.0
#include "delivery/names.h"

#include "delivery/stale.h"
#include "intake/fact.h"

#define MEMORY_MAX (256ull << 20) // of a piece

// Histories and the catalogue name https://host/path, events host/path. The last word of a path is what is
// left of it without all that is not its end.
static const char fill[] =
    "DELETE FROM foreign_name;"
    "INSERT INTO foreign_name SELECT name, '', service, environment FROM catalogue_name;"
    "INSERT OR IGNORE INTO foreign_name WITH has(service, path) AS (SELECT DISTINCT service,"
    " CASE WHEN repo LIKE 'https://%' THEN substr(repo, 9) ELSE repo END FROM catalogue_repo),"
    " lone(service, path) AS (SELECT max(service), path FROM has GROUP BY path HAVING count(*) = 1)"
    " SELECT replace(path, rtrim(path, replace(path, '/', '')), '') AS word, path, service, '' FROM lone"
    " WHERE word <> '' AND word NOT IN (SELECT service FROM catalogue);";

enum err names_fill(struct db *d) {
    TRY(db_run(d, "DELETE FROM foreign_due"));
    return db_run(d, fill);
}

// Which facts have, or had, one of the names that mean something else now.
static const char note_due[] =
    "DELETE FROM foreign_moved; INSERT INTO foreign_moved WITH moved AS (SELECT * FROM (SELECT * FROM "
    "foreign_name EXCEPT SELECT * FROM foreign_name_was) UNION ALL SELECT * FROM (SELECT * FROM "
    "foreign_name_was EXCEPT SELECT * FROM foreign_name)) SELECT name FROM moved UNION SELECT service FROM "
    "moved;"
#define NAMED(KIND, SERVICE, ENVIRONMENT, REPO, table, column) \
    "INSERT OR IGNORE INTO foreign_due SELECT '" table "', key FROM \"" table "\" WHERE " column \
    " IN (SELECT name FROM foreign_moved);"
#include "intake/name.def"
    ;

enum err names_changed(struct db *d) {
    TRY(db_run(d, "DELETE FROM foreign_name_was; INSERT INTO foreign_name_was SELECT * FROM foreign_name;"));
    TRY(db_run(d, fill));
    return db_run(d, note_due);
}

// --- in pieces ---------------------------------------------------------------------------------------------

struct due_fact {
    enum fact_kind kind;
    struct str key;
};
struct settling {
    struct db *db;
    struct arena keys, work;
    struct due_fact *items;
    uint32_t n, cap;
};

static enum err add_due(void *ctx, struct db_row *r) {
    struct settling *s = ctx;
    struct due_fact *items = arena_grow(&s->keys, s->items, s->n, &s->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    s->items = items;
    unsigned k = 0;
    while (k < FACT_KIND_COUNT && !str_eq(str_of(fact_table((enum fact_kind)k)), db_text(r, 0))) k++;
    if (k == FACT_KIND_COUNT) return ERR_CORRUPT;
    items[s->n++] = (struct due_fact){ (enum fact_kind)k, str_dup(&s->keys, db_text(r, 1)) };
    return s->keys.failed ? ERR_NOMEM : ERR_OK;
}

static enum err settle_one(struct settling *s, const struct due_fact *f) {
    struct db_row *r;
    arena_reset(&s->work);
    TRY(fact_settle(s->db, &s->work, f->kind, f->key, stale_note, s->db));
    TRY(db_prepare(s->db, "DELETE FROM foreign_due WHERE \"table\" = ? AND key = ?", &r));
    db_bind_text(r, 1, str_of(fact_table(f->kind)));
    db_bind_text(r, 2, f->key);
    return db_done(r);
}

static enum err settle_piece(struct settling *s, unsigned n, bool *out_left) {
    struct db_row *r;
    TRY(db_prepare(s->db, "SELECT \"table\", key FROM foreign_due ORDER BY 1, 2 LIMIT ?", &r));
    db_bind_i64(r, 1, n);
    TRY(db_each(r, add_due, s));
    for (uint32_t i = 0; i < s->n; i++) TRY(settle_one(s, &s->items[i]));
    *out_left = s->n == n;
    return ERR_OK;
}

enum err names_some(struct db *d, unsigned n, bool *out_left) {
    struct settling s = { .db = d };
    arena_init(&s.keys, MEMORY_MAX, NULL);
    arena_init(&s.work, MEMORY_MAX, NULL);
    enum err e = settle_piece(&s, n, out_left);
    arena_fini(&s.work);
    arena_fini(&s.keys);
    return e;
}
