// SPDX-License-Identifier: Apache-2.0
#include "delivery/words.h"

enum { SHORT_SHA = 7, SHA_DIGITS = 40, ID_DIGITS = 16, NAMES = 4 };

// --- what has changed --------------------------------------------------------------------------------------

static enum err note_names(struct db *d, const struct str names[static NAMES], struct str sha) {
    struct db_row *r;
    TRY(db_prepare(
        d,
        "INSERT OR IGNORE INTO near_stale SELECT incident FROM verdict WHERE rollout IN (?1, ?2, ?3, ?4) AND "
        "rollout <> '' AND incident IS NOT NULL UNION ALL SELECT incident FROM verdict WHERE rollout BETWEEN "
        "substr(?5, 1, 7) AND ?5 AND rollout <> '' AND rollout = substr(?5, 1, length(rollout)) AND incident "
        "IS "
        "NOT NULL",
        &r));
    for (int i = 0; i < NAMES; i++) db_bind_text(r, i + 1, names[i]);
    db_bind_text(r, NAMES + 1, sha);
    return db_done(r);
}

static struct str text_of(const struct fact *f, enum fact_field field) {
    struct str s = fact_get(f, field)->s;
    return s.ptr ? s : STR("");
}

static void names_of(const struct fact_change *c, const struct fact *f, struct str names[static NAMES],
                     struct str *sha) {
    for (int i = 0; i < NAMES; i++) names[i] = STR("");
    *sha = STR("");
    if (!f->known) return;
    names[0] = c->key;
    if (c->kind == FACT_DEPLOY) {
        names[1] = text_of(f, DEPLOY_VERSION);
        names[2] = text_of(f, DEPLOY_DIGEST);
        names[3] = text_of(f, DEPLOY_ROLLOUT);
        *sha = text_of(f, DEPLOY_SHA);
    } else if (c->kind == FACT_FLAG) {
        names[1] = text_of(f, FLAG_NAME);
    } else {
        *sha = text_of(f, PUSHED_SHA);
    }
}

enum err words_note(struct db *d, const struct fact_change *c) {
    struct str was[NAMES], now[NAMES], was_sha, now_sha;
    int64_t any;
    if (c->kind != FACT_DEPLOY && c->kind != FACT_FLAG && c->kind != FACT_PUSHED) return ERR_OK;
    TRY(db_number(d, "SELECT EXISTS (SELECT 1 FROM verdict)", &any));
    if (!any) return ERR_OK;
    names_of(c, c->before, was, &was_sha);
    names_of(c, c->after, now, &now_sha);
    bool same = str_eq(was_sha, now_sha);
    for (int i = 0; i < NAMES; i++) same = same && str_eq(was[i], now[i]);
    if (same) return ERR_OK;
    if (c->before->known) TRY(note_names(d, was, was_sha));
    return note_names(d, now, now_sha);
}

enum err words_note_history(struct db *d) {
    return db_run(
        d, "INSERT OR IGNORE INTO near_stale SELECT v.incident FROM word_of_nothing w JOIN verdict v ON "
           "v.key = w.verdict;");
}

enum err words_forget_all(struct db *d) {
    return db_run(
        d, "DELETE FROM word_of_nothing; INSERT OR IGNORE INTO near_stale SELECT incident FROM verdict "
           "WHERE incident IS NOT NULL;");
}

// --- judging -----------------------------------------------------------------------------------------------

struct word {
    struct str verdict, name;
    bool of_nothing; // as it is kept
};
struct words {
    struct arena *a;
    struct word *items;
    uint32_t n, cap;
};

static enum err add_word(void *ctx, struct db_row *r) {
    struct words *w = ctx;
    struct word *items = arena_grow(w->a, w->items, w->n, &w->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    w->items = items;
    items[w->n++] = (struct word){ .verdict = str_dup(w->a, db_text(r, 0)),
                                   .name = str_dup(w->a, db_text(r, 1)),
                                   .of_nothing = db_i64(r, 2) != 0 };
    return w->a->failed ? ERR_NOMEM : ERR_OK;
}

// The cheap questions first: few words get to those that read a table through.
static const char select_meaning[] =
    "SELECT EXISTS (SELECT 1 FROM deploy WHERE key = ?1) OR EXISTS (SELECT 1 FROM rollout WHERE id = ?2) OR "
    "EXISTS (SELECT 1 FROM flag_change WHERE key = ?1) OR (?3 <> '' AND (EXISTS (SELECT 1 FROM deploy WHERE "
    "sha BETWEEN lower(?3) AND lower(?3) || 'g') OR EXISTS (SELECT 1 FROM pushed_commit WHERE sha BETWEEN "
    "lower(?3) AND lower(?3) || 'g') OR EXISTS (SELECT 1 FROM git_commit WHERE sha = ?4))) OR EXISTS (SELECT "
    "1 FROM flag_change WHERE flag = ?1) OR EXISTS (SELECT 1 FROM deploy WHERE ?1 IN (version, digest, "
    "rollout))";

static bool is_hex(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!s.ptr[i] || !strchr("0123456789abcdefABCDEF", s.ptr[i])) return false;
    return true;
}

static enum err means_something(struct db *d, struct str name, bool *out) {
    struct db_row *r;
    bool row, sha = name.len >= SHORT_SHA && name.len <= SHA_DIGITS && is_hex(name);
    uint8_t id[ID_DIGITS / 2], bytes[SHA_DIGITS / 2];
    uint64_t number = 0;
    *out = false;
    if (!name.len) return ERR_OK;
    if (name.len == ID_DIGITS && hex_decode(name, id, sizeof id))
        for (size_t i = 0; i < sizeof id; i++) number = number << 8 | id[i];
    TRY(db_prepare(d, select_meaning, &r));
    db_bind_text(r, 1, name);
    db_bind_i64(r, 2, (int64_t)number);
    db_bind_text(r, 3, sha ? name : STR(""));
    bool whole = name.len == SHA_DIGITS && hex_decode(name, bytes, sizeof bytes);
    db_bind_blob(r, 4, (struct str){ (char *)bytes, whole ? sizeof bytes : 0 });
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    *out = db_i64(r, 0) != 0;
    db_reset(r);
    return ERR_OK;
}

static enum err keep(struct db *d, const struct word *w, bool means) {
    struct db_row *r;
    TRY(db_prepare(d,
                   means ? "DELETE FROM word_of_nothing WHERE verdict = ?"
                         : "INSERT OR IGNORE INTO word_of_nothing VALUES(?)",
                   &r));
    db_bind_text(r, 1, w->verdict);
    return db_done(r);
}

enum err words_judge(struct db *d, struct arena *a, struct str incident, bool *out_changed) {
    struct words words = { .a = a };
    struct db_row *r;
    *out_changed = false;
    TRY(db_prepare(d,
                   "SELECT v.key, ifnull(v.rollout, ''), w.verdict IS NOT NULL FROM verdict v LEFT JOIN "
                   "word_of_nothing w "
                   "ON w.verdict = v.key WHERE v.incident = ?",
                   &r));
    db_bind_text(r, 1, incident);
    TRY(db_each(r, add_word, &words));
    for (uint32_t i = 0; i < words.n; i++) {
        bool means;
        TRY(means_something(d, words.items[i].name, &means));
        if (means != words.items[i].of_nothing) continue;
        *out_changed = true;
        TRY(keep(d, &words.items[i], means));
    }
    return ERR_OK;
}
