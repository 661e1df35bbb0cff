// SPDX-License-Identifier: Apache-2.0
#include "delivery/names.h"

#include "delivery/stale.h"

#define MEMORY_MAX (256ull << 20) // of keys

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
    return db_run(d, fill);
}

struct settling {
    struct arena keys, work;
    struct str *items;
    uint32_t n, cap;
};

static enum err add_key(void *ctx, struct db_row *r) {
    struct settling *s = ctx;
    struct str *items = arena_grow(&s->keys, s->items, s->n, &s->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    s->items = items;
    items[s->n++] = str_dup(&s->keys, db_text(r, 0));
    return s->keys.failed ? ERR_NOMEM : ERR_OK;
}

static enum err note_change(void *ctx, const struct fact_change *c) {
    return stale_note(ctx, c);
}

static enum err settle_kind(struct db *d, struct settling *s, enum fact_kind k, const char *select) {
    struct db_row *r;
    s->items = NULL;
    s->n = s->cap = 0;
    TRY(db_prepare(d, select, &r));
    TRY(db_each(r, add_key, s));
    for (uint32_t i = 0; i < s->n; i++) {
        TRY(fact_settle(d, &s->work, k, s->items[i], note_change, d));
        arena_reset(&s->work);
    }
    arena_reset(&s->keys);
    return ERR_OK;
}

#define OTHER "(SELECT name FROM foreign_moved)"

static enum err settle_all(struct db *d, struct settling *s) {
    static const struct {
        enum fact_kind kind;
        const char *select;
    } kinds[] = {
        { FACT_DEPLOY, "SELECT key FROM deploy WHERE service IN " OTHER },
        { FACT_INCIDENT, "SELECT key FROM incident WHERE service IN " OTHER },
        { FACT_CANARY, "SELECT key FROM canary WHERE service IN " OTHER },
        { FACT_FLAG, "SELECT key FROM flag_change WHERE service IN " OTHER },
        { FACT_ALERT, "SELECT key FROM alert WHERE service IN " OTHER },
        { FACT_IMPACT, "SELECT key FROM impact WHERE service IN " OTHER },
        { FACT_ONSET, "SELECT key FROM onset WHERE service IN " OTHER },
        { FACT_CALL, "SELECT key FROM call WHERE caller IN " OTHER " OR callee IN " OTHER },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        TRY(settle_kind(d, s, kinds[i].kind, kinds[i].select));
    return ERR_OK;
}

enum err names_changed(struct db *d) {
    struct settling s = { 0 };
    TRY(db_run(d, "DELETE FROM foreign_name_was; INSERT INTO foreign_name_was SELECT * FROM foreign_name;"));
    TRY(names_fill(d));
    TRY(db_run(d,
               "DELETE FROM foreign_moved; INSERT INTO foreign_moved WITH moved AS (SELECT * FROM (SELECT * "
               "FROM foreign_name EXCEPT SELECT * FROM foreign_name_was) UNION ALL SELECT * FROM (SELECT * "
               "FROM foreign_name_was EXCEPT SELECT * FROM foreign_name)) SELECT name FROM moved UNION "
               "SELECT service FROM moved;"));
    arena_init(&s.keys, MEMORY_MAX, NULL);
    arena_init(&s.work, MEMORY_MAX, NULL);
    enum err e = settle_all(d, &s);
    arena_fini(&s.work);
    arena_fini(&s.keys);
    return e;
}
